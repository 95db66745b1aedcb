"""The band-pass against scipy's Butterworth and the numbers of the specification."""

import numpy as np
import pytest
import torch
from scipy import signal as sp

from einthoven.core.errors import LayoutError, RecordError
from einthoven.signal.filters import bandpass, bandpass_gain

BANDS = [((0.67, 40.0), 5, 500.0), ((0.5, 0.0), 2, 100.0), ((0.0, 40.0), 3, 250.0), ((0.05, 45.0), 1, 100.0)]


def butter(band, order, rate):
    low, high = band
    kind = "bandpass" if low and high else "highpass" if low else "lowpass"
    return sp.butter(order, band if low and high else low + high, kind, fs=rate, output="sos")


@pytest.mark.parametrize(("band", "order", "rate"), BANDS)
def test_the_gain_is_the_squared_magnitude_of_scipys_butterworth(band, order, rate):
    frequencies = np.linspace(0.01, rate / 2, 4001)
    _, response = sp.sosfreqz(butter(band, order, rate), frequencies, fs=rate)
    got = bandpass_gain(frequencies, rate, band, order)
    np.testing.assert_allclose(got, np.abs(response) ** 2, rtol=0, atol=1e-11)  # rounding of scipy's coefficients


def test_the_gain_has_the_published_numbers():
    got = bandpass_gain(np.array([0.0, 0.5, 1.0, 20.0, 60.0]), 500, (0.67, 40), 5)
    np.testing.assert_allclose(got, [0, 0.047412, 0.985394, 0.999514, 0.011807], atol=5e-7)  # printed with 6 digits


@pytest.mark.parametrize("kind", [np.asarray, torch.asarray])
@pytest.mark.parametrize(("band", "order", "rate"), BANDS)
def test_a_sine_comes_out_scaled_by_the_gain_and_not_shifted(kind, band, order, rate):
    t = np.arange(int(100 * rate)) / rate
    for hertz in (1.0, 7.0, 0.4 * rate):
        got = np.asarray(bandpass(kind(np.sin(2 * np.pi * hertz * t)), rate, band, order))
        want = bandpass_gain(np.array([hertz]), rate, band, order) * np.sin(2 * np.pi * hertz * t)
        inside = slice(int(45 * rate), int(55 * rate))
        # the ends, 45 s away, are forgotten with exp(-0.1 pi t) at least
        assert np.abs(got - want)[inside].max() < 1e-6


def test_inside_a_recording_it_equals_running_scipys_filter_forward_and_backward():
    walk = np.cumsum(np.random.default_rng(0).normal(0, 0.02, (3, 20_000)), axis=1) + 4.0
    got = bandpass(walk, 500, (0.67, 40), 5)
    want = sp.sosfiltfilt(butter((0.67, 40), 5, 500), walk)
    # scipy starts its filter in a guessed steady state at each end; 15 s inside, that guess has died out
    assert np.abs(got - want)[:, 7500:-7500].max() < 1e-6


def test_a_strip_behaves_at_its_ends_as_if_it_went_on_by_odd_reflection():
    x = np.random.default_rng(1).normal(0, 1, 1000)
    left = 2 * x[0] - x[1:201][::-1]
    right = 2 * x[-1] - x[-201:-1][::-1]
    period = np.concatenate([left, x, right])  # 1400 samples: a fast length, so the ring is just this
    hertz = np.fft.rfftfreq(1400, 0.01)
    want = np.fft.irfft(np.fft.rfft(period) * bandpass_gain(hertz, 100, (0.5, 40), 3), 1400)[200:-200]
    # 1440 is the next product of 2, 3 and 5: the line of 40 samples between the ends lies 2 s away
    assert np.abs(bandpass(x, 100, (0.5, 40), 3) - want).max() < 0.02
    assert np.abs(bandpass(x, 100, (0.5, 40), 3) - want)[300:-300].max() < 2e-4


def test_a_baseline_of_any_height_is_removed_to_the_last_sample():
    t = np.arange(1000) / 100
    beat = np.sin(2 * np.pi * 5 * t)
    raised = bandpass(beat + 20.0, 100, (0.5, 0), 2)
    np.testing.assert_allclose(raised, bandpass(beat, 100, (0.5, 0), 2), atol=1e-12)


def test_numpy_and_torch_agree_and_keep_float32():
    x = np.random.default_rng(2).normal(0, 1, (2, 3, 700)).astype(np.float32)
    got, again = bandpass(x, 250, (0.5, 40), 2), bandpass(torch.from_numpy(x), 250, (0.5, 40), 2)
    assert got.dtype == np.float32
    assert again.dtype == torch.float32
    np.testing.assert_allclose(got, again.numpy(), atol=2e-6)  # float32 rounding of two FFT libraries


@pytest.mark.parametrize("samples", [1, 2, 5, 199])
def test_a_recording_shorter_than_the_reflection_is_filtered_without_invented_samples(samples):
    out = bandpass(np.ones((2, samples)), 100, (0.5, 40), 2)
    np.testing.assert_allclose(out, 0, atol=1e-12)  # the reflection of a constant is that constant


@pytest.mark.parametrize("band", [(0, 0), (40, 0.5), (-1, 40), (0.5, 50), (60, 0)])
def test_a_band_that_does_not_fit_the_rate_is_refused(band):
    with pytest.raises(LayoutError, match="band is unusable"):
        bandpass_gain(np.ones(3), 100, band, 2)


def test_a_lost_sample_is_refused_instead_of_spreading_over_the_recording():
    with pytest.raises(RecordError, match=r"gaps\.fill"):
        bandpass(np.array([0.0, np.nan, 0.0]), 100, (0.5, 0), 2)
