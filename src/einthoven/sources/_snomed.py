"""The 133 SNOMED CT codes of Challenge 2021 and the 26 classes that it scores.

Written out here from `dx_mapping_scored.csv`, `dx_mapping_unscored.csv` and `weights.csv` of
physionetchallenges/evaluation-2021 (BSD 2-Clause), so that the columns of a task do not depend on which files happen to
be there. Four pairs of codes count as one class. 164884008, ventricular ectopics, as which CPSC 2018 and PTB-XL state
their premature beats, is not scored: the set `pvc-merged` takes it in, under a name of its own.
"""

from __future__ import annotations

from collections.abc import Collection

from einthoven.core.facts import Label, LabelSet

SCORED = {
    "AF": "164889003", "AFL": "164890007", "BBB": "6374002", "Brady": "426627000", "CLBBB|LBBB": "733534002|164909002",
    "CRBBB|RBBB": "713427006|59118001", "IAVB": "270492004", "IRBBB": "713426002", "LAD": "39732003",
    "LAnFB": "445118002", "LPR": "164947007", "LQRSV": "251146004", "LQT": "111975006", "NSIVCB": "698252002",
    "NSR": "426783006", "PAC|SVPB": "284470004|63593006", "PR": "10370003", "PRWP": "365413008",
    "PVC|VPB": "427172004|17338001", "QAb": "164917005", "RAD": "47665007", "SA": "427393009", "SB": "426177001",
    "STach": "427084000", "TAb": "164934002", "TInv": "59931005",
}  # fmt: skip
"""Codes of each class, in the order of `weights.csv`; those of a pair are joined as there."""

_UNSCORED = (
    "AAR 233892002 abQRS 164951009 AED 251187003 AIVR 61277005 AJR 426664006 ALR 251139008 AMI 57054005 "
    "AMIs 413444003 AnMIs 426434006 AnMI 54329005 AB 251173003 AFAFL 195080001 AH 195126007 AP 251268003 "
    "ARH 106068003 ATach 713422000 AVB 233917008 AVD 50799005 AVJR 29320008 AVNRT 251166008 AVRT 233897008 "
    "BPAC 251170000 BRU 418818005 BTS 74615001 CAF 426749004 CCR 251199005 CVCL/CCVCL 61721007 CD 698247007 "
    "CHB 27885002 CIAHB 204384007 CHD 53741008 CMI 413844008 CR 251198002 DIB 82226007 ERe 428417006 FB 13640000 "
    "FQRS 164942001 HF 84114007 HVD 368009 HTV 251259000 ICA 251200008 IIAVB 195042002 IIAVBII 426183003 "
    "IIs 425419005 ILBBB 251120003 ISTD 704997005 IR 49260003 JE 426995002 JPC 251164006 JTach 426648003 "
    "LAA 253352002 LAE 67741000119109 LAH 446813000 LIs 425623009 LPFB 445211001 LVH 164873001 LVHV 55827005 "
    "LVS 370365005 MI 164865005 MIs 164861001 MoI 54016002 NSSTTA 428750005 OldMI 164867002 PAF 282825002 "
    "PPW 251205003 PSVT 67198005 PVT 425856008 PWC 164912004 RAAb 253339007 RAb 164921003 RAH 446358003 "
    "RAHV 67751000119106 RAF 314208002 RVH 89792004 SAAWR 17366009 SAB 65778007 SARR 5609005 SND 60423000 "
    "SPRI 49578007 SQT 77867006 STC 55930002 STD 429622005 STE 164931005 STIAb 164930006 SVB 251168009 "
    "SVT 426761007 TIA 266257000 TPW 251223006 UAb 164937009 VBig 11157007 VEB 164884008 VEsB 75532003 "
    "VEsR 81898007 VF 164896001 VFL 111288001 VH 266249003 VPEx 195060002 VPP 251266004 VPVC 251182009 "
    "VTach 164895002 VTrig 251180001 WAP 195101003 WPW 74390002"
)

ABBREVIATIONS: dict[str, str] = dict(zip(_UNSCORED.split()[1::2], _UNSCORED.split()[::2]))
"""The Challenge's abbreviation of each of the 133 codes."""
for _class, _pair in SCORED.items():
    ABBREVIATIONS.update(zip(_pair.split("|"), _class.split("|")))

_ECTOPICS = "164884008"
_CLASS = {code: name for name, codes in SCORED.items() for code in codes.split("|")}
_GROUPS = {"scored": _CLASS, "pvc-merged": _CLASS | {_ECTOPICS: "PVC|VPB"}}

LABEL_SETS = (
    *(LabelSet(name, "Challenge 2021", tuple(SCORED)) for name in _GROUPS),
    LabelSet("snomed", "SNOMED CT", tuple(sorted(ABBREVIATIONS))),
)
"""`scored` and `pvc-merged` (26 classes each), `snomed` (133). Closed, as the Challenge reads its headers: what a
recording with a diagnosis does not state is absent, also where its source never states it."""


def labels(codes: Collection[str]) -> tuple[Label, ...]:
    """The labels of one recording in all sets; none where it states no code (which is unknown, not healthy).

    A recording of whose codes no class of a set is made lacks all of them: one row that says so brings it into the set.

    >>> [(label.name, label.code, label.present) for label in labels(["164884008"])]
    [('scored', 'AF', 0.0), ('pvc-merged', 'PVC|VPB', 1.0), ('snomed', '164884008', 1.0)]
    """
    found = []
    for name, group in _GROUPS.items():
        classes = {group[code] for code in codes if code in group}
        found += [Label(name, one) for one in SCORED if one in classes]
        if codes and not classes:
            found.append(Label(name, next(iter(SCORED)), 0.0))
    return (*found, *(Label("snomed", code) for code in dict.fromkeys(codes)))
