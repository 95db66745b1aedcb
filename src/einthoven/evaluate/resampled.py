"""Every figure of a prediction table on the test set itself and in each resample of its subjects.

Shapes: S runs, C = 1 + R columns, column 0 the test set itself. Several splits (halves, folds) are scored one by one with
resamples of their own and averaged; scores of two models are never pooled into one ranking, their scales differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from einthoven.core.random import generator
from einthoven.evaluate.bootstrap import Bootstrap
from einthoven.evaluate.figures import LabelFigures, SetFigures, ValueFigures
from einthoven.evaluate.ranking import Ranking
from einthoven.evaluate.table import Split, Table

Kind = Literal["multilabel", "exclusive", "value"]
Key = tuple[str, str]
"""(label, metric); the label may also be `micro`, or `all` for an exclusive set."""
Compute = Callable[[np.ndarray], dict[Key, np.ndarray]]


@dataclass(frozen=True)
class Counts:
    """Of the test records with known truth, over all splits. For a value no subject is positive or negative."""

    records: int
    subjects: int
    positive: int = 0
    negative: int = 0

    @property
    def m(self) -> int:
        """Subjects of the rarer class."""
        return min(self.positive, self.negative)


@dataclass(frozen=True, eq=False)
class Resampled:
    """figures[label, metric]: (S, C), the mean over splits; reasons say why one is NaN."""

    figures: dict[Key, np.ndarray]
    reasons: dict[Key, str]


def count(table: Table, columns: list[int]) -> Counts:
    """Counts of one label, or of several together: a subject or record is in as soon as one of them is known."""
    total = np.zeros(4, dtype=np.int64)
    for split in table.splits:
        truth_nQ, subject_n = split.test.truth_nK[:, columns], split.test.subject_n
        known_n = ~np.isnan(truth_nQ).all(axis=1)
        masks = (known_n, (truth_nQ == 1).any(axis=1), (truth_nQ == 0).any(axis=1))
        total += [known_n.sum(), *(len(np.unique(subject_n[mask_n])) for mask_n in masks)]
    return Counts(*(int(number) for number in total))


def resample(
    table: Table, bootstrap: Bootstrap, kind: Kind, listed: list[str], *, task_name: str, seed: int
) -> Resampled:
    """All figures of a table.

    Args:
        listed: the labels whose pairs make up the micro average.
    """
    parts: dict[Key, np.ndarray] = {}
    reasons: dict[Key, str] = {}
    shape = (len(table.splits), len(table.runs), bootstrap.columns)
    for s, split in enumerate(table.splits):
        prepared = [
            _prepare(table, split, run, kind, listed, reasons, task_name, seed) for run in range(len(table.runs))
        ]
        for columns, weight_nC in bootstrap.weights(s):
            for run, computes in enumerate(prepared):
                for compute in computes:
                    for key, figure_C in compute(weight_nC).items():
                        parts.setdefault(key, np.full(shape, np.nan))[s, run, columns] = figure_C
    return Resampled({key: part_SSC.mean(axis=0) for key, part_SSC in parts.items()}, reasons)


def _prepare(
    table: Table, split: Split, run: int, kind: Kind, listed: list[str], reasons: dict[Key, str], task_name: str, seed: int
) -> list[Compute]:  # fmt: skip
    truth_nK, score_nK, validation = split.test.truth_nK, split.score_SnK[run], split.validation[run]
    computes: list[Compute] = []
    for k, label in enumerate(table.labels):
        known_n = ~np.isnan(truth_nK[:, k])
        if not known_n.any():
            continue
        train_t = split.train.truth_nK[:, k]
        train_t = train_t[~np.isnan(train_t)]
        if kind == "value":
            figures = ValueFigures(truth_nK[known_n, k], score_nK[known_n, k], train_t)
        else:
            known_v = ~np.isnan(validation.truth_nK[:, k]) & ~np.isnan(validation.score_nK[:, k])
            figures = LabelFigures(
                truth_nK[known_n, k], score_nK[known_n, k], validation.truth_nK[known_v, k],
                validation.score_nK[known_v, k], train_t.mean() if len(train_t) else np.nan,
                generator(seed, f"{task_name}/{split.name}/{label}", "ece"),
            )  # fmt: skip
        reasons |= {(label, metric): f"{reason} ({split.name})" for metric, reason in figures.reasons.items()}
        computes.append(_of_label(label, figures, known_n))
    if kind != "value" and listed:
        computes.append(_micro(truth_nK, score_nK, [table.labels.index(label) for label in listed]))
    if kind == "exclusive":
        known_n = (truth_nK == 1).any(axis=1)
        computes.append(_of_set(SetFigures(truth_nK[known_n], score_nK[known_n], table.labels), known_n))
    return computes


def _of_label(label: str, figures: LabelFigures | ValueFigures, known_n: np.ndarray) -> Compute:
    everyone = bool(known_n.all())

    def compute(weight_nC: np.ndarray) -> dict[Key, np.ndarray]:
        found = figures(weight_nC if everyone else weight_nC[known_n])
        return {(label, metric): figure_C for metric, figure_C in found.items()}

    return compute


def _of_set(figures: SetFigures, known_n: np.ndarray) -> Compute:
    return lambda weight_nC: figures(weight_nC[known_n])


def _micro(truth_nK: np.ndarray, score_nK: np.ndarray, columns: list[int]) -> Compute:
    row, label = np.nonzero(~np.isnan(truth_nK[:, columns]))
    truth, score = truth_nK[:, columns][row, label], score_nK[:, columns][row, label]
    ranking = Ranking(truth, score, row, len(truth_nK))

    def compute(weight_nC: np.ndarray) -> dict[Key, np.ndarray]:
        auroc_C, ap_C = ranking(weight_nC)
        return {("micro", "auroc"): auroc_C, ("micro", "ap"): ap_C}

    return compute
