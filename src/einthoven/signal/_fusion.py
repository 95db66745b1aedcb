"""One limit for all leads: the earliest onset and the latest offset that several leads agree on (physiology.md 5.6).

A single lead in which noise or a slow wave pretends an early onset does not decide; one that hardly shows the wave has
no say. Letters: C kinds of beat, L leads.
"""

from __future__ import annotations

import numpy as np

AGREE, AGREE_MS = 3, (16.0, 12.0, 30.0)
"""So many leads within so many milliseconds, for P, QRS and T; three leads or fewer give their plain extreme."""
OUTLYING, LEAST_MS = 3.0, 8.0
"""A limit farther from the leads' median than this many times 1.48 MAD (at least LEAST_MS) is left out."""
VISIBLE_MV = 0.020


def outermost(limit_CL: np.ndarray, size_CL: np.ndarray, wave: int, first: bool) -> np.ndarray:
    """The onset (`first`) or offset (C,) for all leads out of each lead's (C, L) in milliseconds.

    Args:
        size_CL: millivolts of the wave in each lead; below VISIBLE_MV a lead counts only if none is above.
        wave: 0 for P, 1 for QRS, 2 for T.
    """
    sign = 1.0 if first else -1.0
    shown = (size_CL >= VISIBLE_MV) & np.isfinite(limit_CL)
    shown = np.where(shown.any(axis=1, keepdims=True), shown, np.isfinite(limit_CL))
    value = np.where(shown, sign * limit_CL, np.inf)
    value.sort(axis=1)
    count = shown.sum(axis=1)
    middle = _middle(value, count)
    away = np.where(np.isfinite(value), np.abs(value - middle[:, None]), np.inf)
    spread = np.maximum(1.48 * _middle(np.sort(away, axis=1), count), LEAST_MS)
    value = np.where(away <= OUTLYING * spread[:, None], value, np.inf)
    value.sort(axis=1)
    extreme = value[:, 0]
    if value.shape[1] > AGREE:
        ahead = value[:, AGREE - 1 :]
        with np.errstate(invalid="ignore"):  # beyond the last lead
            near = ahead - value[:, : ahead.shape[1]] <= AGREE_MS[wave]
        together = np.where(near, value[:, : ahead.shape[1]], np.inf)
        agreed = together.min(axis=1)
        extreme = np.where((count > AGREE) & np.isfinite(agreed), agreed, np.where(count > AGREE, middle, extreme))
    return sign * np.where(np.isfinite(extreme), extreme, np.nan)


def _middle(ordered: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Median of the first `count` (C,) of each ordered row; inf where there is none."""
    row = np.arange(len(ordered))
    low, high = np.maximum(count - 1, 0) // 2, count // 2
    high = np.minimum(high, np.maximum(count - 1, 0))
    return 0.5 * (ordered[row, low] + ordered[row, high])
