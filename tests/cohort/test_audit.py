import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from einthoven.cohort.audit import audit
from einthoven.cohort.build import build
from einthoven.cohort.store import Cohort
from einthoven.core import registry
from einthoven.core.facts import Category
from einthoven.core.leads import LIMB
from einthoven.core.record import Record
from tests.cohort.generated import ecg, few


def audited(tmp_path, *records):
    return audit(build(few(*records), tmp_path, tmp_path / "out", workers=1))


def found(result, kind=None):
    return {(finding.what, finding.count) for finding in result.findings if kind in (None, finding.kind)}


def in_part(part):
    return (Category("split", part),)


def test_a_clean_cohort_has_no_leak(tmp_path):
    records = [ecg(i, subject=f"s{i}", facts=in_part(["train", "validation", "test"][i % 3])) for i in range(9)]
    result = audited(tmp_path, *records)
    assert not result.leaks
    assert found(result) == set()
    assert result.parts[0] == {
        "split": "official", "train records": 3, "train subjects": 3, "validation records": 3,
        "validation subjects": 3, "test records": 3, "test subjects": 3,
    }  # fmt: skip


def test_a_person_in_two_parts_is_a_leak_and_the_recordings_are_named(tmp_path):
    records = [ecg(0, subject="ann", facts=in_part("train")), ecg(1, subject="ann", facts=in_part("test"))]
    result = audited(tmp_path, *records, ecg(2, subject="ben", facts=in_part("test")))
    assert result.leaks
    (leak,) = (finding for finding in result.findings if finding.kind == "leak")
    assert (leak.what, leak.keys) == ("persons in more than one part of official", ("k0 = k1",))


def test_the_same_recording_under_two_names_in_two_parts_is_a_leak(tmp_path):
    # preparing makes them one person, who then stands in two parts
    records = [ecg(0, subject="ann", facts=in_part("train")), ecg(0, subject="ben", facts=in_part("test"))]
    result = audited(tmp_path, *records)
    assert found(result, "leak") == {
        ("persons in more than one part of official", 1),
        ("identical recordings in different parts of official", 1),
    }
    assert result.identical == [["k0", "k1"]]


def test_identical_recordings_in_one_part_are_told_but_no_leak(tmp_path):
    result = audited(tmp_path, ecg(0), ecg(0), *map(ecg, range(1, 9)))
    assert not result.leaks
    assert ("identical recordings, joined in one person", 1) in found(result, "warning")


def test_identical_recordings_that_were_not_joined_are_a_leak(tmp_path):
    cohort = build(few(ecg(0), ecg(0), ecg(1)), tmp_path, tmp_path / "out", workers=1)
    index = cohort.index.with_columns(subject=pl.Series(["a", "b", "c"]), subject_id=pl.int_range(3, dtype=pl.Int64))
    index.write_parquet(cohort.path / "index.parquet")
    card = json.loads((cohort.path / "card.json").read_text())
    card["counts"]["subjects"] = 3
    (cohort.path / "card.json").write_text(json.dumps(card))
    result = audit(Cohort.open(cohort.path))
    assert ("identical recordings under different persons", 1) in found(result, "leak")


def test_recordings_in_which_nothing_changes_are_told_and_are_no_leak_between_persons(tmp_path):
    flat = [
        Record("x", ("I",), np.full((1, 600), 0.1), 100, subject, in_part(part))
        for subject, part in (("ann", "train"), ("ben", "test"))
    ]
    result = audited(tmp_path, *flat, ecg(1, subject="carl", facts=in_part("test")))
    assert not result.leaks
    assert ("no lead ever changes: nothing was connected", 2) in found(result, "warning")
    assert result.identical == []
    assert result.card["constant"] == 2


