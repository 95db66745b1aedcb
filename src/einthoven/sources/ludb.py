"""LUDB 1.0.1: 200 12-lead ECGs of 10 s with onset, peak and offset of each P, QRS and T, lead by lead.

| | |
| --- | --- |
| leads | i ii iii avr avl avf v1-v6, 500 Hz, a gain and a baseline of its own for every lead |
| marks | `reference.waves`: each lead was marked by itself; one annotation file a lead (`1.i` ... `1.v6`) |
| labels | `statement`: what `ludb.csv` says, in its words; the rhythm also as the category `rhythm` |
| ages | `>89` is given as 90 years with the category `age.top` = `over 89` |
| subjects | one recording a person |
| defects | the first and last beats are often not marked; some marks lack one end of a wave |
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from einthoven.core.errors import EinthovenError, SourceError
from einthoven.core.facts import Category, Fact, Label, LabelSet, Text, Value
from einthoven.core.leads import STANDARD
from einthoven.core.record import Record
from einthoven.formats import Mapping, _wfdb_annotations
from einthoven.sources import _marks
from einthoven.sources._files import records, text_of
from einthoven.sources._item import Item, Plan

_STATED = (
    "Rhythms", "Electric axis of the heart", "Conduction abnormalities", "Extrasystolies", "Hypertrophies",
    "Cardiac pacing", "Ischemia", "Non-specific repolarization abnormalities", "Other states",
)  # fmt: skip
_SEXES = {"M": "male", "F": "female"}
_TOP_AGE = 89


class Ludb:
    """LUDB in its published layout: `ludb.csv` beside the folder `data`."""

    family = "LUDB"
    licence = "ODC-By 1.0"
    citation = "Kalyakulina et al., LUDB, IEEE Access 8 (2020), doi:10.1109/ACCESS.2020.3029211"
    version = "1.0.1"

    def plan(self, path: Path) -> Plan:
        """The recordings of the table whose header is there; other rows are counted.

        Raises:
            SourceError: `ludb.csv` is not there, or not as published.
        """
        table = path / "ludb.csv"
        rows = list(csv.DictReader(io.StringIO(text_of(table, "the table"), newline="")))
        if not rows or (lacking := [column for column in ("ID", "Sex", "Age", *_STATED) if column not in rows[0]]):
            raise SourceError(
                table, "is not the table of LUDB", expected="a row a recording, with ID, Sex, Age and the statements",
                got=f"no column {', '.join(lacking)}" if rows else "no row", fix="use ludb.csv as published",
                reason="table",
            )  # fmt: skip
        items, codes = [], set()
        for number, row in enumerate(rows, 1):
            key = (row["ID"] or "").strip()
            if not key.isdecimal():
                raise SourceError(
                    table, f"recording {number} has no number", expected="an ID", got=key[:20],
                    fix="use ludb.csv as published", reason="table",
                )  # fmt: skip
            facts = _facts({name: (cell or "").strip() for name, cell in row.items() if isinstance(name, str)})
            codes |= {fact.code for fact in facts if isinstance(fact, Label)}
            if (path / "data" / f"{key}.hea").is_file():
                items.append(Item(key, key, f"data/{key}.hea", facts))
        sets = (LabelSet("statement", "LUDB", tuple(sorted(codes))),)
        return Plan(items, sets, absent=len(rows) - len(items), notes=("waves were marked by hand in each lead",))

    def read(self, path: Path, items: Sequence[Item]) -> Iterator[Record | EinthovenError]:
        """The recording of each item with its marks, or the error of a file of it."""
        for item, record in zip(items, records(path, items, Mapping())):
            try:
                yield record if isinstance(record, EinthovenError) else _marked(record, path / item.path)
            except EinthovenError as error:
                yield error


def _marked(record: Record, header: Path) -> Record:
    marks = {lead: _wfdb_annotations.read(header.with_suffix(f".{lead.lower()}")) for lead in STANDARD}
    facts = (*record.facts, _marks.waves("reference.waves", marks, record.rate))
    return record.told(record.key, record.subject, facts, record.site)


def _facts(row: dict[str, str]) -> tuple[Fact, ...]:
    """What one row says; a cell holds one statement a line."""
    facts: list[Fact] = []
    age = row["Age"]
    if age.startswith(">"):
        facts += [Value("age", _TOP_AGE + 1, "years"), Category("age.top", f"over {_TOP_AGE}")]
    elif age.isdecimal():
        facts.append(Value("age", float(age), "years"))
    if row["Sex"] in _SEXES:
        facts.append(Category("sex", _SEXES[row["Sex"]]))
    said = {column: [line.strip() for line in row[column].splitlines() if line.strip()] for column in _STATED}
    facts += [Category("rhythm", rhythm) for rhythm in said["Rhythms"][:1]]
    lines = list(dict.fromkeys(line for lines in said.values() for line in lines))
    facts += [Label("statement", line) for line in lines]
    if lines:
        facts.append(Text("report", "\n".join(lines)))
    return tuple(facts)
