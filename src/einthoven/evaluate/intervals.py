"""Intervals from a figure, its bootstrap variance and the counts of subjects.

The percentile interval of an AUROC covers 83-94 % at 20 positive subjects where 95 % is promised, so it is shown beside
and another is used: logit-t, joined with Newcombe's score interval where subjects are few or the AUROC is near 1;
Wald-t for differences; Wald-t on the metric's natural scale for the rest. All are two-sided, 95 %. m is the number of
positive or of negative subjects, whichever is smaller. Arguments may be arrays. Sources: Newcombe 2006 (Stat Med
25:559, method 5), Pohar Perme & Manevski 2018, Wilson 1927.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from scipy.special import expit, logit, ndtri, stdtrit

LEVEL = 0.975
FEW = 50
NEAR_ONE = 0.95
LEAST = 10
"""Below this many positive or negative subjects there is a point and counts, and no interval."""

Scale = Literal["identity", "logit", "log", "atanh"]


def logit_t(auroc: Any, variance: Any, m: Any, other: Any, df: Any = None) -> tuple[np.ndarray, np.ndarray]:
    """Limits of an AUROC: expit(logit A -+ t_df se / (A (1 - A))).

    Args:
        auroc: A, kept within half a pair of 0 and 1: [0.5 / (m other), 1 - 0.5 / (m other)].
        variance: of A, small-sample factor m / (m - 1) included (`variance.Variance.total`).
        m, other: subjects of the rarer and of the commoner class.
        df: degrees of freedom, default m - 1.
    """
    edge = 0.5 / (np.asarray(m, dtype=np.float64) * other)
    inside = np.clip(auroc, edge, 1 - edge)
    half = t_quantile(LEVEL, np.asarray(m) - 1 if df is None else df) * np.sqrt(variance) / (inside * (1 - inside))
    return expit(logit(inside) - half), expit(logit(inside) + half)


def newcombe(auroc: Any, m: Any, other: Any) -> tuple[np.ndarray, np.ndarray]:
    """Newcombe's score interval, method 5: every theta with |A - theta| <= 1.96 sqrt(V(theta)); no resamples needed.

    V(theta) = theta (1 - theta) [2 N - 1 - (3 N - 3) / ((2 - theta)(1 + theta))] / (m other), N = (m + other) / 2.
    """
    auroc, m, other = np.broadcast_arrays(np.asarray(auroc, np.float64), m, other)
    mean_count, z = (m + other) / 2, ndtri(LEVEL)

    def inside(theta: np.ndarray) -> np.ndarray:
        shape = 2 * mean_count - 1 - (3 * mean_count - 3) / ((2 - theta) * (1 + theta))
        return np.abs(auroc - theta) <= z * np.sqrt(theta * (1 - theta) * shape / (m * other))

    # The set is one stretch around A: halve between a theta outside (0 or 1) and one just beside A.
    limits = []
    for far, near in ((0.0, np.maximum(auroc - 1e-9, 0)), (1.0, np.minimum(auroc + 1e-9, 1))):
        out, within = np.full(auroc.shape, far), near
        for _ in range(60):
            middle = (out + within) / 2
            hit = inside(middle)
            out, within = np.where(hit, out, middle), np.where(hit, middle, within)
        limits.append(within)
    return limits[0], limits[1]


def conservative(auroc: Any, variance: Any, m: Any, other: Any, df: Any = None) -> tuple[np.ndarray, np.ndarray]:
    """The union of logit-t and Newcombe.

    logit-t alone covers down to 81 % where subjects are few and the AUROC is near 1, Newcombe alone down to 89 % where
    positives are spread wider than negatives; the union covers 94 % and more, at up to twice the width.
    """
    low, high = logit_t(auroc, variance, m, other, df)
    score_low, score_high = newcombe(auroc, m, other)
    return np.minimum(low, score_low), np.maximum(high, score_high)


def auroc_interval(auroc: float, variance: float, m: int, other: int, df: float) -> tuple[float, float, str]:
    """Limits and method of a label's AUROC: `conservative` for m < 50 or A >= 0.95, else `logit-t`; `none` below 10."""
    if m < LEAST or np.isnan(auroc):
        return float("nan"), float("nan"), "none"
    plain = m >= FEW and auroc < NEAR_ONE
    low, high = (logit_t if plain else conservative)(auroc, variance, m, other, df)
    return float(low), float(high), "logit-t" if plain else "conservative"


def wald_t(value: Any, variance: Any, df: Any, scale: Scale = "identity", edge: Any = 1e-12) -> tuple[Any, Any]:
    """Limits value -+ t_df se on a scale where the metric is about normal; the standard error by the delta method.

    Args:
        variance: of the value itself, small-sample factor included.
        scale: `logit` for proportions, `log` for errors, `atanh` for correlations.
        edge: how near to the ends of the scale the value may come (half a subject).
    """
    value = np.asarray(value, dtype=np.float64)
    if scale == "logit":
        inside = np.clip(value, edge, 1 - edge)
        centre, slope, back = logit(inside), 1 / (inside * (1 - inside)), expit
    elif scale == "log":
        inside = np.maximum(value, edge)
        centre, slope, back = np.log(inside), 1 / inside, np.exp
    elif scale == "atanh":
        inside = np.clip(value, -1 + edge, 1 - edge)
        centre, slope, back = np.arctanh(inside), 1 / (1 - inside**2), np.tanh
    else:
        centre, slope, back = value, 1.0, np.asarray
    half = t_quantile(LEVEL, df) * np.sqrt(variance) * slope
    return back(centre - half), back(centre + half)


def wilson(share: float, count: float) -> tuple[float, float]:
    """Wilson's interval of a share of `count` (effective) subjects; of use at 0 and 1, where resamples do not vary."""
    z2 = ndtri(LEVEL) ** 2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = np.sqrt(z2 * (share * (1 - share) / count + z2 / (4 * count**2))) / (1 + z2 / count)
    return float(max(middle - half, 0)), float(min(middle + half, 1))


def effective_count(share: float, variance: float, subjects: int) -> float:
    """Independent subjects that a proportion of that variance is worth, never more than there are."""
    return float(min(subjects, share * (1 - share) / variance)) if variance > 0 else float(subjects)


def percentile(resamples_R: np.ndarray) -> tuple[float, float]:
    """The 2.5 and 97.5 percentiles, shown beside; NaN if there is no defined resample."""
    defined = resamples_R[~np.isnan(resamples_R)]
    if len(defined) == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [1 - LEVEL, LEVEL])
    return float(low), float(high)


def t_quantile(p: float, df: Any) -> Any:
    """Quantile of Student's t (df may be infinite)."""
    return stdtrit(df, p)
