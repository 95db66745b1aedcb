"""Where a value stands among healthy people, by cited tables (ranges.toml); never a diagnosis.

A value is said to be below or above a percentile of a source. Where age or sex is unknown only tables of everybody are
used; where no table fits, nothing is said.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from einthoven.signal.measurements import Measurement


@dataclass(frozen=True)
class Range:
    """Percentiles of one quantity in one population; in the unit of the measurement."""

    quantity: str
    sex: str
    ages: tuple[float, float]
    lower: float
    upper: float
    percentiles: tuple[int, int]
    n: int
    source: str


@cache
def ranges() -> tuple[Range, ...]:
    """All rows of the table."""
    table = tomllib.loads((Path(__file__).parent / "ranges.toml").read_text("utf-8"))
    return tuple(
        Range(**row | {"ages": tuple(row["ages"]), "percentiles": tuple(row["percentiles"])}) for row in table["range"]
    )


def place(
    measured: Mapping[str, Measurement], age: float | None = None, sex: str | None = None
) -> dict[str, tuple[str, ...]]:
    """What the tables say about the values that lie outside, by measurement.

    >>> place({"qrs": Measurement(130.0, "ms", 8, 1.0)})
    {'qrs': ('above the 98th percentile (109) of Mason 2007',)}
    """
    out: dict[str, tuple[str, ...]] = {}
    for row in ranges():
        found = measured.get(row.quantity)
        if found is None or not isinstance(found.value, float) or not _fits(row, age, sex):
            continue
        for outside, word, limit, percentile in (
            (found.value < row.lower, "below", row.lower, row.percentiles[0]),
            (found.value > row.upper, "above", row.upper, row.percentiles[1]),
        ):
            if outside:
                said = f"{word} the {_ordinal(percentile)} percentile ({limit:g}) of {row.source}"
                out[row.quantity] = (*out.get(row.quantity, ()), said)
    return out


def _fits(row: Range, age: float | None, sex: str | None) -> bool:
    if row.sex == "any":
        return age is None or row.ages[0] <= age <= row.ages[1]
    return sex == row.sex and age is not None and row.ages[0] <= age <= row.ages[1]


def _ordinal(number: int) -> str:
    ending = "th" if 10 < number < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
