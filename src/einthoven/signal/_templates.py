"""The beats of a window sorted into kinds that look alike, and the median beat of each kind in each lead.

A median beat shows waves that noise hides in single beats, and cardiologists mark the beats of one kind alike: the
limits of waves are read from it (classical.py). Letters: L leads, U samples at the working rate, K beats, C kinds,
W samples about R, R at index `before`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from einthoven.signal import spectrum
from einthoven.signal.filters import bandpass_gain

BAND = (0.5, 45.0)
BEFORE, AFTER = 0.45, 0.70
"""Seconds about the R peak."""
QRS = 0.10, 0.25
"""Seconds before and after R by which beats are told apart: QRS complex, ST segment, and most of T."""
ALIKE = 0.85
MOST_KINDS = 4


@dataclass(frozen=True, eq=False)
class Stack:
    """at (K,) samples of R; beat (K, L, W) float32 mV; kind (K,); template (C, L, W); count (C,) beats in each; before:
    index of R; rate in hertz; room (C,) seconds from R to the next beat's QRS complex in most beats of the kind, and
    lead_in (C,) to R from the last beat's."""

    at: np.ndarray
    beat: np.ndarray
    kind: np.ndarray
    template: np.ndarray
    count: np.ndarray
    before: int
    rate: float
    room: np.ndarray
    lead_in: np.ndarray


def working(signal_LT: np.ndarray, rate: float) -> tuple[np.ndarray, float, float]:
    """The signal at 170 to 375 Hz between 0.5 and 45 Hz, its rate, and at which sample its first one stands.

    One transform filters and, below 170 Hz, fills in samples between.
    """
    stride = max(1, round(rate / 250))
    length = signal_LT.shape[1] // stride * stride
    slow = signal_LT[:, :length]
    if stride > 1:
        slow = slow.reshape(-1, stride) @ np.full(stride, 1 / stride, np.float32)
    slow = slow.reshape(len(signal_LT), -1)
    rate_in = rate / stride
    more = max(1, round(220 / rate_in))
    laid = spectrum.ring(slow, round(spectrum.REACH_SECONDS * rate_in))
    ring = laid.shape[-1]
    gain = bandpass_gain(spectrum.frequencies(ring, rate_in), rate_in, (BAND[0], min(BAND[1], 0.45 * rate_in)), 2)
    slow = spectrum.weigh(laid, gain, ring * more)[..., : slow.shape[-1] * more]
    return slow, rate_in * more, (stride - 1) / 2


def stack(slow: np.ndarray, rate: float, at: np.ndarray, label: np.ndarray, weight_L: np.ndarray) -> Stack:
    """Cut out the beats at `at` (K,) working samples, sort them, and take medians."""
    before, after = round(BEFORE * rate), round(AFTER * rate)
    beat = cut(slow, at, before, after)
    kind = _sort(beat, label, before, rate, weight_L)
    rr = np.diff(at) / rate
    following, preceding = np.append(rr, np.inf), np.append(np.inf, rr)
    template, count, room, lead_in = [], [], [], []
    time = (np.arange(before + after) - before) / rate
    for c in range(kind.max() + 1 if len(kind) else 0):
        mine = kind == c
        own = beat[mine]
        # Not the next beat's QRS complex; where no beat reaches, all of them.
        seen = time < following[mine, None] - 0.1
        middle = _median(own, seen | ~seen.any(axis=0))
        template.append(middle)
        count.append(mine.sum())
        room.append(np.median(np.minimum(following[mine], 3.0)))
        lead_in.append(np.median(np.minimum(preceding[mine], 3.0)))
    return Stack(
        at, beat, kind, np.stack(template), np.array(count), before, rate, np.array(room),
        np.array(lead_in),
    )  # fmt: skip


def cut(slow: np.ndarray, at: np.ndarray, before: int, after: int) -> np.ndarray:
    """(K, L, before + after) about fractional samples, by straight lines between samples; ends are repeated."""
    whole = np.floor(at).astype(int)
    part = (at - whole).astype(slow.dtype)[:, None, None]
    index = np.clip(whole[:, None] + np.arange(-before, after + 1), 0, slow.shape[1] - 1)
    piece = slow.T[index].transpose(0, 2, 1)
    return np.ascontiguousarray(piece[..., :-1] + part * (piece[..., 1:] - piece[..., :-1]))


def _median(beat: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Median (L, W) over the beats (K, L, W) of what is seen (K, W)."""
    if len(beat) == 1:
        return beat[0]
    if seen.all():
        return np.median(beat, axis=0)
    ordered = np.sort(np.where(seen[:, None], beat, np.float32(np.inf)), axis=0)
    count = seen.sum(axis=0)
    low, high = (count - 1) // 2, count // 2
    column = np.arange(beat.shape[2])
    pair = ordered.transpose(0, 2, 1)
    return (0.5 * (pair[low, column] + pair[high, column])).T


def _sort(beat: np.ndarray, label: np.ndarray, before: int, rate: float, weight_L: np.ndarray) -> np.ndarray:
    """Kind (K,) of each beat: 0 the commonest; what is like none joins the likest."""
    span = slice(before - round(QRS[0] * rate), before + round(QRS[1] * rate), 2)
    used = weight_L > 0
    flat = beat[:, used, span]
    flat = (flat - np.median(flat, axis=2, keepdims=True)).reshape(len(beat), -1)
    unit = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9)
    kind = np.full(len(beat), -1)
    found: list[np.ndarray] = []
    while (free := np.flatnonzero(kind < 0)).size and len(found) < MOST_KINDS:
        like = unit[free] @ unit[free].T > ALIKE
        like[:, label[free] == "V"] &= (label[free] == "V")[:, None]
        like |= np.eye(len(free), dtype=bool)
        members = free[like[like.sum(axis=1).argmax()]]
        middle = np.median(unit[members], axis=0)
        middle /= max(np.linalg.norm(middle), 1e-9)
        members = np.union1d(members, free[unit[free] @ middle > ALIKE])
        kind[members] = len(found)
        found.append(middle)
    if (rest := np.flatnonzero(kind < 0)).size:
        kind[rest] = (unit[rest] @ np.stack(found).T).argmax(axis=1)
    return kind
