"""Challenge 2011: order of the leads, judgements, recordings in which nothing was connected."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from einthoven.cohort.audit import audit
from einthoven.cohort.build import build
from einthoven.core.errors import SourceError
from einthoven.core.facts import Label
from einthoven.core.leads import STANDARD
from einthoven.core.record import Record
from einthoven.sources.challenge2011 import Challenge2011

ORDER = ("I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6")


def write(folder: Path, quality: dict[str, str], flat: tuple[str, ...] = ()) -> Path:
    """Recordings whose limb leads obey Einthoven's identity, in whole microvolts; those in `flat` never change."""
    (folder / "set-a").mkdir(parents=True, exist_ok=True)
    for i, key in enumerate(quality):
        one, two = (np.round(500 * np.sin(np.arange(600) / (9 + i + k))).astype(int) * 2 for k in range(2))
        limb = {
            "I": one,
            "II": two,
            "III": two - one,
            "aVR": -(one + two) // 2,
            "aVL": one - two // 2,
            "aVF": two - one // 2,
        }
        table = [np.arange(600), *(limb.get(lead, one + k) for k, lead in enumerate(ORDER))]
        if key in flat:
            table = [table[0], *(np.full(600, -16000 + k) for k in range(12))]
        rows = "\n".join(",".join(map(str, row)) for row in np.stack(table, axis=1).tolist())
        (folder / "set-a" / f"{key}.txt").write_text(rows + "\n")
    for code in ("acceptable", "unacceptable"):
        names = [key for key, said in quality.items() if said == code]
        (folder / f"RECORDS-{code}").write_text("".join(f"{name}\n" for name in names))
    return folder


def test_avf_stands_before_avl(tmp_path: Path):
    source = Challenge2011()
    (got,) = source.read(tmp_path, source.plan(write(tmp_path, {"1": "acceptable"})).items)
    assert isinstance(got, Record)
    assert (got.leads, got.rate, got.samples) == (ORDER, 500, 600)
    signal = dict(zip(got.leads, got.signal))
    np.testing.assert_allclose(signal["aVL"], signal["I"] - signal["II"] / 2, atol=1e-6)
    np.testing.assert_allclose(signal["aVF"], signal["II"] - signal["I"] / 2, atol=1e-6)
    assert np.abs(signal["aVF"] - signal["aVL"]).max() > 0.1


def test_judgements_are_exclusive_and_the_undecided_have_none(tmp_path: Path):
    write(tmp_path, {"1": "acceptable", "2": "unacceptable", "3": "undecided", "4": "acceptable"})
    (tmp_path / "set-a" / "4.txt").unlink()
    plan = Challenge2011().plan(tmp_path)
    assert plan.label_sets[0].exclusive
    assert [item.facts for item in plan.items] == [
        (Label("quality", "acceptable"),), (Label("quality", "unacceptable"),), (),
    ]  # fmt: skip
    assert plan.absent == 1


def test_a_recording_in_both_lists_is_refused(tmp_path: Path):
    write(tmp_path, {"1": "acceptable"})
    (tmp_path / "RECORDS-unacceptable").write_text("1\n")
    with pytest.raises(SourceError, match="listed twice"):
        Challenge2011().plan(tmp_path)


def test_recordings_in_which_nothing_was_connected_enter_a_cohort_and_are_told(tmp_path: Path):
    quality = {"1": "acceptable", "2": "unacceptable", "3": "unacceptable"}
    write(tmp_path / "in", quality, flat=("2", "3"))
    cohort = build(Challenge2011(), tmp_path / "in", tmp_path / "out", workers=1)
    assert cohort.index["key"].to_list() == ["1", "2", "3"]
    assert cohort.card["constant"] == 2
    assert "no lead ever changes: nothing was connected" in {finding.what for finding in audit(cohort).findings}


@pytest.mark.shared
def test_the_recordings_at_hand(shared_data: Path, tmp_path: Path):
    cohort = build(Challenge2011(), shared_data / "challenge2011", tmp_path / "out", workers=1)
    assert (len(cohort), cohort.card["refused"]) == (399, {})
    codes, truth = cohort.labels("quality")
    assert dict(zip(codes, truth.sum(axis=0).tolist())) == {"acceptable": 200, "unacceptable": 199}
    table = cohort.index["sha256"].to_list()
    distinct = Counter(table[row] for row in np.flatnonzero(truth[:, 1] == 1))
    assert len(distinct) == 140
    assert set(cohort.record(0).leads) == set(STANDARD)
