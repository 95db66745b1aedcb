"""From the dipole to electrodes to leads: three columns of geometry a patient.

Limb electrodes are far: Einthoven's triangle with small personal errors (Burger). Chest electrodes are near: position over
distance cubed, so V1-V6 progress by themselves. Leads are differences of electrode potentials, hence the identities of
Einthoven and Goldberger hold by construction. Axes: x to the left, y to the feet, z to the front, centimetres from the
dipole. Letters: B recordings, E electrodes R L F C1-C6, C channels I II V1-V6, L leads, T samples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from einthoven.core.leads import STANDARD
from einthoven.simulate.world import World, normals

ELECTRODES = ("R", "L", "F", "C1", "C2", "C3", "C4", "C5", "C6")

TRIANGLE = np.array([[-1 / 2, -np.sqrt(3) / 6, 0], [1 / 2, -np.sqrt(3) / 6, 0], [0, np.sqrt(3) / 3, 0]])
"""Potentials of R, L, F for a unit dipole: I = x, II = x/2 + y*sqrt(3)/2, aVF = y*sqrt(3)/2 (Einthoven 1913)."""

CHEST = np.array(
    [[-5.5, -2.5, 6.0], [-1.0, -2.5, 7.0], [2.0, -0.5, 7.2], [5.5, 1.5, 6.6], [9.0, 1.5, 4.2], [11.5, 1.5, 0.5]]
)
"""C1-C6 from the dipole of a middle-sized adult, in cm (assumed: dipole 4 cm left of the midline, 7 cm deep)."""

STRENGTH = 110.0
"""Converts position over distance cubed (1/cm^2) into mV per mV at unit distance (set so that V5 is about lead II)."""

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
    """Potential of each electrode for each axis of the dipole, shape (B, 9, 3).

    The body (size, place of the heart) belongs to the patient; where a nurse puts the chest electrodes, to the recording.
    """
    body = normals(world.seed, people, "body", 13)
    hand = normals(world.seed, keys, "placement", 18).reshape(-1, 6, 3)
    size = np.where(male, 1.02, 0.97) * np.exp(0.05 * np.clip(body[:, 0], -2.5, 2.5))
    heart = np.clip(body[:, 1:4], -2.5, 2.5) * [0.7, 0.7, 0.6]
    place = size[:, None, None] * CHEST + np.clip(hand, -2.5, 2.5) * [0.5, 0.6, 0.2] - heart[:, None]
    chest = STRENGTH * place / (place**2).sum(axis=2, keepdims=True) ** 1.5
    limb = TRIANGLE + 0.03 * body[:, 4:].reshape(-1, 3, 3)
    return np.concatenate([limb, chest], axis=1)


def channels(electrodes: np.ndarray) -> np.ndarray:
    """(..., 9, T) electrode potentials -> (..., 8, T) I, II and V1-V6 against Wilson's terminal, which a device records."""
    return _CHANNELS.astype(electrodes.dtype) @ electrodes


def leads(recorded: np.ndarray) -> np.ndarray:
    """(..., 8, T) channels -> (..., 12, T) in the order of `STANDARD`; III, aVR, aVL, aVF by their definitions."""
    assert len(STANDARD) == 12
    return _LEADS.astype(recorded.dtype) @ recorded
