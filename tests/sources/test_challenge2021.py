"""Challenge 2021: classes and codes, who is known by the name, which recordings `official` may train on, bad files."""

from __future__ import annotations

import csv
import re
import struct
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from einthoven.cohort import splits
from einthoven.cohort.build import build
from einthoven.cohort.join import Joined, families
from einthoven.core.errors import CohortError, EinthovenError, SourceError
from einthoven.core.facts import Category, Fact, Label, Text, Value
from einthoven.core.leads import STANDARD
from einthoven.core.record import Record
from einthoven.formats.wfdb import Wfdb
from einthoven.sources import Item, _snomed
from einthoven.sources.challenge2021 import Challenge2021
from einthoven.sources.ptbxl import Ptbxl
from tests.sources import test_ptbxl

AF, RBBB, CRBBB, ECTOPICS, PVC, MI = "164889003", "59118001", "713427006", "164884008", "427172004", "164865005"


def write(folder: Path, rows: Mapping[str, Mapping[str, object]], blank: str = " ") -> Path:
    """A small Challenge 2021 in its published layout: WFDB headers beside MATLAB files of level 4.

    A row says what differs from an ordinary recording. blank: what follows `#`; the two releases differ in it.
    """
    for i, (key, said) in enumerate(rows.items()):
        row: dict[str, object] = {
            "place": "georgia/g1", "Age": 74, "Sex": "Male", "Dx": "426783006", "Rx": "Unknown", "rate": 500,
            "seconds": 2, "gain": "1000.0(0)/mV", **said,
        }  # fmt: skip
        place = folder / str(row["place"])
        place.mkdir(parents=True, exist_ok=True)
        rate, samples = int(str(row["rate"])), int(str(row["rate"])) * int(str(row["seconds"]))
        time = np.arange(samples) / rate
        counts_TL = np.rint(500 * np.sin(2 * np.pi * time[:, None] * (5 + i) + np.arange(12))).astype("<i2")
        if "lost" in row:
            counts_TL[row["lost"]] = -32768
        head = struct.pack("<5i4s", 30, 12, samples, 0, 4, b"val\0")  # int16, rows, columns, no imaginary part, name
        (place / f"{key}.mat").write_bytes(head + counts_TL.tobytes())
        sums = counts_TL.sum(axis=0, dtype=np.int64).astype("<i2")
        lines = [f"{row.get('name', key)} 12 {rate} {samples}"]
        lines += [
            f"{key}.mat 16x1+24 {row['gain']} 16 0 {counts_TL[0, k]} {sums[k]} 0 {lead}"
            for k, lead in enumerate(STANDARD)
        ]
        lines += [f"#{blank}{name}: {row[name]}" for name in ("Age", "Sex", "Dx", "Rx")]
        (place / f"{key}.hea").write_text("\n".join(lines) + "\n")
    return folder


def one(folder: Path, source: Challenge2021 | None = None) -> Record:
    source = source or Challenge2021()
    (got,) = source.read(folder, source.plan(folder).items)
    assert isinstance(got, Record), got
    return got


def named(facts: tuple[Fact, ...], name: str) -> list[object]:
    return [fact.code if isinstance(fact, Label) else fact.value for fact in facts if fact.name == name]  # type: ignore[union-attr]


def parts(folder: Path, out: Path, **settings: str) -> dict[str, str]:
    cohort = build(Challenge2021(**settings), folder, out, workers=1)  # type: ignore[arg-type]
    return dict(zip(cohort.index["key"].to_list(), splits.parts(cohort, "official").tolist()))


