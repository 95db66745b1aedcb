"""The truth of simulated recordings as a Delineation, and what is usually compared with it."""

from __future__ import annotations

import numpy as np

from einthoven.core.facts import WAVE_COLUMNS
from einthoven.core.record import Record
from einthoven.signal.marks import Beats, Delineation


def truth(record: Record) -> Delineation:
    """What `simulate` says about the waves of a recording of its own."""
    tables = {fact.name: fact.columns for fact in record.facts if fact.kind == "waves"}
    whole, lead = (_points(tables[name]) for name in ("truth.waves.global", "truth.waves"))
    lead = lead.reshape(len(whole), len(record.leads), 3, 3)
    rows = np.flatnonzero(np.isfinite(whole[:, 1, 1]))
    label = tables["truth.waves.global"]["label"][rows]
    label = np.where(label == "S", "N", label)
    beats = Beats(whole[rows, 1, 1], label, np.ones(len(rows)))
    has_p = np.isfinite(whole[rows, 0, 0]).any()
    found = np.isfinite(whole[rows, :, 0]).astype(float)
    return Delineation(beats, lead[rows], whole[rows], found, "" if has_p else "af", "truth")


def told(record: Record) -> dict[str, float]:
    """The values that `simulate` says."""
    return {f.name.removeprefix("truth."): f.value for f in record.facts if f.kind == "value" and "truth." in f.name}


def _points(columns: dict[str, np.ndarray]) -> np.ndarray:
    marks = np.stack([columns[name] for name in WAVE_COLUMNS], axis=1).astype(float).reshape(-1, 3, 3)
    return np.where(marks < 0, np.nan, marks)
