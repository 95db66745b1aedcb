"""How uncertain a figure is: variance over test subjects, variance over seeds, their sum and its degrees of freedom.

Shapes: S seeds (each the mean over its own draws of few labels), R resamples, K labels. A t test over seeds alone
ignores the test sample and covers 25-86 % where 95 % is promised; subjects alone ignore training and cover 88-93 %.
So Var = V_subject + V_seed, with Welch-Satterthwaite degrees of freedom.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

SEEDS = 3
"""Fewer than this say nothing about seeds: the variance is of subjects alone, conditional on the runs."""
POWER = 0.80


@dataclass(frozen=True)
class Variance:
    """V_subject (with its small-sample factor), V_seed (NaN below 3 seeds), their sum, and degrees of freedom."""

    subject: float
    seed: float
    total: float
    df: float

    @property
    def se(self) -> float:
        return float(np.sqrt(self.total))

    @property
    def smallest_detectable(self) -> float:
        """Difference that a two-sided 5 % test finds with 80 % power: (t_{0.975,df} + t_{0.80,df}) sqrt(Var)."""
        return float((stdtrit(self.df, 0.975) + stdtrit(self.df, POWER)) * self.se)

    def p_value(self, figure: float, threshold: float = 0.0) -> float:
        """Two-sided t probability of a figure this far from the threshold."""
        if self.total == 0:
            return 1.0 if figure == threshold else 0.0
        return float(2 * stdtr(self.df, -abs(figure - threshold) / self.se))


def combine(per_run_S: np.ndarray, resamples_R: np.ndarray, df: float) -> Variance:
    """Variance of the mean over seeds.

    Args:
        per_run_S: the figure (or paired difference) of each seed on the test set itself. Where every seed has draws
            of labelled subjects of its own, the variance over seeds holds that of draws too; runs that share a seed
            are not independent and must have been averaged.
        resamples_R: the figure averaged over seeds, in each resample of subjects; NaN = undefined, left out.
        df: m - 1 for m subjects of the rarer class, or `macro_df`; the factor of the small sample is (df + 1) / df.
    """
    if not df >= 1:  # NaN too
        return Variance(float("nan"), float("nan"), float("nan"), float("nan"))
    subject = float(np.nanvar(resamples_R, ddof=1)) * (df + 1) / df
    S = len(per_run_S)
    if S < SEEDS:
        return Variance(subject, float("nan"), subject, df)
    seed = float(np.var(per_run_S, ddof=1)) / S
    total = subject + seed
    pooled = total**2 / (subject**2 / df + seed**2 / (S - 1)) if total > 0 else df
    return Variance(subject, seed, total, pooled)


def macro_df(resamples_KR: np.ndarray, m_K: np.ndarray) -> float:
    """Degrees of freedom nu of a mean over labels: (sum v_k)^2 / sum(v_k^2 / (m_k - 1)), v_k the bootstrap variances.

    A macro mean is only as certain as its rarest label. Labels that do not vary at all leave m - 1 of the rarest one;
    one that is never defined leaves NaN.
    """
    if np.isnan(resamples_KR).all(axis=1).any():
        return float("nan")
    v_K = np.nanvar(resamples_KR, axis=1, ddof=1)
    if v_K.sum() == 0:
        return float(m_K.min() - 1)
    return float(v_K.sum() ** 2 / (v_K**2 / (m_K - 1)).sum())