def test_an_equal_beginning_in_different_parts_is_a_leak(tmp_path):
    whole = ecg(0, seconds=10, subject="ann", facts=in_part("train"))
    short = Record("x", whole.leads, whole.signal[:, :700], 100, "ben", in_part("test"))
    result = audited(tmp_path, whole, short)
    assert found(result, "leak") == {("recordings with an equal first 5 s in different parts of official", 1)} | {
        (f"recordings with an equal first 5 s in different parts of {split}", 1)
        for split, part in ((row["split"], row) for row in result.parts[1:])
        if len([k for k in ("train", "validation", "test") if part[f"{k} records"]]) > 1
    }


def test_what_is_odd_about_signals_is_told_by_key(tmp_path):
    good = ecg(0, LIMB)
    odd = {
        "a lead never changes": lambda s: s[1].fill(0.2),
        "a lead has no sample": lambda s: s[5].fill(np.nan),
        "a lead has gaps": lambda s: s[5, 10:20].fill(np.nan),
        "a lead stays at its extreme value (clipped)": lambda s: np.minimum(s[0], 0.3, out=s[0]),
        "no lead swings by 0.1 mV": lambda s: np.multiply(s, 0.01, out=s),
        "a lead swings by over 10 mV": lambda s: np.multiply(s, 12, out=s),
        "limb leads disagree with Einthoven's identity (of 9 recordings checked)": lambda s: np.copyto(s[2], -s[2]),
    }
    records = [good, ecg(1, LIMB)]
    for i, damage in enumerate(odd.values()):
        signal = ecg(2 + i, LIMB).signal.copy()
        damage(signal)
        records.append(Record("x", LIMB, signal, 100))
    result = audited(tmp_path, *records)
    said = {finding.what: finding.keys for finding in result.findings}
    for i, what in enumerate(odd):
        assert any(key.startswith(f"k{i + 2}") for key in said[what]), what
        assert not any(key.startswith(("k0", "k1")) for key in said[what]), what


def test_a_split_that_cannot_be_used_is_told_and_the_others_are_examined(tmp_path):
    result = audited(tmp_path, ecg(0, facts=in_part("tset")), *map(ecg, range(1, 9)))
    assert ("split official cannot be used: split has the word 'tset'", 1) in found(result)
    assert [row["split"] for row in result.parts][:2] == ["half-a", "half-b"]


def test_leads_that_were_scaled_to_one_size_are_told(tmp_path):
    scaled = []
    for i in range(25):
        signal = ecg(i).signal
        scaled.append(Record("x", ("I",), signal / np.ptp(signal), 100))
    assert ("leads that swing by the same in all recordings, as if scaled to it: I", 1) in found(
        audited(tmp_path, *scaled)
    )


def test_the_result_is_json(tmp_path):
    json.dumps(audited(tmp_path, ecg(0), ecg(1, ("V1",))).to_dict(), allow_nan=False)


def real(name: str, folder: Path, tmp_path: Path) -> Cohort:
    return build(registry.load("sources", name)(), folder, tmp_path / name, workers=1)


@pytest.mark.shared
def test_both_identical_pairs_of_challenge_2017_are_found_and_nothing_leaks(shared_data, tmp_path):
    result = audit(real("cinc2017", shared_data / "challenge2017", tmp_path))
    assert result.identical == [["A00227", "A01176"], ["A02656", "A03123"]]
    assert not result.leaks
    assert result.card["counts"]["subjects"] == result.card["counts"]["records"] - 2
    # its noisy recordings are shorter
    assert [(one["code"], one["by"]) for one in result.giveaways or []] == [("~", "length")]


@pytest.mark.slow
@pytest.mark.shared
def test_no_two_people_of_ptbxl_share_a_recording_and_nothing_leaks(shared_data, tmp_path):
    result = audit(real("ptbxl", shared_data / "ptbxl", tmp_path))
    assert (result.identical, result.same_beginning, result.leaks, result.damaged) == ([], [], False, False)
    assert result.parts[0]["test records"] == 1744
    assert result.parts[0]["test subjects"] == 1511
    assert [finding.keys for finding in result.findings if finding.what == "a lead never changes"] == [("12722 (V5)",)]
