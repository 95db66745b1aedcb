"""Metrics of one label: how well scores rank, where a threshold lies, what it gives; always weighted, never filled.

Shapes: n records, K labels; a weight is (n,) for one figure or (n, R) for R weightings at once (bootstrap resamples),
and the figure is a float or (R,) alike. Truth is 1 or 0 without NaN: unknown rows leave before. What is undefined is
NaN, as in an absent class, for which scikit-learn says 0 or NaN and torchmetrics 0. A score at or above its threshold
is positive.
"""

from __future__ import annotations

import numpy as np

from einthoven.evaluate.ranking import Ranking

Figure = float | np.ndarray


def auroc(truth_n: np.ndarray, score_n: np.ndarray, weight: np.ndarray | None = None) -> Figure:
    """Area under the ROC curve, ties half; NaN without a positive or a negative of positive weight.

    Example:
        >>> auroc([0, 0, 1, 1], [0.1, 0.4, 0.4, 0.8])
        0.875
    """
    return _ranked(truth_n, score_n, weight, 0)


def average_precision(truth_n: np.ndarray, score_n: np.ndarray, weight: np.ndarray | None = None) -> Figure:
    """Sum over thresholds of (recall step) x precision, no interpolation; NaN without a positive."""
    return _ranked(truth_n, score_n, weight, 1)


def prevalence(truth_n: np.ndarray, weight: np.ndarray | None = None) -> Figure:
    """Share of positives."""
    return _mean(np.asarray(truth_n, dtype=np.float64), weight)


def brier(truth_n: np.ndarray, score_n: np.ndarray, weight: np.ndarray | None = None) -> Figure:
    """Mean squared distance of a probability from the truth."""
    return _mean((np.asarray(score_n, dtype=np.float64) - truth_n) ** 2, weight)


def brier_scaled(truth_n: np.ndarray, score_n: np.ndarray, weight: np.ndarray | None = None) -> Figure:
    """1 - Brier / (pi (1 - pi)): 0 for the constant prevalence, 1 for perfection; NaN with one class only."""
    share = prevalence(truth_n, weight)
    return 1 - _ratio(brier(truth_n, score_n, weight), share * (1 - share))


def f1(truth_n: np.ndarray, called_n: np.ndarray, weight: np.ndarray | None = None) -> Figure:
    """2 TP / (2 TP + FP + FN) of a decision; NaN without a positive."""
    positive_n, called_n = np.asarray(truth_n, dtype=bool), np.asarray(called_n, dtype=bool)
    hit, positive, called = _sums(np.stack([positive_n & called_n, positive_n, called_n]), weight)
    return np.where(positive > 0, 2 * _ratio(hit, positive + called), np.nan)[()]


def sensitivity(truth_n: np.ndarray, called_n: np.ndarray, weight: np.ndarray | None = None) -> Figure:
    """Share of the positives that are called; NaN without a positive."""
    positive_n = np.asarray(truth_n, dtype=bool)
    hit, positive = _sums(np.stack([positive_n & called_n, positive_n]), weight)
    return _ratio(hit, positive)


def specificity(truth_n: np.ndarray, called_n: np.ndarray, weight: np.ndarray | None = None) -> Figure:
    """Share of the negatives that are not called; NaN without a negative."""
    negative_n = ~np.asarray(truth_n, dtype=bool)
    return sensitivity(negative_n, ~np.asarray(called_n, dtype=bool), weight)


def f1_threshold(truth_v: np.ndarray, score_v: np.ndarray, training_prevalence: float = np.nan) -> float:
    """The validation score that maximises F1 there; of equals the higher one.

    Args:
        truth_v, score_v: the label on validation.
        training_prevalence: where validation has no positive, the threshold is the (1 - this) quantile of its scores.

    Returns:
        NaN where validation is empty, or has no positive and the training prevalence is not given.
    """
    truth_v, score_v = np.asarray(truth_v, dtype=np.float64), np.asarray(score_v, dtype=np.float64)
    if len(score_v) == 0 or (not truth_v.any() and np.isnan(training_prevalence)):
        return float("nan")
    if not truth_v.any():
        return float(np.quantile(score_v, 1 - training_prevalence))
    level_l, level_v = np.unique(score_v, return_inverse=True)
    hits_l = np.cumsum(np.bincount(level_v, truth_v)[::-1])[::-1]
    called_l = np.cumsum(np.bincount(level_v)[::-1])[::-1]
    figure_l = 2 * hits_l / (truth_v.sum() + called_l)
    return float(level_l[np.flatnonzero(figure_l == figure_l.max())[-1]])


def thresholds(truth_VK: np.ndarray, score_VK: np.ndarray, training_prevalence_K: np.ndarray | None = None):
    """`f1_threshold` of each label, (K,); truth NaN leaves its label."""
    out_K = np.full(truth_VK.shape[1], np.nan)
    for k in range(len(out_K)):
        known = ~np.isnan(truth_VK[:, k])
        share = np.nan if training_prevalence_K is None else float(training_prevalence_K[k])
        out_K[k] = f1_threshold(truth_VK[known, k], score_VK[known, k], share)
    return out_K


def specificity_threshold(truth_v: np.ndarray, score_v: np.ndarray, target: float) -> float:
    """The lowest validation score that as a threshold has specificity >= `target` there.

    Returns:
        Infinity where no score does (then nothing is called), NaN where validation has no negative.
    """
    truth_v, score_v = np.asarray(truth_v, dtype=bool), np.asarray(score_v, dtype=np.float64)
    negative = np.sort(score_v[~truth_v])
    if len(negative) == 0:
        return float("nan")
    level_l = np.unique(score_v)
    # Counts, not shares: 9 of 10 negatives below is a specificity of 0.9 whatever 9 / 10 rounds to.
    enough_l = np.searchsorted(negative, level_l, side="left") >= target * len(negative) - 1e-9
    return float(level_l[enough_l][0]) if enough_l.any() else float("inf")


def _ranked(truth_n: np.ndarray, score_n: np.ndarray, weight: np.ndarray | None, which: int) -> Figure:
    weight = np.ones(len(score_n)) if weight is None else np.asarray(weight, dtype=np.float64)
    one = weight.ndim == 1
    figure_R = Ranking(truth_n, score_n)(weight[:, None] if one else weight)[which]
    return float(figure_R[0]) if one else figure_R


def _sums(of_Qn: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    """Weighted sums, (Q,) or (Q, R)."""
    of_Qn = of_Qn.astype(np.float64)
    return of_Qn.sum(axis=1) if weight is None else of_Qn @ np.asarray(weight, dtype=np.float64)


def _mean(of_n: np.ndarray, weight: np.ndarray | None) -> Figure:
    total, count = _sums(np.stack([of_n, np.ones(len(of_n))]), weight)
    return _ratio(total, count)


def _ratio(top: Figure, bottom: Figure) -> Figure:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.asarray(bottom) > 0, np.divide(top, bottom), np.nan)[()]
