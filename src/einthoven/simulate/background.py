"""What belongs to no wave of a beat: fibrillatory waves, flutter waves, pacing spikes.

All are part of the dipole and of the signal, none is marked as P, QRS or T. Letters: B recordings, K slots, T samples.
"""

from __future__ import annotations

import numpy as np

from einthoven.simulate.patients import People
from einthoven.simulate.rhythm import PACED, Beats
from einthoven.simulate.world import World, uniforms

FIBRILLATION = np.array([[-0.040, 0.018, 0.016], [0.008, 0.030, 0.008]])
"""Two directions of fibrillatory waves in mV, the first strongest in V1 (right atrium); assumed."""
FLUTTER = np.array([0.02, -0.14, 0.05])
"""Counter-clockwise flutter: negative saw-teeth in II, III, aVF, positive in V1; mV, assumed."""
SPIKE = np.array([0.35, -0.75, -0.3])
SPIKE_AHEAD = 0.006
"""Direction of a right ventricular pacing spike, and seconds by which it comes before the QRS."""


def atrial(world: World, group: People, waves: np.ndarray) -> np.ndarray:
    """(B, 3, T) float32 mV; `waves` (B, 3) as `rhythm.beats` gives it: frequency, kind, time of one flutter wave."""
    out = np.zeros((len(waves), 3, world.samples), np.float32)
    t = np.arange(world.samples) / world.rate
    rows = np.flatnonzero(waves[:, 0] > 0)
    for b, chance in zip(rows, uniforms(world.seed, [group.keys[row] for row in rows], "atrial waves", 12)):
        frequency, kind, start = waves[b]
        size = group.theta["p_voltage"][b]
        turn = 2 * np.pi * chance
        if kind == 2:
            phase = 2 * np.pi * frequency * (t - start)
            saw = sum(np.sin(h * phase) / h for h in (1, 2, 3))
            out[b] = size * FLUTTER[:, None] * saw
            continue
        phase = (
            2 * np.pi * frequency * t
            + 1.5 * np.sin(2 * np.pi * 0.31 * t + turn[0])
            + np.sin(2 * np.pi * 0.83 * t + turn[1])
        )
        swell = 1 + 0.45 * np.sin(2 * np.pi * 0.43 * t + turn[2]) * np.sin(2 * np.pi * 0.17 * t + turn[3])
        size *= 0.7 + 1.2 * chance[4]
        first = swell * (np.sin(phase) + 0.35 * np.sin(2 * phase + turn[5]))
        second = np.sin(0.87 * phase + turn[6]) * (1 + 0.4 * np.sin(2 * np.pi * 0.37 * t + turn[7]))
        out[b] = size * (FIBRILLATION.T @ np.stack([first, second]))
    return out


def spike_samples(world: World, found: Beats, row: int) -> np.ndarray:
    """Samples of the pacing spikes of one recording."""
    at = np.rint((found.qrs[row][found.kind[row] == PACED] - SPIKE_AHEAD) * world.rate).astype(int)
    return at[(at >= 0) & (at < world.samples)]


def spikes(world: World, group: People, found: Beats) -> np.ndarray:
    """(B, 3, T) float32 mV: one sample up, then a small tail of the other sign that decays within 10 ms."""
    out = np.zeros((len(group.keys), 3, world.samples), np.float32)
    tail = np.arange(1, max(2, round(0.01 * world.rate)))
    shape = np.concatenate([[1.0], -0.12 * np.exp(-tail / (0.004 * world.rate))])
    rows = np.flatnonzero((found.kind == PACED).any(axis=1))
    for b, chance in zip(rows.tolist(), uniforms(world.seed, [group.keys[row] for row in rows], "spike", 1)):
        for sample in spike_samples(world, found, b):
            part = out[b, :, sample : sample + len(shape)]
            part += (0.4 + 1.6 * chance) * SPIKE[:, None] * shape[: part.shape[1]]
    return out