def test_what_a_diagnosis_does_not_state_is_absent_and_no_diagnosis_is_unknown(tmp_path: Path):
    dx = {
        "E00001": f"{CRBBB},{AF},{RBBB},{AF}", "E00002": ECTOPICS, "E00003": f"{PVC}, {MI}", "E00004": "",
        "E00005": "Unknown",
    }  # fmt: skip
    cohort = build(Challenge2021(), write(tmp_path / "in", {key: {"Dx": said} for key, said in dx.items()}),
                   tmp_path / "out", workers=1)  # fmt: skip
    assert {name: (len(s.codes), s.closed, s.exclusive) for name, s in cohort.label_sets.items()} == {
        "scored": (26, True, False), "pvc-merged": (26, True, False), "snomed": (133, True, False),
    }  # fmt: skip
    for name, want in (
        ("scored", [{"AF", "CRBBB|RBBB"}, set(), {"PVC|VPB"}]),
        ("pvc-merged", [{"AF", "CRBBB|RBBB"}, {"PVC|VPB"}, {"PVC|VPB"}]),
        ("snomed", [{CRBBB, AF, RBBB}, {ECTOPICS}, {PVC, MI}]),
    ):
        codes, truth = cohort.labels(name)
        assert [{code for code, said in zip(codes, row) if said == 1} for row in truth[:3]] == want
        assert set(np.unique(truth[:3])) == {0, 1}
        assert np.isnan(truth[3:]).all()


@pytest.mark.parametrize("blank", ["", " "])
@pytest.mark.parametrize(
    ("said", "age", "sex"),
    [
        ({"Age": 74, "Sex": "Male"}, [74], ["male"]), ({"Age": "NaN", "Sex": "female"}, [], ["female"]),
        ({"Age": -1, "Sex": "Unknown"}, [], []), ({"Age": "Unknown", "Sex": "F"}, [], ["female"]),
        ({"Age": 300, "Sex": "M"}, [90], ["male"]), ({"Age": "", "Sex": "NaN"}, [], []), ({"Age": 0}, [0], ["male"]),
    ],
)  # fmt: skip
def test_age_and_sex_in_all_spellings(
    tmp_path: Path, blank: str, said: dict[str, object], age: list[int], sex: list[str]
):
    facts = one(write(tmp_path, {"E00001": said}, blank)).facts
    assert (named(facts, "age"), named(facts, "sex"), named(facts, "scored")) == (age, sex, ["NSR"])
    assert named(facts, "age.top") == (["over 89"] if said["Age"] == 300 else [])
    assert not any(isinstance(fact, Text) for fact in facts)  # what Dx says stands nowhere else


def test_what_else_a_header_says_is_kept(tmp_path: Path):
    facts = one(write(tmp_path, {"I0004": {"Rx": "Nitrates"}})).facts
    assert [fact for fact in facts if isinstance(fact, Text)] == [Text("comments", "Rx: Nitrates")]


@pytest.mark.parametrize(
    ("key", "source"),
    [
        ("A0001", "cpsc_2018"), ("Q3581", "cpsc_2018_extra"), ("I0004", "st_petersburg_incart"), ("S0001", "ptb"),
        ("HR00599", "ptb-xl"), ("E00001", "georgia"), ("JS10646", "chapman_shaoxing"), ("JS10647", "ningbo"),
        ("S23074", "ningbo"),
    ],
)  # fmt: skip
def test_the_name_tells_the_source_in_whatever_folder(tmp_path: Path, key: str, source: str):
    got = one(write(tmp_path, {key: {"place": "g7"}}))
    assert (got.key, got.site, named(got.facts, "source")) == (key.replace("S2", "JS2"), source, [source])
    assert (got.leads, got.rate, got.samples) == (STANDARD, 500, 1000)
    assert (got.subject is None) == (source != "st_petersburg_incart")
    assert one(tmp_path, Challenge2021(part=source)).key == got.key  # type: ignore[arg-type]


def test_recordings_of_incart_are_of_32_persons(tmp_path: Path):
    rows = {f"I{n:04d}": {"seconds": 1, "rate": 257} for n in range(1, 76)}
    who = {item.key: item.subject for item in Challenge2021().plan(write(tmp_path, rows)).items}
    assert len(set(who.values())) == 32
    # recording and patient as the original headers say
    said = {1: 1, 2: 1, 3: 2, 8: 4, 9: 5, 15: 7, 16: 8, 29: 14, 32: 14, 35: 16, 36: 16, 37: 16, 38: 17, 74: 32, 75: 32}
    assert {n: who[f"I{n:04d}"] for n in said} == {n: f"incart {person}" for n, person in said.items()}


