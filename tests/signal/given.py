"""The truth of simulated recordings as a Delineation, and what is usually compared with it."""

from __future__ import annotations

import numpy as np

from einthoven.core.facts import WAVE_COLUMNS
from einthoven.core.record import Record
from einthoven.signal.marks import Beats, Delineation
from einthoven.simulate import record as simulated


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


def tachycardia(bpm: float, *, wide: float = 1.0, seconds: float = 10.0, jitter: float = 0.004) -> np.ndarray:
    """(12, T) at 500 Hz: the QRS complexes of a simulated recording at another rate, without P and T waves."""
    ecg, rng = simulated("sinus", seed=3, noise=0), np.random.default_rng(0)
    on, _, off = truth(ecg).whole[4, 1].astype(int)
    piece = ecg.signal[:, on - 6 : off + 6].astype(float)
    piece = piece - np.linspace(piece[:, 0], piece[:, -1], piece.shape[1], axis=1)
    grid = np.linspace(0, piece.shape[1] - 1, round(wide * piece.shape[1]))
    piece = np.stack([np.interp(grid, np.arange(piece.shape[1]), row) for row in piece])
    out = 0.01 * rng.standard_normal((12, round(500 * seconds) + 500))
    time = 0.1
    while time < seconds:
        start = round(500 * time)
        out[:, start : start + piece.shape[1]] += piece
        time += 60 / bpm * (1 + jitter * rng.standard_normal())
    return out[:, : round(500 * seconds)].astype(np.float32)


def _points(columns: dict[str, np.ndarray]) -> np.ndarray:
    marks = np.stack([columns[name] for name in WAVE_COLUMNS], axis=1).astype(float).reshape(-1, 3, 3)
    return np.where(marks < 0, np.nan, marks)
