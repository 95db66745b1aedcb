"""PhysioNet/CinC Challenge 2021, its training set: 88,253 12-lead ECGs from eight sources, with SNOMED CT codes.

| | |
| --- | --- |
| files | `A0001.hea`, `A0001.mat`, ... in folders such as `georgia/g1`; `# Age`, `# Sex`, `# Dx` as comments |
| signal | I II III aVR aVL aVF V1-V6, mostly 500 Hz and 10 s; `ptb` 1000 Hz, `st_petersburg_incart` 257 Hz and 30 min |
| labels | `scored`: the 26 classes; `pvc-merged`: with ventricular ectopics as PVC; `snomed`: all 133 codes |
| source | by the name: A cpsc_2018, Q cpsc_2018_extra, E georgia, HR ptb-xl, I st_petersburg_incart, S0001-S0549 ptb, |
| | JS up to 10646 chapman_shaoxing, above it ningbo; it is the site and the category `source` |
| subjects | none are stated. HRnnnnn is `ecg_id` nnnnn of PTB-XL 1.0.1: the table of 1.0.3 says person and fold; |
| | Innnn is recording nn of INCART, of 32 persons; `ptb` has several of a person and does not say which |
| split | all is training data (validation and test were never published): `split` is `train`, but nothing for |
| | PTB-XL's folds 9 and 10 and `ptb-xl` of unknown fold; `official` tests nobody: take folds or halves |
| defects | S23074 is JS23074; E07509 = E07510; 38 of `ptb-xl` are copies; 1,531, mostly `ningbo`, have leads of |
| | zeros; an age of 300 stands for over 89; headers of the first release state gains that were corrected |
| | later (200 and 4880 are 1000/mV): read as stated, with the category `gain` = `first release` |

Identity as in vlbthambawita/ECGBench (`physionet-cinc-challenge-2021.md`); INCART's persons as its own headers number
them, each with recordings in a row.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from einthoven.core.errors import EinthovenError, SourceError
from einthoven.core.facts import Category, Fact, Label, Text, Value
from einthoven.core.record import Record
from einthoven.formats import Mapping, _wfdb_header
from einthoven.signal import gaps
from einthoven.signal.resampling import ratio, resample
from einthoven.sources import _snomed
from einthoven.sources._files import records, text_of
from einthoven.sources._item import Item, Plan

Part = Literal[
    "cpsc_2018", "cpsc_2018_extra", "st_petersburg_incart", "ptb", "ptb-xl", "georgia", "chapman_shaoxing", "ningbo"
]

_NAME = re.compile(r"(JS|HR|[AQISE])([0-9]{4,5})")
_PARTS: dict[str, Part] = {
    "A4": "cpsc_2018", "Q4": "cpsc_2018_extra", "I4": "st_petersburg_incart", "S4": "ptb", "HR5": "ptb-xl",
    "E5": "georgia",
}  # fmt: skip
_LAST_CHAPMAN = 10646
_RENAMED = {"S23074": "JS23074"}
_FAMILIES: dict[Part, str] = {
    "cpsc_2018": "CPSC 2018", "cpsc_2018_extra": "CPSC 2018", "st_petersburg_incart": "INCART", "ptb": "PTBDB",
    "ptb-xl": "PTB-XL", "georgia": "Georgia", "chapman_shaoxing": "Chapman-Ningbo", "ningbo": "Chapman-Ningbo",
}  # fmt: skip
_INCART = (
    2, 3, 2, 1, 3, 3, 1, 2, 2, 3, 2, 2, 2, 4, 2, 3, 2, 2, 2, 3, 2, 2, 3, 3, 2, 3, 3, 3, 2, 2, 2, 2,
)  # fmt: skip
"""Recordings of each of INCART's 32 persons, in a row."""
_TABLE = "ptbxl_database.csv"
_HEADER_BYTES = 24
_FIRST_GAINS: dict[str, float] = {"ptb-xl": 200, "georgia": 4880, "ptb": 2_000_000}
_UNKNOWN = ("", "unknown", "nan")
_TOP_AGE, _STANDS_FOR_OLDER = 89, 300


