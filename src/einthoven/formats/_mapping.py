"""Mapping: what a file does not state itself, said by the user. Shared by all formats.

A number without unit, rate or name is asked for, never guessed; what a file states is never overridden.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from einthoven.core.errors import FormatError
from einthoven.core.leads import UNKNOWN, Lead, resolve

MOST_VALUES = 1 << 29
"""Samples times leads of one recording: a day of 12 leads at 500 Hz. A header that states more is refused."""

_MILLIVOLTS = {"v": 1e3, "mv": 1.0, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "microv": 1e-3, "microvolt": 1e-3, "nv": 1e-6,
               "millivolt": 1.0, "volt": 1e3}  # fmt: skip
_COUNTS = re.compile(r"^\s*([0-9.]+(?:e[+-]?[0-9]+)?)\s*/\s*(.+)$", re.IGNORECASE)


@dataclass(frozen=True)
class Mapping:
    """What the files do not state.

    Args:
        rate: samples per second.
        unit: `mV`, `uV`, `V`, `nV`, or counts a unit such as `200/mV`.
        lead: the name of an unnamed single channel, or the one lead to keep where a file has several; several names
            separated by commas name all unnamed channels in order.
        column: in tables, the column with the signal by its heading or its number from 1; several with commas.
        strict: a file that states something else is refused. False for folders, where the mapping is meant for those
            files that state nothing.
    """

    rate: float | None = None
    unit: str | None = None
    lead: str | None = None
    column: str | None = None
    strict: bool = True

    def rate_of(self, stated: float | None, where: Path) -> float:
        """The rate in hertz: what the file states, else what the mapping says."""
        if stated is None:
            if self.rate is None:
                raise FormatError(
                    where, "does not state its rate", expected="samples per second",
                    fix="say it, for example --rate 250", reason="rate",
                )  # fmt: skip
            return self.rate
        if self.strict and self.rate is not None and abs(stated - self.rate) > 1e-6 * stated:
            raise FormatError(
                where, "states another rate", expected=f"{self.rate:g} Hz as asked for", got=f"{stated:g} Hz",
                fix="leave --rate out: a stated rate is never overridden", reason="contradiction",
            )  # fmt: skip
        return stated

    def millivolts_of(self, stated: float | None, where: Path, what: str = "the file") -> float:
        """Millivolts that one number of a channel stands for: what the file states, else what the mapping says."""
        said = None if self.unit is None else millivolts(self.unit)
        if self.unit is not None and said is None:
            raise FormatError(
                "--unit", "is no unit of an ECG", expected="mV, uV, V, nV or counts such as 200/mV", got=self.unit,
                reason="unit",
            )  # fmt: skip
        if stated is None:
            if said is None:
                also = "; and --rate, if the file states none" if self.rate is None else ""
                raise FormatError(
                    where, f"{what} does not state its unit", expected="mV, uV, V, nV or counts such as 200/mV",
                    fix=f"say it, for example --unit uV or --unit 200/mV{also}", reason="unit",
                )  # fmt: skip
            return said
        if self.strict and said is not None and abs(stated - said) > 1e-6 * stated:
            raise FormatError(
                where, f"{what} states another unit", expected=f"{self.unit} as asked for", got=f"{stated:g} mV",
                fix="leave --unit out: a stated unit is never overridden", reason="contradiction",
            )  # fmt: skip
        return stated

    def leads_of(self, names: Sequence[str], where: Path) -> tuple[list[int], tuple[Lead, ...]]:
        """Which channels to take, and their names."""
        have = resolve(names, str(where))
        if self.lead is None:
            return list(range(len(have))), have
        asked = [part.strip() if part.strip() in have else Lead(part) for part in self.lead.split(",")]
        if len(asked) == len(have) and (asked == list(have) or all(name.startswith(UNKNOWN) for name in have)):
            return list(range(len(have))), resolve(asked, str(where))
        if len(asked) == 1 and asked[0] in have:
            return [have.index(asked[0])], (have[have.index(asked[0])],)
        raise FormatError(
            where, "does not have the lead asked for", expected=self.lead, got=" ".join(have) or "no lead",
            fix="ask for one of these, or name every unnamed channel in order: --lead I,II,...", reason="lead",
        )  # fmt: skip


@lru_cache(maxsize=256)  # few units occur, each very often
def millivolts(unit: str) -> float | None:
    """Millivolts that 1 stands for: `uV` 0.001, `200/mV` 0.005; None when it is no unit of a voltage.

    Capitals do not matter: in files about hearts `MV` is a millivolt, not a million volts.

    >>> millivolts("uV"), millivolts("200/mV"), millivolts("mmHg")
    (0.001, 0.005, None)
    """
    counts = _COUNTS.match(unit)
    if counts:
        whole = _MILLIVOLTS.get(counts[2].strip().lower())
        return whole / float(counts[1]) if whole and _positive(counts[1]) else None
    word = unit.strip().lower()
    return _MILLIVOLTS.get(word) or _MILLIVOLTS.get(word.removesuffix("s"))


def _positive(text: str) -> bool:
    try:
        return 0 < float(text) < float("inf")
    except ValueError:
        return False
