"""What is measured of each beat: levels, areas and extremes of its waves, lead by lead.

`measurements` makes medians of these; recordings of many hours come in windows, whose tables are joined. Amplitudes are
against the isoelectric level: the median of the 20 ms before the QRS complex, or of the PR segment where that is
shorter, or of the 40 ms before the P wave where P touches QRS (physiology.md 3); between two beats the level is a
straight line, so that a slow drift is no ST change. Letters: K beats, L leads, W samples of a window, N runs.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from einthoven.signal._order import median_known
from einthoven.signal.marks import Delineation
from einthoven.signal.median import gather

P, QRS, T = 0, 1, 2
ON, PEAK, OFF = 0, 1, 2

LEVEL_SECONDS, TOUCHING_SECONDS = 0.020, 0.008
DEFLECTION_MV, DEFLECTION_SECONDS = 0.020, 0.008
"""A smaller or shorter deflection is no Q, R or S wave."""
ST_SECONDS = (0.0, 0.020, 0.060, 0.080)
_BEFORE, _AFTER = 0.36, 0.72
"""Seconds of a window before and after the onset of the QRS complex."""


@dataclass(frozen=True, eq=False)
class PerBeat:
    """One row a beat; NaN where a beat has no such thing.

    place: (K,) seconds of R. label: (K,). whole: (K, 3, 3) limits for all leads in seconds. lead: (K, L, 3, 3) float32
    limits in each lead in ms after `place`. confidence: (K, 3). wave: (K, L, 6) mV of P, Q, R, S, R2 and T. st:
    (K, L, 4) mV at J and 20, 60, 80 ms later. r_time: (K, L) ms from QRS onset to R peak. area: (K, L, 3) signed area
    of P, QRS, T in mV ms. net: (K, L, 3) highest plus lowest value, mV. terminal: (K, L) negative area of P's second
    half, mV ms. corr: (K,) likeness to the median beat. torn: (K, L, 3) waves that gaps hide.
    """

    place: np.ndarray
    label: np.ndarray
    whole: np.ndarray
    lead: np.ndarray
    confidence: np.ndarray
    wave: np.ndarray
    st: np.ndarray
    r_time: np.ndarray
    area: np.ndarray
    net: np.ndarray
    terminal: np.ndarray
    corr: np.ndarray
    torn: np.ndarray

    def __len__(self) -> int:
        return len(self.place)

    def rows(self, rows: np.ndarray, shift: float) -> PerBeat:
        """Some of the beats, `shift` seconds later."""
        mine = {field.name: getattr(self, field.name)[rows] for field in fields(self)}
        return PerBeat(**mine | {"place": mine["place"] + shift, "whole": mine["whole"] + shift})

    @classmethod
    def join(cls, parts: list[PerBeat]) -> PerBeat:
        """One table of several, in their order."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))


def per_beat(signal_LT: np.ndarray, rate: float, found: Delineation, corr_K: np.ndarray) -> PerBeat:
    """Measure every beat of a recording, or of a window of one."""
    whole, count, leads = found.whole, len(found.beats), len(signal_LT)
    place = found.beats.sample / rate
    nothing = np.full((count, leads), np.nan, np.float32)
    lead_ms = ((found.lead - found.beats.sample[:, None, None, None]) * (1000 / rate)).astype(np.float32)
    torn = np.zeros((count, leads, 3), bool) if found.torn is None else found.torn
    about = (place, found.beats.label, whole / rate, lead_ms, found.confidence)
    if not count:
        return PerBeat(
            *about, np.zeros((0, leads, 6), np.float32), np.zeros((0, leads, 4), np.float32), nothing,
            np.zeros((0, leads, 3), np.float32), np.zeros((0, leads, 3), np.float32), nothing, corr_K, torn,
        )  # fmt: skip
    onset = np.where(np.isfinite(whole[:, QRS, ON]), whole[:, QRS, ON], found.beats.sample)
    first = np.rint(onset - _BEFORE * rate).astype(int)
    level_KL = _levels(signal_LT, rate, whole, onset)
    window_KLW = gather(signal_LT, first, round((_BEFORE + _AFTER) * rate)).astype(np.float32)
    window_KLW = window_KLW - _baseline(level_KL, onset, first, window_KLW.shape[2])
    limits = whole - first[:, None, None]
    inside = _inside(limits, window_KLW.shape[2])
    area, net, p_t = _areas(window_KLW, inside, limits, rate)
    q_s, r_time = _deflections(window_KLW, inside[:, QRS], limits[:, QRS], rate)
    wave = np.concatenate([p_t[..., :1], q_s, p_t[..., 1:]], axis=2)
    return PerBeat(
        *about, wave, _st(window_KLW, limits[:, QRS, OFF], rate), r_time, area, net,
        _terminal(window_KLW, limits[:, P], rate), corr_K, torn,
    )  # fmt: skip


