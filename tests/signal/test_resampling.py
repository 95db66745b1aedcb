"""Resampling against band-limited truth, scipy's polyphase filter, and sines that must vanish."""

import numpy as np
import pytest
import torch
from scipy import signal as sp

from einthoven.core.errors import LayoutError, RecordError
from einthoven.signal.resampling import resample


def ecg_like(t):
    """Smooth, band-limited to about 35 Hz: a P wave, a QRS and a T wave each second."""
    phase = t % 1.0
    waves = ((0.15, 0.2, 0.03), (1.0, 0.4, 0.011), (0.3, 0.7, 0.05))
    return sum(height * np.exp(-0.5 * ((phase - at) / width) ** 2) for height, at, width in waves)


def test_noise_above_the_new_nyquist_is_removed_not_folded():
    t = np.arange(5000) / 500
    out = resample(np.sin(2 * np.pi * 180 * t)[None], 500, 250)
    assert np.abs(out[0, 250:-250]).max() < 0.01  # striding would leave a 70 Hz sine of size 1


@pytest.mark.parametrize(
    ("rate_in", "rate_out"), [(500, 250), (500, 100), (250, 360), (360, 250), (257, 100), (100, 500), (128, 125.5)]
)
def test_a_band_limited_signal_is_what_it_would_have_been_at_the_other_rate(rate_in, rate_out):
    at = [np.arange(round(10 * rate)) / rate for rate in (rate_in, rate_out)]
    got = resample(ecg_like(at[0])[None], rate_in, rate_out)[0]
    inside = slice(int(rate_out), -int(rate_out))
    # the QRS of 11 ms holds 2e-3 of its height above 45 Hz, where the filter for 100 Hz begins to close
    assert np.abs(got[: len(at[1])] - ecg_like(at[1]))[inside].max() < 4e-3


@pytest.mark.parametrize(("up", "down"), [(1, 2), (1, 5), (2, 1), (18, 25)])
def test_it_agrees_with_scipys_polyphase_filter_on_band_limited_signals(up, down):
    x = ecg_like(np.arange(5000) / 500)
    got, want = resample(x, 500, 500 * up / down), sp.resample_poly(x, up, down, window=("kaiser", 8.0))
    assert got.shape == want.shape
    # scipy's filter has a wider transition band and takes the ends for 0: 1e-2 mV inside, where the QRS is 1 mV
    assert np.abs(got - want)[100:-100].max() < 1e-2


@pytest.mark.parametrize(
    ("samples", "rate_in", "rate_out"), [(1000, 500, 250), (1001, 500, 250), (7, 250, 360), (1, 500, 100)]
)
def test_the_length_is_the_ceiling_of_the_ratio(samples, rate_in, rate_out):
    assert resample(np.zeros((2, samples)), rate_in, rate_out).shape == (2, int(np.ceil(samples * rate_out / rate_in)))


def test_sample_0_stays_at_time_0():
    x = np.zeros(1000)
    x[500] = 1.0
    assert np.argmax(resample(x, 500, 250)) == 250
    assert np.argmax(resample(x, 500, 1000)) == 1000


def test_numpy_and_torch_agree_and_keep_float32():
    x = np.random.default_rng(0).normal(0, 1, (2, 1000)).astype(np.float32)
    got, again = resample(x, 500, 360), resample(torch.from_numpy(x), 500, 360)
    assert got.dtype == np.float32
    assert again.dtype == torch.float32
    np.testing.assert_allclose(got, again.numpy(), atol=2e-6)  # float32 rounding of two FFT libraries


@pytest.mark.parametrize("rates", [(0, 100), (100, -1), (float("nan"), 100), (100, float("inf")), (999.001, 500)])
def test_rates_without_a_simple_ratio_are_refused(rates):
    with pytest.raises(LayoutError):
        resample(np.zeros(100), *rates)


def test_a_lost_sample_is_refused():
    with pytest.raises(RecordError, match="NaN"):
        resample(np.array([1.0, np.nan]), 500, 250)


def test_the_passband_is_flat_to_90_percent_of_the_new_nyquist_frequency_and_nothing_is_left_above_it():
    t = np.arange(10_000) / 500
    for hertz, size in ((20, 1.0), (44.9, 1.0), (47.5, 0.5), (50.1, 0.0), (90, 0.0)):
        out = resample(np.cos(2 * np.pi * hertz * t), 500, 100)
        want = size * np.cos(2 * np.pi * hertz * np.arange(2000) / 100)
        assert np.abs(out - want)[500:-500].max() < 2e-3, hertz  # 5 s inside, what the ends' kinks leave


def test_the_ringing_of_a_spike_dies_out():
    x = np.zeros(5000)
    x[2502] = 1.0  # between two output samples
    out = np.abs(resample(x, 500, 100))
    # cutting the spectrum off sharply would ring on like 1 / (pi n): 0.5 % of the peak 60 samples away
    assert out[:440].max() < 5e-4 * out.max()
