"""How a text file with numbers is laid out: separator, decimal mark, heading. Told from its first lines.

Separators are tried in the order ; tab , and blanks. The first is taken that gives rows of one length with numbers
everywhere, else the first with a column of numbers. A comma is a decimal mark only where it does not separate.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from einthoven.core.errors import FormatError

_LINES = 200
_NUMBER = re.compile(r"^[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$")
_COMMA_NUMBER = re.compile(r"^[-+]?[0-9]*,[0-9]+(?:[eE][-+]?[0-9]+)?$")
_LEADING_ZERO = re.compile(r"^[-+]?0[0-9]+$")
MISSING = ("", "NaN", "nan", "NAN", "NA", "null")
"""Cells that say that there is no sample."""


@dataclass(frozen=True)
class Dialect:
    """separator: one character, a blank for any run of blanks. heading: None where there is none.

    columns: cells a row. skip: lines before the first row of numbers. numeric: positions of columns of numbers.
    """

    separator: str
    decimal_comma: bool
    heading: tuple[str, ...] | None
    columns: int
    skip: int
    numeric: tuple[int, ...]

    def cells(self, line: str) -> list[str]:
        """The cells of one line, blanks and quotes around them taken off."""
        return _cells(line, self.separator)

    def is_number(self, cell: str) -> bool:
        return cell in MISSING or bool((_COMMA_NUMBER if self.decimal_comma else _NUMBER).match(cell)) or (
            self.decimal_comma and bool(_NUMBER.match(cell)) and "." not in cell
        )  # fmt: skip


def text_of(data: bytes, where: Path) -> str:
    """The text of a file or of its first part, UTF-8 or, where it is not, Latin-1 (it is only read for headings)."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data:
        raise FormatError(
            where, "is no plain text", expected="a table of numbers in UTF-8", got="binary or UTF-16",
            fix="save it as CSV UTF-8", reason="encoding",
        )  # fmt: skip
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def dialect_of(text: str) -> Dialect | None:
    """The layout of a table; None when no column of it holds numbers."""
    lines = text.splitlines()[:_LINES]
    skip = 0
    while skip < len(lines) and (not lines[skip].strip() or lines[skip].lstrip().startswith(("#", "sep="))):
        skip += 1
    rows = [line for line in lines[skip:] if line.strip()]
    found = [dialect for separator in (";", "\t", ",", " ", "\n") if (dialect := _try(rows, separator, skip))]
    whole = [dialect for dialect in found if len(dialect.numeric) == dialect.columns]
    return next(iter(whole + found), None)


def _try(rows: list[str], separator: str, skip: int) -> Dialect | None:
    """The dialect with that separator (a line end: one column), if it fits."""
    table = [_cells(row, separator) for row in rows]
    body = table[1:] or table
    if not body:
        return None
    columns, times = Counter(map(len, body)).most_common(1)[0]
    if times < 0.9 * len(body) or (columns == 1) != (separator == "\n"):
        return None
    body = [row for row in body if len(row) == columns]
    decimal_comma = separator != "," and any(_COMMA_NUMBER.match(cell) for row in body for cell in row)
    dialect = Dialect(separator, decimal_comma, None, columns, skip, ())
    numeric = tuple(
        i for i in range(columns)
        if all(dialect.is_number(row[i]) for row in body) and any(row[i] not in MISSING for row in body)
    )  # fmt: skip
    if not numeric:
        return None
    heading = None if all(dialect.is_number(cell) for cell in table[0]) else tuple(table[0])
    return Dialect(separator, decimal_comma, heading, columns, skip + (heading is not None), numeric)


def refuse_doubtful_commas(dialect: Dialect, text: str, where: Path) -> None:
    """Numbers such as `05` between commas are the second half of `0,05`: nothing tells where a cell ends."""
    if dialect.separator != ",":
        return
    for line in text.splitlines()[dialect.skip : _LINES]:
        for cell in dialect.cells(line):
            if _LEADING_ZERO.match(cell):
                raise FormatError(
                    where, "commas seem to be decimal marks and separators at once", expected="decimal points",
                    got=line[:60], fix="separate cells by ; or tab, or write decimal points", reason="decimal",
                )  # fmt: skip


def _cells(line: str, separator: str) -> list[str]:
    if separator == " ":
        cells = line.split()
    elif separator == "\n":
        cells = [line]
    else:
        try:
            cells = next(csv.reader([line], delimiter=separator))
        except csv.Error:  # a cell of more than 128 KiB
            cells = [line]
    return [cell.strip().strip("'\"").strip() for cell in cells]