class Challenge2021:
    """The training set of Challenge 2021, whole or in part, in any folders below the given one.

    Args:
        part: only this source, as a data set of its own: its family is that of its recordings (the persons of
            `ptb-xl` are those of the source `ptbxl`), and it has no split but PTB-XL's folds.
        table: `ptbxl_database.csv` of PTB-XL 1.0.3; without it the one that lies in the folder, where there is one.
        rate: samples per second to which all recordings are brought (without folding); None leaves each as it is.
    """

    family = "Challenge 2021"
    licence = "CC BY 4.0"
    citation = (
        "Reyna et al., Will Two Do?, CinC 48 (2021), doi:10.23919/CinC53138.2021.9662687; "
        "Perez Alday et al., Physiol. Meas. 41:124003 (2020), doi:10.1088/1361-6579/abc960"
    )
    version = "1.0.3"

    def __init__(self, *, part: Part | None = None, table: str | None = None, rate: float | None = None) -> None:
        if part is not None and part not in _FAMILIES:
            raise SourceError(
                "challenge2021", "has no such part", expected=", ".join(get_args(Part)), got=part, reason="part"
            )
        if rate is not None and not 0 < rate < float("inf"):
            raise SourceError("challenge2021", "rate is unusable", expected="above 0 Hz", got=rate, reason="rate")
        self.part, self.table, self.rate = part, table, rate
        self.family = _FAMILIES[part] if part else type(self).family
        self.families = None if part else sorted(set(_FAMILIES.values()))

    def plan(self, path: Path) -> Plan:
        """All headers below the folder, by name; what they say is read with the signals.

        Raises:
            SourceError: there is none, one recording is there twice, or the table is not as published.
        """
        headers = _headers(path)
        table = Path(self.table) if self.table else path / _TABLE
        people = _people(table) if self.table or table.exists() else None
        items = [_item(key, place, people, self.part is None) for key, place in sorted(headers.items())]
        items = [item for item in items if self.part in (None, item.site)]
        if not items:
            raise SourceError(
                path, "holds no recording of Challenge 2021", got=f"{len(headers)} headers",
                expected=f"A0001.hea, A0001.mat, ... of {self.part or 'any source'}",
                fix="give the folder as it was published", reason="missing",
            )  # fmt: skip
        return Plan(items, _snomed.LABEL_SETS, notes=tuple(_notes(items, people)))

    def read(self, path: Path, items: Sequence[Item]) -> Iterator[Record | EinthovenError]:
        """The recording of each item with what its header says, or the error of its file."""
        for item, record in zip(items, records(path, items, Mapping())):
            try:
                if isinstance(record, EinthovenError):
                    raise record
                header = path / item.path
                _check(item, record, header)
                facts = (*_facts(record, header), *_release(item, header))
                yield _at(record.told(item.key, item.subject, facts, item.site), self.rate)
            except EinthovenError as error:
                yield error


@dataclass(frozen=True)
class _People:
    """What PTB-XL's table says: person and fold by `ecg_id`."""

    subject: dict[int, str] = field(default_factory=dict)
    fold: dict[int, int] = field(default_factory=dict)


def _headers(path: Path) -> dict[str, str]:
    """Header of each recording, relative to `path`; hidden folders are left alone."""
    found: dict[str, str] = {}
    for place, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        relative = Path(place).relative_to(path)
        for name in sorted(files):
            if not name.endswith(".hea") or name.startswith("."):
                continue
            key = name.removesuffix(".hea")
            key, file = _RENAMED.get(key, key), (relative / name).as_posix()
            if key in found:
                raise SourceError(
                    path, f"recording {key} is there twice", expected="each once", got=f"{found[key]} and {file}",
                    fix="give the folder of one release, without copies", reason="key",
                )  # fmt: skip
            found[key] = file
    return found


def _part(key: str) -> tuple[Part, int] | None:
    """Source and number of a recording by its name, None for a name that the Challenge does not have.

    >>> _part("S0001"), _part("JS23074"), _part("00001_hr")
    (('ptb', 1), ('ningbo', 23074), None)
    """
    if not (match := _NAME.fullmatch(key)):
        return None
    letters, number = match[1], int(match[2])
    if letters == "JS" and len(match[2]) == 5:
        return ("chapman_shaoxing" if number <= _LAST_CHAPMAN else "ningbo"), number
    part = _PARTS.get(f"{letters}{len(match[2])}")
    return (part, number) if part else None


def _item(key: str, file: str, people: _People | None, whole: bool) -> Item:
    part, number = _part(key) or (None, 0)
    if part is None:
        return Item(key, None, file)
    subject, fold = None, None
    if part == "st_petersburg_incart" and 1 <= number <= sum(_INCART):
        subject = f"incart {int(np.searchsorted(np.cumsum(_INCART), number)) + 1}"
    elif part == "ptb-xl" and people:
        subject, fold = people.subject.get(number), people.fold.get(number)
    return Item(key, subject, file, _stated(part, fold, whole), part)


@cache
def _stated(part: Part, fold: int | None, whole: bool) -> tuple[Fact, ...]:
    facts: list[Fact] = [Category("source", part)]
    if fold is not None:
        facts.append(Value("strat_fold", fold))
    if whole and (part != "ptb-xl" or fold in range(1, 9)):
        facts.append(Category("split", "train"))
    return tuple(facts)


def _people(table: Path) -> _People:
    """Persons and folds of PTB-XL's table, whose numbers are written as decimals."""
    found = _People()
    for number, row in enumerate(csv.DictReader(text_of(table, "PTB-XL's table").splitlines()), 2):
        try:
            ecg, person, fold = (int(float(row[name])) for name in ("ecg_id", "patient_id", "strat_fold"))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise SourceError(
                table, f"row {number} is not as published", expected="numbers as ecg_id, patient_id and strat_fold",
                got=error, fix="use ptbxl_database.csv as published", reason="table",
            ) from error  # fmt: skip
        found.subject[ecg], found.fold[ecg] = str(person), fold
    if not found.fold:
        raise SourceError(table, "has no row", fix="use ptbxl_database.csv as published", reason="table")
    return found


