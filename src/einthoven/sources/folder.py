"""Any folder of readable files, with a person's own table beside it or without one.

A file that the table names and that is not there is counted. A file that the table does not name is taken too, without
facts and as a person of its own, and the cohort's card says how many: labels are few and recordings many in most
hospitals. A damaged file is refused by itself.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from einthoven import formats
from einthoven.core.errors import EinthovenError, SourceError
from einthoven.core.record import Record
from einthoven.sources import _table
from einthoven.sources._files import records
from einthoven.sources._item import Item, Plan


class Folder:
    """A folder tree of recordings.

    Args:
        table: CSV with the columns `file`, `subject` and facts (see `sources/_table.py`).
        rate, unit, lead, column: for those files that do not state them (see `formats.Mapping`).
    """

    family = "folder"
    licence = "that of the recordings' owner"
    citation = ""
    version = ""

    def __init__(
        self,
        *,
        table: str | None = None,
        rate: float | None = None,
        unit: str | None = None,
        lead: str | None = None,
        column: str | None = None,
    ) -> None:
        self.table, self.rate, self.unit, self.lead, self.column = table, rate, unit, lead, column

    def plan(self, path: Path) -> Plan:
        """All recordings of the folder, sorted by name, with what the table says.

        Raises:
            SourceError: the folder is not there or holds no recording, or the table has a mistake.
        """
        if not path.is_dir():
            raise SourceError(path, "is no folder", expected="a folder of recordings", reason="missing")
        table = _table.read(Path(self.table)) if self.table else _table.Table((), None)
        own = Path(self.table).resolve() if self.table else None
        found = [file for file in formats.find(path) if own is None or file.resolve() != own]
        here = {file.relative_to(path).as_posix() for file in found}
        named, absent = _named(table.rows, path, here, Path(self.table or ""))
        if not here and not named:
            raise SourceError(
                path, "holds no recording that can be read", expected="WFDB, CSV or .npy files",
                got=f"{len(absent)} named in the table and not there" if absent else "none", reason="empty",
            )  # fmt: skip
        files = sorted(here | set(named))
        shared = Counter(_stem(file) for file in files)
        items = []
        for file in files:
            row = named.get(file)
            key = _stem(file) if shared[_stem(file)] == 1 else file
            items.append(Item(key, row.subject if row else None, file, row.facts if row else ()))
        notes = []
        if self.table and (others := len(set(files) - set(named))):
            notes.append(f"{others} files are not in the table: no facts, each taken as one person")
        if absent:
            notes.append(f"{len(absent)} files of the table are not there: {', '.join(absent[:5])}"[:200])
        return Plan(items, (table.label_set,) if table.label_set else (), absent=len(absent), notes=tuple(notes))

    def read(self, path: Path, items: Sequence[Item]) -> Iterator[Record | EinthovenError]:
        """The recording of each item, or the error of its file."""
        mapping = formats.Mapping(self.rate, self.unit, self.lead, self.column, strict=False)
        return records(path, items, mapping)


def _named(
    rows: Sequence[_table.Row], path: Path, here: set[str], table: Path
) -> tuple[dict[str, _table.Row], list[str]]:
    """Rows by the recording that they mean, and the files that are not there.

    A recording may go by its name without suffix, and a WFDB record by its signal file.
    """
    by_stem: dict[str, list[str]] = {}
    for file in sorted(here):
        by_stem.setdefault(_stem(file), []).append(file)
    named: dict[str, _table.Row] = {}
    absent: list[str] = []
    for row in rows:
        meant = os.path.normpath(row.file).replace("\\", "/")
        if meant not in here:
            same = by_stem.get(_stem(meant) if meant.endswith((".dat", ".mat")) else meant, [])
            meant = same[0] if len(same) == 1 else meant
        if meant in named:
            raise SourceError(
                table, f"row {row.number}, column 'file' is wrong", expected="each file once",
                got=f"{row.file}, as in row {named[meant].number}", fix="keep one of the rows", reason="cell",
            )  # fmt: skip
        if meant in here or (path / meant).is_file():
            named[meant] = row
        else:
            absent.append(row.file)
    return named, absent


def _stem(file: str) -> str:
    """The path without its suffix."""
    return os.path.splitext(file)[0]