def _levels(signal_LT: np.ndarray, rate: float, whole: np.ndarray, onset: np.ndarray) -> np.ndarray:
    """Isoelectric level of each beat (K, L); NaN where there are no samples to tell it."""
    width = max(2, round(LEVEL_SECONDS * rate))
    last, size = np.rint(onset), np.full(len(onset), float(width))
    segment = onset - whole[:, P, OFF]
    short = segment < LEVEL_SECONDS * rate  # False where there is no P
    touching = short & (segment < TOUCHING_SECONDS * rate)
    size = np.where(short & ~touching, np.maximum(np.floor(segment), 1), size)
    last = np.where(touching, np.rint(whole[:, P, ON]), last)
    size = np.where(touching, 2.0 * width, size)
    reach = int(size.max())
    window_KLW = np.array(gather(signal_LT, last.astype(int) - reach, reach), np.float32)
    window_KLW[np.broadcast_to((np.arange(reach) < reach - size[:, None])[:, None], window_KLW.shape)] = np.nan
    return median_known(window_KLW, 2)


def _baseline(level_KL: np.ndarray, onset: np.ndarray, first: np.ndarray, width: int) -> np.ndarray:
    """The level at each sample of each window (K, L, W): straight from one beat's onset to the next."""
    slope = np.nan_to_num(np.diff(level_KL, axis=0) / np.maximum(np.diff(onset), 1)[:, None]).astype(np.float32)
    nothing = np.zeros_like(slope, shape=(1, slope.shape[1]))
    time_KW = ((first - onset)[:, None] + np.arange(width)).astype(np.float32)
    before_KW, after_KW = np.minimum(time_KW, 0)[:, None], np.maximum(time_KW, 0)[:, None]
    line = level_KL.astype(np.float32)[..., None] + np.concatenate([nothing, slope])[..., None] * before_KW
    line += np.concatenate([slope, nothing])[..., None] * after_KW
    return line


def _inside(limits: np.ndarray, width: int) -> np.ndarray:
    """(K, 3, W): which samples of a window belong to which wave; none where its limits are not known."""
    time = np.arange(width)
    return (time >= limits[:, :, ON, None]) & (time <= limits[:, :, OFF, None])


