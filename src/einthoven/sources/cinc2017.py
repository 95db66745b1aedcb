"""PhysioNet/CinC Challenge 2017: short single-lead ECGs of a hand-held device, four classes of rhythm.

| | |
| --- | --- |
| lead | called `ECG`: `unknown` (in most recordings I, but the device can be held either way round) |
| signal | 300 Hz, 9-61 s, 1000/mV; the headers hold no checksum |
| labels | `rhythm` is REFERENCE-v3: N normal, A atrial fibrillation, O other rhythm, ~ too noisy; |
| | `rhythm-original` is the first labelling, where its table is there |
| subjects | none are named and repeat contributors cannot be found: estimates are upper bounds |
| defects | A00227 = A01176 and A02656 = A03123; the published folder `validation` repeats training recordings |
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from einthoven.core.errors import EinthovenError, SourceError
from einthoven.core.facts import Label, LabelSet
from einthoven.core.record import Record
from einthoven.formats import Mapping
from einthoven.sources._files import records, text_of
from einthoven.sources._item import Item, Plan

_CODES = ("N", "A", "O", "~")
_REPEATED = ("validation", "sample2017")


class Cinc2017:
    """The training part of Challenge 2017: `REFERENCE-v3.csv` with the recordings beside it or in folders below."""

    family = "Challenge 2017"
    licence = "ODC-By 1.0"
    citation = (
        "Clifford et al., AF Classification from a Short Single Lead ECG Recording, doi:10.22489/CinC.2017.065-469"
    )
    version = "1.0.0"

    def plan(self, path: Path) -> Plan:
        """The labelled recordings whose header is there; other rows are counted.

        Raises:
            SourceError: `REFERENCE-v3.csv` is not there, or not as published.
        """
        current = _reference(path / "REFERENCE-v3.csv")
        sets = [LabelSet("rhythm", "Challenge 2017", _CODES, exclusive=True)]
        original: dict[str, str] = {}
        if (path / "REFERENCE-original.csv").exists():
            original = _reference(path / "REFERENCE-original.csv")
            sets.append(LabelSet("rhythm-original", "Challenge 2017", _CODES, exclusive=True))
        headers = _headers(path)
        items = []
        for key, code in current.items():
            labels = [Label("rhythm", code)]
            if key in original:
                labels.append(Label("rhythm-original", original[key]))
            if key in headers:
                items.append(Item(key, None, headers[key], tuple(labels)))
        notes = ("no person is named: repeat contributors cannot be found, so every estimate is an upper bound",)
        return Plan(items, tuple(sets), absent=len(current) - len(items), notes=notes)

    def read(self, path: Path, items: Sequence[Item]) -> Iterator[Record | EinthovenError]:
        """The recording of each item, or the error of its file."""
        return records(path, items, Mapping())


def _reference(table: Path) -> dict[str, str]:
    """Label by recording."""
    found: dict[str, str] = {}
    for number, row in enumerate(csv.reader(text_of(table, "the labels").splitlines()), 1):
        if row and (len(row) != 2 or row[1] not in _CODES or row[0] in found):
            raise SourceError(
                table, f"row {number} is not as published", expected="a new recording and one of N A O ~",
                got=",".join(row)[:60], fix="use the table as published", reason="table",
            )  # fmt: skip
        if row:
            found[row[0]] = row[1]
    return found


def _headers(path: Path) -> dict[str, str]:
    """Header of each recording, relative to `path`."""
    found: dict[str, str] = {}
    for place, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if name not in _REPEATED and not name.startswith("."))
        relative = Path(place).relative_to(path)
        for name in sorted(files):
            if name.endswith(".hea"):
                found.setdefault(name.removesuffix(".hea"), (relative / name).as_posix())
    return found
