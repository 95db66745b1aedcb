"""Signs of what drives the heart that are not waves of beats: pacing spikes, and fibrillatory waves in V1.

Letters: L leads, T samples, K beats, W samples of a window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from einthoven.signal import _kinds
from einthoven.signal._traits import FLAT_MV
from einthoven.signal.marks import Beats, Delineation
from einthoven.signal.median import MedianBeat

SLOWEST_HZ, SURE_HZ = 250.0, 500.0
"""Below the first a spike falls between two samples; below the second it may."""
_ONE_SPIKE, _AHEAD = 0.03, 0.12
"""Seconds within which samples are one spike, and by which a ventricular spike comes before R at most."""
_STILL = 0.1
"""Seconds without any move after which a lead counts as flat."""
_QRS_T = (0.12, 0.45)
"""Seconds before and after R from which the median beat is subtracted."""
F_BAND, ALL_BAND = (4.0, 10.0), (0.5, 30.0)


@dataclass(frozen=True)
class More:
    """What is measured of a window and not of a beat. f_wave: index and its weight in beats. spikes: seconds."""

    f_wave: tuple[float, int]
    spikes: tuple[float, ...]


def more_of(signal_LT: np.ndarray, rate: float, leads: Sequence[str], found: Delineation, median: MedianBeat) -> More:
    """What is measured of a recording, or of a window of a long one, and not of each beat."""
    chest = list(leads).index("V1") if "V1" in leads else -1
    index = f_wave(signal_LT[chest], rate, found.beats, median, chest) if chest >= 0 else np.nan
    return More((index, len(found.beats)), tuple(spikes(signal_LT, rate, found)))


def spikes(signal_LT: np.ndarray, rate: float, found: Delineation) -> list[float]:
    """Times of pacing spikes in seconds; none where the sampling rate cannot show them."""
    if rate < SLOWEST_HZ or not len(found.beats) or signal_LT.shape[1] < rate:
        return []
    at = _kinds.spikes(np.nan_to_num(signal_LT), rate) / rate
    edge = np.zeros(signal_LT.shape[1], bool)
    for away_LT in (np.isnan(signal_LT), _still(signal_LT, round(_STILL * rate))):
        edge[1:] |= (away_LT[:, 1:] != away_LT[:, :-1]).any(axis=0)
    if edge.any():  # the edge of a gap or of a flat stretch is no spike; a lead that is lost throughout has none
        near = np.convolve(edge, np.ones(2 * round(0.02 * rate) + 1), "same") > 0.5
        at = at[~near[np.rint(at * rate).astype(int)]]
    return at[np.diff(at, prepend=-np.inf) > _ONE_SPIKE].tolist()


def _still(signal_LT: np.ndarray, width: int) -> np.ndarray:
    """Samples (L, T) that belong to a run of `width` equal steps or more without any move."""
    moves = np.abs(np.diff(signal_LT, axis=1)) >= FLAT_MV
    total = np.cumsum(np.pad(moves, ((0, 0), (1, 0))), axis=1)
    begins = total[:, width:] == total[:, :-width]
    count = np.cumsum(np.pad(begins, ((0, 0), (width + 1, width))), axis=1)
    return count[:, width + 1 :] > count[:, : -width - 1]


def ventricular(spike_N: np.ndarray, beat_K: np.ndarray) -> np.ndarray:
    """Which spikes stand directly before a beat; the others are taken for atrial ones."""
    if not len(beat_K) or not len(spike_N):
        return np.zeros(len(spike_N), bool)
    following = np.searchsorted(beat_K, spike_N)
    wait = beat_K[np.minimum(following, len(beat_K) - 1)] - spike_N
    return (wait >= 0) & (wait <= _AHEAD)


def f_wave(signal_T: np.ndarray, rate: float, beats: Beats, median: MedianBeat, lead: int) -> float:
    """Share of the power of 0.5-30 Hz that lies in 4-10 Hz once the median QRS and T are taken out; NaN unknown."""
    there = np.isfinite(signal_T)
    if len(median) < 3 or not there.all():
        return np.nan
    rest = signal_T.astype(float)
    first, last = (round(seconds * rate) for seconds in _QRS_T)
    shape = np.nan_to_num(median.signal[lead, median.before - first : median.before + last]).astype(float)
    ends = np.linspace(shape[0], shape[-1], len(shape))
    shape = shape - ends
    for sample in np.rint(beats.sample).astype(int).tolist():
        begin, end = max(sample - first, 0), min(sample + last, len(rest))
        if end > begin:
            rest[begin:end] -= shape[begin - sample + first : end - sample + first]
    rest -= rest.mean()
    power = np.abs(np.fft.rfft(rest * np.hanning(len(rest)))) ** 2
    hertz = np.fft.rfftfreq(len(rest), 1 / rate)
    inside, whole = (power[(hertz >= low) & (hertz <= high)].sum() for low, high in (F_BAND, ALL_BAND))
    return float(inside / whole) if whole > 0 else np.nan
