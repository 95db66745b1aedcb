"""ECG paper: where every line and letter of a drawing goes, in true millimetres, computed once.

`lay` turns a Record into a Sheet; `svg` and `canvas` only put the Sheet down. Shapes: N points of a curve, M kept.
Grid, speed, gain, calibration pulse and the 3x4 order follow Kligfield et al. 2007 (AHA/ACC/HRS, Circulation 115:1306).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np

from einthoven.core.errors import LayoutError, nearest
from einthoven.core.leads import STANDARD, Status, pick
from einthoven.core.record import Record
from einthoven.report.sheet import FACES, Box, Curve, Kind, Sheet, Strip, Text

Format = Literal["auto", "3x4", "all"]

SPEEDS, GAINS = (5.0, 200.0), (1.0, 50.0)
"""Slowest and fastest paper in mm/s, flattest and steepest trace in mm/mV."""
ROW_SECONDS, COLUMNS, PULSE_SECONDS = 10.0, 4, 0.2
SQUARE, MARGIN, HEADER, FOOTER = 5.0, 5.0, 15.0, 11.0
MOST_ROWS = 24
"""Rows of one drawing: 10 s of 24 leads, 20 s of 12 leads, 4 minutes of one lead. A note names what is left out."""
MOST_MV = 5.0
"""A row makes room for this much above and below its middle; what is higher runs into its neighbours."""
STEP = 0.2
"""Finest horizontal step, below the width of the pen: of the samples within one, the lowest and the highest stay."""
_COLUMNS = (("I", "aVR", "V1", "V4"), ("II", "aVL", "V2", "V5"), ("III", "aVF", "V3", "V6"))


class Mark(NamedTuple):
    """Something to point at: a sample of one lead, or of all leads with lead `""`; `kind` is written above the line."""

    lead: str
    sample: int
    kind: str


def lay(
    record: Record,
    title: str = "",
    *,
    format: Format = "auto",
    speed: float = 25.0,
    gain: float = 10.0,
    marks: Sequence[Mark] = (),
) -> Sheet:
    """Lay a recording out on paper.

    Args:
        record: any leads, rate and length; NaN breaks the line.
        title: the name printed on top; the record's key if empty.
        format: `3x4` is three rows of four columns, continuous in time, and a rhythm strip; `all` stacks the leads of
            the recording in rows of 10 s; `auto` takes `3x4` where the twelve standard leads are there or follow.
        speed: mm/s. gain: mm/mV.
        marks: what to point at.

    Raises:
        LayoutError: unknown format, speed or gain out of range, or `3x4` of a recording without any standard lead.
    """
    _check(speed, SPEEDS, "speed", "mm/s")
    _check(gain, GAINS, "gain", "mm/mV")
    title = _fitting(title or record.key, FACES["title"].size, ROW_SECONDS * speed)
    matrix, status = pick(record.leads, STANDARD, record.key)
    if format == "auto":
        format = "all" if "missing" in status else "3x4"
    left, width = MARGIN + _squares(PULSE_SECONDS * speed + SQUARE), ROW_SECONDS * speed
    signals: dict[str, np.ndarray] = dict(zip(record.leads, record.signal))
    if format == "3x4":
        rows, notes = _three_by_four(record, dict(zip(STANDARD, status)), left, speed)
        signals = {lead: weights[weights != 0] @ record.signal[weights != 0] for lead, weights in zip(STANDARD, matrix)}
        least = (15.0, 15.0)
    elif format == "all":
        rows, notes = _stacked(record, left)
        least = (15.0, 10.0) if len(record.leads) <= 3 else (10.0, 5.0)
    else:
        raise LayoutError("plot", f"no format called '{format}'", fix=nearest(str(format), ("auto", "3x4", "all")))

    strips: list[Strip] = []
    curves: list[Curve] = []
    texts: list[Text] = []
    y = HEADER
    for row in rows:
        traces = [_trace(strip, signals[strip.lead], record.rate, speed, gain) for strip in row]
        names = [_names(strip, bool(lines), width) for strip, lines in zip(row, traces)]
        up, down = _room(traces, names, least, gain)
        curves.append(Curve(_pulse(left, y + up, speed, gain), "pulse"))
        for strip, lines, name in zip(row, traces, names):
            strip = replace(strip, middle=y + up)
            strips.append(strip)
            texts += [replace(text, y=y + text.y) for text in name]
            curves += [Curve(line + np.array([0, strip.middle]), "trace", strip.lead) for line in lines]
            curves += _ticks(strip)
            for line, word in _pointers(strip, marks, record.rate, speed, y, y + up + down):
                curves.append(line)
                texts.append(word)
        y += up + down
    grid = Box(MARGIN, HEADER, left - MARGIN + width + SQUARE, y - HEADER)
    outside = {curve.lead for curve in curves if curve.points[:, 1].min() < HEADER or curve.points[:, 1].max() > y}
    notes += _said("cut at the edge of the paper", [lead for lead in signals if lead in outside])
    texts += _frame(record, title, notes, speed, gain, grid)
    return Sheet(
        title, grid.width + 2 * MARGIN, y + FOOTER, grid, tuple(strips), tuple(_ruling(grid)), tuple(texts),
        tuple(curves), tuple(notes), format,
    )  # fmt: skip


def thin(x_N: np.ndarray, y_N: np.ndarray, step: float) -> np.ndarray:
    """Keep the lowest and the highest point of each `step` of x, in time order: (M, 2). x ascends; no NaN.

    A device that cannot show two columns within a step draws the same picture, peaks included.
    """
    points = np.column_stack([x_N, y_N])
    if len(points) < 3:
        return points
    column = np.floor(x_N / step)
    rank = np.lexsort((y_N, column))  # column by column, in each from low to high
    edge = np.flatnonzero(np.diff(column))
    lowest, highest = rank[np.r_[0, edge + 1]], rank[np.r_[edge, len(rank) - 1]]
    return points[np.unique(np.r_[0, lowest, highest, len(rank) - 1])]


def _check(value: float, limits: tuple[float, float], name: str, unit: str) -> None:
    if not limits[0] <= value <= limits[1]:
        raise LayoutError(
            "plot", f"{name} is not that of ECG paper", expected=f"{limits[0]:g} to {limits[1]:g} {unit}",
            got=f"{value:g}", fix="usual are 25 mm/s and 10 mm/mV", reason="paper",
        )  # fmt: skip


def _squares(length: float) -> float:
    """The next whole number of 5 mm squares; a hair above a line does not open another square."""
    return SQUARE * math.ceil(length / SQUARE - 0.01)


def _three_by_four(
    record: Record, status: dict[str, Status], left: float, speed: float
) -> tuple[list[list[Strip]], list[str]]:
    """Three rows of four columns and the rhythm strip; a short recording gets shorter columns, no second pass."""
    present = [lead for lead in ("II", "V1", *STANDARD) if status[lead] != "missing"]
    if not present:
        raise LayoutError(
            record.key, "3x4 shows the twelve standard leads and none is here", expected="I II ... V6",
            got=" ".join(record.leads), fix="use format all", reason="lead",
        )  # fmt: skip
    shown = min(ROW_SECONDS, record.seconds)
    span = shown / COLUMNS
    rows = [
        [
            Strip(lead, status[lead], i * span, (i + 1) * span, left + i * span * speed, i)
            for i, lead in enumerate(leads)
        ]
        for leads in _COLUMNS
    ]
    rows.append([Strip(present[0], status[present[0]], 0.0, shown, left)])
    notes = _said("derived", [lead for lead in STANDARD if status[lead] == "derived"])
    notes += _said("missing", [lead for lead in STANDARD if status[lead] == "missing"])
    notes += _said("also in the file", [lead for lead in record.leads if lead not in STANDARD])
    return rows, notes + _rest(record, shown)


def _stacked(record: Record, left: float) -> tuple[list[list[Strip]], list[str]]:
    """All leads one below the other; what is longer than a row goes on below."""
    leads = record.leads[:MOST_ROWS]
    turns = min(math.ceil(record.seconds / ROW_SECONDS), MOST_ROWS // len(leads))
    rows = [
        [Strip(lead, "measured", turn * ROW_SECONDS, min((turn + 1) * ROW_SECONDS, record.seconds), left)]
        for turn in range(turns)
        for lead in leads
    ]
    notes = _said("also in the file", record.leads[MOST_ROWS:])
    return rows, notes + _rest(record, min(turns * ROW_SECONDS, record.seconds))


def _said(word: str, leads: Sequence[str]) -> list[str]:
    return [f"{word}: {' '.join(leads)}"] if leads else []


def _rest(record: Record, shown: float) -> list[str]:
    return [f"first {shown:g} s of {record.seconds:.6g} s"] if shown < record.seconds else []


def _trace(strip: Strip, signal: np.ndarray, rate: float, speed: float, gain: float) -> list[np.ndarray]:
    """Polylines in mm around y = 0, one for each run without a gap; none where there is no sample."""
    if strip.status == "missing":
        return []
    first, last = (math.ceil(seconds * rate - 1e-6) for seconds in (strip.begin, strip.end))
    piece = signal[first:last].astype(float)
    there = np.isfinite(piece)
    if not there.any():
        return []
    x = strip.left + speed * (np.arange(first, first + len(piece)) / rate - strip.begin)
    y = -gain * (piece - np.median(piece[there]))
    edges = np.flatnonzero(np.diff(np.r_[False, there, False])).reshape(-1, 2)
    return [thin(x[a:b], y[a:b], STEP) for a, b in edges]


def _room(
    traces: Sequence[Sequence[np.ndarray]], names: Sequence[Sequence[Text]], least: tuple[float, float], gain: float
) -> tuple[float, float]:
    """Millimetres that a row takes above and below its middle: whole squares, so that nothing in it collides."""
    up, down = max(least[0], gain), least[1]  # the calibration pulse fits in
    for lines, texts in zip(traces, names):
        for line in lines:
            x, y = line.T
            up, down = max(up, -y.min()), max(down, y.max())
            for text in texts:  # a name stands clear of the waves below it
                under = y[(x >= text.x - 1) & (x <= text.x + 0.7 * FACES[text.kind].size * len(text.text))]
                up = max(up, text.y + 1 - under.min()) if under.size else up
    most = max(_squares(MOST_MV * gain), *least)
    return min(_squares(up), most), min(_squares(down), most)


def _pulse(left: float, middle: float, speed: float, gain: float) -> np.ndarray:
    """1 mV for 0.2 s between two short feet; the trace begins 2.5 mm behind it."""
    right = left - SQUARE / 2
    x = [right - PULSE_SECONDS * speed - 1.5, right - PULSE_SECONDS * speed, right, right + 1.5]
    y = [middle, middle, middle - gain, middle - gain, middle, middle]
    return np.column_stack([(x[0], x[1], x[1], x[2], x[2], x[3]), y])


def _ticks(strip: Strip) -> list[Curve]:
    """Where one column ends and the next lead begins."""
    ends = ((-7, -4), (4, 7)) if strip.column else ()
    return [Curve(np.array([(strip.left, strip.middle + a), (strip.left, strip.middle + b)]), "tick") for a, b in ends]


def _pointers(
    strip: Strip, marks: Sequence[Mark], rate: float, speed: float, top: float, bottom: float
) -> Iterator[tuple[Curve, Text]]:
    for mark in marks:
        seconds = mark.sample / rate
        if mark.lead in ("", strip.lead) and strip.begin <= seconds < strip.end:
            x = strip.left + speed * (seconds - strip.begin)
            line = np.array([(x, top + 6), (x, bottom - 2)])
            yield Curve(line, "mark", strip.lead), _say(x - 0.8, top + 5.5, mark.kind, "mark", 25)


def _names(strip: Strip, drawn: bool, width: float) -> list[Text]:
    """The lead's name and what is to be said about it, from the top of the row."""
    words = [] if strip.status == "measured" else [strip.status]
    words += ["no sample"] if strip.status != "missing" and not drawn else []
    words += [f"from {strip.begin:g} s"] if strip.begin and not strip.column else []
    x, most = strip.left + 1.2, width / COLUMNS
    name = _say(x, 4.6, strip.lead, "lead", most)
    return [name, _say(x, 8.2, ", ".join(words), "word", most)] if words else [name]


