"""What kind each beat is: normal, ventricular, wide or paced. Letters: L leads, T samples, K beats, U slow samples.

A beat is compared with the median beat of its window in all leads; one that differs and comes early, or is wide, is
ventricular. Wide beats that are like the others are conducted with a wide QRS (`wide`), or paced where a spike stands
before them.
"""

from __future__ import annotations

import numpy as np

BEFORE, AFTER = 0.12, 0.20
"""Seconds about the R peak that are compared: the QRS complex and the ST segment."""
WIDE_SECONDS = 0.075
"""Seconds that hold 80 % of the slope of a QRS complex of 120 ms."""
OFTEN = 0.15
"""A pacemaker drives at least this share of the beats of a window; rarer sharp points are noise."""
UNLIKE = 0.75
EARLY = 0.85


def labels(
    signal: np.ndarray,
    rate: float,
    at: np.ndarray,
    width: np.ndarray,
    slow: np.ndarray,
    stride: int,
    weight_L: np.ndarray,
) -> np.ndarray:
    """Labels (K,) of the beats at `at` samples whose slopes last `width` seconds; slow: (L, U) at rate / stride."""
    like = likeness(slow, rate / stride, at / stride, weight_L)
    rr = np.diff(at)
    usual = np.median(rr) if len(rr) else np.inf
    early = np.append(False, rr < EARLY * usual)
    wide = width > WIDE_SECONDS
    wider = width > 1.2 * np.median(width)
    out = np.where(wide, "wide", "N").astype("<U5")
    out[(like < UNLIKE) & (early | wide | wider) & (len(at) > 2)] = "V"
    out[paced(signal, rate, at)] = "paced"
    return out


def likeness(slow: np.ndarray, rate: float, at: np.ndarray, weight_L: np.ndarray) -> np.ndarray:
    """Correlation (K,) of each beat with the median beat over all leads."""
    offset = np.arange(-round(BEFORE * rate), round(AFTER * rate) + 1)
    index = np.clip(np.round(at).astype(int)[:, None] + offset, 0, slow.shape[1] - 1)
    used = weight_L > 0
    beat = slow[used][:, index].transpose(1, 0, 2).reshape(len(at), -1)  # (K, leads * W)
    usual = np.median(beat, axis=0)
    norm = np.linalg.norm(beat, axis=1) * np.linalg.norm(usual)
    return beat @ usual / np.maximum(norm, 1e-9)


def paced(signal: np.ndarray, rate: float, at: np.ndarray) -> np.ndarray:
    """Which beats (K,) have a pacing spike within 80 ms before the steepest part of their QRS."""
    if rate < 250:
        return np.zeros(len(at), bool)
    spike = spikes(signal, rate)
    near = np.searchsorted(spike, at - 0.12 * rate), np.searchsorted(spike, at)
    found = near[1] > near[0]
    return found & (found.sum() >= max(2, OFTEN * len(at)))


def spikes(signal: np.ndarray, rate: float) -> np.ndarray:
    """Samples of pacing spikes: narrower than 4 ms, and far sharper than any QRS complex of the recording."""
    step = max(1, round(0.004 * rate))
    bend = np.abs(signal[:, step:-step] - 0.5 * (signal[:, 2 * step :] + signal[:, : -2 * step]))
    sharp = bend.max(axis=0)
    high = max(0.25, 8 * float(np.partition(sharp, int(0.97 * len(sharp)))[int(0.97 * len(sharp))]))
    return np.flatnonzero(sharp > high) + step


def without_spikes(signal: np.ndarray, rate: float) -> np.ndarray:
    """The signal with a straight line over each pacing spike, from 2 ms before it to 6 ms after."""
    near = np.zeros(signal.shape[1], bool)
    found = spikes(signal, rate)
    for offset in range(-round(0.002 * rate), round(0.006 * rate) + 1):
        near[np.clip(found + offset, 0, signal.shape[1] - 1)] = True
    there, gone = np.flatnonzero(~near), np.flatnonzero(near)
    out = signal.copy()
    for row in out:
        row[gone] = np.interp(gone, there, row[there])
    return out
