"""The median beat against a slow one, and how alike beats are to it."""

from __future__ import annotations

import numpy as np
import pytest

from einthoven.signal._order import median_known, quantiles_known
from einthoven.signal.marks import Beats
from einthoven.signal.median import median_beat
from einthoven.simulate import record
from tests.signal.given import truth


def test_equal_beats_give_that_beat_whatever_their_level():
    beat = np.exp(-0.5 * ((np.arange(500) - 175) / 6) ** 2)
    x = np.concatenate([beat + level for level in (0, 0.3, -0.2, 0.1, 0.5)])[None]
    beats = Beats(np.arange(5) * 500.0 + 175, np.full(5, "N"), np.ones(5))
    found = median_beat(x, 500, beats)
    middle = slice(found.before - 100, found.before + 100)
    assert found.signal[0, middle] == pytest.approx(beat[75:275], abs=1e-5)
    assert found.corr[1:] == pytest.approx(1, abs=1e-3)


def test_beats_off_by_some_samples_are_aligned_again():
    ecg = record("sinus", seed=1, noise=0)
    marks = truth(ecg).beats
    shift = np.random.default_rng(0).integers(-5, 6, len(marks))
    loose = Beats(marks.sample + shift, marks.label, marks.confidence)
    near, far = (median_beat(ecg.signal, 500, beats) for beats in (marks, loose))
    assert np.nanmax(np.ptp(far.signal, axis=1) / np.ptp(near.signal, axis=1)) == pytest.approx(1, abs=0.02)


def test_an_ectopic_beat_is_unlike_and_takes_no_part():
    ecg = record("pvc", seed=1)
    marks = truth(ecg).beats
    found = median_beat(ecg.signal, 500, marks)
    odd = marks.label == "V"
    assert np.nanmax(found.corr[odd]) < 0.5 < 0.9 < np.nanmin(found.corr[~odd])
    assert not set(found.beats) & set(np.flatnonzero(odd))


def test_quantiles_are_those_of_numpy_with_gaps():
    x = np.random.default_rng(0).normal(size=(9, 4, 3))
    x[x < -0.5] = np.nan
    x[:, 0, 0] = np.nan
    with np.errstate(all="ignore"), pytest.warns(RuntimeWarning):
        want, middle = np.nanpercentile(x, [25, 75], axis=0), np.nanmedian(x, axis=1)
    got, known = quantiles_known(x, (0.25, 0.75))
    np.testing.assert_allclose(got, want)
    np.testing.assert_array_equal(known, np.isfinite(x).sum(axis=0))
    np.testing.assert_allclose(median_known(x, 1), middle)


def test_no_beats_and_lost_leads_give_no_median():
    none = median_beat(np.zeros((2, 1000)), 500, Beats(np.zeros(0), np.zeros(0, str), np.zeros(0)))
    assert (len(none), np.isnan(none.signal).all()) == (0, True)
    ecg = record("sinus", seed=1)
    lost = ecg.signal.copy()
    lost[2] = np.nan
    found = median_beat(lost, 500, truth(ecg).beats)
    assert np.isnan(found.signal[2]).all()
    assert np.isfinite(found.signal[3]).all()
