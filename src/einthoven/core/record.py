"""Record: one recording as every part of the program sees it.

A Record that breaks a rule cannot be made, so nobody downstream checks again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from einthoven.core.errors import RecordError
from einthoven.core.facts import Fact
from einthoven.core.leads import Lead, order, resolve

LIMIT_MV = 32.767
"""No surface ECG comes near this: a larger one was read in the wrong unit (and would not fit int16 microvolts)."""


@dataclass(frozen=True, eq=False)
class Record:
    """One recording.

    Args:
        key: name of the recording within its source or folder; no patient identifier is put here by us.
        leads: names of the channels in the file's order (aliases are resolved).
        signal: potentials in millivolts, shape (leads, samples); NaN only where the source had no sample.
        rate: samples per second, above 0.
        subject: the person, None where the source does not say.
        facts: what else is known.
        site: hospital or device, for shifts and audits.

    Raises:
        RecordError: shape, rate, infinite values, no sample at all (`empty`), or beyond +-32.767 mV (`range`).
        LeadError: a lead occurs twice.
    """

    key: str
    leads: tuple[Lead, ...]
    signal: np.ndarray
    rate: float
    subject: str | None = None
    facts: tuple[Fact, ...] = ()
    site: str = ""

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "leads", resolve(self.leads, self.key))
        with np.errstate(over="ignore"):  # what float32 cannot hold is far out of range, and refused as such
            put(self, "signal", np.ascontiguousarray(self.signal, dtype=np.float32))
        put(self, "rate", float(self.rate))
        put(self, "facts", tuple(self.facts))
        self._check()

    def _check(self) -> None:
        _check_key(self.key)
        if self.signal.ndim != 2 or self.signal.shape[0] != len(self.leads) or not len(self.leads):
            raise RecordError(
                self.key, "signal and leads do not fit", expected=f"shape ({len(self.leads)}, samples)",
                got=self.signal.shape, fix="one row a lead, at least one lead", reason="shape",
            )  # fmt: skip
        if not (math.isfinite(self.rate) and self.rate > 0):
            raise RecordError(
                self.key, "rate is unusable", expected="above 0 Hz", got=self.rate,
                fix="state the rate, for example --rate 250", reason="rate",
            )  # fmt: skip
        # fmin and fmax skip NaN in one pass without a mask
        if self.signal.size == 0 or math.isnan(low := float(np.fmin.reduce(self.signal, axis=None))):
            raise RecordError(
                self.key, "holds no sample", expected="at least one sample that is not NaN",
                got=f"{self.signal.shape[1]} samples, all missing", fix="leave this file out", reason="empty",
            )  # fmt: skip
        peak = max(-low, float(np.fmax.reduce(self.signal, axis=None)))
        if peak > LIMIT_MV:
            raise RecordError(
                self.key, "amplitude is not that of an ECG", expected=f"within +-{LIMIT_MV} mV", got=f"{peak:.6g} mV",
                fix="check the unit: microvolts read as millivolts look like this; state it with --unit uV",
                reason="range",
            )  # fmt: skip

    @property
    def samples(self) -> int:
        return self.signal.shape[1]

    @property
    def seconds(self) -> float:
        return self.samples / self.rate

    def told(self, key: str, subject: str | None, facts: Iterable[Fact], site: str) -> Record:
        """The same recording under another name, with what else is known; its samples are not looked through again."""
        _check_key(key)
        record = object.__new__(Record)
        vars(record).update(vars(self), key=key, subject=subject, facts=tuple(facts), site=site)
        return record

    def sorted(self) -> Record:
        """The same recording with its leads in canonical order."""
        place = order(self.leads)
        return Record(
            self.key, tuple(self.leads[i] for i in place), self.signal[place], self.rate, self.subject, self.facts,
            self.site,
        )  # fmt: skip


def _check_key(key: str) -> None:
    if not key:
        raise RecordError("record", "has no key", expected="a name", fix="give each recording a name", reason="key")
