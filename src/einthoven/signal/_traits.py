"""What can be said about the quality of a signal in numbers: lead by lead, second by second.

`quality` weighs them. All are taken at some 125 Hz, so that they mean the same at every sampling rate; quantities are
those of physiology.md 6. Letters: L leads, T samples, S seconds, N samples of a second, K beats, W samples of a beat.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from einthoven.signal._order import median_known
from einthoven.signal.marks import Beats
from einthoven.signal.median import LIKENESS, gather

RATE = 125.0
FLAT_MV, FLAT_SECONDS = 0.001, 0.2
"""A run of steps below the first, longer than the second, is flat: no heart and no amplifier is so quiet."""
RAIL_MV, RAIL_RUN = 10.0, 3
"""Samples at an extreme value in runs of three, or beyond 10 mV, are clipped or saturated."""
LEAST_MV = 0.02
"""A median QRS complex smaller than this is none."""
SECOND = ("lost", "flat", "rail", "swing", "rough", "shift")
LEAD = ("lost", "flat", "rail", "swing", "swing_max", "rough", "rough_max", "drift", "likeness", "rest")


@dataclass(frozen=True, eq=False)
class Traits:
    """second: (L, S, 6) in the order of `SECOND`. lead: (L, 10) in the order of `LEAD`; both as the gate takes them:
    shares from 0 to 1, sizes as log10 of mV, `likeness` of beats to the median beat of the lead from 0 to 1, `rest`
    log10 of what a beat differs by over the size of the QRS."""

    second: np.ndarray
    lead: np.ndarray


def traits(signal_LT: np.ndarray, rate: float, beats: Beats) -> Traits:
    """Measure a recording; its last part of a second counts as a second if it is at least half of one."""
    leads, samples = signal_LT.shape
    seconds = max(1, int(samples / rate + 0.5))
    edge = np.minimum(np.rint(np.arange(seconds + 1) * rate).astype(int), samples)
    edge[-1] = samples
    lost_LT = np.isnan(signal_LT)
    gaps = bool(lost_LT.any())
    lost_LS = _mean(lost_LT, edge) if gaps else np.zeros((leads, seconds))
    filled_LT = _held(signal_LT, lost_LT) if gaps else signal_LT
    flat_LS = _flat(filled_LT, edge, rate)
    rail_LS = np.where(flat_LS > 0.5, 0.0, _mean(_rail(filled_LT), edge))

    stride = min(max(1, round(rate / RATE)), samples)
    slow_LU = filled_LT[:, : samples // stride * stride]
    if stride > 1:
        slow_LU = slow_LU.reshape(-1, stride) @ np.full(stride, 1 / stride, np.float32)
    slow_LU = slow_LU.reshape(leads, -1)
    slow_rate = rate / stride
    per = max(1, min(round(slow_rate), slow_LU.shape[1]))
    count = max(1, min(seconds, slow_LU.shape[1] // per))
    used_LU = slow_LU[:, : count * per]
    cut_LSN = used_LU.reshape(leads, count, -1)
    ordered = np.sort(cut_LSN, axis=2)
    swing_LS = ordered[..., -1] - ordered[..., 0]
    middle_LS = ordered[..., ordered.shape[2] // 2]
    bend = np.zeros_like(used_LU)
    bend[:, 1:-1] = used_LU[:, 1:-1] - 0.5 * (used_LU[:, :-2] + used_LU[:, 2:])
    rough_LS = np.partition(np.abs(bend).reshape(leads, count, -1), per // 2, axis=2)[..., per // 2]
    step = np.abs(np.diff(middle_LS, axis=1))
    nothing = np.zeros((leads, 1), step.dtype)
    shift_LS = np.maximum(np.concatenate([nothing, step], 1), np.concatenate([step, nothing], 1))
    swing_LS, rough_LS, shift_LS = (_longer(part, seconds) for part in (swing_LS, rough_LS, shift_LS))

    second = np.stack([lost_LS, flat_LS, rail_LS, _log(swing_LS), _log(rough_LS), _log(shift_LS)], axis=2)
    likeness_L, rest_L = _likeness(slow_LU, slow_rate, beats, stride)
    lead = np.stack([
        lost_LS.mean(axis=1), flat_LS.mean(axis=1), rail_LS.mean(axis=1),
        _log(np.median(swing_LS, axis=1)), _log(swing_LS.max(axis=1)),
        _log(np.median(rough_LS, axis=1)), _log(np.quantile(rough_LS, 0.9, axis=1)),
        _log(middle_LS.max(axis=1) - middle_LS.min(axis=1)), likeness_L, rest_L,
    ], axis=1)  # fmt: skip
    return Traits(second, lead)


def _log(size: np.ndarray) -> np.ndarray:
    """log10 of millivolts, between 0.1 microvolts and 100 mV."""
    return np.log10(np.clip(size, 1e-4, 1e2))


def _mean(mark_LT: np.ndarray, edge: np.ndarray) -> np.ndarray:
    """Share of marked samples in each second (L, S)."""
    if not mark_LT.any():
        return np.zeros((len(mark_LT), len(edge) - 1))
    return np.add.reduceat(mark_LT, edge[:-1], axis=1, dtype=np.int64) / np.diff(edge)


def _held(signal_LT: np.ndarray, lost_LT: np.ndarray) -> np.ndarray:
    """Lost samples hold the value before them; at the beginning, the first one known; 0 in a lead without any."""
    place = np.where(lost_LT, 0, np.arange(signal_LT.shape[1]))
    np.maximum.accumulate(place, axis=1, out=place)
    first = np.argmin(lost_LT, axis=1)
    place = np.maximum(place, first[:, None])
    return np.nan_to_num(np.take_along_axis(signal_LT, place, axis=1))


def _flat(filled_LT: np.ndarray, edge: np.ndarray, rate: float) -> np.ndarray:
    """Share of each second (L, S) that lies in flat runs."""
    width = max(2, round(FLAT_SECONDS * rate))
    leads, samples = filled_LT.shape
    if samples <= width:
        still = (np.ptp(filled_LT, axis=1) < FLAT_MV)[:, None]
        return np.broadcast_to(still, (leads, len(edge) - 1)).astype(float)
    moves = np.abs(np.diff(filled_LT, axis=1)) >= FLAT_MV
    total = np.zeros((leads, samples), np.int32)
    np.cumsum(moves, axis=1, out=total[:, 1:])
    still = total[:, width:] == total[:, :-width]  # from here on, `width` steps without any move
    if not still.any():
        return np.zeros((leads, len(edge) - 1))
    mark = np.zeros((leads, samples + 1), np.int32)
    begin, end = still.copy(), still.copy()
    begin[:, 1:] &= ~still[:, :-1]
    end[:, :-1] &= ~still[:, 1:]
    row, at = np.nonzero(begin)
    np.add.at(mark, (row, at), 1)
    row, at = np.nonzero(end)
    np.add.at(mark, (row, at + width + 1), -1)
    return _mean(np.cumsum(mark, axis=1)[:, :-1] > 0, edge)


def _rail(filled_LT: np.ndarray) -> np.ndarray:
    """Which samples stay at the lead's lowest or highest value, or are beyond what a device gives."""
    low, high = filled_LT.min(axis=1, keepdims=True), filled_LT.max(axis=1, keepdims=True)
    out = np.abs(filled_LT) > RAIL_MV if max(high.max(), -low.min()) > RAIL_MV else np.zeros(filled_LT.shape, bool)
    for value in (low, high):
        at = filled_LT == value
        few = at.sum(axis=1) < RAIL_RUN
        if few.all():
            continue
        run = at[:, 2:] & at[:, 1:-1] & at[:, :-2]
        run[few] = False
        for shift in range(RAIL_RUN):
            out[:, shift : shift + run.shape[1]] |= run
    return out


