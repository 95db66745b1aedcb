"""Einthoven's identity: do the limb leads of a recording agree with each other?

Any two limb leads give the other four (III = II - I and Goldberger's leads), so with three or more the names and signs
of the channels can be checked. All is computed from the covariance of the limb leads, so constant offsets do not count.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import polars as pl

from einthoven.core.leads import pick

LEAST_MV, LEAST_SHARE = 0.02, 0.1
"""A recording disagrees where the residual's standard deviation is above both: 0.02 mV, and a tenth of the lead's."""


def disagreements(limb: dict[tuple[str, ...], tuple[np.ndarray, np.ndarray]]) -> pl.DataFrame:
    """Recordings whose limb leads do not agree.

    Args:
        limb: by limb leads at hand (M of them, at least three), recordings (N,) and covariances in mV^2 (N, M, M).

    Returns:
        One row a recording, in their order: `row`; `lead`, the one that agrees least; `residual_mv`, the standard
        deviation of what it has too much; `hint`, the exchange of two names or the turn of one sign after which all
        leads agree, or "".
    """
    found = []
    for names, (rows, covariance) in limb.items():
        residual, share = _residuals(names, covariance)
        bad = _disagree(residual, share)
        for row, matrix, own in zip(rows[bad], covariance[bad], residual[bad]):
            worst = int(own.argmax())
            found.append((int(row), names[2:][worst], float(own[worst]), _hint(names, matrix)))
    schema = {"row": pl.Int64(), "lead": pl.String(), "residual_mv": pl.Float64(), "hint": pl.String()}
    return pl.DataFrame(found, schema, orient="row").sort("row")


def _residuals(names: tuple[str, ...], covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviation (N, M - 2) of each further lead less what the first two say, in mV and as a share of it."""
    weights = np.zeros((len(names) - 2, len(names)))
    weights[:, :2] = -pick(names[:2], names[2:])[0]
    weights[:, 2:] += np.eye(len(names) - 2)
    residual = _deviation(weights, covariance)
    return residual, residual / np.maximum(_deviation(np.eye(len(names))[2:], covariance), 1e-9)


def _deviation(weights: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Standard deviation (N, K) of K weighted sums of leads."""
    return np.sqrt(np.maximum(np.einsum("km,nml,kl->nk", weights, covariance, weights), 0))


def _disagree(residual: np.ndarray, share: np.ndarray) -> np.ndarray:
    return np.any((residual > LEAST_MV) & (share > LEAST_SHARE), axis=1)


def _hint(names: tuple[str, ...], covariance: np.ndarray) -> str:
    """The one mistake that explains all."""
    for i, k in combinations(range(len(names)), 2):
        order = np.arange(len(names))
        order[[i, k]] = k, i
        if not _disagree(*_residuals(names, covariance[order][:, order][None]))[0]:
            return f"{names[i]} and {names[k]} exchanged?"
    for i, name in enumerate(names):
        sign = np.ones(len(names))
        sign[i] = -1
        if not _disagree(*_residuals(names, (covariance * sign[:, None] * sign)[None]))[0]:
            return f"{name} upside down?"
    return ""
