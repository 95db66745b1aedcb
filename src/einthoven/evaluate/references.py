"""Reference rows that stand in every table (evaluation.md E6): a gain is counted from these.

`prior only` predicts the training prevalence; `age and sex` is a linear probe on two facts; `random encoder` is the same
architecture untrained. `supervised from scratch` is a training run and lives in `tuned`. Shapes: N rows, K labels.
"""

from __future__ import annotations

import numpy as np

from einthoven.cohort.store import Cohort
from einthoven.evaluate.tasks import Task

RANDOM_SEEDS = 5


def prior(task: Task, train: np.ndarray) -> np.ndarray:
    """Training prevalence of each label (the median, for a value) for every row, (N, K)."""
    known_NK = task.truth_NK[train]
    centre_K = np.nanmedian(known_NK, axis=0) if task.kind == "value" else _mean(known_NK)
    return np.broadcast_to(centre_K, task.truth_NK.shape)


def _mean(truth_NK: np.ndarray) -> np.ndarray:
    known_NK = ~np.isnan(truth_NK)
    return np.where(known_NK, truth_NK, 0).sum(axis=0) / np.maximum(known_NK.sum(axis=0), 1)


def age_and_sex(cohort: Cohort) -> np.ndarray | None:
    """Age, its square, sex and what is unknown of them, (N, 5); None where the cohort knows neither."""
    age_N = cohort.values("age")
    sex = cohort.categories("sex")
    male_N = np.array([{"male": 1.0, "female": 0.0}.get(value or "", np.nan) for value in sex])
    if np.isnan(age_N).all() and np.isnan(male_N).all():
        return None
    filled = [
        np.where(np.isnan(value_N), centre, value_N)  # the centres are constants: nothing is fitted on other parts
        for value_N, centre in ((age_N / 100, 0.6), ((age_N / 100) ** 2, 0.36), (male_N, 0.5))
    ]
    return np.stack([*filled, np.isnan(age_N), np.isnan(male_N)], axis=1).astype(np.float64)
