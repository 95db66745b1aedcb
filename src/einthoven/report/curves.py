"""Drawings of numbers as inline SVG: intervals on a common axis, label efficiency, reliability.

Positions across are percentages and text is of fixed size, so a drawing fills a phone and a desk without shrinking its
letters. Colours are classes of `page.css` (light, dark, print): `arm` and `k0` .. `k7` for checkpoints, `ref` for
reference rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from einthoven.report.markup import Html, tag

COLOURS = 8
ROW, PLOT, SQUARE = 20, 240, 150
"""Heights in pixels: one interval, a chart, a reliability square."""


@dataclass(frozen=True)
class Scale:
    """A linear axis from `low` to `high`."""

    low: float
    high: float
    ticks: tuple[float, ...]
    digits: int

    def share(self, value: float) -> float:
        """Where a value stands between the ends, 0 to 1; beyond them it is kept at the end."""
        return min(max((value - self.low) / (self.high - self.low), 0.0), 1.0)

    def across(self, value: float) -> str:
        return f"{100 * self.share(value):.2f}%"

    def down(self, value: float) -> float:
        return round(PLOT * (1 - self.share(value)), 1)


class Point(NamedTuple):
    """A figure at a place of the horizontal axis, with its limits (None: no interval)."""

    place: int
    value: float
    low: float | None
    high: float | None


class Series(NamedTuple):
    name: str
    colour: str
    points: tuple[Point, ...]


def scale(values: Sequence[float | None], steps: int = 5) -> Scale:
    """Round ends and ticks around the values that are defined."""
    defined = [value for value in values if value is not None] or [0.0, 1.0]
    low, high = min(defined), max(defined)
    span = max(high - low, 1e-3 * max(abs(high), abs(low), 1e-6))
    rough = span / steps
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    ticks = tuple(round(step * i, 12) for i in range(first, last + 1))
    return Scale(ticks[0], ticks[-1], ticks, max(0, -math.floor(math.log10(step) + 1e-9)))


def interval(value: float | None, low: float | None, high: float | None, axis: Scale, colour: str) -> Html:
    """One row of a forest plot: limits as a line, the point on it, guides behind; an arrow where it lies beyond."""
    middle = ROW / 2
    parts = [_line(axis.across(t), 0, axis.across(t), ROW, "zero" if t == 0 else "guide") for t in axis.ticks]
    if low is not None and high is not None:
        parts.append(_line(axis.across(low), middle, axis.across(high), middle, f"whisker {colour}"))
    hair = 1e-6 * (axis.high - axis.low)  # ends are rounded
    if value is not None and not axis.low - hair <= value <= axis.high + hair:
        way = -1 if value < axis.low else 1
        arrow = tag("path", d=f"M{6 * way} 0L{-3 * way} -4.5V4.5Z", class_=f"point {colour}")
        parts.append(tag("svg", arrow, x=axis.across(value), y=middle))
    elif value is not None:
        parts.append(tag("circle", cx=axis.across(value), cy=middle, r=4, class_=f"point {colour}"))
    return tag("svg", parts, class_="interval", width="100%", height=ROW, aria_hidden="true")


def axis_row(axis: Scale) -> Html:
    """The numbers under a column of intervals."""
    anchors = {axis.low: None, axis.high: "end"}  # letters stay within the drawing
    words = [
        tag("text", f"{t:.{axis.digits}f}".replace("-", "−"), x=axis.across(t), y=12, class_=anchors.get(t, "middle"))
        for t in _few(axis.ticks, 4)
    ]
    return tag("svg", words, class_="interval", width="100%", height=16, aria_hidden="true")


def efficiency(series: Sequence[Series], places: Sequence[str], what: str) -> Html:
    """A figure against the amount of labels: one line an arm, whiskers set side by side."""
    axis = scale([v for one in series for point in one.points for v in (point.value, point.low, point.high)])
    spread = min(9.0, 60.0 / max(len(series), 1))  # pixels between the whiskers of two arms
    parts = [_line("0%", axis.down(t), "100%", axis.down(t), "guide") for t in axis.ticks]
    for k, one in enumerate(series):
        shift = f"translate({(k - (len(series) - 1) / 2) * spread:.1f} 0)"
        drawn = [
            _line(_place(a.place, places), axis.down(a.value), _place(b.place, places), axis.down(b.value),
                  f"curve {one.colour}")
            for a, b in zip(one.points, one.points[1:])
        ]  # fmt: skip
        for point in one.points:
            x = _place(point.place, places)
            if point.low is not None and point.high is not None:
                ends = axis.down(point.low), axis.down(point.high)
                drawn.append(_line(x, ends[0], x, ends[1], f"whisker {one.colour}"))
            drawn.append(tag("circle", cx=x, cy=axis.down(point.value), r=3.5, class_=f"point {one.colour}"))
        parts.append(tag("g", drawn, transform=shift))
    words = [tag("text", name, x=_place(i, places), y=PLOT + 18, class_="middle") for i, name in enumerate(places)]
    numbers = [tag("text", f"{t:.{axis.digits}f}", x=38, y=axis.down(t) + 4, class_="end") for t in axis.ticks]
    keys = [
        tag("li", tag("svg", _line("0", 6, "36", 6, f"curve {one.colour}"),
                      tag("circle", cx=18, cy=6, r=3.5, class_=f"point {one.colour}"), width=36, height=12,
                      aria_hidden="true"), one.name)
        for one in series
    ]  # fmt: skip
    return tag(
        "figure",
        tag("div",
            tag("svg", numbers, width=44, height=PLOT + 26, aria_hidden="true"),
            tag("svg", parts, words, width="100%", height=PLOT + 26, role="img", aria_label=what),
            class_="chart"),
        tag("ul", keys, class_="keys"),
        tag("figcaption", what),
        class_="efficiency",
    )  # fmt: skip


def reliability(title: str, series: Sequence[tuple[str, Sequence[tuple[float, float]]]], what: str) -> Html:
    """Share of positives against mean score, bin by bin; the diagonal is calibration. Rare labels get shorter axes."""
    side, end = SQUARE, scale([0.0, *(value for _, bins in series for dot in bins for value in dot)]).high
    parts = [tag("rect", width=side, height=side, class_="frame"), _line(0, side, side, 0, "diagonal")]
    for colour, bins in series:
        dots = [(round(side * x / end, 1), round(side * (1 - y / end), 1)) for x, y in bins]
        parts.append(tag("polyline", points=" ".join(f"{x:g},{y:g}" for x, y in dots), class_=f"curve {colour}"))
        parts += [tag("circle", cx=x, cy=y, r=2.5, class_=f"point {colour}") for x, y in dots]
    words = [
        tag("text", "0", x=0, y=side + 14), tag("text", "mean score", x=side / 2, y=side + 14, class_="middle"),
        tag("text", f"{end:g}", x=side, y=side + 14, class_="end"),
    ]  # fmt: skip
    drawing = tag(
        "svg", parts, words, width=side + 8, height=side + 18, viewBox=f"-4 -4 {side + 8} {side + 22}", role="img",
        aria_label=what,
    )  # fmt: skip
    return tag("figure", tag("figcaption", title), drawing, class_="square")


def key(items: Sequence[tuple[str, str]]) -> Html:
    """Names of colours: (name, colour)."""
    return tag("ul", [
        tag("li", tag("svg", _line("0", 6, "36", 6, f"curve {colour}"), width=36, height=12, aria_hidden="true"), name)
        for name, colour in items
    ], class_="keys")  # fmt: skip


def _line(x1: str | float, y1: float, x2: str | float, y2: float, class_: str) -> Html:
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def _place(i: int, places: Sequence[str]) -> str:
    return f"{100 * (i + 0.5) / len(places):.2f}%"


def _few(ticks: Sequence[float], most: int) -> Sequence[float]:
    return ticks[:: math.ceil(len(ticks) / most)]
