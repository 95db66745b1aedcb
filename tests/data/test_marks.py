"""Marks of waves in batches, against the Records they came from."""

from __future__ import annotations

import numpy as np
import pytest

from einthoven.cohort import windows
from einthoven.core.errors import CohortError
from einthoven.core.facts import WAVE_COLUMNS, Waves
from einthoven.core.layout import Layout
from einthoven.core.record import Record
from einthoven.data.loader import Loader
from einthoven.data.marks import Marks, worth_seeing
from einthoven.data.targets import fact_arrays
from tests.data.given import cohort_of, wavy

NEED = "waves:reference.waves"
ONE = Layout(("any",), 100, 2)
TWO = Layout(("II", "I"), 100, 2)


def waves(rows: list[tuple[str, int]]) -> Waves:
    """A beat at each sample: its marks follow 10 samples apart, the P wave is absent in lead II."""
    points = np.array([[at + 10 * i if not (lead == "II" and i < 3) else -1 for i in range(9)] for lead, at in rows])
    columns = {name: points[:, i].astype(np.int32) for i, name in enumerate(WAVE_COLUMNS)}
    lead = np.array([lead for lead, _ in rows], object)
    return Waves("reference.waves", {"lead": lead, "beat": np.arange(len(rows), dtype=np.int32),
                                     "label": np.array(["N"] * len(rows), object), **columns})  # fmt: skip


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    facts = [
        (waves([("I", 100), ("II", 100), ("I", 180), ("II", 1540)]),),
        (waves([("", 250)]),),
        (),
    ]
    rates = (200.0, 100.0, 100.0)
    records = [
        Record(f"r{i}", ("I", "II"), wavy(2, samples, i, rate), rate, f"p{i}", facts[i])
        for i, (samples, rate) in enumerate(zip((2000, 1000, 1000), rates))
    ]
    return cohort_of(records, tmp_path_factory.mktemp("marks"))


def test_a_recording_counts_its_rows_of_marks(cohort):
    np.testing.assert_array_equal(fact_arrays(cohort, (NEED,))[NEED], np.float32([4, 1, np.nan]))


def test_marks_are_seconds_from_the_start_of_the_window(cohort):
    marks = Marks(cohort, "reference.waves")
    got = marks.of(np.array([0]), np.array([100]), np.array([0]), ONE, 2.0)
    want = np.stack([np.arange(9) * 0.05, 0.4 + np.arange(9) * 0.05])  # samples 100 and 180 at 200 Hz
    np.testing.assert_allclose(got[0, 0], want, atol=1e-6)


def test_a_beat_that_the_edge_cuts_keeps_its_marks_outside(cohort):
    got = Marks(cohort, "reference.waves").of(np.array([0]), np.array([120]), np.array([0]), ONE, 0.2)
    np.testing.assert_allclose(got[0, 0, 0], np.arange(9) * 0.05 - 0.1, atol=1e-6)
    assert got.shape[2] == 1  # the second beat begins at 0.3 s


def test_marks_of_no_lead_are_every_leads_and_absent_waves_are_nan(cohort):
    marks = Marks(cohort, "reference.waves")
    both = marks.of(np.array([1]), np.array([200]), np.array([-1]), TWO, 2.0)
    np.testing.assert_array_equal(both[0, 0], both[0, 1])
    second = marks.of(np.array([0]), np.array([0]), np.array([1]), ONE, 2.0)
    assert np.isnan(second[0, 0, 0, :3]).all()
    assert np.isfinite(second[0, 0, 0, 3:]).all()


def test_leads_stand_in_the_order_of_the_layout(cohort):
    got = Marks(cohort, "reference.waves").of(np.array([0]), np.array([0]), np.array([-1]), TWO, 2.0)
    assert np.isfinite(got[0, 0]).any(axis=1).sum() == 1  # II: the other beat is at 7.7 s
    assert np.isfinite(got[0, 1]).any(axis=1).sum() == 2


def test_only_windows_with_a_mark_are_worth_seeing(cohort):
    index = windows.index(cohort, np.arange(3), ONE)
    kept = worth_seeing(cohort, index, (NEED,), ONE)
    seconds = kept.start / cohort.index["rate"].to_numpy()[kept.row]
    assert {(int(r), float(s)) for r, s in zip(kept.row, seconds)} == {(0, 0.0), (0, 6.0), (0, 8.0), (1, 2.0)}
    assert worth_seeing(cohort, index, (NEED, "value:age"), ONE) is index


def test_batches_carry_the_marks_of_their_own_windows(cohort):
    index = worth_seeing(cohort, windows.index(cohort, np.arange(2), ONE), (NEED,), ONE)
    seen = 0
    for batch in Loader(cohort, ONE, index, batch=3, facts=(NEED,)).sequential():
        marks = batch.fact(NEED)
        assert marks.shape[:2] == (len(batch), 1)
        seen += int(marks.isfinite().any(3).sum())
    # recording 0: two beats in I and one in II at 0 s, two parts of one in II at 8 s; recording 1: one in both leads
    assert seen == 2 + 1 + 2 + 2


def test_leads_of_other_names_share_batches_where_any_lead_will_do(tmp_path):
    records = [
        Record(f"r{i}", (name,), wavy(1, 300, i), 100.0, f"p{i}", ()) for i, name in enumerate(("I", "V5", "MLII"))
    ]
    cohort = cohort_of(records, tmp_path)
    loader = Loader(cohort, ONE, windows.index(cohort, np.arange(3), ONE), batch=3)
    assert len(loader.batch(0)) == 3


def test_marks_that_are_not_there_are_refused(cohort):
    with pytest.raises(CohortError, match="no waves called"):
        Marks(cohort, "reference.wave")
