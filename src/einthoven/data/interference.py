"""What electrodes pick up besides the heart: white noise, muscle noise, slow wander, mains hum.

All of it enters at the electrodes and reaches a lead as the lead is wired (I = LA - RA, V1 = C1 - Wilson's terminal),
so the limb leads still satisfy Einthoven's identity. It is made once and cut out at random places: one product of small
matrices adds every kind to every lead, where drawing it would cost a random number a sample and kind.
Shapes: L leads, E electrodes, N rows and S samples of the bank.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from einthoven.core.random import generator

SAMPLES = 1 << 16
"""Least length of the bank: two minutes at 500 Hz."""
WANDER_HERTZ = (0.05, 0.7)
MUSCLE_HERTZ = (20.0, 150.0)
MAINS_HERTZ = (50.0, 60.0)

_WIRING = {
    "I": {"LA": 1.0, "RA": -1.0}, "II": {"LL": 1.0, "RA": -1.0}, "III": {"LL": 1.0, "LA": -1.0},
    "aVR": {"RA": 1.0, "LA": -0.5, "LL": -0.5}, "aVL": {"LA": 1.0, "RA": -0.5, "LL": -0.5},
    "aVF": {"LL": 1.0, "RA": -0.5, "LA": -0.5},
}  # fmt: skip
_TERMINAL = {"RA": -1 / 3, "LA": -1 / 3, "LL": -1 / 3}


@lru_cache(maxsize=32)
def wiring(leads: Sequence[str]) -> np.ndarray:
    """How electrodes make leads, (L, E): potentials of SD 1 at the electrodes give SD 1 in I, II and III.

    Every lead but the limb leads is an electrode against Wilson's terminal; a lead that stands alone is an electrode.
    """
    if len(leads) == 1:
        return np.ones((1, 1))
    forms = [_WIRING.get(lead, {lead: 1.0, **_TERMINAL}) for lead in leads]
    electrodes = sorted({name for form in forms for name in form})
    matrix = np.zeros((len(leads), len(electrodes)))
    for row, form in zip(matrix, forms):
        for name, weight in form.items():
            row[electrodes.index(name)] = weight
    return matrix / math.sqrt(2)


@lru_cache(maxsize=8)
def bank(kinds: Sequence[str], electrodes: int, samples: int, rate: float, device: torch.device) -> Tensor:
    """Potentials of SD 1 mV, (N, S): of `white`, `muscle` and `wander` a row an electrode, of `50` and `60` two.

    Muscle is noise of 20 to 150 Hz that swells and ebbs, wander noise of 0.05 to 0.7 Hz, with nothing outside its band.
    A number is a sine and a cosine of that many hertz: their sum has the phase that one wants.
    """
    length = max(SAMPLES, 2 * samples, round(60 * rate))
    rows = [_noise(kind, electrodes, length, rate) for kind in kinds]
    return torch.from_numpy(np.concatenate(rows).astype(np.float32)).to(device)


def _noise(kind: str, electrodes: int, length: int, rate: float) -> np.ndarray:
    draw = generator(0, 0, f"interference.{kind}")
    t = np.arange(length) / rate
    if kind not in ("white", "muscle", "wander"):
        return math.sqrt(2) * np.stack([np.sin(2 * np.pi * float(kind) * t), np.cos(2 * np.pi * float(kind) * t)])
    noise_ES = draw.standard_normal((electrodes, length))
    if kind in ("muscle", "wander"):
        low, high = MUSCLE_HERTZ if kind == "muscle" else WANDER_HERTZ
        hertz = np.fft.rfftfreq(length, 1 / rate)
        within = (hertz >= min(low, rate / 4)) & (hertz <= high)
        noise_ES = np.fft.irfft(np.fft.rfft(noise_ES) * within, length)
    if kind == "muscle":
        noise_ES *= 1 + 0.9 * np.sin(2 * np.pi * draw.uniform(0.1, 0.5, (electrodes, 1)) * t)
    return noise_ES / noise_ES.std(axis=1, keepdims=True)
