"""Cables on the wrong electrode: flags for people to judge; nothing is ever swapped silently.

Limb leads: the chest leads predict what I and II should look like (one linear map for QRS and T, one for P), and P, QRS
and T point somewhere. A logistic regression compares the five ways to permute the arm and leg cables with none; its
weights come from recordings whose leads were permuted by algebra (recipes/reversal.py, reversal.toml). A cable swapped
with the right leg leaves one limb lead flat. Chest leads: neighbours resemble each other, and a swap that makes them
much more alike is named. Letters: L leads, W samples of the median beat.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from einthoven.core.leads import CHEST, pick
from einthoven.signal.median import MedianBeat

PERMUTED: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "none": ((1, 0), (0, 1)), "RA-LA": ((-1, 0), (-1, 1)), "RA-LL": ((1, -1), (0, -1)), "LA-LL": ((0, 1), (1, 0)),
    "RA-LA-LL": ((-1, 1), (-1, 0)), "RA-LL-LA": ((0, -1), (1, -1)),
}  # fmt: skip
"""What I and II become, in terms of the true I and II; the last two are the rotations of all three cables."""

SWAPS: dict[str, tuple[int, ...]] = {
    "V3-V4": (0, 1, 3, 2, 4, 5), "V1-V3": (2, 1, 0, 3, 4, 5), "V4-V6": (0, 1, 2, 5, 4, 3),
}  # fmt: skip
"""Swaps that put the chest leads out of order; V1 with V2, V5 with V6 and others are too much alike to be told."""

LEG = {"I": "LA or RA on the right leg", "II": "RA-RL", "III": "LA-RL"}
"""Which limb lead is flat when a cable stands on the right leg (with LL-RL none is, and nothing is seen)."""
FLAT_MV, ALIVE_MV = 0.1, 0.3
_SEGMENTS = {
    "P": (-0.25, -0.07),
    "QRS": (-0.06, 0.08),
    "T": (0.14, 0.45),
    "QRS-T": (-0.08, 0.45),
    "level": (-0.06, -0.03),
}
_FEWEST = 3


@dataclass(frozen=True)
class Reversal:
    """limb, chest: names of the suspected swaps, empty where none is suspected. score: how far the first one is over
    its threshold, in log-odds. checked: whether the leads that this takes were there."""

    limb: str
    chest: str
    score: float
    checked: bool


def suspect(median: MedianBeat, rate: float, leads: Sequence[str], usable_L: np.ndarray | None = None) -> Reversal:
    """Look at the median beat of a recording; without two limb leads and six chest leads nothing is said.

    Args:
        median: in millivolts, of all leads as recorded. rate: hertz.
        usable_L: leads of which the quality is known to suffice; None trusts all. A lead that is lost or noisy tells
            nothing, and only one that is flat tells of the right leg.
    """
    nothing = Reversal("", "", 0.0, False)
    matrix, status = pick(leads, ("I", "II", *CHEST), "reversal")
    if "missing" in status or len(median) < _FEWEST:
        return nothing
    signal = np.nan_to_num(median.signal)
    unsure = np.isnan(median.signal).all(axis=1)
    if usable_L is not None:
        unsure |= ~usable_L & (np.ptp(signal, axis=1) >= FLAT_MV)
    told = ~(matrix != 0)[:, unsure].any(axis=1)
    beat_LW = matrix.astype(np.float32) @ signal
    flat = _leg(beat_LW) if told[:2].all() else ""
    if flat:
        return Reversal(flat, "", 1.0, True)
    if not told.all() or np.ptp(beat_LW, axis=1).min() < FLAT_MV:
        return nothing
    table = _weights()
    feature = limb_features(beat_LW[None], median.before, rate, table["qrs_t"], table["p"])[0]
    logit = table["weight"] @ ((feature - table["mean"]) / table["sd"]) + table["bias"]
    over = logit[1:] - logit[0] - table["threshold"]
    best = int(over.argmax())
    limb = list(PERMUTED)[1 + best] if over[best] > 0 else ""
    gain = chest_gains(beat_LW[None, 2:], median.before, rate)[0] - table["chest_threshold"]
    worst = int(gain.argmax())
    chest = list(SWAPS)[worst] if gain[worst] > 0 else ""
    return Reversal(limb, chest, float(max(over[best], 0.0)) if limb else float(max(gain[worst], 0.0)), True)


def limb_features(beat_NLW: np.ndarray, before: int, rate: float, qrs_t: np.ndarray, p: np.ndarray) -> np.ndarray:
    """What the regression sees of N median beats of I, II, V1-V6: (N, 19).

    For P, QRS and T the direction of the frontal area (cosine, sine); for each permutation the logarithm of what it
    leaves unexplained when the chest leads predict I and II, of QRS and T, and of P; the logarithm of P's size.

    Args:
        qrs_t, p: (2, 6) maps from V1-V6 to I and II.
    """
    at = {name: _span(name, before, rate) for name in _SEGMENTS}
    beat = beat_NLW - np.median(beat_NLW[:, :, at["level"]], axis=2, keepdims=True)
    limb, chest = beat[:, :2], beat[:, 2:]
    columns = []
    for wave in ("P", "QRS", "T"):
        one, two = (limb[:, i, at[wave]].sum(axis=1) * (100 / rate) for i in (0, 1))
        foot = (two - one / 2) * 2 / np.sqrt(3)
        size = np.hypot(one, foot) + 1e-3
        columns += [one / size, foot / size]
        if wave == "P":
            p_size = np.log10(np.hypot(one, two) + 1e-2)
    for segment, wave_map in (("QRS-T", qrs_t), ("P", p)):
        seen = limb[:, :, at[segment]]
        told = np.einsum("lc,ncw->nlw", wave_map, chest[:, :, at[segment]])
        power = (seen**2).sum(axis=(1, 2)) + 1e-6
        for turn in PERMUTED.values():
            rest = seen - np.einsum("ij,njw->niw", np.array(turn), told)
            columns.append(np.log((rest**2).sum(axis=(1, 2)) / power + 1e-3))
    return np.stack([*columns, p_size], axis=1)


def chest_gains(chest_NLW: np.ndarray, before: int, rate: float) -> np.ndarray:
    """(N, swaps): the logarithm of how much nearer neighbours come to each other when a swap is undone."""
    piece = chest_NLW[:, :, _span("QRS-T", before, rate)]
    piece = piece - piece.mean(axis=2, keepdims=True)
    size = (piece**2).sum(axis=2)
    apart = size[:, :, None] + size[:, None] - 2 * piece @ piece.transpose(0, 2, 1)
    apart = np.maximum(apart, 0) / np.maximum(np.sqrt(size[:, :, None] * size[:, None]), 1e-9)
    orders = np.array([tuple(range(6)), *SWAPS.values()])
    total = apart[:, orders[:, :-1], orders[:, 1:]].sum(axis=2) + 1e-3
    return np.log(total[:, :1] / total[:, 1:])


def _leg(beat_LW: np.ndarray) -> str:
    """The swap with the right leg that one flat lead among I, II and III tells of."""
    swing = {"I": np.ptp(beat_LW[0]), "II": np.ptp(beat_LW[1]), "III": np.ptp(beat_LW[1] - beat_LW[0])}
    flat = [name for name, size in swing.items() if size < FLAT_MV]
    return LEG[flat[0]] if len(flat) == 1 and sorted(swing.values())[1] > ALIVE_MV else ""


def _span(name: str, before: int, rate: float) -> slice:
    first, last = _SEGMENTS[name]
    return slice(before + round(first * rate), before + round(last * rate))


@cache
def _weights() -> dict[str, Any]:
    table = tomllib.loads((Path(__file__).parent / "reversal.toml").read_text("utf-8"))
    return {name: np.array(value) for name, value in table.items()}
