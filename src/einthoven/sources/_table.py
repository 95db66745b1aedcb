"""A person's own table: one row a recording, columns by their heading. This is how own labels enter.

`file`, `subject`, then facts: `label:NAME` (1, 0, empty = unknown), `value:NAME [unit]`, `category:NAME`, `text` (the
fact `report`), `outcome:NAME` (1 observed, 0 censored) with `time:NAME` (days), `split` (train, validation, test).
`value:age` is in years and `category:sex` is male or female, because a baseline reads them. A mistake is named by row,
counted as a spreadsheet does (the heading is row 1), and column; nothing is repaired.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from einthoven.core.errors import SourceError, nearest
from einthoven.core.facts import Category, Fact, Label, LabelSet, Outcome, Text, Value
from einthoven.sources._files import text_of

_KINDS = ("label:", "value:", "category:", "outcome:", "time:")
_WORDS = ("file", "subject", "text", "split")
_UNIT = re.compile(r"^(.*?)\s*[\[(]([^\])]*)[\])]$")
_SPLITS = ("train", "validation", "test")
_SEXES = {"male": "male", "m": "male", "female": "female", "f": "female"}
_YEARS = ("years", "year", "y", "a")
_MEANT = {"age": "value:age", "sex": "category:sex", "gender": "category:sex", "report": "text"}


@dataclass(frozen=True)
class Row:
    """One recording as the table has it. number: row in the table, 2 is the first. file: as written, with / inside."""

    number: int
    file: str
    subject: str | None
    facts: tuple[Fact, ...]


@dataclass(frozen=True)
class Table:
    """All rows, and the labels in code-point order as an open set: what is not stated is unknown."""

    rows: tuple[Row, ...]
    label_set: LabelSet | None


def read(table: Path) -> Table:
    """Read and check a table.

    Raises:
        SourceError: it cannot be read (`missing`, `encoding`), a heading is unknown or lacks its partner (`column`), or
            a cell does not say what its column asks for (`cell`).
    """
    if not table.is_file():
        raise SourceError(
            table, "the table is not there", expected="a CSV file of file, subject and facts",
            got="a folder" if table.is_dir() else "nothing", fix="check --table", reason="missing",
        )  # fmt: skip
    text = text_of(table, "the table")
    first = text.lstrip().partition("\n")[0]
    separator = max(",;\t", key=first.count)
    try:
        lines = [
            (n, row) for n, row in enumerate(csv.reader(text.splitlines(True), delimiter=separator), 1) if any(row)
        ]
    except csv.Error as error:
        raise SourceError(table, "is no CSV", got=error, fix="save it as CSV UTF-8", reason="table") from error
    if len(lines) < 2:
        raise SourceError(table, "has no rows", expected="a heading and a row a recording", reason="empty")
    heading = [cell.strip() for cell in lines[0][1]]
    _check_heading(heading, table)
    readers = _readers(heading)
    rows = []
    for number, cells in lines[1:]:
        if len(cells) != len(heading):
            raise _wrong(table, number, "", f"{len(heading)} cells as in the heading", len(cells))
        rows.append(_row(number, dict(zip(heading, map(str.strip, cells), strict=True)), readers, table))
    codes = sorted(_name(column) for column in heading if column.startswith("label:"))
    return Table(tuple(rows), LabelSet("label", "own table", tuple(codes), closed=False) if codes else None)


def _check_heading(heading: list[str], table: Path) -> None:
    if "file" not in heading:
        raise SourceError(
            table, "has no column 'file'", expected="file, subject, then label:NAME and other facts",
            got=", ".join(heading)[:80], fix="name the column with the files 'file'", reason="column",
        )  # fmt: skip
    for column in heading:
        kind = next((kind for kind in _KINDS if column.startswith(kind)), None)
        if column not in _WORDS and (kind is None or not _name(column)):
            raise SourceError(
                table, f"no such column '{column}'", expected=f"{', '.join(_WORDS)}, {'NAME, '.join(_KINDS)}NAME",
                fix=_meant(column), reason="column",
            )  # fmt: skip
        if kind == "value:" and _name(column) == "age" and (match := _UNIT.match(column)) and match[2] not in _YEARS:
            raise SourceError(
                table, f"column '{column}' has another unit", expected="value:age [years]", got=match[2],
                fix="convert it to years", reason="column",
            )  # fmt: skip
        other = {"outcome:": "time:", "time:": "outcome:"}.get(kind or "")
        if other and other + column.partition(":")[2] not in heading:
            raise SourceError(
                table, f"column '{column}' lacks its partner", expected=other + column.partition(":")[2],
                fix="an outcome needs 1 or 0 and a time in days", reason="column",
            )  # fmt: skip
    names = [(column.partition(":")[0], _name(column)) for column in heading]
    if twice := sorted({column for column, name in zip(heading, names) if names.count(name) > 1}):
        raise SourceError(table, f"column '{twice[0]}' is there twice", fix="rename or delete one", reason="column")


def _meant(column: str) -> str:
    """What a heading that is none was meant to be."""
    kind, _, name = column.partition(":")
    if column.lower() in _MEANT:
        return f"did you mean {_MEANT[column.lower()]}?"
    near = nearest(column, [*_WORDS, *(known + name for known in _KINDS)] if name else _WORDS)
    if name or near.startswith("did"):
        return near
    return f"say what it is, for example label:{kind} or value:{kind}, or delete the column"


def _name(column: str) -> str:
    """NAME of `value:NAME [unit]`."""
    name = column.partition(":")[2].strip()
    match = _UNIT.match(name) if column.startswith("value:") else None
    return match[1].strip() if match else name


_Reader = Callable[[dict[str, str]], Fact | None]


class _Cell(ValueError):
    """A cell that does not say what its column asks for: column and what was expected."""


def _readers(heading: list[str]) -> list[_Reader]:
    """One function a column of facts: the row to its fact, None where the cell is empty."""
    return [reader for column in heading if (reader := _reader(column)) is not None]


def _reader(column: str) -> _Reader | None:
    kind, name = column.partition(":")[0], _name(column)
    if kind == "label":
        return lambda row: Label("label", name, _yes(row, column)) if row[column] else None
    if kind == "value":
        unit = match[2].strip() if (match := _UNIT.match(column)) else ""
        return lambda row: Value(name, _number(row, column), unit) if row[column] else None
    if kind == "category" and name == "sex":
        return lambda row: Category(name, _sex(row, column)) if row[column] else None
    if kind == "category":
        return lambda row: Category(name, row[column]) if row[column] else None
    if kind == "outcome":
        return lambda row: _outcome(row, column, name)
    if column == "text":
        return lambda row: Text("report", row[column]) if row[column] else None
    if column == "split":
        return _split
    return None


def _row(number: int, row: dict[str, str], readers: list[_Reader], table: Path) -> Row:
    file = row["file"].replace("\\", "/")
    if not file:
        raise _wrong(table, number, "file", "a file name", "")
    if file.startswith("/") or ":" in file or ".." in file.split("/"):
        raise _wrong(table, number, "file", "a file inside the folder, named from there", file)
    try:
        facts = tuple(fact for reader in readers if (fact := reader(row)) is not None)
    except _Cell as error:
        column, expected = error.args
        raise _wrong(table, number, column, expected, row[column]) from error
    return Row(number, file, row.get("subject") or None, facts)


def _outcome(row: dict[str, str], column: str, name: str) -> Outcome | None:
    time = f"time:{column.partition(':')[2]}"
    if not row[column] and not row[time]:
        return None
    for cell in (column, time):
        if not row[cell]:
            raise _Cell(cell, "a cell as its partner has one")
    days = _number(row, time)
    if days < 0:
        raise _Cell(time, "days after the recording, 0 or more")
    return Outcome(name, days, _yes(row, column))


def _split(row: dict[str, str]) -> Category | None:
    if row["split"] and row["split"] not in _SPLITS:
        raise _Cell("split", f"one of {', '.join(_SPLITS)} or empty")
    return Category("split", row["split"]) if row["split"] else None


def _sex(row: dict[str, str], column: str) -> str:
    if row[column].lower() not in _SEXES:
        raise _Cell(column, "male, female or empty")
    return _SEXES[row[column].lower()]


def _yes(row: dict[str, str], column: str) -> float:
    if row[column] not in ("1", "0", "1.0", "0.0"):
        raise _Cell(column, "1, 0 or empty")
    return float(row[column])


def _number(row: dict[str, str], column: str) -> float:
    try:
        number = float(row[column])
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise _Cell(column, "a number with a decimal point, or empty")
    return number


def _wrong(table: Path, number: int, column: str, expected: str, got: object) -> SourceError:
    return SourceError(
        table, f"row {number}, column '{column}' is wrong" if column else f"row {number} is wrong", expected=expected,
        got=got if got != "" else "an empty cell", fix="correct the table; the heading is row 1", reason="cell",
    )  # fmt: skip
