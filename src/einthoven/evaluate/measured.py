"""Rows that see measurements (rate, intervals, axes, amplitudes), the rival and the ally of an encoder.

The measurements are the `physiology.*` values that `einthoven derive physiology COHORT` adds, less the scores of
quality; what could not be measured is NaN. Shapes: N rows of the cohort, M measurements, D features, K labels,
V validation rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from einthoven.cohort.store import Cohort
from einthoven.evaluate import references
from einthoven.evaluate.metrics import auroc
from einthoven.evaluate.tasks import PHYSIOLOGY, Task, underived

PREFIX, QUALITY = f"{PHYSIOLOGY}.", f"{PHYSIOLOGY}.quality."
ROUNDS, EVERY = 300, 20
"""Trees a label at most; the number that validation chooses is a multiple of `EVERY`."""
TREES: dict[str, Any] = {
    "max_iter": ROUNDS, "learning_rate": 0.05, "max_leaf_nodes": 15, "min_samples_leaf": 20, "l2_regularization": 1.0,
    "early_stopping": False, "random_state": 0,
}  # fmt: skip


def measurements(cohort: Cohort) -> np.ndarray | None:
    """All measurements of all recordings, (N, M) float64 in the order of their names; None where none were derived."""
    name = pl.col("name").str
    table = cohort.facts("value").filter(name.starts_with(PREFIX) & ~name.starts_with(QUALITY))
    if not len(table):
        return None
    names = table["name"].unique().sort()
    values_NM = np.full((len(cohort), len(names)), np.nan)
    column = names.search_sorted(table["name"]).to_numpy()
    values_NM[table["row"].to_numpy(), column] = table["value"].to_numpy()
    return values_NM


def need(cohort: Cohort) -> np.ndarray:
    """`measurements`, or the error that says how to get them."""
    found = measurements(cohort)
    if found is None:
        raise underived(cohort)
    return found


def filled(values_NM: np.ndarray, train: np.ndarray) -> np.ndarray:
    """For a linear model: NaN becomes the training median, and a column says where it was, (N, 2 M) float64.

    A measurement that no training row has is 0 throughout.
    """
    missing_NM = np.isnan(values_NM)
    known_M = ~missing_NM[train].all(axis=0)
    centre_M = np.zeros(values_NM.shape[1])
    centre_M[known_M] = np.nanmedian(values_NM[train][:, known_M], axis=0)
    whole_NM = np.where(missing_NM | ~known_M, centre_M, values_NM)
    return np.concatenate([whole_NM, missing_NM.astype(np.float64)], axis=1)


class Boosted:
    """Gradient boosting of trees, one model a label, on measurements as they are (scikit-learn's histogram method).

    The number of trees is chosen on validation, one for all labels: macro-AUROC, or the mean absolute error.
    """

    def __init__(self, task: Task, values_NM: np.ndarray, rows: dict[str, np.ndarray]) -> None:
        self.task = task
        train, self.validation = rows["train"], rows["validation"]
        truth_NK = task.truth_NK
        steps = range(EVERY, ROUNDS + 1, EVERY)
        score_SNK = np.empty((len(steps), *truth_NK.shape))
        self.untrained: list[str] = []
        for k, name in enumerate(task.labels):
            known = train[~np.isnan(truth_NK[train, k])]
            if task.kind != "value" and len(np.unique(truth_NK[known, k])) < 2:
                self.untrained.append(name)
                score_SNK[:, :, k] = references.prevalence(truth_NK[train])[k]
                continue
            for i, score_N in enumerate(_stages(values_NM, truth_NK[:, k], known, task.kind == "value")):
                score_SNK[i, :, k] = score_N
        figures = np.array([self._judge(score_SNK[i]) for i in range(len(steps))])
        best = len(figures) // 2 if np.isnan(figures).all() else int(np.nanargmax(figures))
        self.trees, self.width = steps[best], values_NM.shape[1]
        self.best_NK = score_SNK[best]

    def _judge(self, score_NK: np.ndarray) -> float:
        truth_VK, score_VK = self.task.truth_NK[self.validation], score_NK[self.validation]
        if self.task.kind == "value":
            known_V = ~np.isnan(truth_VK[:, 0])
            return -float(np.abs(score_VK - truth_VK)[known_V].mean()) if known_V.any() else np.nan
        found = []
        for k in range(truth_VK.shape[1]):
            known_V = ~np.isnan(truth_VK[:, k])
            found.append(auroc(truth_VK[known_V, k], score_VK[known_V, k]))
        found = [one for one in found if not np.isnan(one)]
        return float(np.mean(found)) if found else np.nan

    def scores(self) -> np.ndarray:
        return self.best_NK

    def facts(self) -> dict[str, Any]:
        return {"trees": self.trees, "unfitted": self.untrained, "width": self.width, "flags": []}

    def head(self, validation: np.ndarray) -> dict[str, np.ndarray]:
        return {}


def _stages(values_NM: np.ndarray, truth_N: np.ndarray, train: np.ndarray, value: bool) -> list[np.ndarray]:
    """Scores of all rows after every `EVERY` trees, (N,) each."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    values_NM = values_NM[:, ~np.isnan(values_NM[train]).all(axis=0)]  # scikit-learn cannot bin what no row has
    if value:
        model: Any = HistGradientBoostingRegressor(**TREES, loss="absolute_error").fit(values_NM[train], truth_N[train])
        stages = model.staged_predict(values_NM)
    else:
        model = HistGradientBoostingClassifier(**TREES).fit(values_NM[train], truth_N[train])
        stages = (score_N2[:, 1] for score_N2 in model.staged_predict_proba(values_NM))
    return [score_N for i, score_N in enumerate(stages, 1) if i % EVERY == 0]