def ptbxl(folder: Path, place: Path) -> Path:
    """Five recordings of PTB-XL here and there: two persons in folds 3 and 3, one in each of 9 and 10, one unlisted."""
    people = [("7.0", 3), ("7.0", 3), ("8.0", 3), ("9.0", 9), ("10.0", 10)]
    test_ptbxl.write(place, [{"patient_id": person, "strat_fold": fold} for person, fold in people], signals=False)
    for n in range(1, 6):
        wave_LT = np.sin(np.arange(1000) * n / 30 + np.arange(12)[:, None])
        Wfdb().write(Record("lr", STANDARD, wave_LT, 100), place / "records100" / "00000" / f"{n:05d}_lr.hea")
    return write(folder, {f"HR{n:05d}": {"place": "ptb-xl/g1"} for n in range(1, 7)})


def test_the_table_of_ptbxl_says_persons_and_folds_and_official_trains_on_no_other(tmp_path: Path):
    folder = ptbxl(tmp_path / "in", tmp_path / "ptbxl")
    write(folder, {f"E{n:05d}": {} for n in range(10)})
    source = Challenge2021(table=str(tmp_path / "ptbxl" / "ptbxl_database.csv"))
    plan = source.plan(folder)
    assert {item.key: item.subject for item in plan.items if item.key[0] == "H"} == {
        "HR00001": "7", "HR00002": "7", "HR00003": "8", "HR00004": "9", "HR00005": "10", "HR00006": None,
    }  # fmt: skip
    assert plan.items[-2].facts == (Category("source", "ptb-xl"), Value("strat_fold", 10))
    assert any("1 recordings are not in PTB-XL's table" in note for note in plan.notes)
    part = parts(folder, tmp_path / "out", table=str(source.table))
    assert {key for key, word in part.items() if not word} == {"HR00004", "HR00005", "HR00006"}
    assert Counter(part.values()).keys() == {"train", "validation", ""}
    assert part["HR00001"] == part["HR00002"]
    cohort = build(source, folder, tmp_path / "out", workers=1)
    for split in splits.SPLITS[1:]:  # halves and folds deal everybody, and nobody twice
        assert set(splits.parts(cohort, split)) == {"train", "validation", "test"}


def test_the_table_beside_the_recordings_is_taken_and_without_it_official_leaves_ptbxl_out(tmp_path: Path):
    folder = ptbxl(tmp_path / "in", tmp_path / "ptbxl")
    write(folder, {f"E{n:05d}": {} for n in range(10)})
    plan = Challenge2021().plan(folder)
    assert not any(item.subject for item in plan.items)
    assert any("do not test on PTB-XL" in note for note in plan.notes)
    assert {key[0] for key, word in parts(folder, tmp_path / "out").items() if not word} == {"H"}
    (tmp_path / "ptbxl" / "ptbxl_database.csv").rename(folder / "ptbxl_database.csv")
    assert [item.subject for item in Challenge2021().plan(folder).items[-6:]] == ["7", "7", "8", "9", "10", None]


def test_the_part_of_ptbxl_has_the_persons_and_folds_of_the_source_ptbxl(tmp_path: Path):
    folder = ptbxl(tmp_path / "in", tmp_path / "ptbxl")
    table = str(tmp_path / "ptbxl" / "ptbxl_database.csv")
    mine = build(Challenge2021(part="ptb-xl", table=table), folder, tmp_path / "mine", workers=1)
    theirs = build(Ptbxl(), tmp_path / "ptbxl", tmp_path / "theirs", workers=1)
    both = Joined([mine, theirs])
    assert both.card["source"]["family"] == "PTB-XL"
    assert both.card["counts"] == {"records": 11, "subjects": 5}
    part = splits.parts(both, "official").tolist()  # refuses a person in two parts
    assert part == [*["train"] * 3, "validation", "test", "", *["train"] * 3, "validation", "test"]


def test_a_part_by_itself_is_dealt_into_three(tmp_path: Path):
    folder = write(tmp_path / "in", {f"E{n:05d}": {} for n in range(10)} | {"A0001": {"place": "cpsc_2018/g1"}})
    assert Counter(parts(folder, tmp_path / "out", part="georgia").values()) == {
        "train": 6, "validation": 2, "test": 2,
    }  # fmt: skip
    assert Challenge2021(part="georgia").family != Challenge2021.family == Challenge2021().family


