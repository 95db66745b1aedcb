"""The 71 statements of PTB-XL and its six label sets, as the benchmark builds them.

Written out here from `scp_statements.csv` of PTB-XL 1.0.3 (CC BY 4.0), so that the columns of a task do not depend on
which rows or files happen to be there. The rule of helme/ecg_ptbxl_benchmarking (`code/utils/utils.py`): every key of
`scp_codes` counts whatever its likelihood, because 0 means "not stated"; a superclass or subclass is the set over keys.
"""

from __future__ import annotations

from collections.abc import Mapping

from einthoven.core.facts import Label, LabelSet

_SUBCLASSES = {
    "NORM": {"NORM": "NORM"},
    "MI": {
        "AMI": "ASMI AMI ALMI INJAS INJAL INJLA", "IMI": "IMI ILMI IPLMI IPMI INJIN INJIL", "LMI": "LMI", "PMI": "PMI",
    },
    "STTC": {
        "STTC": "NDT DIG LNGQT ANEUR EL", "NST_": "NST_", "ISC_": "ISC_", "ISCA": "ISCAL ISCAS ISCLA ISCAN",
        "ISCI": "ISCIN ISCIL",
    },
    "CD": {
        "LAFB/LPFB": "LAFB LPFB", "IRBBB": "IRBBB", "ILBBB": "ILBBB", "CLBBB": "CLBBB", "CRBBB": "CRBBB",
        "_AVB": "1AVB 2AVB 3AVB", "IVCD": "IVCD", "WPW": "WPW",
    },
    "HYP": {"LVH": "LVH", "LAO/LAE": "LAO/LAE", "RVH": "RVH", "RAO/RAE": "RAO/RAE", "SEHYP": "SEHYP"},
}  # fmt: skip
_FORM = (
    "NDT", "NST_", "DIG", "LNGQT",  # these are diagnostic too
    "ABQRS", "PVC", "STD_", "VCLVH", "QWAVE", "LOWT", "NT_", "PAC", "LPR", "INVT", "LVOLT", "HVOLT", "TAB_", "STE_",
    "PRC(S)",
)  # fmt: skip
_RHYTHM = (
    "SR", "AFIB", "STACH", "SARRH", "SBRAD", "PACE", "SVARR", "BIGU", "AFLT", "SVTAC", "PSVT", "TRIGU",
)  # fmt: skip

GROUPS: dict[str, dict[str, str]] = {
    "diagnostic": {}, "subclass": {}, "superclass": {}, "form": {code: code for code in _FORM},
    "rhythm": {code: code for code in _RHYTHM},
}  # fmt: skip
"""For each label set, which code of it a statement counts as; statements outside the set are not in its table."""
for _superclass, _subclasses in _SUBCLASSES.items():
    for _subclass, _codes in _subclasses.items():
        for _code in _codes.split():
            GROUPS["diagnostic"][_code] = _code
            GROUPS["subclass"][_code] = _subclass
            GROUPS["superclass"][_code] = _superclass

STATEMENTS = frozenset(code for group in GROUPS.values() for code in group)

LABEL_SETS = (
    LabelSet("scp", "SCP-ECG", tuple(sorted(STATEMENTS))),
    *(LabelSet(name, "SCP-ECG", tuple(sorted(set(group.values())))) for name, group in GROUPS.items()),
)
"""`scp` (71 codes: the task `all`), `diagnostic` 44, `subclass` 23, `superclass` 5, `form` 19, `rhythm` 12."""


def labels(statements: Mapping[str, float]) -> tuple[Label, ...]:
    """The labels of one recording in all six sets; of several statements in one class the largest likelihood counts."""
    found = [Label("scp", code, 1.0, float(likelihood)) for code, likelihood in statements.items()]
    for name, group in GROUPS.items():
        largest: dict[str, float] = {}
        for code, likelihood in statements.items():
            if code in group:
                largest[group[code]] = max(float(likelihood), largest.get(group[code], 0.0))
        found += [Label(name, code, 1.0, likelihood) for code, likelihood in largest.items()]
    return tuple(found)
