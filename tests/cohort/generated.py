"""A source that needs no files: recordings of any shape, with every kind of fact, some of them damaged or doubled."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from einthoven.core.errors import EinthovenError, FormatError
from einthoven.core.facts import (
    WAVE_COLUMNS,
    Category,
    Event,
    Fact,
    Label,
    LabelSet,
    Outcome,
    TableItem,
    Text,
    Value,
    Waves,
)
from einthoven.core.leads import STANDARD, pick
from einthoven.core.record import Record
from einthoven.sources import Item, Plan

RATES, WIDTHS = (100.0, 250.0, 500.0), (1, 2, 12)
RHYTHMS = ("AF", "SR", "VT")


class Generated:
    """`records` recordings of 2 to 4 s; recording i has WIDTHS[i % 3] leads and belongs to person i // 2.

    Every 11th is damaged, and with `doubled` recording 7 has the samples of recording 1 under another person's name.
    """

    family = "generated"
    licence = "CC0-1.0"
    citation = "made up"
    version = "1"

    def __init__(self, *, records: int = 60, seed: int = 0, doubled: bool = False, named: bool = True) -> None:
        self.records, self.seed, self.doubled, self.named = records, seed, doubled, named

    def plan(self, path: Path) -> Plan:
        items = [
            Item(f"r{i:05d}", f"p{i // 2:04d}" if self.named else None, f"files/r{i:05d}", extra=i)
            for i in range(self.records)
        ]
        return Plan(items, (LabelSet("rhythm", "made up", RHYTHMS, exclusive=True),), absent=3, notes=("a note",))

    def read(self, path: Path, items: Sequence[Item]) -> Iterator[Record | EinthovenError]:
        for item in items:
            if item.extra % 11 == 10:
                yield FormatError(item.path, "is cut short", expected=10, got=3, reason="truncated")
                continue
            yield Record(
                item.key, STANDARD[: self.width(item.extra)], self.signal(item.extra), RATES[item.extra % 3],
                item.subject, tuple(self.facts(item.extra)), site=f"site {item.extra % 2}",
            )  # fmt: skip

    def width(self, i: int) -> int:
        return WIDTHS[i % 3]

    def signal(self, i: int) -> np.ndarray:
        """Millivolts that are whole microvolts, with a gap in every fifth recording."""
        if self.doubled and i == 7:
            i = 1
        generator = np.random.default_rng([self.seed, i])
        samples = int(RATES[i % 3] * generator.uniform(2, 4))
        microvolts = generator.integers(-2000, 2000, (self.width(i), samples))
        signal = (microvolts / 1000).astype(np.float32)
        if i % 5 == 0:
            signal[0, 10:20] = np.nan
        return signal

    def facts(self, i: int) -> Iterator[Fact]:
        yield Label("rhythm", RHYTHMS[i % 7 % 3], likelihood=None if i % 2 else 80.0)
        yield Label("finding", "ST up", present=float(i % 2))
        yield Value("age", 20.0 + i % 70, "a")
        yield Category("sex", "male" if i % 2 else "female")
        yield Text("report", f"recording {i}, µV and more")
        yield Event("beat", "", 30 + i, "N")
        yield Outcome("death", 100.0 + i, float(i % 2))
        yield TableItem("potassium", 4.0 + i % 3, "mmol/l", time=-1.0, high=5.1)
        beats = 1 + i % 3
        marks = {name: np.arange(beats) * 100 + place for place, name in enumerate(WAVE_COLUMNS)}
        yield Waves(
            "truth.waves",
            {"lead": np.array(["I"] * beats), "beat": np.arange(beats), "label": np.array(["N"] * beats), **marks},
        )


class Deadly(Generated):
    """Ends the process that reads it, as a system does that is out of memory."""

    def read(self, path: Path, items: Sequence[Item]) -> Iterator[Record | EinthovenError]:
        os.kill(os.getpid(), signal.SIGKILL)
        return super().read(path, items)


class Few:
    """Exactly these recordings, called k0, k1, ..."""

    family, licence, citation, version = "few", "CC0-1.0", "made up", "1"

    def __init__(self) -> None:
        self.given: tuple[Record | EinthovenError, ...] = ()

    def plan(self, path: Path) -> Plan:
        items = [
            Item(f"k{i}", record.subject if isinstance(record, Record) else None, "", extra=i)
            for i, record in enumerate(self.given)
        ]
        return Plan(items, ())

    def read(self, path: Path, items: Sequence[Item]) -> Iterator[Record | EinthovenError]:
        return (self.given[item.extra] for item in items)


def few(*given: Record | EinthovenError) -> Few:
    source = Few()
    source.given = given
    return source


def ecg(
    seed: int = 0,
    leads: Sequence[str] = ("I",),
    *,
    seconds: float = 6.0,
    rate: float = 100,
    subject: str | None = None,
    facts: Sequence[Fact] = (),
) -> Record:
    """Smooth waves of about 1 mV in whole microvolts; the limb leads among the leads agree with each other."""
    draw = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    waves = [sum(np.sin(2 * np.pi * (f * time + draw.uniform())) / 2 for f in (1.1, 3.7, 7.3)) for _ in leads]
    weights = pick(("I", "II"), leads)[0]
    limb = weights @ np.array([waves[0], waves[-1]])
    signal = np.where(weights.any(axis=1)[:, None], limb, waves)
    return Record("x", leads, np.round(signal, 3), rate, subject, tuple(facts))
