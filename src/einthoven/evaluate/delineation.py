"""How well beats and waves are found: one-to-one matching, errors of points, and the spans in which detections count.

Times are seconds, errors are found minus reference in milliseconds. Letters: K reference beats or waves, M detections,
3 points (onset, peak, offset; NaN where there is none). Waves come as (K, 3), beats with all their waves as (K, 3, 3)
in the order of `signal.marks` (wave, point).

Rules. Beats match one to one, the closest first, within 150 ms inclusive (the window of EC57's `bxb`, on times and not
on rounded samples). A wave matches by overlap or by peaks within 150 ms, one to one, closest peaks first; its points
are true positives within 150 ms. An error beyond that counts as one missed and one false point. Means and SDs are over
true positives. Sources: ANSI/AAMI EC57; Martinez 2004, doi:10.1109/TBME.2003.821031; CSE Working Party 1985.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from einthoven.core.facts import WAVE_COLUMNS, Waves
from einthoven.signal.marks import POINTS, WAVES

WINDOW_S = 0.150
_INCLUSIVE = 1e-9
MARGIN_S = 0.080
"""LUDB: the scored span of a lead reaches so far beyond its first and last mark."""

TIGHT_MS = {
    ("P", "on"): 50, ("P", "off"): 50, ("QRS", "on"): 40, ("QRS", "off"): 40, ("T", "on"): 50, ("T", "off"): 100,
}  # fmt: skip
"""Tolerances for the second F1, as in openecg's README, which names Martinez 2004."""

CSE_MS = {("P", "on"): 10.2, ("P", "off"): 12.7, ("QRS", "on"): 6.5, ("QRS", "off"): 11.6, ("T", "off"): 30.6}
"""Limits that go back to the CSE Working Party (1985), quoted by the wavelet literature as two SD."""

CLEAN_S = 10.0
"""Length of the windows whose share without any wrong beat is told."""


def match(reference_K: np.ndarray, found_M: np.ndarray, window: float = WINDOW_S) -> np.ndarray:
    """Pairs (N, 2) of positions in two sorted lists of times: one to one, the closest first, within the window."""
    first = np.searchsorted(found_M, reference_K - window - _INCLUSIVE, "left")
    last = np.searchsorted(found_M, reference_K + window + _INCLUSIVE, "right")
    i, j = _candidates(first, last)
    return _closest_first(i, j, np.abs(reference_K[i] - found_M[j]))


