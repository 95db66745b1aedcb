"""Item and Plan: what a source says from its tables, before any signal is read.

A source plans first and reads afterwards, so that a build can be cut into pieces, resumed, and counted in advance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from einthoven.core.facts import Fact, LabelSet


@dataclass(frozen=True)
class Item:
    """One recording that a source has, and what its tables say about it.

    key: name within the source. subject: the person; None means "assumed one record per person".
    path: file relative to the source's folder, `""` where there is none (simulated). facts: from the tables.
    site: hospital or device. extra: whatever the source's own `read` needs.
    """

    key: str
    subject: str | None
    path: str
    facts: tuple[Fact, ...] = ()
    site: str = ""
    extra: Any = None


@dataclass(frozen=True)
class Plan:
    """All recordings of a source in their fixed order.

    label_sets: codes in column order. absent: rows of the table whose signal is not there. notes: one line each, for
    the cohort's card.
    """

    items: Sequence[Item]
    label_sets: tuple[LabelSet, ...]
    absent: int = 0
    notes: tuple[str, ...] = ()
