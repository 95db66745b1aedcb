"""Matching and statistics of beats and waves: by hand, against a slow version, and with detectors that are wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from einthoven.core.facts import WAVE_COLUMNS, Waves
from einthoven.evaluate import delineation
from einthoven.evaluate.delineation import (
    beats_table,
    best_lead,
    best_of_both,
    ludb_span,
    match,
    points_of,
    score_annotated,
    score_beats,
    score_waves,
    waves_table,
)

NONE = (np.nan, np.nan, np.nan)


def slowly(reference, found, window):
    """The rule, pair by pair."""
    pairs = sorted(
        (abs(a - b), i, j) for i, a in enumerate(reference) for j, b in enumerate(found) if abs(a - b) <= window + 1e-9
    )
    taken = []
    for _, i, j in pairs:
        if i not in [a for a, _ in taken] and j not in [b for _, b in taken]:
            taken.append((i, j))
    return sorted(taken)


times = st.lists(st.integers(0, 60), max_size=25).map(lambda ticks: np.sort(np.array(ticks, float)) / 40)


@given(times, times)
def test_pairs_are_those_of_the_slow_rule(reference, found):
    assert [tuple(pair) for pair in match(reference, found).tolist()] == slowly(reference, found, 0.150)


def test_the_window_includes_its_edge_on_times_and_not_on_rounded_samples():
    assert len(match(np.array([1.0]), np.array([1.150]))) == 1
    assert len(match(np.array([1.0]), np.array([1.1501]))) == 0
    assert len(match(np.array([540 / 360]), np.array([594 / 360]))) == 1  # exactly 150 ms


def test_the_closest_pair_is_taken_first():
    # in order of time 0.95 would take 1.00 and leave 1.04 with 1.08; closest first it is the other way round
    assert match(np.array([1.00, 1.08]), np.array([0.90, 1.01])).tolist() == [[0, 1]]
    assert match(np.array([1.00, 1.08]), np.array([0.90, 1.07])).tolist() == [[0, 0], [1, 1]]


# Beats


def test_missed_false_and_displaced_beats_are_counted_by_hand():
    reference = np.arange(1, 60, 1.0)  # 59 beats, 1 to 59 s
    found = reference + 0.010
    found[4] += 0.2  # beat at 5 s: missed once, false once
    found = np.append(found, 33.5)
    score = score_beats("r", reference, found, 60)
    assert (score.tp, score.fn, score.fp) == (58, 1, 2)
    np.testing.assert_allclose(score.error_ms, 10)
    assert (score.clean, score.windows) == (4, 6)  # those with 5 s and with 33.5 s are not
    table = beats_table([score])
    assert table["f1"] == pytest.approx(100 * 116 / 119)
    assert (table["se"], table["ppv"]) == (pytest.approx(100 * 58 / 59), pytest.approx(100 * 58 / 60))


def test_a_systematic_offset_shows_in_the_jitter_and_not_in_f1():
    reference = np.arange(1, 100.0)
    table = beats_table([score_beats("r", reference, reference - 0.029, 100)])
    assert (table["f1"], table["mean"]) == (100, pytest.approx(-29))
    assert table["sd"] == pytest.approx(0, abs=1e-6)
    assert table["q95"] == pytest.approx(29)


def test_what_is_before_the_start_or_in_flutter_does_not_count():
    reference = np.array([1.0, 2.0, 10.0, 11.0])
    found = np.array([1.5, 10.0, 11.0, 5.0, 6.0])
    score = score_beats("r", reference, found, 20, start=3, without=[(4, 7)])
    assert (score.tp, score.fn, score.fp) == (2, 0, 0)
    assert (score_beats("r", reference, found, 20).fn, score_beats("r", reference, found, 20).fp) == (2, 3)


def test_gross_and_mean_figures_differ_and_the_worst_is_named():
    good = score_beats("good", np.arange(99.0), np.arange(99.0), 100)
    bad = score_beats("bad", np.array([1.0]), np.array([3.0]), 100)
    table = beats_table([good, bad])
    assert (table["worst"], table["f1_worst"]) == ("bad", 0)
    assert table["f1_mean"] == 50
    assert table["f1"] == pytest.approx(100 * 198 / 200)


# Waves


def test_waves_match_by_overlap_or_by_peak_and_points_are_judged_by_themselves():
    reference = np.array([[1.0, 1.1, 1.2], [3.0, 3.1, 3.2], [5.0, 5.1, 5.2]])
    found = np.array([[1.19, 1.4, 1.6], [3.3, 3.24, 3.35], [6.0, 6.1, 6.2]])
    score = score_waves("r", "T", reference, found, (0, 10))
    assert score.hit.tolist() == [True, True, False]  # the first by overlap, the second by its peak
    np.testing.assert_allclose(score.error_ms[:2], [[190, 300, 400], [300, 140, 150]])
    assert len(score.extra) == 1
    rows = {row["point"]: row for row in waves_table([score])}
    assert (rows["wave"]["se"], rows["wave"]["ppv"]) == (pytest.approx(200 / 3), pytest.approx(200 / 3))
    assert rows["off"]["f1"] == pytest.approx(100 / 3)  # only 150 ms counts, and it counts
    assert (rows["on"]["se"], rows["on"]["false"]) == (0, 3)
    assert rows["off"]["mean"] == pytest.approx(150)


def test_a_point_that_the_reference_lacks_is_no_point():
    score = score_waves("r", "T", np.array([[np.nan, 1.1, 1.2]]), np.array([[1.0, 1.1, 1.2]]), (0, 9))
    rows = {row["point"]: row for row in waves_table([score])}
    assert (rows["on"]["n"], rows["on"]["false"]) == (0, 0)
    assert rows["off"]["f1"] == 100


def test_what_the_span_cuts_is_dropped_on_both_sides():
    reference = np.array([[1.0, 1.1, 1.2], [1.9, 2.05, 2.1]])  # the second is cut by an edge at 2
    found = np.array([[0.4, 0.5, 0.6], [0.85, 0.9, 0.95], [1.0, 1.1, 1.2], [1.95, 2.0, 2.1]])
    score = score_waves("r", "P", reference, found, (0.92, 2.0))
    assert score.hit.tolist() == [True]
    assert len(score.extra) == 0  # one lies outside, one is cut, one goes with the reference that is cut
    wider = score_waves("r", "P", reference, found, (0.0, 3.0))
    assert (int(wider.hit.sum()), len(wider.extra)) == (2, 2)


def test_the_span_of_a_lead_reaches_80_ms_beyond_its_marks():
    beats = np.full((2, 3, 3), np.nan)
    beats[0, 1] = (1.0, 1.05, 1.1)
    beats[1, 2] = (2.0, 2.1, 2.2)
    assert ludb_span(beats) == (pytest.approx(0.92), pytest.approx(2.28))


def test_errors_within_and_between_records_are_told_apart():
    reference = np.array([[i + 0.0, i + 0.1, i + 0.2] for i in range(1, 41)])
    noise = np.tile([0.01, -0.01], 20)[:, None]
    early, late = (score_waves(name, "QRS", reference, reference + noise + shift, (0, 50)) for name, shift in
                   (("early", -0.02), ("late", 0.02)))  # fmt: skip
    row = waves_table([early, late])[1]
    assert row["sd_within"] == pytest.approx(10 * np.sqrt(40 / 39))
    assert row["sd_between"] == pytest.approx(np.std([-20, 20], ddof=1))
    assert row["sd"] == pytest.approx(np.std([-30, -10, 10, 30], ddof=0), rel=0.02)
    assert row["mean"] == pytest.approx(0, abs=1e-6)


def test_leads_of_one_record_are_taken_together():
    reference = np.array([[i + 0.0, i + 0.1, i + 0.2] for i in range(1, 11)])
    leads = [score_waves("r", "T", reference, reference + shift, (0, 20)) for shift in (-0.02, 0.02)]
    row = waves_table(leads)[1]
    assert (row["records"], np.isnan(row["sd_between"])) == (1, True)
    assert row["sd_within"] == pytest.approx(20 * np.sqrt(20 / 19))


def test_tight_tolerances_and_cse_limits():
    reference = np.array([[i + 0.0, i + 0.1, i + 0.2] for i in range(1, 11)])
    found = reference.copy()
    found[:5, 0] += 0.041
    found[5:, 0] += 0.0065
    rows = {row["point"]: row for row in waves_table([score_waves("r", "QRS", reference, found, (0, 20))])}
    assert (rows["on"]["f1"], rows["on"]["f1_tight"]) == (100, 50)
    assert rows["on"]["within"] == 50
    assert (rows["off"]["f1_tight"], rows["off"]["within"]) == (100, 100)
    assert np.isnan(rows["peak"]["within"])


# QT Database


def beats(*starts, p=True):
    """Beats with all waves marked: P 0-100, QRS 150-250, T 350-550 ms after their starts."""
    waves = np.array([[0.0, 0.05, 0.1], [0.15, 0.2, 0.25], [0.35, 0.45, 0.55]])
    found = np.array(starts)[:, None, None] + waves
    if not p:
        found[:, 0] = np.nan
    return found


def test_detections_in_beats_that_nobody_marked_do_not_count():
    reference = beats(10.0, 12.0)
    found = beats(*np.arange(8.0, 16.0))  # every second beat is not marked
    for kind, wave in enumerate(("P", "QRS", "T")):
        score = score_annotated("r", wave, reference, found[:, kind])
        assert (int(score.hit.sum()), len(score.extra), score.unmarked) == (2, 0, 0)


def test_a_second_detection_within_a_marked_beat_is_false():
    reference = beats(10.0)
    for kind, (wave, place) in enumerate((("P", 9.90), ("QRS", 10.50), ("T", 10.28))):
        other = np.array([place - 0.02, place, place + 0.02])
        found = np.stack([reference[0, kind], other])
        assert len(score_annotated("r", wave, reference, found).extra) == 1, wave


def test_a_p_wave_where_none_is_marked_is_told_apart():
    reference = np.concatenate([beats(10.0), beats(12.0, p=False)])
    score = score_annotated("r", "P", reference, beats(10.0, 12.0)[:, 0])
    assert (len(score.hit), len(score.extra), score.unmarked) == (1, 0, 1)


def two_leads():
    reference = beats(10.0, 12.0, 14.0)
    early, late = reference[:, 2] - 0.01, reference[:, 2] + 0.03
    early[0] -= 0.05  # lead 0 is better in two beats of three
    late[2] = np.nan
    return [score_annotated("r", "T", reference, found) for found in (early, late)]


def test_the_better_lead_of_each_beat_is_an_oracle_and_the_better_lead_of_the_record_less_so():
    leads = two_leads()
    np.testing.assert_allclose(best_of_both(leads).error_ms[:, 2], [30, -10, -10])
    np.testing.assert_allclose(best_lead(leads).error_ms[:, 2], [-60, -10, -10])
    assert best_of_both(leads).hit.all()


def test_a_false_wave_in_both_leads_is_false_once():
    reference = beats(10.0)
    other = np.array([10.26, 10.28, 10.30])
    leads = [
        score_annotated("r", "T", reference, np.stack([reference[0, 2], other + shift, *more]))
        for shift, more in ((0, []), (0.01, [np.array([10.68, 10.69, 10.70])]))
    ]
    assert [len(score.extra) for score in leads] == [1, 2]
    assert len(best_of_both(leads).extra) == 2


# Controls: a detector that is perfect, and three that are not


def drawn(seed=0, records=20, size=30):
    draw = np.random.default_rng(seed)
    for i in range(records):
        starts = np.cumsum(draw.uniform(0.7, 1.2, size))
        yield f"r{i}", beats(*starts), draw


def test_a_perfect_detector_is_perfect_and_worse_ones_are_seen():
    kinds = {"perfect": [], "noisy": [], "late": [], "half": []}
    for record, reference, draw in drawn():
        span = ludb_span(reference)
        t = reference[:, 2]
        kinds["perfect"].append(score_waves(record, "T", reference[:, 2], t, span))
        kinds["noisy"].append(score_waves(record, "T", t, t + draw.normal(0, 0.02, t.shape), span))
        kinds["late"].append(score_waves(record, "T", t, t + 0.025, span))
        kinds["half"].append(score_waves(record, "T", t, t[draw.permutation(len(t))[::2]], span))
    off = {name: waves_table(scores)[3] for name, scores in kinds.items()}
    assert (off["perfect"]["f1"], off["perfect"]["sd"], off["perfect"]["within"]) == (100, 0, 100)
    assert off["noisy"]["sd"] == pytest.approx(20, rel=0.1)
    assert off["noisy"]["sd_between"] < 8
    assert off["late"]["mean"] == pytest.approx(25)
    assert off["late"]["sd"] == pytest.approx(0, abs=1e-6)
    assert (off["half"]["se"], off["half"]["ppv"]) == (50, 100)


def test_points_of_a_fact_are_seconds_and_absent_waves_are_nan():
    columns = {name: np.array([i, -1], np.int32) for i, name in enumerate(WAVE_COLUMNS)}
    fact = Waves("reference.waves", {"lead": np.array(["I", "II"]), "beat": np.array([0, 0]), **columns})
    points = points_of(fact, 500, "I")
    np.testing.assert_allclose(points.ravel(), np.arange(9) / 500)
    assert np.isnan(points_of(fact, 500, "II")).all()
    assert points_of(fact, 500).shape == (2, 3, 3)


def test_no_detection_at_all_has_no_precision_and_no_error():
    score = score_waves("r", "P", beats(1.0, 2.0)[:, 0], np.empty((0, 3)), (0, 9))
    rows = waves_table([score])
    assert rows[0]["se"] == 0
    assert np.isnan(rows[0]["ppv"])
    assert np.isnan(rows[1]["sd"])
    assert waves_table([]) == []
    assert delineation.per_hundred(3, 200) == 1.5