def _areas(
    window_KLW: np.ndarray, inside: np.ndarray, limits: np.ndarray, rate: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Signed areas (K, L, 3), highest plus lowest value (K, L, 3), and the extremes of P and T (K, L, 2)."""
    count, leads, width = window_KLW.shape
    shape = (count, leads, 3)
    area, high, low = (np.full(shape, np.nan, np.float32) for _ in range(3))
    for wave in range(3):
        whole = (limits[:, wave, ON] >= 0) & (limits[:, wave, OFF] <= width - 1)
        known = np.flatnonzero(inside[:, wave].any(axis=1) & whole)
        if not len(known):
            continue
        mine = inside[known, wave]
        span = np.flatnonzero(mine.any(axis=0))
        first, last = int(span[0]), int(span[-1]) + 1
        part, mask = window_KLW[known, :, first:last], mine[:, None, first:last]
        area[known, :, wave] = np.where(mask, part, 0).sum(axis=2) * (1000 / rate)
        # no wave is without a zero at its ends: what stays on one side has its other extreme there
        high[known, :, wave] = np.where(mask, part, -np.inf).max(axis=2)
        low[known, :, wave] = np.where(mask, part, np.inf).min(axis=2)
    up, down = np.maximum(high, 0), np.minimum(low, 0)
    extreme = np.where(up >= -down, up, down)
    return area, up + down, extreme[..., [P, T]]


def _deflections(
    window_KLW: np.ndarray, inside_KW: np.ndarray, limits: np.ndarray, rate: float
) -> tuple[np.ndarray, np.ndarray]:
    """Q, R, S and R2 (K, L, 4) in mV, and the time of R after QRS onset (K, L) in ms.

    Runs of one sign that are high and long enough, neighbours of one sign taken as one; R is the first positive one, Q
    the negative one before it, S the negative and R2 the positive one after it. A complex without R (QS) is an S.
    """
    count, leads, _ = window_KLW.shape
    out = np.full((count * leads, 4), np.nan, np.float32)
    time = np.full(count * leads, np.nan, np.float32)
    span = np.flatnonzero(inside_KW.any(axis=0))
    if not len(span):
        return out.reshape(count, leads, 4), time.reshape(count, leads)
    part = window_KLW[:, :, span[0] : span[-1] + 1]
    width = part.shape[2]
    value = np.where(inside_KW[:, None, span[0] : span[-1] + 1], part, 0).reshape(-1)  # 0 also ends a row's last run
    sign = np.sign(np.nan_to_num(value)).astype(np.int8)
    start = np.flatnonzero(np.diff(sign, prepend=np.int8(2)) | (np.arange(len(sign)) % width == 0))
    length = np.diff(np.append(start, len(sign)))
    height = np.maximum.reduceat(np.abs(np.nan_to_num(value)), start)
    keep = (height >= DEFLECTION_MV) & (length >= max(1, round(DEFLECTION_SECONDS * rate)))
    start, length, height = start[keep], length[keep], height[keep]
    row, side = start // width, sign[start]
    new = np.ones(len(row), bool)
    new[1:] = (row[1:] != row[:-1]) | (side[1:] != side[:-1])
    group = np.flatnonzero(new)
    if not len(group):
        return out.reshape(count, leads, 4), time.reshape(count, leads)
    row, side = row[group], side[group]
    end = np.append(start[group[1:] - 1] + length[group[1:] - 1], start[-1] + length[-1])
    begin = start[group]
    height = np.maximum.reduceat(height, group) * side
    rank = np.arange(len(row)) - np.searchsorted(row, row)  # runs alternate within a row
    lonely = ~np.isin(row, row[side > 0])
    first_up = np.where(side[np.searchsorted(row, row)] > 0, 0, 1)
    for column, step in enumerate((-1, 0, 1, 2)):
        at = (rank - first_up == step) & ~lonely
        out[row[at], column] = height[at]
    out[row[lonely], 2] = height[lonely]
    peaks = np.flatnonzero((rank == first_up) & ~lonely)
    onset = np.repeat(limits[:, ON] - span[0], leads)
    for n in peaks.tolist():
        piece = value[begin[n] : end[n]]
        time[row[n]] = _vertex(piece, int(piece.argmax())) + begin[n] % width - onset[row[n]]
    return out.reshape(count, leads, 4), time.reshape(count, leads) * np.float32(1000 / rate)


def _vertex(piece: np.ndarray, top: int) -> float:
    """The place of a maximum between samples, by the parabola through three of them."""
    if 0 < top < len(piece) - 1:
        left, middle, right = piece[top - 1 : top + 2].tolist()
        bend = left - 2 * middle + right
        return top + (0.5 * (left - right) / bend if bend < 0 else 0.0)
    return float(top)


def _st(window_KLW: np.ndarray, off_K: np.ndarray, rate: float) -> np.ndarray:
    """Levels (K, L, 4) at J and after it, straight between two samples."""
    time = np.nan_to_num(off_K)[:, None] + np.array(ST_SECONDS) * rate
    low = np.clip(np.floor(time).astype(int), 0, window_KLW.shape[2] - 2)
    share = (time - low)[:, None].astype(np.float32)
    left = np.take_along_axis(window_KLW, low[:, None], axis=2)
    right = np.take_along_axis(window_KLW, low[:, None] + 1, axis=2)
    return np.where(np.isfinite(off_K)[:, None, None], left + share * (right - left), np.nan).astype(np.float32)


def _terminal(window_KLW: np.ndarray, limits: np.ndarray, rate: float) -> np.ndarray:
    """Negative area of the second half of P (K, L), at most 0, in mV ms."""
    width = window_KLW.shape[2]
    middle = (limits[:, ON] + limits[:, OFF]) / 2
    mask = (np.arange(width) >= middle[:, None]) & (np.arange(width) <= limits[:, OFF, None])
    known = mask.any(axis=1) & (limits[:, ON] >= 0)
    area = np.where(mask[:, None], np.minimum(window_KLW, 0), 0).sum(axis=2) * (1000 / rate)
    return np.where(known[:, None], area, np.nan).astype(np.float32)
