"""Noise at the electrodes, and the device that records: wander, mains, muscle, motion; filter and converter.

Noise is put on electrodes, not on leads, so that it obeys the same identities. Sizes are those of resting recordings
(assumed, lognormal between recordings); `World.noise` scales all. Letters: B recordings, E electrodes, T samples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import fft

from einthoven.core.random import generator
from einthoven.simulate.world import World

WANDER_MV, MUSCLE_MV, MAINS_MV = 0.035, 0.009, 0.003
"""Medians of the root mean square at one electrode."""


def noise(world: World, keys: Sequence[str]) -> np.ndarray:
    """(B, 9, T) float32 millivolts at the electrodes."""
    return np.stack([_one(world, generator(world.seed, key, "noise")) for key in keys])


def _one(world: World, rng: np.random.Generator) -> np.ndarray:
    samples = world.samples
    level = np.exp(rng.standard_normal(4) * [0.5, 0.5, 0.8, 0.4]) * world.noise
    # The spectrum is drawn, not the samples: one inverse transform gives wander and muscle noise together. A quarter is
    # cut off, because the transform is periodic and no recording ends where it began.
    length = fft.next_fast_len(samples + samples // 4, real=True)
    f = fft.rfftfreq(length, 1 / world.rate)
    wander = np.where((f > 0) & (f < 1.5), 1 / (0.1 + f) ** 1.5, 0) * (f > 0)
    muscle = np.where(f > 0, 1 / (1 + (15 / np.maximum(f, 0.01)) ** 2) / (1 + (f / 110) ** 2), 0) + 0.25 * (f > 0)
    shape = np.sqrt(
        (level[0] * WANDER_MV) ** 2 * wander**2 / (wander**2).sum()
        + (level[1] * MUSCLE_MV) ** 2 * muscle**2 / (muscle**2).sum()
    )
    each = np.exp(0.3 * rng.standard_normal((9, 1))).astype(np.float32)
    z = rng.standard_normal((9, len(f), 2), dtype=np.float32).view(np.complex64)[..., 0]
    z *= (shape * length / 2).astype(np.float32)
    out = each * fft.irfft(z, length, axis=1)[:, :samples]
    out += _mains(world, rng, level[2])
    if rng.random() < 0.15:
        out[rng.integers(9)] += _motion(world, rng, level[3])
    return out


def _mains(world: World, rng: np.random.Generator, level: float) -> np.ndarray:
    """(9, T): 50 Hz with a drift of the frequency and a third harmonic, another size and phase at each electrode."""
    t = np.arange(world.samples) / world.rate
    phase = 2 * np.pi * (50 + 0.05 * rng.standard_normal()) * t + 0.3 * np.sin(2 * np.pi * 0.2 * t)
    wave = np.exp(1j * phase).astype(np.complex64)
    size = MAINS_MV * level * (rng.standard_normal(9) + 1j * rng.standard_normal(9)).astype(np.complex64)
    out = (size[:, None] * wave).real
    if world.rate > 300:
        out = out + (0.15 * size[:, None] * wave**3).real
    return out.astype(np.float32)


def _motion(world: World, rng: np.random.Generator, level: float) -> np.ndarray:
    """(T,): one electrode moves: a step that comes within 0.1 s and decays over some seconds."""
    t = np.arange(world.samples) / world.rate - rng.random() * world.seconds
    decay = np.exp(-np.maximum(t, 0) / (0.5 + 2 * rng.random()))
    return (rng.choice([-1, 1]) * 0.3 * level * decay / (1 + np.exp(np.clip(-t / 0.03, -60, 60)))).astype(np.float32)


def recorded(world: World, channels: np.ndarray) -> np.ndarray:
    """(B, 8, T) potentials in mV -> whole steps of the converter in mV, float32, after the device's filter."""
    if any(world.band):
        from einthoven.signal.filters import bandpass

        channels = bandpass(channels, world.rate, world.band, 2)
    step = world.resolution
    return np.rint(channels * np.float32(1000 / step)) * np.float32(step)
