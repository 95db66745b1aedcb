"""The truth about a recording's waves and intervals, collected wave by wave and told as facts.

`truth.waves`: one row a beat and lead. `truth.waves.global`: one row a beat for all leads (lead ""), by the rule of
`truth.py`. Points are samples, -1 where a beat has no such wave, where it does not lie wholly within the recording, or
(in the global rows) where no lead shows it. Values are medians over beats. Letters: B recordings, K slots for beats,
L leads, C classes of beats, N waves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from einthoven.core.facts import WAVE_COLUMNS, Fact, Value, Waves
from einthoven.core.leads import STANDARD
from einthoven.simulate.dipole import qrs_class
from einthoven.simulate.rhythm import LABELS, NORMAL, Beats
from einthoven.simulate.truth import axis_degrees
from einthoven.simulate.world import World

_PLACE = {"p": slice(0, 3), "qrs": slice(3, 6), "t": slice(6, 9)}


@dataclass(eq=False)
class Marks:
    """beats as `rhythm` made them; axis (B, C) in degrees, NaN where the limb leads hardly see the QRS (below 5 % of
    its largest area in any lead); lead (B, K, L, 9) and whole (B, K, 9) int32 in the order of WAVE_COLUMNS.
    """

    beats: Beats
    axis: np.ndarray
    lead: np.ndarray
    whole: np.ndarray

    @classmethod
    def empty(cls, beats: Beats, area: np.ndarray, projection: np.ndarray) -> Marks:
        """Nothing marked yet. area (B, C, 3): integral of the QRS dipole; projection (B, 12, 3): dipole to leads."""
        shape = beats.kind.shape
        lead, whole = np.full((*shape, len(STANDARD), 9), -1, np.int32), np.full((*shape, 9), -1, np.int32)
        in_lead = area @ projection.transpose(0, 2, 1)
        axis = axis_degrees(in_lead[..., 0], in_lead[..., 1])
        seen = np.hypot(in_lead[..., 0], in_lead[..., 5]) >= 0.05 * np.abs(in_lead).max(axis=-1)
        return cls(beats, np.where(seen, axis, np.nan), lead, whole)

    def put(
        self,
        wave: str,
        b: np.ndarray,
        k: np.ndarray,
        start: np.ndarray,
        lead: np.ndarray,
        whole: np.ndarray,
        samples: int,
    ) -> None:
        """Enter N waves: window starts (N,), limits within the window per lead (N, L, 3) and for all leads (N, 3)."""
        lead, whole = lead + start[:, None, None], np.where(whole < 0, -1, whole + start[:, None])
        for marks, target in ((lead, self.lead), (whole, self.whole)):
            inside = (marks[..., 0] >= 0) & (marks[..., 2] < samples)
            target[b, k, ..., _PLACE[wave]] = np.where(inside[..., None], marks, -1)

    def heart_rate(self, b: int, world: World) -> float | None:
        """Beats a minute by the mean RR interval, as devices print it; None with fewer than two beats."""
        rr = self._rr(b, world)
        return 60 / float(rr.mean()) if len(rr) else None

    def facts(self, b: int, world: World) -> list[Fact]:
        """`truth.waves`, `truth.waves.global` and the `truth.*` values of one recording."""
        rows = np.flatnonzero((self.whole[b] >= 0).any(axis=1) | (self.lead[b] >= 0).any(axis=(1, 2)))
        labels = np.array(LABELS)[self.beats.kind[b, rows]]
        lead, whole = self.lead[b, rows], self.whole[b, rows]
        beat = np.arange(len(rows), dtype=np.int32)
        out: list[Fact] = [
            _fact("truth.waves", STANDARD, beat, labels, lead.reshape(-1, 9)),
            _fact("truth.waves.global", ("",), beat, labels, whole),
        ]
        values = self._intervals(b, rows, 1000 / world.rate)
        if len(rr := self._rr(b, world)):
            values |= {"hr": (60 / float(np.median(rr)), "1/min"), "hr_mean": (60 / float(rr.mean()), "1/min")}
        return out + [Value(f"truth.{name}", *value) for name, value in values.items()]

    def _rr(self, b: int, world: World) -> np.ndarray:
        """Intervals in seconds between the QRS complexes that begin within the recording."""
        qrs = self.beats.qrs[b]
        return np.diff(np.sort(qrs[(qrs >= 0) & (qrs < world.seconds)]))

    def _intervals(self, b: int, rows: np.ndarray, ms: float) -> dict[str, tuple[float, str]]:
        """Medians over the normal beats, or over all where none is normal; what is not defined is not there."""
        kind = self.beats.kind[b, rows]
        own = rows[kind == NORMAL] if (kind == NORMAL).any() else rows
        marks = self.whole[b, own]
        out = {}
        for name, first, last in (("p_duration", 0, 2), ("pr", 0, 3), ("qrs", 3, 5), ("qt", 3, 8)):
            both = marks[(marks[:, first] >= 0) & (marks[:, last] >= 0)]
            if len(both):
                out[name] = (float(np.median(both[:, last] - both[:, first])) * ms, "ms")
        classes = qrs_class(self.beats.kind[b, own])
        if len(own) and np.isfinite(axis := self.axis[b, np.bincount(classes).argmax()]):
            out["axis"] = (float(axis), "deg")
        return out


def _fact(name: str, leads: tuple[str, ...], beat: np.ndarray, labels: np.ndarray, marks: np.ndarray) -> Waves:
    columns: dict[str, np.ndarray] = {
        "lead": np.tile(np.array(leads), len(beat)),
        "beat": np.repeat(beat, len(leads)),
        "label": np.repeat(labels, len(leads)),
    }
    return Waves(name, columns | {column: marks[:, i].copy() for i, column in enumerate(WAVE_COLUMNS)})
