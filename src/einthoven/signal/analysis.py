"""Everything about one recording: its quality, beats, waves and measurements. It never raises for a bad signal.

A recording of up to 40 s is one window. A longer one is worked on in windows of 30 s with 5 s more on either side, so
that what is held in memory beyond the samples are the marks and a row of numbers a beat. In each window the quality is
assessed first, and leads that are of no use are left out before waves are sought. Letters: L leads, T samples, K beats.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from einthoven.core.record import Record
from einthoven.signal import beats as rhythm
from einthoven.signal import quality, reversal, waves
from einthoven.signal._pacing import More, more_of
from einthoven.signal._perbeat import PerBeat, per_beat
from einthoven.signal._rhythm import intervals, regular
from einthoven.signal.gaps import mended
from einthoven.signal.marks import Beats, Delineation
from einthoven.signal.measurements import SLOWEST_HZ, Measurement, summarise
from einthoven.signal.median import median_beat
from einthoven.signal.quality import Quality
from einthoven.signal.reversal import Reversal

WINDOW_SECONDS, MARGIN_SECONDS = 30, 5
SHORTEST_SECONDS = 1.0
"""A shorter recording holds no whole beat."""
NO_P_SHARE = 0.5
"""A long recording has no P waves if that holds for the windows of over half of its beats."""


@dataclass(frozen=True, eq=False)
class Analysis:
    """What was found in one recording; samples are counted in its own rate."""

    leads: tuple[str, ...]
    rate: float
    samples: int
    found: Delineation
    quality: Quality
    measurements: dict[str, Measurement]
    reversal: Reversal


@dataclass(frozen=True, eq=False)
class _Part:
    """One window: what was found of its own beats, in samples of the recording and seconds from its beginning."""

    found: Delineation
    quality: Quality
    table: PerBeat
    more: More
    reversal: Reversal


def analyse(record: Record, *, units: bool = True) -> Analysis:
    """Analyse a recording of any length, rate and number of leads.

    Args:
        units: False where the amplitudes are in no known unit; they are withheld then.

    Example:
        >>> analyse(Record("constant", ("II",), np.zeros((1, 2000)), 200)).measurements["hr"].reason
        'no_signal'
    """
    signal, rate, leads = record.signal, record.rate, tuple(record.leads)
    with np.errstate(all="ignore"):  # a bad signal gives NaN, and that a reason
        beats = _beats(record)
        spans = list(_spans(record.samples, rate))
        parts = [_part(signal, rate, leads, beats, *span) for span in spans]
        whole = parts[0] if len(parts) == 1 else _joined(parts, spans, rate)
        marks = replace(whole.found, no_p=_why_no_p(whole))
        found = summarise(whole.table, whole.more, rate, leads, marks.no_p, whole.quality, units=units)
    return Analysis(leads, rate, record.samples, marks, whole.quality, found, whole.reversal)


def glance(record: Record) -> tuple[Quality, Reversal]:
    """The quality of a recording and its swapped cables as `analyse` has them, without its waves: a third of the time.

    Example:
        >>> glance(Record("constant", ("II",), np.zeros((1, 2000)), 200))[0].verdict
        'poor'
    """
    signal, rate, leads = record.signal, record.rate, tuple(record.leads)
    grades, flags = [], []
    with np.errstate(all="ignore"):
        beats, spans = _beats(record), list(_spans(record.samples, rate))
        for first, last, _, _ in spans:
            near, window = _between(beats, first, last), signal[:, first:last]
            grades.append(quality.assess(window, rate, leads, near))
            flags.append(reversal.suspect(median_beat(window, rate, near), rate, leads, grades[-1].usable))
        grade = grades[0] if len(grades) == 1 else quality.join(grades, _seconds(grades, spans, rate))
    return grade, _voted(flags)


def _beats(record: Record) -> Beats:
    able = record.rate >= SLOWEST_HZ and record.seconds >= SHORTEST_SECONDS
    return rhythm.find(record.signal, record.rate) if able else _rows(None)


def _between(beats: Beats, first: int, last: int) -> Beats:
    """The beats of a window, counted from its first sample."""
    return _rows(beats, np.flatnonzero((beats.sample >= first) & (beats.sample < last)), first)


def _why_no_p(whole: _Part) -> str:
    """A regular rhythm without P waves is not called fibrillation: P may be hidden in T, or come after QRS."""
    place = whole.table.place
    if whole.found.no_p == "af" and regular(intervals(place, whole.quality.broken(place))):
        return "no_p_wave"
    return whole.found.no_p


def _spans(samples: int, rate: float) -> Iterator[tuple[int, int, int, int]]:
    """First sample and one behind the last of each window, with its margins and without."""
    if samples <= (WINDOW_SECONDS + 2 * MARGIN_SECONDS) * rate:
        yield 0, samples, 0, samples
        return
    count = max(1, int(samples / (WINDOW_SECONDS * rate)))  # the last window has what is left over
    edge = [round(i * WINDOW_SECONDS * rate) for i in range(count)] + [samples]
    for start, stop in pairwise(edge):
        margin = round(MARGIN_SECONDS * rate)
        yield max(0, start - margin), min(samples, stop + margin), start, stop


def _part(
    signal: np.ndarray, rate: float, leads: tuple[str, ...], beats: Beats, first: int, last: int, start: int, stop: int
) -> _Part:
    near, window = _between(beats, first, last), signal[:, first:last]
    graded = quality.assess(window, rate, leads, near)
    usable, window = graded.usable, mended(window, rate)[0]
    if not usable.any() or not len(near):
        empty = np.zeros((0, len(leads), 3, 3))
        reason = "no_beats" if not len(near) else "poor_signal"
        found = Delineation(_rows(None), empty, empty[:, 0], np.zeros((0, 3)), reason, waves.ENGINE)
    else:
        if not usable.all():
            window = window.copy()
            window[~usable] = np.nan
        found = waves.delineate(window[usable], rate, near)
        lead, torn = np.full((len(found.beats), len(leads), 3, 3), np.nan), found.torn
        lead[:, usable] = found.lead  # a dead lead must have no say in the limits of all leads
        if torn is not None:
            torn = np.ones(lead.shape[:3], bool)
            torn[:, usable] = found.torn
        found = replace(found, lead=lead, torn=torn)
    median = median_beat(window, rate, found.beats)
    table, more = per_beat(window, rate, found, median.corr), more_of(window, rate, leads, found, median)
    seen = median if usable.all() else median_beat(signal[:, first:last], rate, found.beats)  # with the flat leads
    flags = reversal.suspect(seen, rate, leads, usable)
    if first == start and last == stop:
        return _Part(found, graded, table, more, flags)
    at = found.beats.sample + first
    keep = np.flatnonzero((at >= start) & (at < stop))
    spikes = tuple(time + first / rate for time in more.spikes if start <= time * rate + first < stop)
    return _Part(_kept(found, keep, first), graded, table.rows(keep, first / rate), replace(more, spikes=spikes), flags)


def _rows(beats: Beats | None, rows: np.ndarray | None = None, first: int = 0) -> Beats:
    """Some of the beats, counted from the sample `first`; none of None."""
    if beats is None:
        return Beats(np.zeros(0), np.zeros(0, "<U5"), np.zeros(0))
    return Beats(beats.sample[rows] - first, beats.label[rows], beats.confidence[rows])


def _kept(found: Delineation, rows: np.ndarray, first: int) -> Delineation:
    return Delineation(
        _rows(found.beats, rows, -first), found.lead[rows] + first, found.whole[rows] + first, found.confidence[rows],
        found.no_p, found.engine, None if found.torn is None else found.torn[rows],
    )  # fmt: skip


def _joined(parts: Sequence[_Part], spans: Sequence[tuple[int, int, int, int]], rate: float) -> _Part:
    """The whole recording of its windows."""
    grades = [part.quality for part in parts]
    founds = [part.found for part in parts]
    beats = Beats(
        np.concatenate([found.beats.sample for found in founds]),
        np.concatenate([found.beats.label for found in founds]),
        np.concatenate([found.beats.confidence for found in founds]),
    )
    counts: dict[str, int] = {}
    for found in founds:
        counts[found.no_p] = counts.get(found.no_p, 0) + len(found.beats)
    word = max((word for word in counts if word), key=lambda word: counts[word], default="")
    no_p = word if counts.get(word, 0) > NO_P_SHARE * len(beats) else "" if len(beats) else "no_beats"
    whole = Delineation(
        beats, np.concatenate([found.lead for found in founds]), np.concatenate([found.whole for found in founds]),
        np.concatenate([found.confidence for found in founds]), no_p, waves.ENGINE,
    )  # fmt: skip
    weights = [part.more.f_wave for part in parts if np.isfinite(part.more.f_wave[0])]
    total = sum(n for _, n in weights)
    index = sum(value * n for value, n in weights) / total if total else np.nan
    more = More((index, total), tuple(time for part in parts for time in part.more.spikes))
    flags = _voted([part.reversal for part in parts])
    grade = quality.join(grades, _seconds(grades, spans, rate))
    return _Part(whole, grade, PerBeat.join([part.table for part in parts]), more, flags)


def _voted(parts: Sequence[Reversal]) -> Reversal:
    """What most of the windows say that could be checked."""
    checked = [part for part in parts if part.checked]
    often = Counter((flags.limb, flags.chest) for flags in checked)
    return max(checked, key=lambda flags: often[flags.limb, flags.chest], default=parts[0])


def _seconds(
    parts: Sequence[Quality], spans: Sequence[tuple[int, int, int, int]], rate: float
) -> list[tuple[int, int]]:
    """Which of each window's seconds are its own, without margins."""
    out = []
    for part, (first, _, start, stop) in zip(parts, spans):
        begin = round((start - first) / rate)
        many = part.second.shape[1] - begin
        out.append((begin, begin + min(many, max(1, round((stop - start) / rate)))))
    return out
