"""Nearly the same recording twice: filtered, resampled, cut or with other gaps, so that no digest is equal.

The median beat of each lead is told by eight numbers, its low-frequency cosine coefficients (evaluation.md A4). Pairs
whose numbers point the same way (cosine from 0.999 on) are compared sample by sample at the best lag, band-passed, and
stand if every common lead correlates from 0.999 on over at least half of the shorter recording. Identical recordings
and equal beginnings are found by `duplicates`. Letters: N recordings, L leads, W samples, D numbers of a signature.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.fft import dct, next_fast_len

from einthoven.cohort.store import MISSING, Cohort
from einthoven.core.errors import LayoutError
from einthoven.core.leads import CHEST
from einthoven.signal.beats import find
from einthoven.signal.filters import bandpass
from einthoven.signal.gaps import bridge
from einthoven.signal.median import median_beat
from einthoven.signal.resampling import resample

LEADS = ("I", "II", *CHEST)
"""The eight leads that the other four follow from; a recording without them is told by the leads that it has."""
COEFFICIENTS, COSINE, CORRELATION = 8, 0.999, 0.999
SPAN = (0.25, 0.45)
"""Seconds before and after R that the signature tells."""
GRID_SECONDS = 0.004
RATE, BAND, SECONDS, EDGE_SECONDS = 100.0, (0.7, 35.0), 30.0, 1.0
"""What pairs are compared at, how much of the longer ones, and what is left out at either end, where filters guess."""
MOST_PAIRS = 20_000
"""So many candidates are looked at, the likest first; of one-lead recordings there may be more."""
_BLOCK = 2048


def near_duplicates(cohort: Cohort) -> list[tuple[int, int]]:
    """Pairs of recordings, the earlier row first, that are nearly the same but not identical."""
    whole = cohort.index["sha256"].to_list()
    found = []
    kinds: dict[tuple[str, ...], list[tuple[int, np.ndarray]]] = {}
    for row in range(len(cohort)):
        told = _signature(cohort, row)
        if told is not None:
            kinds.setdefault(told[0], []).append((row, told[1]))
    for members in kinds.values():
        rows = np.array([row for row, _ in members])
        for first, second in _candidates(np.stack([numbers for _, numbers in members])):
            a, b = int(rows[first]), int(rows[second])
            if whole[a] != whole[b] and _same(cohort, a, b):
                found.append((min(a, b), max(a, b)))
    return sorted(found)


def _signature(cohort: Cohort, row: int) -> tuple[tuple[str, ...], np.ndarray] | None:
    """Names of the leads and a unit vector; None where there is no median beat."""
    leads = [str(lead) for lead in cohort.leads(row)]
    chosen = [lead for lead in LEADS if lead in leads]
    chosen = chosen if len(chosen) == len(LEADS) else leads
    rate = float(cohort.index["rate"][row])
    signal = _millivolts(cohort, row, rate)[[leads.index(lead) for lead in chosen]]
    with np.errstate(all="ignore"):
        beats = find(signal, rate)
        median = median_beat(signal, rate, beats)
    if len(median) < 2:
        return None
    # R lies between two samples, elsewhere at another rate or in a copy that begins elsewhere
    part = float(np.median(beats.sample - np.rint(beats.sample)))
    time = median.before + part + np.arange(-SPAN[0], SPAN[1], GRID_SECONDS) * rate
    beat_LW = np.stack([np.interp(time, np.arange(len(lead)), lead) for lead in np.nan_to_num(median.signal)])
    # the constant term is the baseline's, and says nothing
    numbers = np.asarray(dct(beat_LW, axis=1, norm="ortho"))[:, 1 : COEFFICIENTS + 1].ravel()
    size = float(np.linalg.norm(numbers))
    return (tuple(chosen), (numbers / size).astype(np.float32)) if size > 1e-6 else None


def _candidates(told_ND: np.ndarray) -> Iterator[tuple[int, int]]:
    """Pairs whose signatures point the same way, the likest first."""
    best = np.zeros((0, 3))
    for start in range(0, len(told_ND), _BLOCK):
        for other in range(start, len(told_ND), _BLOCK):
            cosine = told_ND[start : start + _BLOCK] @ told_ND[other : other + _BLOCK].T
            i, j = np.nonzero(np.triu(cosine >= COSINE, 1) if other == start else cosine >= COSINE)
            every = np.concatenate([best, np.column_stack([i + start, j + other, cosine[i, j]])])
            # at no time more than one block's pairs and the likest so far
            best = every[np.lexsort((every[:, 1], every[:, 0], -every[:, 2]))[:MOST_PAIRS]]
    return ((int(i), int(j)) for i, j, _ in best)


def _same(cohort: Cohort, a: int, b: int) -> bool:
    """Whether every common lead correlates at the best lag of them all."""
    leads_a, leads_b = ([str(lead) for lead in cohort.leads(row)] for row in (a, b))
    common = [lead for lead in leads_a if lead in leads_b]
    try:
        one, other = (
            _compared(cohort, row, [leads.index(lead) for lead in common])
            for row, leads in ((a, leads_a), (b, leads_b))
        )
    except LayoutError:  # a rate that has no simple ratio to 100 Hz
        return False
    if one.shape[1] < RATE or other.shape[1] < RATE:
        return False
    size = int(next_fast_len(one.shape[1] + other.shape[1], real=True) or 0)
    cross = np.fft.irfft((np.fft.rfft(one, size) * np.conj(np.fft.rfft(other, size))).sum(axis=0), size)
    lag = int(cross.argmax())
    lag -= size if lag > size // 2 else 0
    first, second = max(lag, 0), max(-lag, 0)
    length = min(one.shape[1] - first, other.shape[1] - second)
    if length < 0.5 * min(one.shape[1], other.shape[1]):
        return False
    x, y = one[:, first : first + length], other[:, second : second + length]
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    power = np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
    alive = power > 1e-6
    return bool(alive.any() and ((x * y).sum(axis=1)[alive] >= CORRELATION * power[alive]).all())


def _compared(cohort: Cohort, row: int, leads: list[int]) -> np.ndarray:
    """The beginning of a recording at 100 Hz within the band, leads in this order."""
    rate = float(cohort.index["rate"][row])
    signal = _millivolts(cohort, row, rate)[leads]
    valid = ~np.isnan(signal)
    signal = bridge(np.where(valid, signal, 0).astype(np.float32), valid)
    band = (BAND[0], min(BAND[1], 0.45 * rate))
    out = bandpass(resample(signal, rate, RATE) if rate != RATE else signal, RATE, band, 2).astype(np.float64)
    edge = round(EDGE_SECONDS * RATE)
    return out[:, edge : out.shape[1] - edge]


def _millivolts(cohort: Cohort, row: int, rate: float) -> np.ndarray:
    """The beginning of a recording, (L, T) mV, NaN where samples are missing."""
    stored = np.asarray(cohort.signal(row)[: round(SECONDS * rate)]).T
    signal = stored.astype(np.float32) / np.float32(1000)
    signal[stored == MISSING] = np.nan
    return signal
