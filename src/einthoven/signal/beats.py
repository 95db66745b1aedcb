"""Where the heart beats: R peaks of all leads together, in recordings of any length.

Slopes of the 5-25 Hz band are summed over the leads, each lead in units of its own QRS complexes and weighted by how
far they stand out; peaks of that sum are beats if they reach a share of their neighbours, with a search back in long
pauses (Pan & Tompkins 1985; physiology.md 5.4, 5.7). A beat's time is the peak, of one sign in all beats of a
recording, of the one mixture of leads that holds most of the QRS: a negative QRS is as sharp as a positive one, and
noise of one lead does not move it. Long recordings are worked on in windows. Letters: L leads, T samples, K beats, U
samples at the slow rate.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from scipy.signal import find_peaks

from einthoven.signal import _kinds
from einthoven.signal.filters import bandpass
from einthoven.signal.gaps import mended
from einthoven.signal.marks import Beats

WINDOW_SECONDS, MARGIN_SECONDS = 30.0, 5.0
"""Long recordings are worked on in windows of this length, with this much more on either side."""
SLOWEST_RATE = 50.0
"""Below this rate in hertz a QRS complex has fewer than five samples: nothing is found."""

BAND = (5.0, 25.0)
REFRACTORY = 0.20
LEAST_SLOPE = 0.5
"""mV/s, root mean square over 90 ms: a QRS of some 30 microvolts; what is smaller in a lead does not count."""
QUIET_SLOPE, LOUD, FEWEST_LOUD = 1.5, 6.0, 3
"""A lead whose blocks of 2 s are mostly below the first (mV/s) may have lost its heart or its cable for a while: beats
are then measured by the blocks that are so much louder, if there are so many."""
SHARE = 0.38
"""A beat reaches this share of the beats around it."""
SHARE_BACK = 0.30
"""In a pause of PAUSE running medians of the RR interval this much is enough."""
PAUSE = 1.66
NEAR_SECONDS = 0.040
"""A beat is within a gap if most samples so near to it are missing."""
CONTRAST = 2.2
"""How far the beats of a stretch stand out of what lies between them; noise and fibrillation stay below."""
FAST_SECONDS, FAST_REFRACTORY, FAST_FEWEST = 0.33, 0.17, 5
"""From 180 a minute on the QRS complexes fill half of the time, and what is usual about a beat is the beat itself: so
many beats in a row, at most so far apart, are then judged by the valleys between them."""
FAST_CONTRAST, FAST_SPREAD, FAST_LIKE = 3.3, 0.16, 0.85
"""How far they stand out of these, the spread of their RR intervals (1.48 MAD over the median), and how alike they are:
a sine (tremor, fibrillation) has no valleys in its slope, and noise is neither regular nor alike."""


def find(signal_LT: np.ndarray, rate: float) -> Beats:
    """All heartbeats of a recording, found in all its leads together.

    Args:
        signal_LT: millivolts, (leads, samples); NaN where there is no sample.
        rate: samples a second.

    Returns:
        The beats; none where no lead shows any (asystole, fibrillation of the ventricles, noise, a recording shorter
        than half a second or below 50 Hz), and none within gaps.
    """
    samples = signal_LT.shape[1]
    if rate < SLOWEST_RATE or samples < 0.5 * rate or not signal_LT.shape[0]:
        return _none()
    core, margin = round(WINDOW_SECONDS * rate), round(MARGIN_SECONDS * rate)
    if samples <= core + 2 * margin:
        return _window(signal_LT, rate, None)[0]
    parts: list[Beats] = []
    mix: np.ndarray | None = None
    for start in range(0, samples, core):
        first, last = max(0, start - margin), min(samples, start + core + margin)
        found, mix = _window(signal_LT[:, first:last], rate, mix)
        at = found.sample + first
        keep = (at >= start) & (at < start + core)
        parts.append(Beats(at[keep], found.label[keep], found.confidence[keep]))
    return _apart(_joined(parts), rate)


def _none() -> Beats:
    return Beats(np.zeros(0), np.zeros(0, "<U5"), np.zeros(0))


def _joined(parts: list[Beats]) -> Beats:
    return Beats(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("sample", "label", "confidence")))


def _apart(beats: Beats, rate: float) -> Beats:
    """Without the second of two beats that both sides of a window's edge gave."""
    apart = np.diff(beats.sample)
    least = np.where(_running_median(apart, 9) < FAST_SECONDS * rate, FAST_REFRACTORY, REFRACTORY)
    keep = np.append(True, apart > least * rate)[: len(beats)]
    return Beats(beats.sample[keep], beats.label[keep], beats.confidence[keep])