def _longer(part_LS: np.ndarray, seconds: int) -> np.ndarray:
    """As many columns as there are seconds; a last part of a second is like the second before it."""
    missing = seconds - part_LS.shape[1]
    return np.pad(part_LS, ((0, 0), (0, missing)), mode="edge") if missing > 0 else part_LS


def _likeness(slow_LU: np.ndarray, rate: float, beats: Beats, stride: int) -> tuple[np.ndarray, np.ndarray]:
    """Median correlation of a lead's beats with their median, and log10 of the residual over the QRS, (L,) each."""
    leads = len(slow_LU)
    before, after = (round(seconds * rate) for seconds in LIKENESS)
    at = np.rint((beats.sample - (stride - 1) / 2) / stride).astype(int)
    at = at[(at >= before) & (at + after < slow_LU.shape[1])]
    if len(at) < 2:
        return np.zeros(leads), np.full(leads, 0.5)
    at = at[:: max(1, len(at) // 60)]
    beat_KLW = gather(slow_LU, at - before, before + after)
    beat_KLW = beat_KLW - beat_KLW.mean(axis=2, keepdims=True)
    median_LW = median_known(beat_KLW, 0)
    norm = np.linalg.norm(beat_KLW, axis=2) * np.linalg.norm(median_LW, axis=1)
    corr_KL = np.where(norm > 1e-9, np.einsum("klw,lw->kl", beat_KLW, median_LW) / np.maximum(norm, 1e-9), 0)
    rest_KL = np.sqrt(np.mean((beat_KLW - median_LW) ** 2, axis=2))
    qrs = median_LW[:, before - round(0.06 * rate) : before + round(0.06 * rate) + 1]
    size = qrs.max(axis=1) - qrs.min(axis=1)
    share = np.where(size > LEAST_MV, median_known(rest_KL, 0) / np.maximum(size, LEAST_MV), 10**0.5)
    rest = np.log10(np.clip(share, 1e-3, 10**0.5))
    return np.clip(median_known(corr_KL, 0), 0, 1), rest