def _ruling(grid: Box) -> list[Curve]:
    """A fine line each millimetre, then a bold one each fifth, from the corner of the grid."""
    right, bottom = grid.x + grid.width, grid.y + grid.height
    down = [np.array([(x, grid.y), (x, bottom)]) for x in np.arange(grid.x, right + 1e-6)]
    across = [np.array([(grid.x, y), (right, y)]) for y in np.arange(grid.y, bottom + 1e-6)]
    lines = [(i % 5 == 0, points) for one in (down, across) for i, points in enumerate(one)]
    fine = [Curve(points, "fine") for bold, points in lines if not bold]
    return fine + [Curve(points, "bold") for bold, points in lines if bold]


def _frame(record: Record, title: str, notes: Sequence[str], speed: float, gain: float, grid: Box) -> list[Text]:
    leads = f"{len(record.leads)} lead{'s' * (len(record.leads) > 1)}"
    facts = f"{record.rate:.6g} Hz · {leads} · {record.seconds:.6g} s · unfiltered"
    scale = f"{speed:g} mm/s · {gain:g} mm/mV · each trace centred on its median"
    bottom = grid.y + grid.height
    lines: list[tuple[float, str, Kind]] = [
        (HEADER - 7.5, title, "title"), (HEADER - 2.5, facts, "head"),
        (bottom + 4.5, scale, "head"), (bottom + 8.5, " · ".join(notes), "head"),
    ]  # fmt: skip
    return [_say(grid.x, y, text, kind, grid.width) for y, text, kind in lines if text]


def _say(x: float, y: float, text: str, kind: Kind, width: float) -> Text:
    return Text(x, y, _fitting(text, FACES[kind].size, width), kind)


def _fitting(text: str, size: float, width: float) -> str:
    """Names come from strangers: no control characters, and cut in the middle what is too long (0.6 em a letter)."""
    text = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    most = int(width / (0.6 * size))
    return text if len(text) <= most else f"{text[: most // 2]}…{text[len(text) - most // 2 + 1 :]}"