def _candidates(first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All (i, j) with first[i] <= j < last[i]."""
    count = last - first
    i = np.repeat(np.arange(len(first)), count)
    j = np.arange(len(i)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
    return i, j


def _closest_first(i: np.ndarray, j: np.ndarray, cost: np.ndarray) -> np.ndarray:
    """Take the cheapest pair, drop all others of its two members, and so on; ties go to the earlier.

    A pair that is the cheapest of both its members is taken whatever else is, so all such are taken at once.
    """
    order = np.lexsort((j, i, cost))
    i, j = i[order], j[order]
    taken = []
    while len(i):
        rank = np.arange(len(i))
        best_i, best_j = (np.full(side.max() + 1, len(i)) for side in (i, j))
        np.minimum.at(best_i, i, rank)
        np.minimum.at(best_j, j, rank)
        mutual = (best_i[i] == rank) & (best_j[j] == rank)
        taken.append(np.stack([i[mutual], j[mutual]], axis=1))
        free = ~(np.isin(i, i[mutual]) | np.isin(j, j[mutual]))
        i, j = i[free], j[free]
    pairs = np.concatenate(taken) if taken else np.empty((0, 2), np.int64)
    return pairs[np.argsort(pairs[:, 0])]


# Beats


@dataclass(frozen=True, eq=False)
class BeatScore:
    """One recording. error_ms (tp,): signed; clean, windows: of the stretches of `CLEAN_S`, those without an error."""

    record: str
    tp: int
    fn: int
    fp: int
    error_ms: np.ndarray
    clean: int
    windows: int

    @property
    def f1(self) -> float:
        return _f1(self.tp, self.fn, self.fp)


def score_beats(
    record: str,
    reference_K: np.ndarray,
    found_M: np.ndarray,
    seconds: float,
    *,
    start: float = 0.0,
    without: Sequence[tuple[float, float]] = (),
) -> BeatScore:
    """Score the beats of one recording.

    Args:
        reference_K, found_M: times of beats.
        seconds: length of the recording.
        start: what lies before it does not count (0: no skip).
        without: spans whose beats nobody labelled (ventricular flutter): what lies in them does not count.
    """
    reference, found = np.sort(reference_K), np.sort(found_M)
    pairs = match(reference, found)
    missed, false = np.delete(reference, pairs[:, 0]), np.delete(found, pairs[:, 1])
    missed, false = (one[_counts(one, start, without)] for one in (missed, false))
    pairs = pairs[_counts(reference[pairs[:, 0]], start, without)]
    first, last = int(np.ceil(start / CLEAN_S)), int(seconds // CLEAN_S)
    wrong = np.unique(np.concatenate([missed, false]) // CLEAN_S)
    wrong = wrong[(wrong >= first) & (wrong < last)]
    error = 1000 * (found[pairs[:, 1]] - reference[pairs[:, 0]])
    windows = max(last - first, 0)
    return BeatScore(record, len(pairs), len(missed), len(false), error, windows - len(wrong), windows)


def _counts(time: np.ndarray, start: float, without: Sequence[tuple[float, float]]) -> np.ndarray:
    inside = time >= start
    for low, high in without:
        inside &= (time < low) | (time > high)
    return inside


def beats_table(scores: Sequence[BeatScore]) -> dict[str, Any]:
    """Gross figures (all beats together), their mean over recordings, the worst recording, and the jitter.

    Shares are in percent. `sd` and `q95` are of the signed error in ms: F1 hides a systematic offset.
    """
    tp, fn, fp = (sum(getattr(score, name) for score in scores) for name in ("tp", "fn", "fp"))
    error = np.concatenate([score.error_ms for score in scores]) if scores else np.empty(0)
    worst = min(scores, key=lambda score: score.f1) if scores else None
    windows = sum(score.windows for score in scores)
    return {
        "records": len(scores), "beats": tp + fn, "se": _share(tp, tp + fn), "ppv": _share(tp, tp + fp),
        "f1": _f1(tp, fn, fp), "f1_mean": _mean([score.f1 for score in scores]),
        "worst": worst.record if worst else "", "f1_worst": worst.f1 if worst else np.nan,
        "mean": _mean(error), "sd": _sd(error), "q95": _quantile(np.abs(error), 0.95),
        "clean": _share(sum(score.clean for score in scores), windows), "windows": windows,
    }  # fmt: skip


# Waves


@dataclass(frozen=True, eq=False)
class WaveScore:
    """Waves of one kind in one lead (or all together) of one recording.

    marked (K, 3): points of the reference that count. error_ms (K, 3): of matched waves, NaN where the reference or
    the detection has no such point. hit (K,): waves that were matched. extra (X, 3): detections that match none, s.
    unmarked: detections where the reference says nothing, neither right nor wrong.
    """

    record: str
    wave: str
    marked: np.ndarray
    error_ms: np.ndarray
    hit: np.ndarray
    extra: np.ndarray
    lead: str = ""
    unmarked: int = field(default=0)


def match_waves(reference_K3: np.ndarray, found_M3: np.ndarray) -> np.ndarray:
    """Pairs (N, 2) of waves that overlap or whose peaks are within 150 ms, one to one, the closest peaks first."""
    low, peak, high = _extent(reference_K3)
    found_low, found_peak, found_high = _extent(found_M3)
    i, j = (side.ravel() for side in np.indices((len(peak), len(found_peak))))
    apart = np.abs(peak[i] - found_peak[j])
    with np.errstate(invalid="ignore"):
        fits = (apart <= WINDOW_S + _INCLUSIVE) | ((low[i] <= found_high[j]) & (found_low[j] <= high[i]))
    return _closest_first(i[fits], j[fits], apart[fits])


def score_waves(
    record: str, wave: str, reference_K3: np.ndarray, found_M3: np.ndarray, span: tuple[float, float], lead: str = ""
) -> WaveScore:
    """Score waves within a span in which all are marked.

    Waves that lie outside do not count, and neither do those that its edges cut: a reference that is cut is dropped
    with its detection, a detection that is cut may match a reference inside but is never false.
    """
    reference, found = _some(reference_K3), _some(found_M3)
    low, _, high = _extent(found)
    found = found[(high >= span[0]) & (low <= span[1])]
    pairs = match_waves(reference, found)
    low, _, high = _extent(found)
    alone = (low >= span[0]) & (high <= span[1])
    alone[pairs[:, 1]] = False
    low, _, high = _extent(reference)
    inside = (low >= span[0]) & (high <= span[1])
    return _scored(record, wave, lead, reference, found, pairs, inside, found[alone], 0)


def score_annotated(record: str, wave: str, beats_K33: np.ndarray, found_M3: np.ndarray, lead: str = "") -> WaveScore:
    """Score waves where only some beats of a recording are marked (QT Database).

    An unmatched detection is false within a beat that has such a wave marked: a P wave from 150 ms before the marked
    one to the QRS peak, a T wave from there to 150 ms behind, a QRS complex from 150 ms before its onset to the end of
    the beat's marks. Elsewhere it does not count; where the beat has no such wave marked it is `unmarked`.
    """
    kind = WAVES.index(wave)
    reference, found = beats_K33[:, kind], _some(found_M3)
    has = np.isfinite(reference).any(axis=1)
    pairs = match_waves(reference[has], found)
    loose = np.ones(len(found), bool)
    loose[pairs[:, 1]] = False
    loose = np.flatnonzero(loose)
    peak = _extent(found[loose])[1]
    low, high = _beat_windows(beats_K33, wave)
    within = (peak[:, None] >= low) & (peak[:, None] <= high)
    false, silent = within[:, has].any(axis=1), within[:, ~has].any(axis=1)
    inside = np.ones(int(has.sum()), bool)
    score = _scored(
        record, wave, lead, reference[has], found, pairs, inside, found[loose[false]], int((silent & ~false).sum())
    )
    return score


def _beat_windows(beats_K33: np.ndarray, wave: str) -> tuple[np.ndarray, np.ndarray]:
    """Where a detection belongs to each beat, (K,) low and high."""
    flat = beats_K33.reshape(len(beats_K33), 9)
    first, last = _nan(np.fmin.reduce, flat), _nan(np.fmax.reduce, flat)
    r = beats_K33[:, WAVES.index("QRS"), POINTS.index("peak")]
    if wave == "P":
        return first - WINDOW_S, r
    if wave == "T":
        return r, last + WINDOW_S
    onset = _nan(np.fmin.reduce, beats_K33[:, WAVES.index("QRS")])
    return onset - WINDOW_S, last


def best_of_both(scores: Sequence[WaveScore]) -> WaveScore:
    """BB: for every point the lead with the smaller error. It looks at the reference: for comparison only.

    A wave that any lead has counts as found, one that no reference has is false once, whichever leads have it.
    """
    first = scores[0]
    error = np.stack([score.error_ms for score in scores])
    size = np.where(np.isnan(error), np.inf, np.abs(error))
    best = np.take_along_axis(error, size.argmin(axis=0)[None], axis=0)[0]
    extra = first.extra
    for score in scores[1:]:
        twice = match_waves(extra, score.extra)[:, 1]
        extra = np.concatenate([extra, np.delete(score.extra, twice, axis=0)])
    hit = np.any([score.hit for score in scores], axis=0)
    return WaveScore(first.record, first.wave, first.marked, best, hit, extra, "BB", first.unmarked)


def best_lead(scores: Sequence[WaveScore]) -> WaveScore:
    """BL: for the whole recording and each point the lead that is best most often; it looks at the reference too."""
    error = np.stack([score.error_ms for score in scores])
    size = np.where(np.isnan(error), np.inf, np.abs(error))
    wins = [((size.argmin(axis=0) == i) & np.isfinite(size.min(axis=0))).sum(axis=0) for i in range(len(scores))]
    lead_3 = np.argmax(wins, axis=0)
    chosen = scores[int(np.bincount(lead_3, minlength=len(scores)).argmax())]
    best = np.take_along_axis(error, lead_3[None, None, :], axis=0)[0]
    return WaveScore(chosen.record, chosen.wave, chosen.marked, best, chosen.hit, chosen.extra, "BL", chosen.unmarked)


def waves_table(scores: Sequence[WaveScore]) -> list[dict[str, Any]]:
    """One row a point, and a row `wave` for the wave as a whole; shares in percent, errors in ms.

    sd_within: pooled SD within recordings. sd_between: SD of the recordings' means, the part that an annotator's habit
    explains. within: share of true positives inside the CSE limit.
    """
    if not scores:
        return []
    wave = scores[0].wave
    tp = sum(int(score.hit.sum()) for score in scores)
    count = sum(len(score.hit) for score in scores)
    rows = [_row(wave, "wave", tp, count - tp, sum(len(score.extra) for score in scores))]
    rows[0]["unmarked"] = sum(score.unmarked for score in scores)
    for k, point in enumerate(POINTS):
        error = [score.error_ms[score.marked[:, k], k] for score in scores]
        marked = sum(int(score.marked[:, k].sum()) for score in scores)
        extra = sum(int(np.isfinite(score.extra[:, k]).sum()) for score in scores)
        every = np.concatenate(error)
        size = np.abs(every[np.isfinite(every)])
        row = _points(wave, point, size, marked, extra, 1000 * WINDOW_S)
        tight = TIGHT_MS.get((wave, point))
        row["f1_tight"] = _points(wave, point, size, marked, extra, tight)["f1"] if tight else np.nan
        row |= _errors(error, [score.record for score in scores], CSE_MS.get((wave, point)))
        rows.append(row)
    return rows


def _points(wave: str, point: str, size: np.ndarray, marked: int, extra: int, limit: float) -> dict[str, Any]:
    good = int((size <= limit + 1e-6).sum())
    return _row(wave, point, good, marked - good, extra + len(size) - good)


def _row(wave: str, point: str, tp: int, fn: int, fp: int) -> dict[str, Any]:
    return {
        "wave": wave, "point": point, "n": tp + fn, "false": fp, "se": _share(tp, tp + fn), "ppv": _share(tp, tp + fp),
        "f1": _f1(tp, fn, fp),
    }  # fmt: skip


def _errors(errors: list[np.ndarray], records: list[str], limit: float | None) -> dict[str, float]:
    """Statistics of the errors of true positives; leads of one recording are taken together."""
    by_record: dict[str, list[np.ndarray]] = {}
    for record, error in zip(records, errors, strict=True):
        good = error[np.abs(np.nan_to_num(error, nan=np.inf)) <= 1000 * WINDOW_S + 1e-6]
        by_record.setdefault(record, []).append(good)
    parts = [part for group in by_record.values() if len(part := np.concatenate(group))]
    every = np.concatenate(parts) if parts else np.empty(0)
    squares = sum(float(((part - part.mean()) ** 2).sum()) for part in parts)
    freedom = sum(len(part) - 1 for part in parts)
    return {
        "mean": _mean(every), "sd": _sd(every), "median_abs": _quantile(np.abs(every), 0.5),
        "q95_abs": _quantile(np.abs(every), 0.95),
        "within": _share(int((np.abs(every) <= limit + 1e-6).sum()), len(every)) if limit else np.nan,
        "sd_within": float(np.sqrt(squares / freedom)) if freedom else np.nan,
        "sd_between": _sd(np.array([part.mean() for part in parts])), "records": len(parts),
    }  # fmt: skip


def per_hundred(false: int, beats: int) -> float:
    """False P waves per 100 beats of recordings that have none."""
    return _share(false, beats)


# Spans and facts


def points_of(waves: Waves, rate: float, lead: str | None = None) -> np.ndarray:
    """(K, 3, 3) seconds of the rows of a fact, or of those of one lead; NaN where it has -1."""
    points = np.stack([np.asarray(waves.columns[name], np.float64) for name in WAVE_COLUMNS], axis=1)
    if lead is not None:
        points = points[np.asarray(waves.columns["lead"]) == lead]
    return np.where(points < 0, np.nan, points / rate).reshape(-1, 3, 3)


def ludb_span(beats_K33: np.ndarray) -> tuple[float, float]:
    """Where all waves of one lead of LUDB are marked: the first and last beats of a recording mostly are not."""
    marks = beats_K33[np.isfinite(beats_K33)]
    return (float(marks.min()) - MARGIN_S, float(marks.max()) + MARGIN_S) if len(marks) else (np.inf, -np.inf)


def _scored(
    record: str, wave: str, lead: str, reference: np.ndarray, found: np.ndarray, pairs: np.ndarray, inside: np.ndarray,
    extra: np.ndarray, unmarked: int,
) -> WaveScore:  # fmt: skip
    error = np.full((len(reference), 3), np.nan)
    error[pairs[:, 0]] = 1000 * (found[pairs[:, 1]] - reference[pairs[:, 0]])
    hit = np.zeros(len(reference), bool)
    hit[pairs[:, 0]] = True
    marked = np.isfinite(reference)
    return WaveScore(record, wave, marked[inside], error[inside], hit[inside], extra, lead, unmarked)


def _some(waves_K3: np.ndarray) -> np.ndarray:
    """Those rows that have any point, in order of time."""
    waves = np.asarray(waves_K3, np.float64).reshape(-1, 3)
    waves = waves[np.isfinite(waves).any(axis=1)]
    return waves[np.argsort(_extent(waves)[1], kind="stable")]


def _extent(waves_K3: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First point, peak (else the middle) and last point of each wave."""
    low, high = _nan(np.fmin.reduce, waves_K3), _nan(np.fmax.reduce, waves_K3)
    peak = waves_K3[:, 1]
    return low, np.where(np.isnan(peak), (low + high) / 2, peak), high


def _nan(reduce: Any, values_KC: np.ndarray) -> np.ndarray:
    return reduce(values_KC, axis=1) if len(values_KC) else np.empty(0)


def _share(part: float, whole: float) -> float:
    return 100 * part / whole if whole else float("nan")


def _f1(tp: int, fn: int, fp: int) -> float:
    return _share(2 * tp, 2 * tp + fn + fp)


def _mean(values: Iterable[float] | np.ndarray) -> float:
    values = np.asarray(list(values))
    return float(values.mean()) if len(values) else float("nan")


def _sd(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else float("nan")


def _quantile(values: np.ndarray, share: float) -> float:
    return float(np.quantile(values, share)) if len(values) else float("nan")
