"""What the samples of a cohort say about themselves: range, gaps, flat and clipped leads, limb leads that do not agree.

`examine` reads the recordings in blocks, so that memory grows neither with the cohort nor with one long recording.
Shapes: B recordings of one kind, T samples, L leads, M limb leads; int16 microvolts as stored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from einthoven.cohort.store import MISSING, Cohort
from einthoven.core import leads as lead_names
from einthoven.core.leads import LIMB, Lead

BLOCK = 1 << 22
"""Numbers of the cohort that are in memory at a time (8 MiB, and some times that while they are worked on)."""

RAIL_SHARE, RAIL_RUN = 0.01, 5
"""A lead is clipped where it stays at its extreme value: one sample in a hundred, and five on end."""


@dataclass(frozen=True, eq=False)
class Examined:
    """leads: one row a recording and lead: `row`, `lead`, `low`, `high` (mV, null without samples), `missing` (share),
    `flat`, `clipped`. limb: by limb leads at hand, recordings (N,) and the covariance of these leads in mV^2 (N, M, M).
    damaged: recordings whose samples are not those that were prepared."""

    leads: pl.DataFrame
    limb: dict[tuple[str, ...], tuple[np.ndarray, np.ndarray]]
    damaged: list[int]


def examine(cohort: Cohort) -> Examined:
    """Look at all samples of a cohort."""
    tables: list[pl.DataFrame] = []
    limb: dict[tuple[str, ...], list[tuple[np.ndarray, np.ndarray]]] = {}
    damaged: list[int] = []
    said = cohort.index["sha256"].to_list()
    for rows, names in batches(cohort):
        look = _Look(cohort, rows, names)
        tables.append(look.table())
        damaged += [row for row, digest in zip(rows.tolist(), look.digests()) if digest != said[row]]
        if len(look.limb) > 2:
            limb.setdefault(tuple(names[i] for i in look.limb), []).append((rows, look.covariance()))
    joined = {
        names: (np.concatenate([rows for rows, _ in parts]), np.concatenate([matrix for _, matrix in parts]))
        for names, parts in limb.items()
    }
    return Examined(pl.concat(tables).sort("row", maintain_order=True), joined, sorted(damaged))


def batches(cohort: Cohort) -> Iterator[tuple[np.ndarray, tuple[str, ...]]]:
    """Recordings of one length and lead list, as many as fit in a block (at least one), with their leads."""
    kinds = cohort.index.group_by("leads", "rate", "samples", maintain_order=True).agg("row")
    for leads, _, samples, rows in kinds.iter_rows():
        names = tuple(Lead(name) for name in leads.split(" "))
        size = max(1, BLOCK // (samples * len(names)))
        for first in range(0, len(rows), size):
            yield np.array(rows[first : first + size]), names


class _Look:
    """Sums over the samples of some recordings of one kind."""

    def __init__(self, cohort: Cohort, rows: np.ndarray, names: tuple[str, ...]) -> None:
        self.cohort, self.rows, self.names = cohort, rows, names
        self.samples = int(cohort.index["samples"][int(rows[0])])
        self.limb = [names.index(lead) for lead in LIMB if lead in names]
        order = lead_names.order(names)
        hashes = [hashlib.sha256() for _ in rows]
        shape, limbs = (len(rows), len(names)), len(self.limb)
        self.low, self.high = np.full(shape, 32767, np.int16), np.full(shape, -32768, np.int16)
        self.missing = np.zeros(shape, np.int64)
        self.count = np.zeros((len(rows), 1))
        self.sum, self.product = np.zeros((len(rows), limbs)), np.zeros((len(rows), limbs, limbs))
        for block_BTL in self._blocks():
            gap_BTL = block_BTL == MISSING
            gaps = bool(gap_BTL.any())
            self.high = np.maximum(self.high, block_BTL.max(axis=1))
            lows = np.where(gap_BTL, 32767, block_BTL) if gaps else block_BTL
            self.low = np.minimum(self.low, lows.min(axis=1))
            self.missing += gap_BTL.sum(axis=1)
            if limbs > 2:
                self._add_limb(block_BTL[:, :, self.limb], gap_BTL[:, :, self.limb].any(axis=2) if gaps else None)
            for digest, block_TL in zip(hashes, block_BTL):
                digest.update(np.ascontiguousarray(block_TL[:, order]).data)
        self._hashes = hashes

    def _blocks(self) -> Iterator[np.ndarray]:
        step = max(1, BLOCK // (len(self.rows) * len(self.names)))
        for first in range(0, self.samples, step):
            size = min(step, self.samples - first)
            yield self.cohort.gather(self.rows, np.full(len(self.rows), first), size)

    def _add_limb(self, block_BTM: np.ndarray, gap_BT: np.ndarray | None) -> None:
        values = block_BTM.astype(np.float64)
        if gap_BT is not None:
            values[gap_BT] = 0
        self.count += values.shape[1] if gap_BT is None else (~gap_BT).sum(axis=1)[:, None]
        self.sum += values.sum(axis=1)
        self.product += values.transpose(0, 2, 1) @ values

    def digests(self) -> list[str]:
        return [digest.hexdigest() for digest in self._hashes]

    def covariance(self) -> np.ndarray:
        """(B, M, M) in mV^2."""
        count = np.maximum(self.count, 1)
        mean = self.sum / count
        return (self.product / count[:, :, None] - mean[:, :, None] * mean[:, None, :]) / 1e6

    def table(self) -> pl.DataFrame:
        present = self.missing < self.samples
        flat = present & (self.low >= self.high)
        clipped = self._clipped(present & ~flat)
        return pl.DataFrame({
            "row": np.repeat(self.rows, len(self.names)), "lead": list(self.names) * len(self.rows),
            "low": _millivolts(self.low, present), "high": _millivolts(self.high, present),
            "missing": (self.missing / self.samples).ravel(), "flat": flat.ravel(), "clipped": clipped.ravel(),
        })  # fmt: skip

    def _clipped(self, live: np.ndarray) -> np.ndarray:
        """Which leads (B, L) stay at their lowest or highest value."""
        found = np.zeros(live.shape, bool)
        for rail in (self.low, self.high):
            at = np.zeros(live.shape, np.int64)
            for block_BTL in self._blocks():
                at += (block_BTL == rail[:, None, :]).sum(axis=1)
            for i, k in np.argwhere(live & (at >= RAIL_SHARE * self.samples)).tolist():
                found[i, k] |= _run(self.cohort.signal(int(self.rows[i]))[:, k] == rail[i, k]) >= RAIL_RUN
        return found


def _millivolts(stored: np.ndarray, present: np.ndarray) -> pl.Series:
    values = np.where(present, stored / 1000, np.nan).ravel()
    return pl.Series(values).fill_nan(None)


def _run(at_T: np.ndarray) -> int:
    """Longest run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], at_T.view(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))
