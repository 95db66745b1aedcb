"""PhysioNet/CinC Challenge 2011, set a: 12-lead ECGs of 10 s by mobile telephone, acceptable or not.

| | |
| --- | --- |
| files | `set-a/NNNNNNN.txt`: no heading; a sample number, then 12 leads in microvolts, 500 Hz (not stated there) |
| leads | I II III aVR **aVF aVL** V1-V6, as the algebra of the limb leads shows |
| labels | `quality` is `acceptable` or `unacceptable`; two of the whole set are undecided and have none |
| subjects | none are named |
| defects | many of the unacceptable recordings are one and the same file (nothing connected): count distinct ones |
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from einthoven.core.errors import EinthovenError, SourceError
from einthoven.core.facts import Label, LabelSet
from einthoven.core.record import Record
from einthoven.formats import Mapping
from einthoven.sources._files import records, text_of
from einthoven.sources._item import Item, Plan

_CODES = ("acceptable", "unacceptable")
_LAYOUT = Mapping(
    rate=500, unit="uV", lead="I,II,III,aVR,aVF,aVL,V1,V2,V3,V4,V5,V6",
    column=",".join(str(column) for column in range(2, 14)),
)  # fmt: skip


class Challenge2011:
    """The training part of Challenge 2011: `RECORDS-acceptable` and `RECORDS-unacceptable` beside or in `set-a`."""

    family = "Challenge 2011"
    licence = "ODC-By 1.0"
    citation = "Silva et al., Improving the quality of ECGs collected using mobile phones, CinC 38 (2011) 273-276"
    version = "1.0.0"

    def plan(self, path: Path) -> Plan:
        """The recordings that are there as text, in order of their names; listed ones that are not are counted.

        Raises:
            SourceError: a list is missing, or a recording is in both.
        """
        place = path if (path / f"RECORDS-{_CODES[0]}").exists() else path / "set-a"
        quality: dict[str, str] = {}
        for code in _CODES:
            table = place / f"RECORDS-{code}"
            for key in text_of(table, "the list").split():
                if key in quality:
                    raise SourceError(
                        table, f"{key} is listed twice", expected="one judgement a recording",
                        fix="use the lists as published", reason="table",
                    )  # fmt: skip
                quality[key] = code
        files = {file.stem: file for file in sorted((path / "set-a").glob("*.txt"))}
        items = [
            Item(key, None, file.relative_to(path).as_posix(), _labels(quality, key)) for key, file in files.items()
        ]
        notes = ("no person is named: repeat contributors cannot be found, so every estimate is an upper bound",)
        sets = (LabelSet("quality", "Challenge 2011", _CODES, exclusive=True),)
        return Plan(items, sets, absent=len(set(quality) - set(files)), notes=notes)

    def read(self, path: Path, items: Sequence[Item]) -> Iterator[Record | EinthovenError]:
        """The recording of each item, or the error of its file."""
        return records(path, items, _LAYOUT)


def _labels(quality: dict[str, str], key: str) -> tuple[Label, ...]:
    return (Label("quality", quality[key]),) if key in quality else ()
