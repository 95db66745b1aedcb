"""The median beat: what the usual beat looks like in each lead, with noise that comes and goes left out.

Beats of the commonest kind are aligned on their QRS complexes by cross-correlation over all leads, and the median is
taken sample by sample. How much each beat resembles it tells ectopic beats and noise. Letters: K beats, L leads,
W samples of a window, M lags.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from einthoven.signal._order import median_known
from einthoven.signal.marks import Beats

BEFORE, AFTER = 0.35, 0.60
"""Seconds of the median beat before and after the R peak."""
LIKENESS = (0.25, 0.40)
"""Seconds before and after the R peak over which a beat is compared with the median beat (physiology.md 3)."""
_QRS, _LAG = 0.08, 0.012
"""Seconds on either side of R that are aligned, and by how much at most."""
_MOST = 200
"""So many beats make a median; of more, every other, every third, ... takes part."""


@dataclass(frozen=True, eq=False)
class MedianBeat:
    """signal: (L, W) float32 mV, each beat about its own median level, NaN where no beat has samples. before: the
    index of R. beats: (N,) rows of the beats in it. corr: (K,) Pearson correlation of each beat with it, mean over the
    leads that change; NaN where the beat is cut by an end of the recording."""

    signal: np.ndarray
    before: int
    beats: np.ndarray
    corr: np.ndarray

    def __len__(self) -> int:
        return len(self.beats)


def median_beat(signal_LT: np.ndarray, rate: float, beats: Beats) -> MedianBeat:
    """The median of the normal beats, or of the commonest kind where fewer than three are normal.

    Args:
        signal_LT: millivolts, NaN where there is no sample. rate: hertz.
    """
    before, after = round(BEFORE * rate), round(AFTER * rate)
    reach = max(1, round(_LAG * rate))
    empty = np.full((len(signal_LT), before + after), np.nan, np.float32)
    if not len(beats):
        return MedianBeat(empty, before, np.zeros(0, int), np.zeros(0))
    place = np.rint(beats.sample).astype(int)
    inside = (place - round(LIKENESS[0] * rate) >= 0) & (place + round(LIKENESS[1] * rate) < signal_LT.shape[1])
    chosen = _chosen(beats.label, inside)
    if not len(chosen):
        return MedianBeat(empty, before, chosen, np.full(len(beats), np.nan))
    wide_KLW = gather(signal_LT, place - before - reach, before + after + 2 * reach)
    wide_KLW = wide_KLW - median_known(wide_KLW, 2)[..., None]
    qrs = slice(before + reach - round(_QRS * rate) - reach, before + reach + round(_QRS * rate) + reach + 1)
    near_KLW = np.nan_to_num(wide_KLW[:, :, qrs])
    lag_K = _align(near_KLW, median_known(near_KLW[chosen], 0), reach)
    beat_KLW = np.stack([beat[:, lag : lag + before + after] for beat, lag in zip(wide_KLW, lag_K.tolist())])
    median_LW = median_known(beat_KLW[chosen], 0).astype(np.float32)
    span = slice(before - round(LIKENESS[0] * rate), before + round(LIKENESS[1] * rate) + 1)
    corr = np.where(inside, _likeness(beat_KLW[..., span], median_LW[:, span]), np.nan)
    return MedianBeat(median_LW, before, chosen, corr)


def gather(signal_LT: np.ndarray, first_K: np.ndarray, width: int) -> np.ndarray:
    """(K, L, width) windows of the signal that begin at these samples; NaN where they reach beyond an end."""
    samples = signal_LT.shape[1]
    low, high = int(min(first_K.min(), 0)), int(max(first_K.max() + width - samples, 0))
    if low < 0 or high > 0:
        signal_LT = np.pad(signal_LT, ((0, 0), (-low, high)), constant_values=np.nan)
    return sliding_window_view(signal_LT, width, axis=1)[:, first_K - low].swapaxes(0, 1)


def _chosen(label_K: np.ndarray, inside_K: np.ndarray) -> np.ndarray:
    normal = np.flatnonzero((label_K == "N") & inside_K)
    if len(normal) < 3 and inside_K.any():
        words, counts = np.unique(label_K[inside_K], return_counts=True)
        normal = np.flatnonzero((label_K == words[counts.argmax()]) & inside_K)
    return normal[:: max(1, -(-len(normal) // _MOST))]


def _align(near_KLW: np.ndarray, median_LW: np.ndarray, reach: int) -> np.ndarray:
    """Lag (K,) from 0 to 2 reach at which each beat's QRS agrees best with the median's; all leads have their say."""
    template = median_LW[:, reach:-reach]
    agreement_KM = np.einsum("klmw,lw->km", sliding_window_view(near_KLW, template.shape[1], axis=2), template)
    still = agreement_KM.max(axis=1) <= agreement_KM[:, reach]
    return np.where(still, reach, agreement_KM.argmax(axis=1))


def _likeness(beat_KLW: np.ndarray, median_LW: np.ndarray) -> np.ndarray:
    """Pearson correlation (K,), mean over leads; leads that do not change or lack samples have no say."""
    a = beat_KLW - beat_KLW.mean(axis=2, keepdims=True)
    b = median_LW - median_LW.mean(axis=1, keepdims=True)
    power = np.sqrt(np.einsum("klw,klw->kl", a, a) * np.einsum("lw,lw->l", b, b))
    with np.errstate(divide="ignore", invalid="ignore"):
        each_KL = np.where(power > 1e-9, np.einsum("klw,lw->kl", a, b) / power, np.nan)
    known = np.isfinite(each_KL)
    count = known.sum(axis=1)
    return np.where(count > 0, np.where(known, each_KL, 0).sum(axis=1) / np.maximum(count, 1), np.nan)