def test_a_collection_names_the_families_of_its_recordings_and_is_not_joined_with_one_of_them(tmp_path: Path):
    write(tmp_path / "in", {"HR00001": {"place": "ptb-xl/g1"}, "E00001": {"place": "georgia/g1"}})
    made = {
        part: build(Challenge2021(part=part), tmp_path / "in", tmp_path / f"{part}", workers=1)
        for part in (None, "ptb-xl", "georgia")
    }
    assert {"Georgia", "PTB-XL", "CPSC 2018"} < families(made[None].card["source"])
    assert families(made["georgia"].card["source"]) == {"Georgia"}
    apart = Joined([made["georgia"], made["ptb-xl"]])
    assert families(apart.card["source"]) == {"Georgia", "PTB-XL"}
    assert apart.card["members"] == [made["georgia"].fingerprint, made["ptb-xl"].fingerprint]
    with pytest.raises(CohortError, match=r"has persons of PTB-XL by other names.*part="):
        Joined([made[None], made["ptb-xl"]])


def damage(kind: str, header: Path) -> None:
    data = header.with_suffix(".mat")
    if kind == "header":
        header.write_text("E00002 twelve\n")
    elif kind == "missing":
        data.unlink()
    elif kind == "truncated":
        data.write_bytes(data.read_bytes()[:-24])
    elif kind == "length":
        data.write_bytes(data.read_bytes() + bytes(24))
    elif kind == "label":
        header.write_text(header.read_text().replace("Dx: ", "Dx: 123456789,"))


@pytest.mark.parametrize("kind", ["header", "missing", "truncated", "length", "label", "name"])
def test_a_bad_file_is_refused_alone_in_one_line(tmp_path: Path, kind: str):
    write(tmp_path, {"E00001": {}, "X0002" if kind == "name" else "E00002": {}, "E00003": {}})
    source = Challenge2021()
    items = source.plan(tmp_path).items
    (bad,) = (item for item in items if item.key.endswith("2"))
    damage(kind, tmp_path / bad.path)
    got = dict(zip([item.key for item in items], source.read(tmp_path, items)))
    refused = got.pop(bad.key)
    assert isinstance(refused, EinthovenError)
    assert (refused.reason, str(refused).count("\n")) == (kind, 0)
    assert bad.key in str(refused)
    assert all(isinstance(record, Record) for record in got.values())


def test_a_folder_without_recordings_or_with_copies_and_a_wrong_setting_or_table_are_refused(tmp_path: Path):
    with pytest.raises(SourceError, match="holds no recording of Challenge 2021"):
        Challenge2021().plan(tmp_path)
    write(tmp_path, {"E00001": {}})
    with pytest.raises(SourceError, match="of ptb, got 1 headers"):
        Challenge2021(part="ptb").plan(tmp_path)
    with pytest.raises(SourceError, match="cannot be read"):
        Challenge2021(table=str(tmp_path / "none.csv")).plan(tmp_path)
    (tmp_path / "ptbxl_database.csv").write_text("ecg_id,patient_id,strat_fold\n1,15709.0,3\n2,x,3\n")
    with pytest.raises(SourceError, match="row 3 is not as published"):
        Challenge2021().plan(tmp_path)
    write(tmp_path, {"E00001": {"place": "copy"}})
    with pytest.raises(SourceError, match="E00001 is there twice"):
        Challenge2021().plan(tmp_path)
    with pytest.raises(SourceError, match="no such part"):
        Challenge2021(part="chapman")  # type: ignore[arg-type]
    with pytest.raises(SourceError, match="above 0 Hz"):
        Challenge2021(rate=0)


def test_at_another_rate_a_sine_stays_and_lost_samples_stay_lost(tmp_path: Path):
    folder = write(tmp_path, {"S0001": {"rate": 1000, "seconds": 4, "lost": slice(1000, 1203)}})
    got = one(folder, Challenge2021(rate=100))
    assert (got.rate, got.samples) == (100, 400)
    time = np.arange(400) / 100
    want_LT = 0.5 * np.sin(2 * np.pi * 5 * time + np.arange(12)[:, None])
    lost = (time >= 1) & (time <= 1.2)
    assert (np.isnan(got.signal) == lost).all()
    away = (np.abs(time - 1.1) > 0.5) & (time > 0.3) & (time < 3.7)
    assert np.abs(got.signal - want_LT)[:, away].max() < 0.005  # the gap's straight line rings on a little


