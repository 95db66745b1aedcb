"""A drawing with its waves: P, QRS and T of each lead in colours of their own, and a word at beats that are not normal.

Takes a finished Sheet and adds to it, so a marked drawing is the same drawing. Where a lead shows no limits of its own,
as a derived one, those of all leads together are drawn. Shapes: K beats, L leads, N points of a curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from einthoven.report.sheet import FACES, Curve, Role, Sheet, Strip, Text
from einthoven.signal.marks import Delineation

ROLES: tuple[Role, Role, Role] = ("p", "qrs", "t")
LEGEND = "marked: P green, QRS red, T blue, R peak a tick above the row"
_TICK = 1.6
"""Millimetres of the line that stands for an R peak."""


def mark(sheet: Sheet, found: Delineation, leads: Sequence[str], rate: float, speed: float, said: str = "") -> Sheet:
    """Add the waves to a sheet that was laid out at `speed` mm/s.

    Args:
        leads: names of the rows of `found.lead`. rate: of its samples. said: measurements in a few words, for the top.
    """
    curves: list[Curve] = []
    texts: list[Text] = []
    traces = [curve for curve in sheet.curves if curve.role == "trace"]
    for strip in sheet.strips:
        if strip.status == "missing":
            continue
        limits = found.whole
        if strip.lead in leads:
            own = found.lead[:, list(leads).index(strip.lead)]
            limits = np.where(np.isnan(own[:, :, [0, 2]]).any(axis=2, keepdims=True), np.nan, own)
        mine = [trace for trace in traces if _belongs(trace, strip, sheet.strips, speed)]
        for wave, role in enumerate(ROLES):
            spans = strip.left + speed * (limits[:, wave][:, [0, 2]] / rate - strip.begin)
            curves += [piece for trace in mine for piece in _pieces(trace, spans, role)]
        for sample, label in zip(found.beats.sample.tolist(), found.beats.label.tolist()):
            seconds = sample / rate
            if strip.begin <= seconds < strip.end:
                x, y = strip.left + speed * (seconds - strip.begin), _top(mine, strip) - 1.0
                curves.append(Curve(np.array([(x, y - _TICK), (x, y)]), "mark", strip.lead))
                if label != "N":
                    texts.append(Text(x + 0.5, y - 0.4, label, "mark"))
    old = sheet.texts
    if said:
        line = next((text for text in old if text.kind == "head" and text.text.endswith("unfiltered")), None)
        if line is not None:
            most = int(sheet.grid.width / (0.6 * FACES["head"].size))
            both = f"{line.text} · {said}"
            old = tuple(replace(line, text=both[:most]) if text is line else text for text in old)
    bottom = sheet.grid.y + sheet.grid.height + 8.5
    notes = (*sheet.notes, LEGEND)
    old = tuple(text for text in old if not (text.kind == "head" and abs(text.y - bottom) < 0.01))
    last = Text(sheet.grid.x, bottom, " · ".join(notes), "head")
    return replace(sheet, curves=(*sheet.curves, *curves), texts=(*old, *texts, last), notes=notes)


def _belongs(trace: Curve, strip: Strip, strips: Sequence[Strip], speed: float) -> bool:
    """Whether a trace is of this strip: of its lead, in its span, and of the rows of this lead nearest to it."""
    if trace.lead != strip.lead:
        return False
    x, y = trace.points[:, 0], float(np.median(trace.points[:, 1]))
    inside = strip.left - 0.1 <= x[0] and x[-1] <= strip.left + speed * (strip.end - strip.begin) + 0.1
    rows = [other.middle for other in strips if other.lead == strip.lead]
    return bool(inside and abs(y - strip.middle) <= min(abs(y - middle) for middle in rows) + 1e-6)


def _pieces(trace: Curve, span_K2: np.ndarray, role: Role) -> list[Curve]:
    """The parts of a trace between the limits of each wave, cut exactly there."""
    x, y = trace.points.T
    known = span_K2[np.isfinite(span_K2).all(axis=1)]
    out = []
    for first, last in known:
        first, last = max(first, x[0]), min(last, x[-1])
        if last <= first:
            continue
        inside = (x > first) & (x < last)
        ends = np.interp([first, last], x, y)
        points = np.column_stack([np.r_[first, x[inside], last], np.r_[ends[0], y[inside], ends[1]]])
        out.append(Curve(points, role, trace.lead))
    return out


def _top(traces: Sequence[Curve], strip: Strip) -> float:
    return min((float(trace.points[:, 1].min()) for trace in traces), default=strip.middle)