def _window(signal_LT: np.ndarray, rate: float, mix: np.ndarray | None) -> tuple[Beats, np.ndarray | None]:
    """Beats of one window, and the mixture of leads (L,) that located them; `mix` is the one of the window before."""
    signal, missing = bridged(signal_LT, rate)
    stride = max(1, round(rate / 125))
    slow_rate = rate / stride
    length = signal.shape[1] // stride * stride
    slow = signal[:, :length].reshape(-1, stride) @ np.full(stride, 1 / stride, np.float32)
    slow = bandpass(slow.reshape(len(signal), -1), slow_rate, (BAND[0], min(BAND[1], 0.45 * slow_rate)), 2)
    energy, peak_L, weight_L = _energy(slow, slow_rate, missing, stride)
    if not weight_L.any():
        return _none(), mix
    at, confidence = _pick(energy, slow_rate, lambda at: _kinds.likeness(slow, slow_rate, at, weight_L))
    if missing is not None and len(at):
        here = _known(missing | (weight_L == 0)[:, None], at * stride + stride // 2, round(NEAR_SECONDS * rate))
        at, confidence = at[here], confidence[here]
    if not len(at):
        return _none(), mix
    mix = _mixture(slow, at, slow_rate, np.cbrt(weight_L) / peak_L, mix)
    found, width = _locate(mix @ signal, rate, (at + 0.5) * stride - 0.5)
    label = _kinds.labels(signal, rate, found, width, slow, stride, weight_L)
    order = np.argsort(found, kind="stable")
    return Beats(found[order], label[order], confidence[order]), mix


def _known(missing_LT: np.ndarray, at_K: np.ndarray, reach: int) -> np.ndarray:
    """Which beats (K,) have in some lead at least half of the samples within `reach`."""
    total = np.pad(np.cumsum(missing_LT, axis=1), ((0, 0), (1, 0)))
    last = missing_LT.shape[1]
    first, stop = (at_K - reach).clip(0, last), (at_K + reach + 1).clip(0, last)
    return np.logical_or.reduce(total[:, stop] - total[:, first] <= 0.5 * (stop - first), axis=0)


def bridged(signal: np.ndarray, rate: float = 0.0) -> tuple[np.ndarray, np.ndarray | None]:
    """Gaps joined by straight lines, as float32; and where they are too long for that to restore the signal (L, T),
    None where none is; without a rate each is."""
    signal = mended(np.ascontiguousarray(signal, np.float32), rate)[0]
    if np.isfinite(signal.sum(dtype=np.float64)):
        return signal, None
    missing = ~np.isfinite(signal)
    signal = signal.copy()
    for row, gone in zip(signal, missing):
        if gone.all():
            row[:] = 0
        elif gone.any():
            there = np.flatnonzero(~gone)
            row[gone] = np.interp(np.flatnonzero(gone), there, row[there])
    return signal, missing


def _energy(
    slow: np.ndarray, rate: float, missing: np.ndarray | None, stride: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slopes of all leads together (U,), about 1 at a typical beat; each lead's own size (L,) and weight (L,).

    A lead counts for at most 1.5 of its typical beats, so that a disturbance of one lead is no beat of all.
    """
    slope = np.zeros_like(slow)
    slope[:, 1:-1] = (slow[:, 2:] - slow[:, :-2]) * (rate / 2)
    width = max(3, round(0.09 * rate) | 1)
    total = np.zeros((len(slow), slow.shape[1] + width), np.float64)
    np.cumsum(slope * slope, axis=1, out=total[:, width // 2 + 1 : width // 2 + 1 + slow.shape[1]])
    total[:, width // 2 + 1 + slow.shape[1] :] = total[:, width // 2 + slow.shape[1], None]
    envelope = np.sqrt(np.maximum(total[:, width:] - total[:, :-width], 0) / width)
    peak = _typical(_block_peaks(envelope, rate))
    count = envelope.shape[1]
    usual = np.partition(envelope, int(0.75 * count), axis=1)[:, int(0.75 * count)]
    clear = np.clip((peak / np.maximum(usual, 1e-9) - 1.2) / 3, 0.05, 1)
    weight = clear**3 * (peak > LEAST_SLOPE)
    peak = np.maximum(peak, 1e-9)
    part = np.minimum(envelope / peak[:, None], 1.5)
    if missing is None:
        return weight @ part / max(weight.sum(), 1e-9), peak, weight
    there = 1.0 - missing[:, : count * stride].reshape(len(slow), count, stride).mean(axis=2)
    there *= weight[:, None]
    return (there * part).sum(axis=0) / np.maximum(there.sum(axis=0), 0.1 * weight.max()), peak, weight


def _typical(block_LB: np.ndarray) -> np.ndarray:
    """A lead's typical beat (L,): the median of its blocks; where most of these are quiet, that of the others."""
    peak = np.median(block_LB, axis=1)
    for i in np.flatnonzero(peak < QUIET_SLOPE):
        loud = block_LB[i][block_LB[i] > max(LOUD * peak[i], 2 * LEAST_SLOPE)]
        if len(loud) >= FEWEST_LOUD:
            peak[i] = np.median(loud)
    return peak


def _block_peaks(envelope: np.ndarray, rate: float) -> np.ndarray:
    """Largest value of each block of 2 s, every second; (..., blocks)."""
    count, block = envelope.shape[-1], max(1, round(rate))
    whole = count // block
    if whole < 2:
        return envelope.max(axis=-1, keepdims=True)
    single = envelope[..., : whole * block].reshape(*envelope.shape[:-1], whole, block).max(axis=-1)
    return np.maximum(single[..., 1:], single[..., :-1])


def _pick(energy: np.ndarray, rate: float, alike: Callable[[np.ndarray], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Places of the beats in `energy` (K,), and their confidence; `alike` says how much some are like their median."""
    peaks, _ = find_peaks(np.concatenate([[0], energy, [0]]), distance=max(1, round(REFRACTORY * rate)), height=0.1)
    peaks = peaks - 1
    if not len(peaks):
        return peaks, energy[peaks]
    blocks = _block_peaks(energy, rate)
    level = np.clip(_running_median(blocks, 7), 0.4, 1.2)
    level = np.interp(peaks / rate, np.arange(len(blocks)) + 1.0, level)
    height = energy[peaks] / level
    taken = _apart_from_waves(peaks, height, rate, height >= SHARE)
    taken = _search_back(peaks, height, rate, taken)
    at, height = peaks[taken], height[taken]
    contrast = energy[at] / np.maximum(_between(energy, at, rate), 1e-3)
    plain = _running_median(contrast, 7) >= CONTRAST
    sure = np.clip(height / 0.8, 0, 1) * np.clip((contrast - 1.5) / 3, 0, 1)
    fast = [] if plain.all() else _fast(energy, at, plain, rate, alike)
    at, sure = at[plain], sure[plain]
    for found, likeness in fast:
        away = (at < found[0] - FAST_REFRACTORY * rate) | (at > found[-1] + FAST_REFRACTORY * rate)
        at, sure = np.concatenate([at[away], found]), np.concatenate([sure[away], likeness])
    order = np.argsort(at)
    return at[order], sure[order]


def _fast(
    energy: np.ndarray, at: np.ndarray, plain: np.ndarray, rate: float, alike: Callable[[np.ndarray], np.ndarray]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Beats of each stretch whose candidates stand out too little, where they are fast, regular and alike; with how
    alike they are."""
    edge = np.flatnonzero(np.diff(np.concatenate([[False], ~plain, [False]])))
    reach, out = round(FAST_SECONDS * rate), []
    for first, last in edge.reshape(-1, 2):
        start, stop = max(int(at[first]) - reach, 0), int(at[last - 1]) + reach + 1
        part = energy[start:stop]
        found, _ = find_peaks(
            np.concatenate([[0], part, [0]]), distance=max(1, round(FAST_REFRACTORY * rate)),
            height=SHARE * float(np.median(energy[at[first:last]])),
        )  # fmt: skip
        found = found - 1
        if len(found) < FAST_FEWEST:
            continue
        rr = np.diff(found)
        usual = float(np.median(rr))
        spread = 1.48 * float(np.median(np.abs(rr - usual))) / usual
        valley = np.array([part[a:b].min() for a, b in pairwise(found.tolist())])
        contrast = part[found].mean() / max(float(np.median(valley)), 1e-3)
        steady = usual <= FAST_SECONDS * rate and spread <= FAST_SPREAD and rr.max() < PAUSE * usual
        if not steady or contrast < FAST_CONTRAST:
            continue
        likeness = alike(found + start)
        if np.median(likeness) >= FAST_LIKE:
            out.append((found + start, np.clip(likeness, 0, 1)))
    return out


def _running_median(values: np.ndarray, width: int) -> np.ndarray:
    """Median of `width` values about each, fewer at the ends."""
    if len(values) <= 2:
        return np.full(len(values), np.median(values)) if len(values) else values
    half = min(width // 2, (len(values) - 1) // 2)
    padded = np.concatenate([np.full(half, np.nan), values, np.full(half, np.nan)])
    return np.nanmedian(np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1), axis=1)


def _apart_from_waves(peaks: np.ndarray, height: np.ndarray, rate: float, taken: np.ndarray) -> np.ndarray:
    """Without P and T waves: a much smaller peak just before or after a beat."""
    taken = taken.copy()
    rows = np.flatnonzero(taken)
    for before, after in zip(rows[:-1].tolist(), rows[1:].tolist()):
        gap = (peaks[after] - peaks[before]) / rate
        if gap < 0.36 and height[after] < 0.5 * height[before]:
            taken[after] = False
        elif gap < 0.30 and height[before] < 0.45 * height[after]:
            taken[before] = False
    return taken


def _search_back(peaks: np.ndarray, height: np.ndarray, rate: float, taken: np.ndarray) -> np.ndarray:
    """With the largest lesser peak of each long pause, as long as there is one."""
    for _ in range(3):
        rows = np.flatnonzero(taken)
        if len(rows) < 3:
            break
        rr = np.diff(peaks[rows])
        usual = _running_median(rr, 9)
        added = False
        for i in np.flatnonzero(rr > PAUSE * usual).tolist():
            inside = np.arange(rows[i] + 1, rows[i + 1])
            inside = inside[
                (peaks[inside] - peaks[rows[i]] > 0.36 * rate) & (peaks[rows[i + 1]] - peaks[inside] > 0.30 * rate)
            ]
            if len(inside) and height[best := inside[height[inside].argmax()]] >= SHARE_BACK:
                taken[best] = added = True
        if not added:
            break
    return taken


def _between(energy: np.ndarray, at: np.ndarray, rate: float) -> np.ndarray:
    """What is usual about each beat: the median of 2 s around it."""
    half = round(rate)
    if len(energy) <= 2 * half:
        return np.full(len(at), np.median(energy))
    start = np.clip(at - half, 0, len(energy) - 2 * half)
    return np.median(energy[start[:, None] + np.arange(2 * half)], axis=1)


def _mixture(
    slow: np.ndarray, at: np.ndarray, rate: float, gain_L: np.ndarray, before: np.ndarray | None
) -> np.ndarray:
    """The mixture of leads (L,) that holds most of the QRS complexes; its sign is that of the mixture before."""
    half = round(0.06 * rate)
    index = np.clip(at[:, None] + np.arange(-half, half + 1), 0, slow.shape[1] - 1)
    piece = slow[:, index].astype(np.float64) * gain_L[:, None, None]  # (L, K, W)
    size = np.sqrt(np.square(piece).sum(axis=(0, 2)))
    piece = (piece / np.maximum(size, 1e-9)[:, None]).reshape(len(slow), -1)
    _, vectors = np.linalg.eigh(piece @ piece.T)
    mix = (vectors[:, -1] * gain_L).astype(np.float32)
    sign = float(before @ mix) if before is not None else float(mix[np.abs(mix).argmax()])
    return mix if sign >= 0 else -mix


def _locate(mixed: np.ndarray, rate: float, near: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """R peaks (K,) in samples with their fraction, and how many seconds hold 80 % of the QRS's slope; mixed: (T,)."""
    low = min(40.0, 0.45 * rate)
    mixed = bandpass(mixed[None].astype(np.float32), rate, (1.0, low), 2)[0]
    half = round(0.08 * rate)
    centre = np.round(near).astype(int)
    index = np.clip(centre[:, None] + np.arange(-half, half + 1), 0, len(mixed) - 1)
    piece = mixed[index]
    rest = np.median(mixed)
    up, down = piece.max(axis=1) - rest, rest - piece.min(axis=1)
    upward = np.median(up / np.maximum(up + down, 1e-9)) >= 0.5
    turned = (down > 2.5 * up) if upward else (up > 2.5 * down)  # a ventricular beat of the other sign
    sign = np.where(turned == upward, -1.0, 1.0)
    place = (piece * sign[:, None]).argmax(axis=1)
    exact = _parabola(mixed, index[np.arange(len(near)), place], sign, rate)
    slope = np.abs(np.diff(mixed[np.clip(centre[:, None] + np.arange(-2 * half, 2 * half + 1), 0, len(mixed) - 1)]))
    share = np.cumsum(slope, axis=1) / np.maximum(slope.sum(axis=1), 1e-9)[:, None]
    width = ((share > 0.1) & (share < 0.9)).sum(axis=1) / rate
    return exact, width


def _parabola(mixed: np.ndarray, place: np.ndarray, sign: np.ndarray, rate: float) -> np.ndarray:
    """Top of the parabola through the samples within 5 ms of each peak (at least one on either side)."""
    reach = max(1, round(0.005 * rate))
    offset = np.arange(-reach, reach + 1)
    inside = (place >= reach) & (place < len(mixed) - reach)
    piece = mixed[np.clip(place[:, None] + offset, 0, len(mixed) - 1)] * sign[:, None]
    # Least squares on symmetric points: slope = sum(x y) / sum(x^2); curvature from x^2 less its mean.
    square = offset**2 - np.mean(offset**2)
    slope = piece @ offset / np.sum(offset**2)
    curve = piece @ square / np.sum(square**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = np.where(inside & (curve < 0), -slope / (2 * curve), 0.0)
    return place + np.clip(shift, -reach, reach)
