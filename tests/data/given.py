"""A source of Records that a test has in hand, so that a cohort can be made of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from einthoven.cohort.build import build
from einthoven.cohort.store import Cohort
from einthoven.core.facts import LabelSet
from einthoven.core.record import Record
from einthoven.sources import Item, Plan


class Given:
    family = "given"
    licence = "CC0-1.0"
    citation = "made up"
    version = "1"

    records: Sequence[Record] = ()
    label_sets: Sequence[LabelSet] = ()

    def plan(self, path: Path) -> Plan:
        return Plan([Item(r.key, r.subject, "", extra=r) for r in self.records], tuple(self.label_sets))

    def read(self, path: Path, items: Sequence[Item]) -> Iterator[Record]:
        yield from (item.extra for item in items)


def cohort_of(records: Sequence[Record], folder: Path, label_sets: Sequence[LabelSet] = ()) -> Cohort:
    source = Given()
    source.records, source.label_sets = records, label_sets
    return build(source, folder, folder / "cohort", workers=1)


def wavy(leads: int, samples: int, seed: int, rate: float = 100.0) -> np.ndarray:
    """Millivolts with beats, wander and an offset, rounded to microvolts as the store does."""
    draw = np.random.default_rng(seed)
    t = np.arange(samples) / rate
    beats = np.exp(-0.5 * (((t + draw.random()) % 0.8 - 0.4) / 0.02) ** 2)
    wander = 0.3 * np.sin(2 * np.pi * 0.2 * t + draw.uniform(0, 6, (leads, 1)))
    x = draw.uniform(0.3, 1.5, (leads, 1)) * beats + wander + draw.normal(0, 0.03, (leads, samples))
    return np.round((x + draw.uniform(-1, 1, (leads, 1))) * 1000) / 1000
