"""What can be said about one recording without a model: its shape, its range, and what is odd about it.

L leads, T samples. An odd recording is a warning, never a refusal: the person knows more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from einthoven.core.facts import Category, Fact, Value
from einthoven.core.leads import KNOWN, UNKNOWN
from einthoven.core.record import Record

SLOW_HZ = 50
"""Below this rate a QRS complex of 80 ms has fewer than four samples."""
LARGE_MV, SMALL_MV = 10.0, 0.1
"""The largest range of a lead is mostly within these; outside, the unit or the contact is in doubt."""
UNIT = "is the unit right?"
_RAIL_SHARE, _RAIL_RUN = 0.01, 5


@dataclass(frozen=True)
class Findings:
    """One recording. range_mv: largest minus smallest value, missing: share of lost samples, of each lead."""

    leads: tuple[str, ...]
    rate: float
    samples: int
    seconds: float
    range_mv: dict[str, float]
    missing: dict[str, float]
    flat: tuple[str, ...]
    clipped: tuple[str, ...]
    facts: tuple[str, ...]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def look_at(record: Record) -> Findings:
    """Everything that is said about one recording."""
    signal_LT, leads = record.signal, [str(lead) for lead in record.leads]
    low_L = np.fmin.reduce(signal_LT, axis=1)
    span_L = np.fmax.reduce(signal_LT, axis=1) - low_L  # NaN where every sample is lost
    lost_L = np.isnan(signal_LT).mean(axis=1)
    span = _spans(leads, span_L)
    missing = {lead: round(float(share), 4) for lead, share in zip(leads, lost_L) if share}
    flat = tuple(lead for lead, width in zip(leads, span_L) if width == 0)
    clipped = tuple(
        lead for lead, row_T, low, width in zip(leads, signal_LT, low_L, span_L)
        if width > 0 and (_at_rail(row_T == low) or _at_rail(row_T == np.fmax.reduce(row_T)))
    )  # fmt: skip
    return Findings(
        leads=tuple(leads), rate=record.rate, samples=record.samples, seconds=round(record.seconds, 3),
        range_mv=span, missing=missing, flat=flat, clipped=clipped, facts=tuple(map(_said, record.facts)),
        warnings=tuple(_warnings(record, span, missing, flat, clipped)),
    )  # fmt: skip


def amplitudes(record: Record) -> list[str]:
    """What is odd about how far the leads swing."""
    low_L, high_L = (of.reduce(record.signal, axis=1) for of in (np.fmin, np.fmax))
    return _amplitudes(_spans(record.leads, high_L - low_L))


def _spans(leads: Sequence[str], span_L: np.ndarray) -> dict[str, float]:
    """Three digits of each, of those that have a sample."""
    return {str(lead): float(f"{width:.3g}") for lead, width in zip(leads, span_L) if not np.isnan(width)}


def _amplitudes(span: dict[str, float]) -> list[str]:
    widest = max(span, key=lambda lead: span[lead], default="")
    if widest and span[widest] > LARGE_MV:
        return [f"amplitude: lead {widest} swings by {span[widest]:g} mV; {UNIT}"]
    if widest and 0 < span[widest] < SMALL_MV:
        return [f"amplitude: no lead swings by more than {span[widest]:g} mV; {UNIT}"]
    return []


def _at_rail(at_T: np.ndarray) -> bool:
    """Whether a lead stays at its extreme value: for five samples on end, and for one sample in a hundred."""
    if at_T.mean() < _RAIL_SHARE:
        return False
    return bool(np.convolve(at_T, np.ones(_RAIL_RUN, np.int8)).max() >= _RAIL_RUN)


def _warnings(
    record: Record, span: dict[str, float], missing: dict[str, float], flat: tuple[str, ...], clipped: tuple[str, ...]
) -> list[str]:
    """One line each, the kind of oddity before the colon."""
    found = []
    found += _amplitudes(span)
    if record.rate < SLOW_HZ:
        found.append(f"rate: {record.rate:g} Hz is too slow for the shape of a QRS complex")
    nameless = [lead for lead in record.leads if lead.startswith(UNKNOWN)]
    if nameless:
        found.append(f"lead: {len(nameless)} without a name; --lead names them")
    if odd := [lead for lead in record.leads if lead not in KNOWN and lead not in nameless]:
        found.append(f"lead: {' '.join(odd)} is none of the standard leads; models by name will not find it")
    if flat:
        found.append(f"flat: {' '.join(flat)} never changes")
    if clipped:
        found.append(f"clipped: {' '.join(clipped)} stays at its extreme value")
    if missing:
        found.append("missing: " + ", ".join(f"{lead} {100 * share:.3g} %" for lead, share in missing.items()))
    return found


def _said(fact: Fact) -> str:
    """A fact in a few words; of texts only that they are there: they may name a person."""
    if isinstance(fact, Value):
        return f"{fact.name} {fact.value:g} {fact.unit}".rstrip()
    if isinstance(fact, Category):
        return f"{fact.name} {fact.value}"
    return fact.name
