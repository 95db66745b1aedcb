"""MIT-BIH Arrhythmia Database 1.0.0: 48 half-hour two-lead ambulatory ECGs, each beat labelled by cardiologists.

| | |
| --- | --- |
| leads | mostly MLII and V1; 114 has V5 first; 360 Hz, 200/mV |
| beats | `beats`: one event a heartbeat, its symbol N L R B A a J S V r F e j n E / f Q ? |
| rhythm | `rhythm`: one event where it changes, such as `AFIB`, `N`, `VT` |
| marks | `marks`: what is neither, such as `~` (change of quality), `[ ! ]` (ventricular flutter), `|` (artefact) |
| subjects | one recording a person, but 201 and 202 are of one |
| defects | 207 holds ventricular flutter whose beats are not labelled; headers end their lines with CR LF |
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from einthoven.core.errors import EinthovenError, SourceError
from einthoven.core.facts import Category, Event, Fact, Text, Value
from einthoven.core.record import Record
from einthoven.formats import Mapping, _wfdb_annotations
from einthoven.sources._files import records
from einthoven.sources._item import Item, Plan
from einthoven.sources._parents import SAME_PERSON

_PERSON = re.compile(r"^\s*(\d{1,3}|-1)\s+([MF])\s", re.MULTILINE)


class Mitdb:
    """The MIT-BIH Arrhythmia Database: `100.hea`, `100.dat`, `100.atr`, ... in one folder."""

    family = "PhysioBank ambulatory"
    licence = "ODC-By 1.0"
    citation = "Moody and Mark, IEEE Engineering in Medicine and Biology 20(3):45-50 (2001), doi:10.1109/51.932724"
    version = "1.0.0"

    def plan(self, path: Path) -> Plan:
        """The recordings that have annotations.

        Raises:
            SourceError: there is none.
        """
        headers = sorted(path.glob("*.hea"))
        items = [
            Item(header.stem, f"mitdb {SAME_PERSON.get(('mitdb', header.stem), header.stem)}", header.name)
            for header in headers if header.with_suffix(".atr").is_file()
        ]  # fmt: skip
        if not items:
            raise SourceError(
                path, "holds no recording with labelled beats", expected="100.hea, 100.dat, 100.atr, ...",
                got=f"{len(headers)} headers", fix="give the folder as it was published", reason="missing",
            )  # fmt: skip
        return Plan(items, (), absent=len(headers) - len(items))

    def read(self, path: Path, items: Sequence[Item]) -> Iterator[Record | EinthovenError]:
        """The recording of each item with its annotations, or the error of a file of it."""
        for item, record in zip(items, records(path, items, Mapping())):
            try:
                yield record if isinstance(record, EinthovenError) else _annotated(record, path / item.path)
            except EinthovenError as error:
                yield error


def _annotated(record: Record, header: Path) -> Record:
    found = _wfdb_annotations.read(header.with_suffix(".atr"))
    facts: list[Fact] = [*record.facts, *_person(record.facts)]
    for sample, symbol, note in zip(found.sample.tolist(), found.symbol, found.note):
        if symbol in _wfdb_annotations.BEATS:
            facts.append(Event("beats", "", sample, symbol))
        elif symbol == "+":
            facts.append(Event("rhythm", "", sample, note.lstrip("(")))
        else:
            facts.append(Event("marks", "", sample, symbol))
    return record.told(record.key, record.subject, facts, record.site)


def _person(facts: Sequence[Fact]) -> list[Fact]:
    """Age and sex as the first comment has them: `69 M 1085 1629 x1`."""
    text = next((fact.text for fact in facts if isinstance(fact, Text) and fact.name == "comments"), "")
    if not (match := _PERSON.search(text)):
        return []
    sex = Category("sex", {"M": "male", "F": "female"}[match[2]])
    return [sex] if match[1] == "-1" else [Value("age", float(match[1]), "years"), sex]
