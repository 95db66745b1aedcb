"""What electrodes pick up besides the heart: noise from a bank made once, slow wander, mains hum.

All of it enters at the electrodes and reaches a lead as the lead is wired (I = LA - RA, V1 = C1 - Wilson's terminal), so
the limb leads still satisfy Einthoven's identity. Strengths are the SD in millivolts in a bipolar limb lead (or in a
single lead); augmented limb leads get 0.87 and chest leads 0.82 of it. Noise is cut from a bank at random places instead
of drawn sample by sample: that costs a copy. Shapes: L leads, E electrodes, T samples, K tones, N samples of the bank.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from einthoven.core.random import generator
from einthoven.signal.filters import bandpass

BANK_SAMPLES = 1 << 15
"""Least number of samples of each kind of noise in the bank, per electrode: a minute at 500 Hz."""

_WIRING = {
    "I": {"LA": 1.0, "RA": -1.0}, "II": {"LL": 1.0, "RA": -1.0}, "III": {"LL": 1.0, "LA": -1.0},
    "aVR": {"RA": 1.0, "LA": -0.5, "LL": -0.5}, "aVL": {"LA": 1.0, "RA": -0.5, "LL": -0.5},
    "aVF": {"LL": 1.0, "RA": -0.5, "LA": -0.5},
}  # fmt: skip
_TERMINAL = {"RA": -1 / 3, "LA": -1 / 3, "LL": -1 / 3}


@lru_cache(maxsize=32)
def wiring(leads: Sequence[str]) -> np.ndarray:
    """How electrodes make leads, (L, E): potentials of SD 1 at the electrodes give SD 1 in I, II and III.

    Every lead but the limb leads is an electrode of its own against Wilson's terminal; a lead that stands alone, without.
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
def bank(kind: str, rate: float, electrodes: int, samples: int, device: torch.device) -> Tensor:
    """Noise of SD 1 mV, (E, N): `white`, or `muscle` (20 Hz to 150 Hz or 90 % of Nyquist, swelling and ebbing)."""
    draw = generator(0, 0, f"noise.{kind}")
    noise_EN = draw.standard_normal((electrodes, samples), np.float32)
    if kind == "muscle":
        high = min(150.0, 0.45 * rate)
        t = np.arange(samples, dtype=np.float32) / np.float32(rate)
        noise_EN = bandpass(noise_EN, rate, (min(20.0, high / 2), high), 2)
        noise_EN *= 1 + 0.9 * np.sin(2 * np.pi * draw.uniform(0.1, 0.5, (electrodes, 1)).astype(np.float32) * t)
    return torch.from_numpy(noise_EN / noise_EN.std(axis=1, keepdims=True)).to(device)


@lru_cache(maxsize=8)
def tones(hertz: Sequence[float], samples: int, rate: float, device: torch.device) -> Tensor:
    """Cosine and sine of each frequency in turn, (2 K, T) float32."""
    angle = 2 * np.pi / rate * np.array(hertz)[:, None] * np.arange(samples)
    both_K2T = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return torch.from_numpy(both_K2T.reshape(-1, samples).astype(np.float32)).to(device)
