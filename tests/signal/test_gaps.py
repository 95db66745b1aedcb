"""Gaps: what is marked, what is bridged, what stays untouched."""

import numpy as np
import pytest
import torch

from einthoven.signal.gaps import bridge, fill, mended


def slow_bridge(signal, valid):
    out = signal.copy()
    for row, good in zip(out, valid):
        if good.any():
            row[:] = np.interp(np.arange(len(row)), np.flatnonzero(good), row[good])
    return out


@pytest.mark.parametrize("kind", [np.asarray, torch.asarray])
def test_fill_marks_exactly_the_nan_samples(kind):
    filled, valid = fill(kind(np.array([[1.0, np.nan], [np.nan, -2.0]])))
    assert np.asarray(filled).tolist() == [[1.0, 0.0], [0.0, -2.0]]
    assert np.asarray(valid).tolist() == [[True, False], [False, True]]


@pytest.mark.parametrize("kind", [np.asarray, torch.asarray])
def test_bridge_is_numpys_linear_interpolation_row_by_row(kind):
    rng = np.random.default_rng(0)
    signal, valid = rng.normal(0, 1, (6, 50)), rng.random((6, 50)) < 0.4
    valid[1], valid[2] = True, False
    got = np.asarray(bridge(kind(signal.reshape(2, 3, 50)), kind(valid.reshape(2, 3, 50)))).reshape(6, 50)
    np.testing.assert_allclose(got, slow_bridge(signal, valid), atol=1e-14)
    assert (got[valid] == signal[valid]).all()


def test_validity_may_be_one_flag_a_lead():
    signal = np.ones((2, 3, 4))
    valid = np.array([True, False, True])[None, :, None]
    assert (bridge(signal, valid) == signal).all()


def test_bridge_leaves_its_input_alone():
    signal, valid = np.array([[1.0, 0.0, 3.0]]), np.array([[True, False, True]])
    assert bridge(signal, valid).tolist() == [[1.0, 2.0, 3.0]]
    assert signal.tolist() == [[1.0, 0.0, 3.0]]


def test_near_neighbours_are_joined_and_longer_gaps_stay():
    time = np.arange(2000) / 500
    whole = np.sin(2 * np.pi * 10 * time)[None]
    torn = whole.copy()
    torn[0, 3::7] = torn[0, 1001:1005] = torn[0, 0] = torn[0, 1500:1505] = np.nan
    got, share = mended(torn, 500)
    assert np.flatnonzero(np.isnan(got)).tolist() == [0, *range(1500, 1505)]  # an end, and neighbours 12 ms apart
    # a chord of a sine is off by (2 pi f h)^2 / 8 at most, h the distance of the neighbours: 10 ms here
    np.testing.assert_allclose(np.nan_to_num(got), np.where(np.isnan(got), 0, whole), atol=(2 * np.pi * 0.1) ** 2 / 8)
    assert share == pytest.approx(1 / 7, abs=0.003)
    assert mended(whole, 500)[1] is None
    assert np.isnan(mended(np.array([[1.0, np.nan, 3.0]]), 100)[0]).sum() == 1
