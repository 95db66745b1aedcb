"""Labels that can be told without looking at the ECG: from device, site, length, rate and leads alone.

A tree of depth 3 learns on one half of the persons and is scored on the other. What it finds a model will find as well,
and will not find in another hospital. Needs scikit-learn (the extra [train]).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from einthoven.cohort import splits
from einthoven.cohort.store import Cohort

REPORTED = 0.65
"""AUROC above which a label is reported."""

LEAST_SUBJECTS = 20
"""Persons with and without a label, in each half, below which nothing is said about it."""

_WORDS = ("device", "site")
_MOST_WORDS = 20


@dataclass(frozen=True)
class Giveaway:
    """A label and how well metadata alone predict it; `by` is what the tree looked at most."""

    label_set: str
    code: str
    auroc: float
    by: str


def giveaways(cohort: Cohort) -> list[Giveaway]:
    """Labels that metadata predict with an AUROC above 0.65, the best predicted first.

    Raises:
        ModuleNotFoundError: scikit-learn is not installed.
    """
    from sklearn.metrics import roc_auc_score
    from sklearn.tree import DecisionTreeClassifier

    names, features = _features(cohort)
    if not names:
        return []
    test = splits.parts(cohort, "half-a") == "test"
    subject = cohort.index["subject_id"].to_numpy()
    found = []
    for label_set, code, truth in _labels(cohort):
        known = ~np.isnan(truth)
        halves = [known & ~test, known & test]
        counts = [len(np.unique(subject[half & (truth == sign)])) for half in halves for sign in (0, 1)]
        if min(counts) < LEAST_SUBJECTS:
            continue
        fit, score = halves
        tree = DecisionTreeClassifier(max_depth=3, min_samples_leaf=10, random_state=0)
        tree.fit(features[fit], truth[fit])
        chance = np.asarray(tree.predict_proba(features[score]))[:, 1]
        auroc = float(roc_auc_score(truth[score], chance))
        if auroc > REPORTED:
            found.append(Giveaway(label_set, code, auroc, names[int(tree.feature_importances_.argmax())]))
    return sorted(found, key=lambda one: (-one.auroc, one.label_set, one.code))


def _features(cohort: Cohort) -> tuple[list[str], np.ndarray]:
    """Names, and one column each: numbers as they are, each frequent word as 0 or 1; constant columns are left out."""
    index = cohort.index
    columns = {
        "rate": index["rate"].to_numpy(),
        "length": (index["samples"] / index["rate"]).to_numpy(),
        "number of leads": index["leads"].str.count_matches(" ").to_numpy(),
    }
    words = {"site": index["site"]}
    words |= {
        name: pl.Series(cohort.categories(name), dtype=pl.String) for name in _WORDS if name in cohort.names("category")
    }
    for name, said in words.items():
        frequent = said.drop_nulls().value_counts(sort=True).sort(["count", said.name], descending=[True, False])
        for word in frequent[said.name].head(_MOST_WORDS).to_list():
            columns[f"{name} {word}"] = (said == word).fill_null(False).to_numpy()
    columns = {name: column for name, column in columns.items() if len(np.unique(column)) > 1}
    return list(columns), np.column_stack([*columns.values()]).astype(np.float32) if columns else np.empty((0, 0))


def _labels(cohort: Cohort) -> Iterator[tuple[str, str, np.ndarray]]:
    for name in cohort.label_sets:
        codes, truth = cohort.labels(name)
        for k, code in enumerate(codes):
            yield name, code, truth[:, k]
