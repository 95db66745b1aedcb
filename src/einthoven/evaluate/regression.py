"""Metrics of predicted numbers, in the unit of the number, weighted.

Shapes: n records, Q columns of one number; a weight is (n,) for one figure or (n, R) for R weightings at once. Rows of
unknown truth leave before. R2 is told around the test mean (the usual form) and around the training mean (`r2_train`,
the skill against a forecaster who knew only the training part); the mean absolute error stands beside that of the
constant training median.
"""

from __future__ import annotations

import numpy as np

Figure = float | np.ndarray


def mae(truth_n: np.ndarray, score_n: np.ndarray, weight: np.ndarray) -> Figure:
    """Mean absolute error."""
    return np.abs(score_n - truth_n) @ weight / weight.sum(axis=0)


def rmse(truth_n: np.ndarray, score_n: np.ndarray, weight: np.ndarray) -> Figure:
    """Root of the mean squared error."""
    return np.sqrt((score_n - truth_n) ** 2 @ weight / weight.sum(axis=0))


def r2(truth: np.ndarray, score: np.ndarray, weight: np.ndarray, centre: float | np.ndarray | None = None) -> Figure:
    """1 - SS_res / SS_tot around `centre`, default the (weighted) mean of the truth at hand; NaN if SS_tot is 0.

    truth, score: (n,), or (Q, n) with sums over all columns, each around its own mean or its own one of `centre` (Q,):
    cosine and sine of an angle.
    """
    residual, total = 0.0, 0.0
    middles = [None] * len(np.atleast_2d(truth)) if centre is None else np.atleast_1d(centre)
    for truth_n, score_n, given in zip(np.atleast_2d(truth), np.atleast_2d(score), middles, strict=True):
        middle = truth_n @ weight / weight.sum(axis=0) if given is None else given
        # Around a constant first: the sums of squares of a potassium of 140 +- 2 would otherwise cancel.
        offset_n = truth_n - truth_n.mean()
        shift = middle - truth_n.mean()
        total += offset_n**2 @ weight - 2 * shift * (offset_n @ weight) + shift**2 * weight.sum(axis=0)
        residual += (score_n - truth_n) ** 2 @ weight
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(total > 0, 1 - residual / total, np.nan)[()]


def spearman(truth_n: np.ndarray, score_n: np.ndarray, weight: np.ndarray) -> Figure:
    """Correlation of mid-ranks, where a record of weight w counts as w records; NaN if either side is constant."""
    rank_truth, rank_score = _midranks(truth_n, weight), _midranks(score_n, weight)
    total = weight.sum(axis=0)
    x = rank_truth - (rank_truth * weight).sum(axis=0) / total
    y = rank_score - (rank_score * weight).sum(axis=0) / total
    spread = (x * x * weight).sum(axis=0) * (y * y * weight).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(spread > 0, (x * y * weight).sum(axis=0) / np.sqrt(spread), np.nan)[()]


def _midranks(value_n: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Mean rank that the copies of each record have, shape of `weight`."""
    level_n = np.unique(value_n, return_inverse=True)[1]
    order = np.argsort(level_n, kind="stable")
    starts = np.flatnonzero(np.diff(level_n[order], prepend=-1))
    group = np.add.reduceat(weight[order], starts, axis=0)
    return (np.cumsum(group, axis=0) - (group - 1) / 2)[level_n]
