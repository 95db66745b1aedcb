"""From two dipoles, ventricles and atria, to electrodes to leads.

Limb electrodes are far: Einthoven's triangle with small personal errors (Burger). Chest electrodes are near: position
over distance cubed, so V1-V6 progress by themselves, and P is small where QRS is large, because the atria lie further
off. Leads are differences of electrode potentials, so the identities of Einthoven and Goldberger hold by construction.
Axes: x to the left, y to the feet, z to the front, centimetres. Letters: B recordings, T samples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from einthoven.core.leads import STANDARD
from einthoven.simulate.world import World, normals

VENTRICLES, ATRIA = slice(0, 3), slice(3, 6)
"""Which of the six components of the dipoles are whose."""

TRIANGLE = np.array([[-0.46, -np.sqrt(3) / 6, 0], [0.46, -np.sqrt(3) / 6, 0], [0, np.sqrt(3) / 3, 0]])
"""Potentials of R, L, F for a unit dipole. Einthoven's equilateral triangle has 1/2 for 0.46; lead I sees the dipole a
little less (Burger 1946 has the direction; the size is set so that lead I of normals is as in PTB-XL)."""

CHEST = np.array(
    [[-5.6, -2.9, 6.6], [-0.2, -2.8, 6.0], [1.5, -1.0, 7.1], [5.1, 1.8, 6.9], [8.5, 3.1, 3.4], [9.8, 3.9, 0.5]]
)
"""C1-C6 from the ventricular dipole of a middle-sized adult, in cm: anatomy first, then least squares over median beats
of 360 PTB-XL recordings, normal and not (these places leave 27 %; the best 8 x 3 matrix for all leaves 26 %)."""

STRENGTH = 132.0
"""Converts position over distance cubed (1/cm^2) into mV per mV at unit distance; from the same fit."""

ATRIAL_PLACE = np.array([-3.0, -3.5, -1.5])
"""The atrial dipole from the ventricular one, in cm: to the right, up and back (assumed)."""

_CHANNELS = np.zeros((8, 9))
_CHANNELS[0, [1, 0]] = 1, -1
_CHANNELS[1, [2, 0]] = 1, -1
_CHANNELS[2:, :3] = -1 / 3
_CHANNELS[2:, 3:] = np.eye(6)

_LEADS = np.zeros((12, 8))
_LEADS[[0, 1], [0, 1]] = 1
_LEADS[2, :2] = -1, 1
_LEADS[3, :2] = -0.5, -0.5
_LEADS[4, :2] = 1, -0.5
_LEADS[5, :2] = -0.5, 1
_LEADS[6:, 2:] = np.eye(6)


def lead_field(world: World, people: Sequence[int], keys: Sequence[str], male: np.ndarray) -> np.ndarray:
    """Potential of each electrode for each component of the two dipoles, ventricles first, shape (B, 9, 6).

    The body (size, place of the heart) belongs to the patient; where the chest electrodes are put, to the recording.
    """
    body = normals(world.seed, people, "body", 13)
    hand = normals(world.seed, keys, "placement", 18).reshape(-1, 6, 3)
    size = (np.where(male, 1.02, 0.97) * np.exp(0.05 * np.clip(body[:, 0], -2.5, 2.5)))[:, None, None]
    heart = np.clip(body[:, 1:4], -2.5, 2.5) * [0.7, 0.7, 0.6]
    place = size * CHEST + np.clip(hand, -2.5, 2.5) * [0.5, 0.6, 0.2] - heart[:, None]
    limb = TRIANGLE + 0.03 * body[:, 4:].reshape(-1, 3, 3)
    dipoles = (np.concatenate([limb, _near(centre)], axis=1) for centre in (place, place - size * ATRIAL_PLACE))
    return np.concatenate(list(dipoles), axis=2)


def _near(place: np.ndarray) -> np.ndarray:
    """Potential (B, 6, 3) at positions (B, 6, 3) from a dipole."""
    return STRENGTH * place / (place**2).sum(axis=2, keepdims=True) ** 1.5


def channels(electrodes: np.ndarray) -> np.ndarray:
    """(..., 9, T) potentials of R L F C1-C6 -> (..., 8, T) as recorded: I, II, and V1-V6 against Wilson's terminal."""
    return _CHANNELS.astype(electrodes.dtype) @ electrodes


def leads(recorded: np.ndarray) -> np.ndarray:
    """(..., 8, T) channels -> (..., 12, T) in the order of `STANDARD`; III, aVR, aVL, aVF by their definitions."""
    assert len(STANDARD) == 12
    return _LEADS.astype(recorded.dtype) @ recorded