def _notes(items: Sequence[Item], people: _People | None) -> Iterator[str]:
    sites = {item.site for item in items}
    if "ptb" in sites:
        yield "ptb: several recordings are of one person and nobody says which; each is taken as a person of its own"
    if {"cpsc_2018", "cpsc_2018_extra"} <= sites:
        yield "cpsc_2018 and cpsc_2018_extra may share persons: do not train on one and test on the other"
    if "ptb-xl" in sites and people is None:
        yield (
            f"ptb-xl: no {_TABLE}, so neither persons nor folds are known: do not test on PTB-XL what was trained on "
            "these (--table names it)"
        )
    elif lacking := sum(item.site == "ptb-xl" and item.subject is None for item in items):
        yield f"ptb-xl: {lacking} recordings are not in PTB-XL's table, so their folds are not known"
    if any(Category("split", "train") in item.facts for item in items):
        yield "official trains on all but PTB-XL's folds 9 and 10 and tests nobody: evaluate by folds or halves"


def _check(item: Item, record: Record, header: Path) -> None:
    """Whether this is a recording of the Challenge, and whole: a longer file than stated is another one.

    Raises:
        SourceError: it is not.
    """
    if not item.site:
        raise SourceError(
            header, "is not named as a recording of Challenge 2021", expected="such as A0001, HR00001 or JS00001",
            got=item.key, fix="read other recordings with `prepare folder`", reason="name",
        )  # fmt: skip
    data = header.with_suffix(".mat")
    wanted = _HEADER_BYTES + 2 * len(record.leads) * record.samples
    if data.exists() and (size := data.stat().st_size) != wanted:
        raise SourceError(
            header, f"{data.name} has another length", expected=f"{wanted} bytes for {record.samples} samples",
            got=f"{size} bytes", fix="copy or download it again", reason="length",
        )  # fmt: skip


def _facts(record: Record, header: Path) -> tuple[Fact, ...]:
    """The facts of a recording, with what the comments of its header say.

    Raises:
        SourceError: a code that the Challenge does not have.
    """
    facts: list[Fact] = []
    for fact in record.facts:
        if isinstance(fact, Text) and fact.name == "comments":
            facts += _commented(fact.text, header)
        elif isinstance(fact, Value) and fact.name == "age" and fact.value == _STANDS_FOR_OLDER:
            facts += [Value("age", _TOP_AGE + 1, "years"), Category("age.top", f"over {_TOP_AGE}")]
        else:
            facts.append(fact)
    return tuple(facts)


def _release(item: Item, header: Path) -> tuple[Fact, ...]:
    """Whether the header is of the first release, by its gain."""
    gains = {channel.gain for channel in _wfdb_header.read(header).channels}
    return (Category("gain", "first release"),) if _FIRST_GAINS.get(item.site) in gains else ()


def _commented(text: str, header: Path) -> list[Fact]:
    """Labels out of `Dx: 164889003,59118001`, and the text of what says anything else (`Rx`, `Hx`, `Sx`)."""
    found: list[Fact] = []
    rest = []
    for line in text.splitlines():
        name, _, said = (word.strip() for word in line.partition(":"))
        if name.lower() == "dx":
            found += _labels(said, header)
        elif name.lower() not in ("age", "sex") and said.lower() not in _UNKNOWN:
            rest.append(line)
    return [*found, Text("comments", "\n".join(rest))] if rest else found


def _labels(said: str, header: Path) -> tuple[Label, ...]:
    codes = [code for word in said.split(",") if (code := word.strip()).lower() not in _UNKNOWN]
    if unknown := [code for code in codes if code not in _snomed.ABBREVIATIONS]:
        raise SourceError(
            header, f"Dx has the code '{unknown[0][:20]}'", expected="one of the 133 of dx_mapping_*.csv",
            fix="correct the header, or take the recording out", reason="label",
        )  # fmt: skip
    return _told(tuple(codes))


@cache
def _told(codes: tuple[str, ...]) -> tuple[Label, ...]:
    """The labels of codes that occur many times: one object for all of them."""
    return _snomed.labels(codes)


def _at(record: Record, rate: float | None) -> Record:
    """The recording at another rate; a sample is lost where a neighbour of it was."""
    if rate is None or rate == record.rate:
        return record
    share = ratio(record.rate, rate)
    filled, valid_LT = gaps.fill(record.signal)
    signal_LU = resample(gaps.bridge(filled, valid_LT), record.rate, rate)
    if not valid_LT.all():
        at_U = np.arange(signal_LU.shape[1]) / float(share)
        last = record.samples - 1
        near = valid_LT[:, np.floor(at_U).astype(int)] & valid_LT[:, np.minimum(np.ceil(at_U).astype(int), last)]
        signal_LU = np.where(near, signal_LU, np.nan)
    return Record(record.key, record.leads, signal_LU, rate, record.subject, record.facts, record.site)