def test_headers_of_the_first_release_are_read_as_they_stand_and_marked(tmp_path: Path):
    new, old = (
        one(write(tmp_path / gain[:4], {"HR00002": {"gain": gain}})) for gain in ("1000.0(0)/mV", "200/mV")
    )  # fmt: skip
    np.testing.assert_allclose(old.signal, 5 * new.signal, rtol=1e-6)  # float32
    assert (named(old.facts, "gain"), named(new.facts, "gain")) == (["first release"], [])


@pytest.mark.shared
def test_classes_pairs_and_codes_are_those_of_the_official_scoring(shared_data: Path):
    folder = shared_data / "challenge2021_scoring"
    heads = {}
    for name in ("weights", "weights_abbreviations"):
        with open(folder / f"{name}.csv", newline="") as stream:
            heads[name] = next(csv.reader(stream))[1:]
    assert list(_snomed.SCORED.items()) == list(zip(heads["weights_abbreviations"], heads["weights"], strict=True))
    assert sorted(code for code in heads["weights"] if "|" in code) == [
        "284470004|63593006", "427172004|17338001", "713427006|59118001", "733534002|164909002",
    ]  # fmt: skip
    told: dict[str, str] = {}
    for name in ("scored", "unscored"):
        with open(folder / f"dx_mapping_{name}.csv", newline="") as stream:
            rows = list(csv.DictReader(stream))
        told |= {row["SNOMEDCTCode"]: row["Abbreviation"] for row in rows}
        if name == "scored":
            assert {row["SNOMEDCTCode"] for row in rows} == set("|".join(heads["weights"]).split("|"))
    assert told == _snomed.ABBREVIATIONS
    assert len(told) == 133
    assert told[ECTOPICS] == "VEB"


@pytest.mark.shared
def test_the_recordings_at_hand(shared_data: Path, tmp_path: Path):
    folder = shared_data / "challenge2021"
    table = str(shared_data / "ptbxl_full_table" / "ptbxl_database.csv")
    cohort = build(Challenge2021(table=table), folder, tmp_path / "out", workers=1)
    assert (len(cohort), cohort.card["refused"]) == (113, {})
    assert Counter(cohort.categories("source")) == {
        "cpsc_2018": 10, "cpsc_2018_extra": 28, "georgia": 33, "ningbo": 20, "ptb-xl": 20, "ptb": 2,
    }  # fmt: skip
    assert cohort.card["identical"] == [["E07509", "E07510"]]
    with open(folder / "dx_mapping_scored.csv", newline="") as stream:
        scored = {row["SNOMEDCTCode"]: row for row in csv.DictReader(stream)}
    same = {"733534002": "164909002", "713427006": "59118001", "284470004": "63593006", "427172004": "17338001"}
    want, raw, stated = Counter(), Counter(), 0
    for header in folder.glob("*.hea"):
        codes = set(re.findall(r"\d{6,}", re.findall(r"Dx:(.*)", header.read_text())[0]))
        raw.update(codes)
        want.update({scored[same.get(code, code)]["Abbreviation"] for code in codes if code in scored})
        stated += bool(codes)
    codes, truth = cohort.labels("snomed")
    assert {code: count for code, count in zip(codes, np.nansum(truth, axis=0)) if count} == raw
    for name in ("scored", "snomed"):
        assert np.isfinite(cohort.labels(name)[1]).all(axis=1).sum() == stated == 78
    codes, truth = cohort.labels("scored")
    assert {code.split("|")[-1]: count for code, count in zip(codes, np.nansum(truth, axis=0)) if count} == want
    assert np.isfinite(cohort.values("age")).sum() == 110  # three headers say NaN
    # HR00599 is ecg_id 599
    row = cohort.index["key"].to_list().index("HR00599")
    rows: list[Item] = Ptbxl().rows(Path(table).parent)
    assert cohort.index["subject"][row] == next(item.subject for item in rows if item.key == "00599")
