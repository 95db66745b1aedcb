"""The network's engine: limits of waves by the wave network, mixed with those of the classical engine.

The classical engine says what kind of beat each is, the network which waves a beat has and where they begin and end;
where both have a limit their mixture is nearer to the cardiologists' than either. Whether a recording has P waves at
all, a logistic regression on what both see of its atria says (`network.toml`). Letters: L leads, N samples at 250 Hz,
K beats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from einthoven.signal import _atria, _fitted, _kinds, _onnx, _runs, classical
from einthoven.signal._onnx import RATE
from einthoven.signal._runs import Settings
from einthoven.signal.marks import Beats, Delineation

NAME = "network-3"
SAME_SECONDS = 0.060
"""Limits farther apart are of other waves, and the network's is taken."""
_LIMITS = ((0, 0), (0, 2), (1, 0), (1, 2), (2, 0), (2, 2))
"""Wave and point of the limits in their order."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What both engines see of a window. slow (L, N) and output (L, N, 11): the leads that are live, at 250 Hz, and
    what the network says of them; live (all leads,): which these are; rate and samples: of the window."""

    slow: np.ndarray
    output: np.ndarray
    classical: classical.Seen
    live: np.ndarray
    rate: float
    samples: int

    @property
    def features(self) -> np.ndarray | None:
        """`_atria.FEATURES` and the log odds that the network gives to no P wave; None with too few beats."""
        atria = self.classical.atria.features
        return None if atria is None else np.append(atria, _runs.lacks_p(self.output))


def delineate(signal_LT: np.ndarray, rate: float, beats: Beats) -> Delineation:
    """Limits of the waves of these beats, in a recording or a window of one without gaps.

    Args:
        signal_LT: millivolts, (leads, samples) float32, no NaN.
        beats: R peaks in samples of `signal_LT`.
    """
    return joined(see(signal_LT, rate, beats))


def see(
    signal_LT: np.ndarray, rate: float, beats: Beats, network: Any = None,
    limits: Mapping[str, np.ndarray] | None = None,
) -> Seen:  # fmt: skip
    """What `delineate` decides by.

    Args:
        network: an `_onnx.Network`, or anything that is called like one; None for the shipped one.
        limits: `_fitted.Fitted.limits`; None for the shipped ones.
    """
    seen = classical.see(signal_LT, rate, beats, limits or _fitted.read().limits)
    if (beats.label == "paced").any():
        signal_LT = _kinds.without_spikes(signal_LT, rate)
    slow = _onnx.conditioned(signal_LT, rate)
    live_L = np.ptp(slow, axis=1) > classical.LIVE_MV
    slow, none = slow[live_L], np.zeros((0, slow.shape[1], 11), np.float32)
    output = _onnx.outputs(slow, network or _onnx.shipped()) if live_L.any() else none
    return Seen(slow, output, seen, live_L, rate, signal_LT.shape[1])


def joined(seen: Seen, settings: Settings | None = None, no_p: Mapping[str, np.ndarray] | None = None) -> Delineation:
    """Both engines as one: a wave is there if the network says so, its limits are mixed as `settings.mixed` has it
    where both engines mean the same wave.

    Args:
        no_p: mean, spread and weight of `Seen.features`, and bias; None for the shipped ones.
    """
    settings, other = settings or Settings(), seen.classical
    if not seen.live.any():
        nothing = np.full_like(other.lead, np.nan)
        return Delineation(other.beats, nothing, nothing[:, 0], np.zeros((len(nothing), 3)), "", NAME)
    share, last = RATE / seen.rate, seen.samples - 1
    at_250 = replace(other.beats, sample=other.beats.sample * share)
    lead_250, whole_250, confidence = _runs.waves(seen.slow, seen.output, at_250, settings)
    lead, whole = np.full_like(other.lead, np.nan), whole_250 / share
    lead[:, seen.live] = lead_250 / share
    for mine, theirs in ((lead, other.lead), (whole, other.whole)):
        with np.errstate(invalid="ignore"):
            same = (theirs[..., 0] <= mine[..., 2]) & (mine[..., 0] <= theirs[..., 2])  # (..., wave): they overlap
            for (wave, point), part in zip(_LIMITS, settings.mixed):
                a, b = mine[..., wave, point], theirs[..., wave, point]
                near = same[..., wave] & (np.abs(a - b) <= SAME_SECONDS * seen.rate)
                mine[..., wave, point] = np.where(near, part * a + (1 - part) * b, a)
        mine[..., 2] = np.maximum(mine[..., 2], mine[..., 0])
        mine[..., 1] = np.clip(mine[..., 1], mine[..., 0], mine[..., 2])
        np.clip(mine, 0, last, out=mine)
    nowhere = _atria.log_odds(seen.features, no_p or _fitted.table("network", "atria")) > 0
    without = np.full(len(other.beats), nowhere) | (other.beats.label == "V")
    lead[without, :, 0], whole[without, 0], confidence[without, 0] = np.nan, np.nan, 0.0
    confidence = confidence * other.beats.confidence[:, None]
    return Delineation(other.beats, lead, whole, confidence, "af" if nowhere else "", NAME)
