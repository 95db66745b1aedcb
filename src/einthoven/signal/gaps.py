"""Lost samples: mark them, and bridge them so that a filter does not ring at their edges.

`fill` is what a model sees (0 and invalid); `bridge` is what a filter sees (a straight line from the last sample to the
next), because a hole filled with 0 in a recording that rests at 5 mV is two steps of 5 mV. Shapes: last axis time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import array_namespace

Array = Any  # NumPy or torch

MENDED_SECONDS = 0.010
"""Known samples so near to each other are a recording at 100 Hz at least: a straight line between them restores it."""


def fill(signal: Array) -> tuple[Array, Array]:
    """Put 0 where the signal is NaN.

    Returns:
        Signal of the same shape and dtype without NaN, and a boolean array of that shape, False where it was NaN.

    >>> import numpy as np
    >>> fill(np.array([0.5, np.nan]))
    (array([0.5, 0. ]), array([ True, False]))
    """
    xp = array_namespace(signal)
    valid = ~xp.isnan(signal)
    return xp.where(valid, signal, xp.zeros_like(signal)), valid


def bridge(signal: Array, valid: Array) -> Array:
    """Join the valid samples on both sides of each gap by a straight line; at an end hold the nearest one.

    Valid samples keep their bits; a row without any valid sample stays as it is. `valid` is broadcastable to `signal`.

    >>> import numpy as np
    >>> bridge(np.array([1.0, 0.0, 0.0, 4.0, 0.0]), np.array([True, False, False, True, False]))
    array([1., 2., 3., 4., 4.])
    """
    xp = array_namespace(signal)
    if xp.all(valid):
        return signal
    samples = signal.shape[-1]
    flat = xp.reshape(signal, (-1, samples))
    good = xp.reshape(xp.broadcast_to(valid, signal.shape), (-1, samples))
    torn = xp.any(good, axis=1) & ~xp.all(good, axis=1)
    part, good = flat[torn, :], good[torn, :]

    time = xp.arange(samples, device=getattr(signal, "device", None))
    valid_first = xp.argsort(xp.where(good, time, time + samples), axis=1)  # times of the valid samples, in order
    seen = xp.cumulative_sum(xp.astype(good, xp.int64), axis=1)
    row = xp.arange(part.shape[0], device=getattr(signal, "device", None))[:, None]
    left = valid_first[row, xp.clip(seen - 1, min=0)]
    right = valid_first[row, xp.minimum(seen, seen[:, -1:] - 1)]
    share = xp.astype(time - left, signal.dtype) / xp.astype(xp.clip(right - left, min=1), signal.dtype)
    share = xp.clip(share, min=0.0, max=1.0)

    out = xp.asarray(flat, copy=True)
    out[torn, :] = (1 - share) * part[row, left] + share * part[row, right]
    return xp.reshape(out, signal.shape)


def mended(signal_LT: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray | None]:
    """Join known samples that are at most MENDED_SECONDS apart; longer gaps stay NaN.

    Returns:
        The signal, and which share of each lead's samples was put in (L,), None where no sample is missing.

    >>> mended(np.array([[1.0, np.nan, 3.0, np.nan, np.nan, 0.0]]), 200)[0]
    array([[ 1.,  2.,  3., nan, nan,  0.]])
    """
    if np.isfinite(signal_LT.sum(dtype=np.float64)):
        return signal_LT, None
    known_LT = np.isfinite(signal_LT)
    out, share = signal_LT.copy(), np.zeros(len(signal_LT))
    for i, known in enumerate(known_LT):
        there, gone = np.flatnonzero(known), np.flatnonzero(~known)
        after = np.searchsorted(there, gone)
        inside = (after > 0) & (after < len(there))
        gone, after = gone[inside], after[inside]
        short = there[after] - there[after - 1] <= MENDED_SECONDS * rate + 1e-6
        gone = gone[short]
        if len(gone):
            out[i, gone] = np.interp(gone, there, out[i, there])
        share[i] = len(gone) / len(known)
    return out, share
