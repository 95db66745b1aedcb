"""Temperature and thresholds, fitted on validation. Shapes: N rows, K labels.

One temperature a label for probabilities of their own, one for all where the labels exclude each other (Guo et al.
2017, arXiv 1706.04599). Thresholds are those of the highest F1 on validation.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import expit, softmax

COLDEST, HOTTEST = 1 / 20, 20.0


def temperatures(truth_NK: np.ndarray, logit_NK: np.ndarray, exclusive: bool) -> np.ndarray:
    """(K,): the divisor of the logits with the highest likelihood, within 1/20 and 20.

    Each class counts one row more than there is (after Platt 1999), so that a few rows that happen to be separated do
    not make certainty. 1 for a label of which only one class is known. Truth is 0, 1, or NaN for unknown; a row of an
    exclusive set is known whole or not at all.
    """
    if exclusive:
        known_N = ~np.isnan(truth_NK).any(1)
        if not known_N.any():
            return np.ones(truth_NK.shape[1])
        truth_MK, logit_MK = _softened(truth_NK[known_N], truth_NK.shape[1]), logit_NK[known_N].astype(np.float64)
        centred_MK = logit_MK - (logit_MK * truth_MK).sum(1, keepdims=True)
        slope = _slope(lambda slope: -float((softmax(slope * logit_MK, axis=1) * centred_MK).sum()))
        return np.full(truth_NK.shape[1], 1 / slope)
    out_K = np.ones(truth_NK.shape[1])
    for k in range(len(out_K)):
        known_N = ~np.isnan(truth_NK[:, k])
        truth_M, logit_M = truth_NK[known_N, k], logit_NK[known_N, k].astype(np.float64)
        if 0 < truth_M.sum() < len(truth_M):
            soft_M = _softened(truth_M, 2)
            out_K[k] = 1 / _slope(lambda slope, t=soft_M, x=logit_M: float(x @ (t - expit(slope * x))))
    return out_K


def f1_thresholds(truth_NK: np.ndarray, score_NK: np.ndarray, prevalence_K: np.ndarray) -> list[float | None]:
    """For each label the score with the highest F1; of equals the higher one (evaluation.md C).

    A label without a positive gets the (1 - training prevalence) quantile of its scores, one never known None.
    """
    out: list[float | None] = []
    for k in range(truth_NK.shape[1]):
        known_N = ~np.isnan(truth_NK[:, k])
        truth_M, score_M = truth_NK[known_N, k] > 0, score_NK[known_N, k].astype(np.float64)
        if not known_N.any():
            out.append(None)
        elif not truth_M.any():
            out.append(float(np.quantile(score_M, 1 - prevalence_K[k])))
        else:
            levels, place_M = np.unique(score_M, return_inverse=True)
            hits = np.bincount(place_M, truth_M)[::-1].cumsum()[::-1]  # called at this level or above
            called = np.bincount(place_M)[::-1].cumsum()[::-1]
            f1 = 2 * hits / (called + truth_M.sum())
            out.append(float(levels[np.flatnonzero(f1 == f1.max())[-1]]))
    return out


def _softened(truth: np.ndarray, classes: int) -> np.ndarray:
    """1 and 0 moved together by one row of each class: (N + 1) / (N + classes) and 1 / (N + classes)."""
    return (truth * len(truth) + 1) / (len(truth) + classes)


def _slope(derivative: Callable[[float], float]) -> float:
    """The slope 1 / T at which the derivative of the log likelihood, which falls, crosses 0."""
    low, high = 1 / HOTTEST, 1 / COLDEST
    for _ in range(60):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if derivative(middle) > 0 else (low, middle)
    return (low * high) ** 0.5
