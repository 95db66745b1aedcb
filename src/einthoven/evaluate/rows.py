"""One row of a score table: a figure over runs and resamples becomes value, interval, method, counts and flags.

Shapes: S seeds, C = 1 + R columns, of which column 0 is the test set itself and the rest are resamples of its subjects.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from einthoven.evaluate.figures import BIASED, METRICS
from einthoven.evaluate.intervals import LEAST, auroc_interval, effective_count, percentile, wald_t, wilson
from einthoven.evaluate.labels import Counts
from einthoven.evaluate.variance import SEEDS, Variance, combine

SCHEMA = {
    "task": pl.String, "split": pl.String, "label": pl.String, "metric": pl.String, "value": pl.Float64,
    "low": pl.Float64, "high": pl.Float64, "method": pl.String, "percentile_low": pl.Float64,
    "percentile_high": pl.Float64, "se": pl.Float64, "df": pl.Float64, "n_labels": pl.Int64, "n_records": pl.Int64,
    "n_subjects": pl.Int64, "n_positive_subjects": pl.Int64, "n_negative_subjects": pl.Int64, "n_runs": pl.Int64,
    "runs": pl.String, "per_run": pl.List(pl.Float64), "listed": pl.Boolean, "flags": pl.String, "learnt_as": pl.String,
}  # fmt: skip
UNDEFINED_SHARE = 0.01
"""A figure undefined in more of the resamples than this has no interval; the fixed label list keeps it far below."""


def row(
    label: str, metric: str, figure_SC: np.ndarray, counts: Counts, df: float, *, flags: list[str], listed: bool,
    labels: int = 1,
) -> dict[str, Any]:  # fmt: skip
    """The row of one label and metric, or of a mean over `labels` of them.

    Args:
        df: degrees of freedom of the variance over subjects: m - 1, or nu of a mean; NaN: no interval.
    """
    value = float(figure_SC[:, 0].mean())
    resamples_R = figure_SC[:, 1:].mean(axis=0)
    undefined = int(np.isnan(resamples_R).sum())
    variance, low, high, method = Variance(np.nan, np.nan, np.nan, np.nan), np.nan, np.nan, "none"
    flags = list(flags)
    if np.isnan(value):
        flags = flags or ["no positive or no negative subject"]
    elif METRICS[metric] is not None and not np.isnan(df):
        if labels == 1 and df + 1 < LEAST:
            flags.append(f"fewer than {LEAST} subjects in a class")
        elif undefined > UNDEFINED_SHARE * len(resamples_R):
            flags.append(f"undefined in {undefined} resamples")
        else:
            variance = combine(figure_SC[:, 0], resamples_R, df)
            low, high, method = _interval(metric, value, variance, counts, single=labels == 1)
            flags += [f"undefined in {undefined} resamples"] if undefined else []
            flags += ["subjects only"] if len(figure_SC) < SEEDS else []
            flags += ["no variation in resamples"] if variance.total == 0 else []
    percentiles = percentile(resamples_R) if method != "none" and metric not in BIASED else (np.nan, np.nan)
    return {
        "label": label, "metric": metric, "value": value, "low": low, "high": high, "method": method,
        "percentile_low": percentiles[0], "percentile_high": percentiles[1], "se": variance.se, "df": variance.df,
        "n_labels": labels, "n_records": counts.records, "n_subjects": counts.subjects,
        "n_positive_subjects": counts.positive, "n_negative_subjects": counts.negative,
        "per_run": figure_SC[:, 0].tolist(), "listed": listed, "flags": flags,
    }  # fmt: skip


def _interval(
    metric: str, value: float, variance: Variance, counts: Counts, *, single: bool
) -> tuple[float, float, str]:
    scale: Any = METRICS[metric]
    if single and scale == "auroc":
        return auroc_interval(value, variance.total, counts.m, max(counts.positive, counts.negative), variance.df)
    if single and scale == "wilson":
        subjects = counts.positive if metric.startswith("sensitivity") else counts.negative
        return *wilson(value, effective_count(value, variance.total, subjects)), "wilson"
    scale = "logit" if scale in ("auroc", "wilson") else scale
    if variance.total == 0:
        return value, value, f"wald-t {scale}"
    low, high = wald_t(value, variance.total, variance.df, scale)
    return float(low), float(high), f"wald-t {scale}"
