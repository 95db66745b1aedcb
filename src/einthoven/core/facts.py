"""What is known about a recording, one dataclass a kind; the fields are the columns of `facts/KIND.parquet`.

A Fact that is not known is not there: no zero, no empty string stands for missing. Names are dotted and lower case
(`age`, `report`, `truth.axis`); `truth.*` are for evaluation only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np


@dataclass(frozen=True, slots=True)
class Label:
    """One diagnosis, finding or class in a label set.

    `present` 1 or 0; a code of a closed set that a recording does not carry needs no row (see `LabelSet`).
    `likelihood` is in percent where the source states one (PTB-XL: 0 means "not stated", not "absent").
    """

    kind: ClassVar[str] = "labels"
    name: str
    code: str
    present: float = 1.0
    likelihood: float | None = None


@dataclass(frozen=True, slots=True)
class Value:
    """A number with its unit (`""` for pure numbers and scores)."""

    kind: ClassVar[str] = "value"
    name: str
    value: float
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Category:
    """One word out of a few: sex, device, site of the heart's axis."""

    kind: ClassVar[str] = "category"
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Text:
    """A report or a note."""

    kind: ClassVar[str] = "text"
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something at one sample of the recording, in the recording's own rate; lead `""` where it concerns all."""

    kind: ClassVar[str] = "events"
    name: str
    lead: str
    sample: int
    event: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened to the subject: time from the recording in days, observed 1 or censored 0."""

    kind: ClassVar[str] = "outcome"
    name: str
    time: float
    observed: float


@dataclass(frozen=True, slots=True)
class TableItem:
    """A laboratory value, vital sign or biometric. Times are in hours from the recording (before it: negative)."""

    kind: ClassVar[str] = "table"
    name: str
    value: float
    unit: str
    time: float | None = None
    known_at: float | None = None
    low: float | None = None
    high: float | None = None


WAVE_COLUMNS = tuple(f"{wave}_{part}" for wave in ("p", "qrs", "t") for part in ("on", "peak", "off"))


@dataclass(frozen=True, slots=True, eq=False)
class Waves:
    """Limits of the waves of one recording, columnar: one row a beat and lead; -1 where a wave is absent.

    `columns` holds `lead` (str), `beat` (int32), `label` (str: N, V, S, paced, ...) and the int32 sample numbers
    `p_on p_peak p_off qrs_on ... t_off`, all of one length, in the recording's own rate.
    """

    kind: ClassVar[str] = "waves"
    name: str
    columns: dict[str, np.ndarray] = field(default_factory=dict)


Fact = Label | Value | Category | Text | Event | Outcome | TableItem | Waves
KINDS: tuple[type, ...] = (Label, Value, Category, Text, Event, Outcome, TableItem, Waves)


@dataclass(frozen=True, slots=True)
class LabelSet:
    """The codes of one label set of a source, in column order.

    closed: a recording with any label of the set lacks every code that it does not carry, and a recording with none is
    outside the set (PTB-XL). Open: what is not stated, 1 or 0, is unknown (a person's own table).
    exclusive: exactly one code a recording (Challenge 2017).
    """

    name: str
    system: str
    codes: tuple[str, ...]
    closed: bool = True
    exclusive: bool = False
