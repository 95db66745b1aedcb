"""Facts as tidy tables: the fields of the dataclasses of `core.facts` are the columns, `row` says whose they are.

`Table` collects the facts of many recordings column by column; `of_row` makes Facts again from a slice of a table.
Waves are columnar in the dataclass already: one row a beat and lead.
"""

from __future__ import annotations

import dataclasses
import typing
from collections import defaultdict
from collections.abc import Iterable
from operator import attrgetter
from typing import Any

import numpy as np
import polars as pl

from einthoven.core.facts import KINDS, WAVE_COLUMNS, Fact, Waves

_POLARS = {str: pl.String(), float: pl.Float64(), int: pl.Int64()}
_WAVES = {"lead": pl.String(), "beat": pl.Int32(), "label": pl.String(), **dict.fromkeys(WAVE_COLUMNS, pl.Int32())}


def _schema(kind: type) -> dict[str, Any]:
    if kind is Waves:
        return {"row": pl.Int64(), "name": pl.String(), **_WAVES}
    hints = typing.get_type_hints(kind)
    fields = {}
    for field in dataclasses.fields(kind):
        hint = hints[field.name]
        fields[field.name] = _POLARS[hint if hint in _POLARS else typing.get_args(hint)[0]]  # `float | None` -> float
    return {"row": pl.Int64(), **fields}


SCHEMAS: dict[str, dict[str, Any]] = {kind.kind: _schema(kind) for kind in KINDS}
"""Columns and types of `facts/KIND.parquet`, by kind."""

_CLASS = {kind.kind: kind for kind in KINDS}
_FIELDS = {kind: attrgetter(*(field.name for field in dataclasses.fields(kind))) for kind in KINDS if kind is not Waves}


class Tables:
    """The facts of many recordings, growing recording by recording."""

    def __init__(self) -> None:
        self._rows: dict[type, list[tuple[Any, ...]]] = defaultdict(list)
        self._waves: list[pl.DataFrame] = []

    def add(self, row: int, facts: Iterable[Fact]) -> None:
        for fact in facts:
            if isinstance(fact, Waves):
                columns = {name: np.asarray(fact.columns[name]) for name in _WAVES}
                frame = pl.DataFrame(columns).with_columns(row=pl.lit(row, pl.Int64), name=pl.lit(fact.name))
                self._waves.append(frame.select(pl.col(name).cast(dtype) for name, dtype in SCHEMAS["waves"].items()))
            else:
                kind = type(fact)
                self._rows[kind].append((row, *_FIELDS[kind](fact)))

    def frames(self) -> dict[str, pl.DataFrame]:
        """One frame a kind that has facts, in the order in which they were added."""
        found = {}
        for kind, rows in self._rows.items():
            schema = SCHEMAS[kind.kind]
            found[kind.kind] = pl.DataFrame(dict(zip(schema, zip(*rows))), schema=schema)
        if self._waves:
            found["waves"] = pl.concat(self._waves)
        return found


def of_row(kind: str, table: pl.DataFrame) -> list[Fact]:
    """The Facts of one recording from its slice of the table of that kind."""
    if kind == "waves":
        parts = table.drop("row").partition_by("name", maintain_order=True, as_dict=True)
        return [
            Waves(str(name), {column: part[column].to_numpy() for column in _WAVES}) for (name,), part in parts.items()
        ]
    return [_CLASS[kind](**fields) for fields in table.drop("row").iter_rows(named=True)]
