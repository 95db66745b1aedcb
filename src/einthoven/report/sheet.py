"""Sheet: a finished drawing of an ECG, every line and letter at its place in true millimetres.

`paper.lay` makes it, `svg` and `canvas` put it down. x runs right and y runs down from the top left corner of the
sheet. Shapes: N points of a curve.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from einthoven.core.leads import Status

Role = Literal["fine", "bold", "trace", "p", "qrs", "t", "pulse", "tick", "mark"]
Kind = Literal["title", "head", "lead", "word", "mark"]


class Pen(NamedTuple):
    colour: str
    width: float  # mm


PENS: dict[Role, Pen] = {
    "fine": Pen("#f8d7d4", 0.1),
    "bold": Pen("#eda9a4", 0.2),
    "trace": Pen("#101014", 0.28),
    "p": Pen("#0a7d3c", 0.42),
    "qrs": Pen("#c2182b", 0.42),
    "t": Pen("#1d5fb4", 0.42),
    "pulse": Pen("#101014", 0.28),
    "tick": Pen("#101014", 0.2),
    "mark": Pen("#1d5fb4", 0.2),
}


class Face(NamedTuple):
    colour: str
    size: float  # mm, height of the em square
    heavy: bool


FACES: dict[Kind, Face] = {
    "title": Face("#1a1a1f", 4.0, True),
    "head": Face("#57504f", 3.0, False),
    "lead": Face("#1a1a1f", 3.6, True),
    "word": Face("#57504f", 2.8, False),
    "mark": Face("#1d5fb4", 2.4, False),
}


class Box(NamedTuple):
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, eq=False)
class Curve:
    """A polyline: points (N, 2) in mm; `lead` where it belongs to one."""

    points: np.ndarray
    role: Role
    lead: str = ""


@dataclass(frozen=True)
class Text:
    """One line of text whose baseline begins at (x, y)."""

    x: float
    y: float
    text: str
    kind: Kind


@dataclass(frozen=True)
class Strip:
    """One lead over a span of time: `begin` stands at x = `left`, the median of what is shown at y = `middle`."""

    lead: str
    status: Status
    begin: float  # s
    end: float  # s
    left: float
    column: int = 0
    middle: float = 0.0


@dataclass(frozen=True, eq=False)
class Sheet:
    """A finished drawing, put down in the order ruling, texts, curves: no name ever hides a wave.

    Ruling and curves are cut at the grid's edge. `notes` says in words what is left out or added.
    """

    title: str
    width: float
    height: float
    grid: Box
    strips: tuple[Strip, ...]
    ruling: tuple[Curve, ...]
    texts: tuple[Text, ...]
    curves: tuple[Curve, ...]
    notes: tuple[str, ...]
    format: str
