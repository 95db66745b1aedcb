"""Every figure of a prediction table on the test set itself and in each resample of its subjects.

Shapes: S runs, C = 1 + R columns, column 0 the test set itself. Several splits (halves, folds) are scored one by one
with resamples of their own and averaged; scores of two models are never pooled into one ranking, their scales differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from einthoven.core.random import generator
from einthoven.evaluate import figures, numbers
from einthoven.evaluate.bootstrap import Bootstrap
from einthoven.evaluate.ranking import Ranking
from einthoven.evaluate.table import Split, Table

Kind = Literal["multilabel", "exclusive", "value"]
Key = tuple[str, str]
"""(label, metric); the label may also be `micro`, or `all` for an exclusive set."""


@dataclass(frozen=True, eq=False)
class Resampled:
    """figures[label, metric]: (S, C), the mean over splits, NaN where undefined; reasons say why one could not be."""

    figures: dict[Key, np.ndarray]
    reasons: dict[Key, str]


@dataclass(frozen=True)
class Asked:
    """What is wanted of a table. `listed` labels make the micro average; a `metric` alone spares the others' time."""

    kind: Kind
    listed: tuple[str, ...]
    task_name: str
    seed: int
    metric: str | None = None

    def any_of(self, names: dict[str, str | None]) -> bool:
        return self.metric is None or self.metric in names


def resample(table: Table, bootstrap: Bootstrap, asked: Asked) -> Resampled:
    """The figures of a table, with one pass over the blocks of weights of each split."""
    parts: dict[Key, np.ndarray] = {}
    reasons: dict[Key, str] = {}
    shape = (len(table.splits), len(table.runs), bootstrap.columns)
    for s, split in enumerate(table.splits):
        prepared = [list(_prepare(table, split, run, asked, reasons)) for run in range(len(table.runs))]
        for columns, weight_nC in bootstrap.weights(s):
            for run, computes in enumerate(prepared):
                for compute in computes:
                    for key, figure_C in compute(weight_nC).items():
                        if key not in parts:
                            parts[key] = np.full(shape, np.nan)
                        parts[key][s, run, columns] = figure_C
    return Resampled({key: part_PSC.mean(axis=0) for key, part_PSC in parts.items()}, reasons)


def _prepare(
    table: Table, split: Split, run: int, asked: Asked, reasons: dict[Key, str]
) -> Iterator[Callable[[np.ndarray], dict[Key, np.ndarray]]]:
    truth_nK, score_nK = split.test.truth_nK, split.score_SnK[run]
    if asked.kind == "value":
        yield from _numbers(table, split, run, asked, reasons)
        return
    for k, label in enumerate(table.labels):
        known_n = ~np.isnan(truth_nK[:, k])
        for of_label in _of_label(split, run, k, label, asked) if known_n.any() else ():
            reasons |= {(label, metric): f"{why} ({split.name})" for metric, why in of_label.reasons.items()}
            yield _named(label, of_label, known_n)
    if asked.listed and asked.any_of(figures.RANKS):
        yield _micro(truth_nK, score_nK, [table.labels.index(label) for label in asked.listed])
    if asked.kind == "exclusive" and asked.any_of(figures.SETS):
        true_n = (truth_nK == 1).any(axis=1)
        whole = figures.SetFigures(truth_nK[true_n], score_nK[true_n], table.labels)
        yield lambda weight_nC: whole(weight_nC[true_n])


def _numbers(
    table: Table, split: Split, run: int, asked: Asked, reasons: dict[Key, str]
) -> Iterator[Callable[[np.ndarray], dict[Key, np.ndarray]]]:
    for number in numbers.of(table.labels):
        columns = [table.labels.index(column) for column in number.columns]
        truth_Qn, score_Qn, truth_Qt = (
            part_nK[:, columns].T for part_nK in (split.test.truth_nK, split.score_SnK[run], split.train.truth_nK)
        )
        known_n = np.asarray(~(np.isnan(truth_Qn) | np.isnan(score_Qn)).any(axis=0))
        known_t = np.asarray(~np.isnan(truth_Qt).any(axis=0))
        if known_n.any():
            of_number = figures.ValueFigures(
                number, truth_Qn[:, known_n], score_Qn[:, known_n], truth_Qt[:, known_t], asked.metric
            )
            reasons |= {(number.name, metric): f"{why} ({split.name})" for metric, why in of_number.reasons.items()}
            yield _named(number.name, of_number, known_n)


def _of_label(split: Split, run: int, k: int, label: str, asked: Asked) -> Iterator[Any]:
    truth_n, score_n = _known(split.test.truth_nK[:, k], split.score_SnK[run][:, k])
    validation = _known(split.validation[run].truth_nK[:, k], split.validation[run].score_nK[:, k])
    truth_t, _ = _known(split.train.truth_nK[:, k], split.train.truth_nK[:, k])
    if asked.any_of(figures.RANKS):
        yield figures.RankFigures(truth_n, score_n)
    if asked.any_of(figures.DECISIONS):
        prevalence_t = float(truth_t.mean()) if len(truth_t) else float("nan")
        yield figures.DecisionFigures(truth_n, score_n, *validation, prevalence_t)
    if asked.any_of(figures.PROBABILITIES):
        rng = generator(asked.seed, f"{asked.task_name}/{split.name}/{label}", "ece")
        yield figures.ProbabilityFigures(truth_n, score_n, *validation, rng)


def _known(truth_n: np.ndarray, score_n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    known_n = ~np.isnan(truth_n) & ~np.isnan(score_n)
    return truth_n[known_n], score_n[known_n]


def _named(label: str, of_label: Any, known_n: np.ndarray) -> Callable[[np.ndarray], dict[Key, np.ndarray]]:
    everyone = bool(known_n.all())

    def compute(weight_nC: np.ndarray) -> dict[Key, np.ndarray]:
        found = of_label(weight_nC if everyone else weight_nC[known_n])
        return {(label, metric): figure_C for metric, figure_C in found.items()}

    return compute


def _micro(
    truth_nK: np.ndarray, score_nK: np.ndarray, columns: list[int]
) -> Callable[[np.ndarray], dict[Key, np.ndarray]]:
    row, label = np.nonzero(~np.isnan(truth_nK[:, columns]))
    ranking = Ranking(truth_nK[:, columns][row, label], score_nK[:, columns][row, label], row, len(truth_nK))

    def compute(weight_nC: np.ndarray) -> dict[Key, np.ndarray]:
        auroc_C, ap_C = ranking(weight_nC)
        return {("micro", "auroc"): auroc_C, ("micro", "ap"): ap_C}

    return compute
