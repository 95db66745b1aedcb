"""Where waves begin and end: the 5 % rule, per lead and for all leads.

In one lead a wave begins and ends where its own noise-free potential first and last exceeds 5 % of its peak. For all
leads it begins with the earliest and ends with the latest lead in which its peak exceeds 20 microvolts. Letters:
N waves, L leads, W samples of a window that holds the whole wave.
"""

from __future__ import annotations

import numpy as np

SHARE = 0.05
VISIBLE_MV = 0.020


def limits(wave: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First sample, peak and last sample of each wave.

    Args:
        wave: (N, L, W) millivolts of one wave alone.

    Returns:
        (N, L, 3) int32 in samples of the window, per lead; and (N, 3) for all leads, -1 where no lead shows it.
        The peak for all leads is where the sum of squares over the leads is largest.
    """
    size = np.abs(wave)
    peak = size.max(axis=2)
    above = size > SHARE * peak[..., None]
    width = wave.shape[2]
    lead = np.stack([above.argmax(axis=2), size.argmax(axis=2), width - 1 - above[..., ::-1].argmax(axis=2)], axis=2)
    shown = peak > VISIBLE_MV
    first = np.where(shown, lead[..., 0], width).min(axis=1)
    last = np.where(shown, lead[..., 2], -1).max(axis=1)
    middle = np.square(wave).sum(axis=1).argmax(axis=1)
    whole = np.stack([first, middle, last], axis=1)
    whole[~shown.any(axis=1)] = -1
    return lead.astype(np.int32), whole.astype(np.int32)


def axis_degrees(area_one: np.ndarray, area_two: np.ndarray) -> np.ndarray:
    """Frontal axis from the signed areas of a wave in leads I and II, in degrees; 0 to the left, 90 to the feet."""
    return np.degrees(np.arctan2((2 * area_two - area_one) / np.sqrt(3), area_one))
