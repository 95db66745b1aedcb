"""Reference rows that stand in every table (evaluation.md E6): a gain is counted from these.

`prior only` predicts the training prevalence; `age and sex` is a linear probe on two facts; `random encoder` is the
same architecture untrained. `supervised from scratch` is a training run and lives in `tuned`. Shapes: N rows, K labels.
"""

from __future__ import annotations

import numpy as np

from einthoven.cohort.store import Cohort
from einthoven.core.errors import TaskError
from einthoven.evaluate.tasks import Task

RANDOM_SEEDS = 5


def prior(task: Task, train: np.ndarray) -> np.ndarray:
    """Training prevalence of each label (the median, for a value) for every row, (N, K).

    Raises:
        TaskError: a number that no training row knows.
    """
    known_NK = task.truth_NK[train]
    unknown = [label for k, label in enumerate(task.labels) if np.isnan(known_NK[:, k]).all()]
    if task.kind == "value" and unknown:
        raise TaskError(
            task.name, "a number is known in no training recording", got=", ".join(unknown), fix="label more people",
            reason="labels",
        )  # fmt: skip
    centre_K = np.nanmedian(known_NK, axis=0) if task.kind == "value" else prevalence(known_NK)
    return np.broadcast_to(centre_K, task.truth_NK.shape)


def prevalence(truth_NK: np.ndarray) -> np.ndarray:
    """Share of positives among the rows that know a label, (K,); 0 where none does."""
    known_NK = ~np.isnan(truth_NK)
    return np.where(known_NK, truth_NK, 0).sum(axis=0) / np.maximum(known_NK.sum(axis=0), 1)


def age_and_sex(cohort: Cohort) -> np.ndarray | None:
    """Age, its square, sex and what is unknown of them, (N, 5); None where the cohort knows neither."""
    unknown_N = np.full(len(cohort), np.nan)
    age_N = cohort.values("age") if "age" in cohort.names("value") else unknown_N
    sex = cohort.categories("sex") if "sex" in cohort.names("category") else []
    male_N = np.array([{"male": 1.0, "female": 0.0}.get(word or "", np.nan) for word in sex]) if sex else unknown_N
    if np.isnan(age_N).all() and np.isnan(male_N).all():
        return None
    filled = [
        np.where(np.isnan(value_N), centre, value_N)  # the centres are constants: nothing is fitted on other parts
        for value_N, centre in ((age_N / 100, 0.6), ((age_N / 100) ** 2, 0.36), (male_N, 0.5))
    ]
    return np.stack([*filled, np.isnan(age_N), np.isnan(male_N)], axis=1).astype(np.float64)
