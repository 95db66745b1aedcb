"""Noise at the electrodes, and the device that records: wander, mains, muscle, motion; filter and converter.

Noise is put on electrodes, not on leads, so that it obeys the same identities. Sizes are those of resting recordings
(wander and the quiet level as in 250 recordings of PTB-XL, the rest assumed; lognormal between recordings);
`World.noise` scales all. Letters: B recordings, F frequencies, T samples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import cast

import numpy as np
from scipy import fft

from einthoven.core.random import generator
from einthoven.signal.filters import bandpass
from einthoven.simulate.world import World

WANDER_MV, MUSCLE_MV, MAINS_MV, MOTION_MV = 0.042, 0.003, 0.0005, 0.3
"""Medians at one electrode: root mean square of wander, of muscle and amplifier noise (0-250 Hz), of mains; a step."""
SPREAD = {"wander": 0.5, "muscle": 0.5, "mains": 1.2, "motion": 0.4}
"""Standard deviations of their logarithms between recordings."""
TENSE, MOVING = 0.12, 0.12
"""Shares of recordings with a burst of muscle noise, and with an electrode that moves."""


def noise(world: World, keys: Sequence[str]) -> np.ndarray:
    """(B, 9, T) float32 millivolts at the electrodes."""
    return np.stack([_one(world, generator(world.seed, key, "noise")) for key in keys])


def recorded(world: World, channels: np.ndarray) -> np.ndarray:
    """(B, 8, T) potentials in mV as the device gives them: filtered, in whole steps of its converter, in microvolts."""
    if any(world.band):
        channels = bandpass(channels, world.rate, world.band, 2)
    step = np.float32(world.resolution)
    return np.rint(channels * (np.float32(1000) / step)) * step


def _one(world: World, rng: np.random.Generator) -> np.ndarray:
    level = dict(zip(SPREAD, world.noise * np.exp(rng.standard_normal(4) * list(SPREAD.values()))))
    tense, moving, when = rng.random(3)
    wander, muscle = _densities(_length(world), world.rate)
    # One inverse transform gives wander and muscle noise together: powers add.
    power = (level["wander"] * WANDER_MV) ** 2 * wander + (level["muscle"] * MUSCLE_MV) ** 2 * muscle
    out = _coloured(world, rng, power) + _mains(world, rng, level["mains"] * MAINS_MV)
    t = np.arange(world.samples) / world.rate - when * world.seconds
    if tense < TENSE:
        burst = _coloured(world, rng, (8 * level["muscle"] * MUSCLE_MV) ** 2 * muscle)
        out += burst * np.exp(-0.5 * (t / (0.1 * world.seconds)) ** 2).astype(np.float32)
    if moving < MOVING:
        out[rng.integers(9)] += _step(t, rng, level["motion"] * MOTION_MV)
    return out


def _length(world: World) -> int:
    """Samples of a transform: a quarter too many, because it is periodic and no recording ends where it began."""
    return cast(int, fft.next_fast_len(world.samples + world.samples // 4, real=True))


@lru_cache(maxsize=8)
def _densities(length: int, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Power densities (F,) in 1/Hz of wander and of muscle noise at the frequencies of a transform.

    Wander (drift, breathing) falls from 0.1 to 1.5 Hz and has the integral 1; muscle and amplifier noise is broad, most
    of it about 30-100 Hz, and has the integral 1 up to 250 Hz, whatever the rate: a slow device sees less of it.
    """
    f = fft.rfftfreq(length, 1 / rate)
    return (
        _unit(lambda g: np.where((g > 0) & (g < 1.5), (0.1 + g) ** -3.0, 0.0), f, 1.5),
        _unit(lambda g: (g > 0) * (g**2 / (15**2 + g**2) / (1 + (g / 110) ** 2) + 0.2) ** 2, f, 250.0),
    )


def _unit(density: Callable[[np.ndarray], np.ndarray], f: np.ndarray, top: float) -> np.ndarray:
    grid = np.linspace(0, top, 3001)
    return density(f) / (density(grid).sum() * grid[1])


def _coloured(world: World, rng: np.random.Generator, power: np.ndarray) -> np.ndarray:
    """(9, T) noise of a power density (F,) in mV^2/Hz, at each electrode a little more or less."""
    length = _length(world)
    each = np.exp(0.3 * rng.standard_normal((9, 1))).astype(np.float32)
    # The spectrum is drawn instead of samples: bin k of size s gives a wave of mean square s^2.
    z = rng.standard_normal((9, len(power), 2), dtype=np.float32).view(np.complex64)[..., 0]
    z *= (np.sqrt(power * world.rate / length) * length / 2).astype(np.float32)
    return each * np.asarray(fft.irfft(z, length, axis=1))[:, : world.samples]


def _mains(world: World, rng: np.random.Generator, size: float) -> np.ndarray:
    """(9, T): 50 Hz with a drift of the frequency and a third harmonic, another size and phase at each electrode."""
    t = np.arange(world.samples) / world.rate
    phase = 2 * np.pi * (50 + 0.05 * rng.standard_normal()) * t + 0.3 * np.sin(2 * np.pi * 0.2 * t)
    third = 0.15 if world.rate > 300 else 0.0
    wave = [np.cos(phase) + third * np.cos(3 * phase), np.sin(phase) + third * np.sin(3 * phase)]
    return (size * rng.standard_normal((9, 2))).astype(np.float32) @ np.array(wave, np.float32)


def _step(t: np.ndarray, rng: np.random.Generator, size: float) -> np.ndarray:
    """(T,): one electrode moves at t = 0: a step that comes within 0.1 s and decays over some seconds."""
    decay = np.exp(-np.maximum(t, 0) / (0.5 + 2 * rng.random()))
    return (rng.choice([-1, 1]) * size * decay / (1 + np.exp(np.clip(-t / 0.03, -60, 60)))).astype(np.float32)
