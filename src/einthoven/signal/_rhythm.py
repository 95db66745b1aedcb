"""What the times of the beats say: rate, variability, ectopy, regularity. Letters: K beats, N intervals.

RR intervals over a gap (a stretch whose signal is lost or poor) do not count. Formulae: physiology.md 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PREMATURE, UNLIKE, WIDE_MS = 0.8, 0.8, 120.0
"""A beat is ectopic where its RR is below this share of the running median, or it is unlike the median and wide."""
_RUNNING = 9
LEAST_INTERVALS = 4
"""With fewer nothing is said about the regularity."""
REGULAR_CV, IRREGULAR_CV, IRREGULAR_ENTROPY = 0.06, 0.10, 0.70


@dataclass(frozen=True, eq=False)
class Rhythm:
    """rr: (N,) ms between neighbours without a gap. ends: (N,) the beat at the end of each. nn: (N,) both are normal.
    ectopic: (K,) beats, narrow and wide."""

    rr: np.ndarray
    ends: np.ndarray
    nn: np.ndarray
    narrow: np.ndarray
    wide: np.ndarray


def rhythm(
    place_K: np.ndarray, label_K: np.ndarray, qrs_K: np.ndarray, corr_K: np.ndarray, broken_K: np.ndarray,
    fibrillation: bool = False,
) -> Rhythm:  # fmt: skip
    """Intervals and ectopic beats.

    Args:
        place_K: R peaks in seconds, ascending. qrs_K: durations in ms, NaN unknown. corr_K: likeness to the median.
        broken_K: whether the signal between a beat and the one before it is lost or poor (the first: ignored).
        fibrillation: early beats are then the rule, and none is premature.
    """
    ends = np.flatnonzero(~broken_K[1:]) + 1 if len(place_K) > 1 else np.zeros(0, int)
    rr = 1000 * (place_K[ends] - place_K[ends - 1])
    early = np.zeros(len(place_K), bool)
    early[ends] = (rr < PREMATURE * _running_median(rr)) & (not fibrillation)
    broad = (qrs_K > WIDE_MS) | np.isin(label_K, ("V", "wide", "paced"))
    whole = np.isfinite(corr_K)  # a beat that is cut by an end of the recording looks odd without being so
    odd = whole & ((label_K == "V") | ((corr_K < UNLIKE) & (qrs_K > WIDE_MS)))
    ectopic = (early | odd) & (label_K != "paced")
    wide = ectopic & broad & odd
    normal = np.isin(label_K, ("N", "wide")) & ~ectopic
    return Rhythm(rr, ends, normal[ends] & normal[ends - 1], ectopic & ~wide, wide)


def intervals(place_K: np.ndarray, broken_K: np.ndarray) -> np.ndarray:
    """RR intervals (N,) in ms; the arguments are those of `rhythm`."""
    return 1000 * np.diff(place_K)[~broken_K[1:]]


def regular(rr: np.ndarray) -> bool:
    """Whether the RR intervals vary so little that the rhythm is no fibrillation."""
    return len(rr) >= LEAST_INTERVALS and float(rr.std(ddof=1)) < REGULAR_CV * float(rr.mean())


def _running_median(rr_N: np.ndarray) -> np.ndarray:
    """Median of up to nine intervals around each."""
    if not len(rr_N):
        return rr_N
    half = min(_RUNNING // 2, max((len(rr_N) - 1) // 2, 0))
    padded = np.pad(rr_N, half, mode="reflect") if half else rr_N
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1), axis=1)


def rmssd(found: Rhythm) -> tuple[float, int]:
    """Root mean square of the differences between adjacent normal intervals, ms, and their number."""
    step = _steps(found)
    return (float(np.sqrt(np.mean(step**2))) if len(step) else np.nan), len(step)


def pnn50(found: Rhythm) -> tuple[float, int]:
    """Percentage of these differences over 50 ms, and their number."""
    step = _steps(found)
    return (float(100 * np.mean(np.abs(step) > 50)) if len(step) else np.nan), len(step)


def _steps(found: Rhythm) -> np.ndarray:
    both = found.nn[1:] & found.nn[:-1] & (np.diff(found.ends) == 1)
    return np.diff(found.rr)[both]


def by_interval(found: Rhythm, each_K: np.ndarray, otherwise: tuple[float, float]) -> tuple[float, float]:
    """Means of a quantity (K,) and of RR in seconds, each beat weighted by the interval before it."""
    each, rr = each_K[found.ends], found.rr / 1000
    known = np.isfinite(each)
    if not known.any():
        return otherwise
    return float(np.average(each[known], weights=rr[known])), float(np.average(rr[known], weights=rr[known]))


def regularity(found: Rhythm) -> str:
    """`regular`, `irregular` or `irregularly irregular`.

    Regular: the coefficient of variation of RR is below 0.06. Irregularly irregular: it is above 0.10, and the
    intervals, in bins of a twelfth of their median, are spread over many bins (entropy over 0.7 of the most that so
    many intervals can have): neither two populations (ectopy, bigeminy, dropped beats) nor a slow drift.
    """
    rr = found.rr
    cv = rr.std(ddof=1) / rr.mean()
    if regular(rr):
        return "regular"
    _, counts = np.unique(np.floor(rr / (np.median(rr) / 12)), return_counts=True)
    share = counts / counts.sum()
    entropy = -(share * np.log(share)).sum() / np.log(min(len(rr), 12))
    step = np.abs(np.diff(rr))
    sudden = np.median(step) > 0.06 * np.median(rr)  # respiration moves the rate, but not from beat to beat
    return "irregularly irregular" if cv > IRREGULAR_CV and entropy > IRREGULAR_ENTROPY and sudden else "irregular"
