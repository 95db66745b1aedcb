"""Quantiles of what is known: like `numpy.nanpercentile`, many times faster, silent where nothing is known."""

from __future__ import annotations

import numpy as np


def median_known(values: np.ndarray, axis: int) -> np.ndarray:
    """Median along an axis, NaN skipped; NaN where all are NaN.

    >>> median_known(np.array([[1.0, 5.0, np.nan], [np.nan, np.nan, np.nan]]), 1)
    array([ 3., nan])
    """
    if not np.isnan(values.sum(dtype=np.float64)):
        size = values.shape[axis]
        middle = np.partition(values, ((size - 1) // 2, size // 2), axis=axis)
        low, high = middle.take((size - 1) // 2, axis), middle.take(size // 2, axis)
        return (low + high) / 2
    return quantiles_known(values, (0.5,), axis)[0][0]


def quantiles_known(values: np.ndarray, shares: tuple[float, ...], axis: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Quantiles along an axis, straight between neighbours, NaN skipped; and how many are known.

    Returns:
        (shares, ...) without that axis, NaN where nothing is known; the counts without that axis.
    """
    values = np.moveaxis(values, axis, 0)
    known = len(values) - np.isnan(values).sum(axis=0)
    if not len(values):
        return np.full((len(shares), *values.shape[1:]), np.nan), known
    ordered = np.sort(values, axis=0)  # NaN last
    top = np.maximum(known - 1, 0)
    place = np.multiply.outer(np.array(shares, ordered.dtype), top)
    low = place.astype(int)
    high = np.minimum(low + 1, top)
    left, right = (np.take_along_axis(ordered, at, axis=0) for at in (low, high))
    return left + (place - low) * (right - left), known
