"""Numbers as a probe learns them and as they are told.

The columns of a task of numbers, and so the labels of its prediction table, say what they hold: `NAME` the number
itself; `log1p(NAME)` the logarithm of 1 + NAME, for a number with a long tail; `cos(NAME)` and `sin(NAME)` the two
coordinates of an angle in degrees, which do not jump at 180. R2 is told of the columns as they are learnt (over both of
an angle), errors in the unit of the number. Shapes: n records, Q columns of one number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Form = Literal["plain", "log1p", "angle"]
_COLUMN = re.compile(r"(log1p|cos|sin)\((.+)\)")


@dataclass(frozen=True)
class Number:
    """A number and the columns it is learnt as."""

    name: str
    columns: tuple[str, ...]

    @property
    def angle(self) -> bool:
        return len(self.columns) == 2

    @property
    def learnt_as(self) -> str | None:
        """The columns in words; None where it is learnt as it is."""
        return None if self.columns == (self.name,) else ", ".join(self.columns)

    def told(self, column_Qn: np.ndarray) -> np.ndarray:
        """Columns back in the number's own unit, (n,); an angle in degrees above -180 up to 180."""
        if self.angle:
            return np.degrees(np.arctan2(column_Qn[1], column_Qn[0]))
        return column_Qn[0] if self.learnt_as is None else np.expm1(column_Qn[0])

    def error(self, truth_Qn: np.ndarray, score_Qn: np.ndarray) -> np.ndarray:
        """Prediction minus truth in the number's unit, (n,); between angles the shorter way round."""
        apart_n = self.told(score_Qn) - self.told(truth_Qn)
        return (apart_n + 180) % 360 - 180 if self.angle else apart_n


def of(columns: Sequence[str]) -> list[Number]:
    """The numbers that columns hold, in order. A name that would stand for two of them stays a column's own."""
    found: dict[str, tuple[str, ...]] = {}
    for column in columns:
        name, mine = _meant(column)
        if not set(mine) <= set(columns) or (name != column and name in columns) or found.get(name, mine) != mine:
            name, mine = column, (column,)
        found[name] = mine
    return [Number(name, mine) for name, mine in found.items()]


def learnt(name: str, value_N: np.ndarray, form: Form) -> dict[str, np.ndarray]:
    """The columns of a number, (N,) each; an angle is in degrees. NaN stays NaN."""
    if form == "log1p":
        return {f"log1p({name})": np.log1p(value_N)}
    if form == "angle":
        return {f"cos({name})": np.cos(np.radians(value_N)), f"sin({name})": np.sin(np.radians(value_N))}
    return {name: value_N}


def _meant(column: str) -> tuple[str, tuple[str, ...]]:
    match = _COLUMN.fullmatch(column)
    if match is None:
        return column, (column,)
    form, name = match.groups()
    return name, (column,) if form == "log1p" else (f"cos({name})", f"sin({name})")
