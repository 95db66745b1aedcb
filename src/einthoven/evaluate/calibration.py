"""Do probabilities mean what they say: calibration line, expected calibration error, Brier decomposition, rescaling.

Shapes: n records, B bins (10 of equal mass, ties kept in one bin), R weightings at once. The main figures are intercept
and slope of a logistic regression of the truth on logit p (ideal 0 and 1). The plain calibration error is biased
upward, so its value under perfect calibration stands beside it (Roelofs et al. 2022, arXiv 2012.08668).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.special import expit, logit

BINS = 10
DRAWS = 200
EDGE = 1e-6
"""Probabilities are kept this far from 0 and 1 before their logit is taken."""


@dataclass(frozen=True)
class Line:
    """Logistic regression of the truth on logit p: P(y = 1) = expit(intercept + slope * logit p)."""

    intercept: float
    slope: float
    influence_2n: np.ndarray
    """What each record adds to (intercept, slope) when its weight grows by 1, to first order."""

    def __call__(self, score_n: np.ndarray) -> np.ndarray:
        """The probabilities moved onto the line (Platt scaling, if the line was fitted on validation)."""
        return expit(self.intercept + self.slope * _logit(score_n))


def fit_line(truth_n: np.ndarray, score_n: np.ndarray) -> Line | None:
    """Maximum likelihood by Newton's method; None where it does not exist (one class, separated or constant scores).

    Truth may be fractions (Platt's targets).
    """
    truth_n = np.asarray(truth_n, dtype=np.float64)
    x_n = _logit(score_n)
    if not _overlap(truth_n, x_n):
        return None
    design_2n = np.stack([np.ones(len(x_n)), x_n])
    theta_2, loss = np.zeros(2), np.inf
    for _ in range(100):
        p_n = expit(theta_2 @ design_2n)
        inverse_22 = np.linalg.inv((design_2n * (p_n * (1 - p_n))) @ design_2n.T)
        step_2 = inverse_22 @ (design_2n @ (truth_n - p_n))
        while (new := _loss(theta_2 + step_2, design_2n, truth_n)) > loss + 1e-12:  # Newton overshoots far from 0
            step_2 = step_2 / 2
        theta_2, loss = theta_2 + step_2, new
        if np.abs(step_2).max() < 1e-10:
            break
    p_n = expit(theta_2 @ design_2n)
    inverse_22 = np.linalg.inv((design_2n * (p_n * (1 - p_n))) @ design_2n.T)
    return Line(float(theta_2[0]), float(theta_2[1]), inverse_22 @ (design_2n * (truth_n - p_n)))


def platt(truth_v: np.ndarray, score_v: np.ndarray) -> Line | None:
    """The line fitted on validation with Platt's targets, which keep it finite where the classes are separated.

    Platt (1999): positives (N+ + 1) / (N+ + 2), negatives 1 / (N- + 2). None without both classes or a spread of
    scores.
    """
    truth_v = np.asarray(truth_v, dtype=bool)
    positive, negative = truth_v.sum(), (~truth_v).sum()
    if not positive or not negative:
        return None
    return fit_line(np.where(truth_v, (positive + 1) / (positive + 2), 1 / (negative + 2)), score_v)


class Bins:
    """Sums by bin of equal mass, for all weightings at once; the bins are those of the unweighted scores."""

    def __init__(self, truth_n: np.ndarray, score_n: np.ndarray) -> None:
        truth_n, score_n = np.asarray(truth_n, dtype=np.float64), np.asarray(score_n, dtype=np.float64)
        n = len(score_n)
        level_n, count_l = np.unique(score_n, return_inverse=True, return_counts=True)[1:]
        middle_l = np.cumsum(count_l) - count_l / 2  # of the ranks of equal scores: they stay together
        bin_n = np.minimum((middle_l[level_n] * BINS / n).astype(np.int64), BINS - 1)
        self._score_n = score_n
        self._in_bin = csr_array((np.ones(n), (bin_n, np.arange(n))), shape=(BINS, n))
        terms = (np.ones(n), truth_n, score_n, score_n**2, score_n * truth_n)
        self._sums = [self._in_bin.multiply(term[None, :]).tocsr() for term in terms]

    def errors(self, weight_nR: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Expected and maximum calibration error, (R,) each: |mean score - share of positives| over the bins."""
        weight_BR, truth_BR, score_BR = (sums @ weight_nR for sums in self._sums[:3])
        gap_BR = np.abs(score_BR - truth_BR)
        with np.errstate(invalid="ignore"):
            largest_R = np.where(weight_BR > 0, gap_BR / weight_BR, 0.0).max(axis=0)
        return gap_BR.sum(axis=0) / weight_BR.sum(axis=0), largest_R

    def if_calibrated(self, generator: np.random.Generator) -> float:
        """Expected calibration error of these scores if every one of them were true: mean over 200 draws of truth."""
        truth_nD = generator.random((len(self._score_n), DRAWS)) < self._score_n[:, None]
        gap_BD = np.abs(self._in_bin @ (self._score_n[:, None] - truth_nD))
        return float(gap_BD.sum(axis=0).mean() / len(self._score_n))

    def decomposition(self, weight_nR: np.ndarray) -> dict[str, np.ndarray]:
        """Brier = reliability - resolution + uncertainty + within, (R,) each.

        `within` is the variance of the scores inside the bins less twice their covariance with the truth there
        (Stephenson et al. 2008); it is 0 for a forecast that is binned itself.
        """
        w_BR, truth_BR, score_BR, square_BR, product_BR = (sums @ weight_nR for sums in self._sums)
        total_R = w_BR.sum(axis=0)
        base_R = truth_BR.sum(axis=0) / total_R
        with np.errstate(invalid="ignore"):
            share_BR = np.where(w_BR > 0, truth_BR / w_BR, 0.0)
            mean_BR = np.where(w_BR > 0, score_BR / w_BR, 0.0)
        return {
            "reliability": (w_BR * (mean_BR - share_BR) ** 2).sum(axis=0) / total_R,
            "resolution": (w_BR * (share_BR - base_R) ** 2).sum(axis=0) / total_R,
            "uncertainty": base_R * (1 - base_R),
            "within": (square_BR - w_BR * mean_BR**2 - 2 * (product_BR - w_BR * mean_BR * share_BR)).sum(axis=0)
            / total_R,
        }


def _logit(score_n: np.ndarray) -> np.ndarray:
    return logit(np.clip(np.asarray(score_n, dtype=np.float64), EDGE, 1 - EDGE))


def _overlap(truth_n: np.ndarray, x_n: np.ndarray) -> bool:
    """Whether the likelihood of a line has a finite maximum: both outcomes, a spread, and no cut that parts them."""
    could_be_1, could_be_0 = x_n[truth_n > 0], x_n[truth_n < 1]
    if len(could_be_1) == 0 or len(could_be_0) == 0:
        return False
    return bool(could_be_1.min() < could_be_0.max() and could_be_0.min() < could_be_1.max())


def _loss(theta_2: np.ndarray, design_2n: np.ndarray, truth_n: np.ndarray) -> float:
    z_n = theta_2 @ design_2n
    return float((np.logaddexp(0, z_n) - truth_n * z_n).sum())
