"""Prediction tables in, scores with intervals out: `score` for one arm, `compare` for two on the same resamples.

Nothing is averaged but what the fixed label list names, nothing undefined is filled, and every figure has its interval,
the method of it, and counts of records, subjects and runs. Shapes: S runs, K labels, C = 1 + R columns, of which column 0
is the test set itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from einthoven.core.errors import TaskError, nearest
from einthoven.core.random import generator
from einthoven.evaluate import permutation
from einthoven.evaluate.bootstrap import Bootstrap, draw
from einthoven.evaluate.exclusive import SCORED_2017
from einthoven.evaluate.figures import METRICS
from einthoven.evaluate.intervals import LEAST, percentile, wald_t
from einthoven.evaluate.labels import listing
from einthoven.evaluate.resampled import Counts, Kind, Resampled, count, resample
from einthoven.evaluate.rows import SCHEMA, row
from einthoven.evaluate.table import Table, aligned, read
from einthoven.evaluate.variance import SEEDS, combine, macro_df


def score(
    predictions: pl.DataFrame, *, task_name: str, kind: Kind, min_positive: int = 10, resamples: int = 1000, seed: int = 0
) -> pl.DataFrame:  # fmt: skip
    """Score one arm on one task.

    Args:
        predictions: columns key, subject, split, part (train, validation, test), label, truth (1, 0, a number; null =
            unknown), score, run. One scheme of splits: `official`, or `half-a` and `half-b`, or `fold-0` .. `fold-4`.
            `run` holds the arm's seeds or few-label draws and is the same word in all splits of one seed. Train rows
            carry the truth of the full training part (their score is not read); validation rows give thresholds and
            the Platt line. What lacks them is NaN with a reason.
        task_name: keys the resamples together with `seed`: arms scored under one name share them.
        kind: of the task; scores of a `multilabel` or `exclusive` task are probabilities (else only ranked).
        min_positive: positive and negative subjects that a label needs in each test part to be averaged (5 or more).
        resamples: of subjects, for the intervals.

    Returns:
        One row for each label and metric (`figures.METRICS`), then `macro` (mean over the fixed list), `macro_present`
        (over the labels that occur), `micro`, and for exclusive sets `all`. Columns as in SCHEMA: `method` is `logit-t`,
        `conservative`, `wald-t SCALE`, `wilson`, `percentile` or `none`; percentiles stand beside; `se` is on the
        metric's own scale; with three or more runs the variance over runs is included; `flags` are joined by "; ".

    Raises:
        TaskError: the table breaks a rule (`table.read`), or `min_positive` is below 5.
    """
    table = read(predictions, task_name)
    listed = _listed(table, kind, min_positive)
    boot = _draw(table, kind, listed, task_name, seed, resamples)
    found = resample(table, boot, kind, listed, task_name=task_name, seed=seed)
    rows = []
    for label in table.labels:
        for metric in METRICS:
            if (label, metric) in found.figures:
                counts, df = _counts_and_df(table, kind, label, metric, [label])
                reasons = [found.reasons[label, metric]] if (label, metric) in found.reasons else []
                figure_SC = found.figures[label, metric]
                rows.append(row(label, metric, figure_SC, counts, df, flags=reasons, listed=label in listed))
    if kind != "value":
        notes = [f"{boot.redrawn} resamples drawn anew"] if boot.redrawn else []
        rows += _means(table, found, listed, notes)
    common = {"task": task_name, "split": table.split, "n_runs": len(table.runs)}
    for one in rows:
        one["flags"] = "; ".join([*one["flags"], *table.flags])
    return pl.DataFrame([common | one for one in rows], schema=SCHEMA, orient="row")


def compare(
    predictions_a: pl.DataFrame, predictions_b: pl.DataFrame, *, task_name: str, kind: Kind, metric: str = "",
    label: str = "macro", pairs: Sequence[tuple[str, str]] | None = None, threshold: float = 0.0, min_positive: int = 10,
    resamples: int = 1000, seed: int = 0, permutations: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """The difference A - B of two arms, on the same resamples of the same subjects and with paired runs.

    Args:
        predictions_a, predictions_b: as for `score`, with the same test records and truth.
        metric: default `auroc`, for a value `mae`.
        label: a label, `macro`, `micro` or `all`; of a task with one value it is that one.
        pairs: which run of A goes with which of B. Default: the same text after the last `#` of the run's name (the whole
            name if it has none); a side with one run is paired with every run of the other.
        threshold: what the p value tests the difference against.
        permutations: swaps of subjects for the check of p (macro-AUROC or AUROC of one pair); 0 leaves it out.

    Returns:
        task, split, metric, label, labels (averaged), a, b, difference, low, high, method, percentile_low,
        percentile_high, se, df, v_subject, v_seed (NaN below 3 pairs: the interval then holds for these runs only), sdd
        (smallest detectable difference), p, p_permutation, per_run, pairs, n_runs, n_records, n_subjects, m (subjects of
        the rarer class; nu + 1 of a mean), redrawn, flags (list). All NaN with a flag where it cannot be computed.

    Raises:
        TaskError: the tables do not belong together, runs cannot be paired, or there is no such label or metric.
    """
    a, b = read(predictions_a, task_name), read(predictions_b, task_name)
    b = aligned(a, b, task_name)
    metric = metric or ("mae" if kind == "value" else "auroc")
    listed = _listed(a, kind, min_positive)
    if kind == "value" and label == "macro" and len(a.labels) == 1:
        label = a.labels[0]
    labels = listed if label == "macro" else [label]
    boot = _draw(a, kind, listed, task_name, seed, resamples)
    matched, flags = _pairs(a, b, pairs, task_name)
    found_a, found_b = (resample(side, boot, kind, listed, task_name=task_name, seed=seed) for side in (a, b))
    for wanted in labels:
        if (wanted, metric) not in found_a.figures:
            have = [of if name == metric else name for of, name in found_a.figures if metric == name or wanted == of]
            raise TaskError(task_name, f"no {metric} of '{wanted}'", fix=nearest(wanted, have), reason="metric")
    a_KSC = _stack(found_a, labels, metric, [one for one, _ in matched])
    b_KSC = _stack(found_b, labels, metric, [two for _, two in matched])
    d_SC = (a_KSC - b_KSC).mean(axis=0)
    counts, df = _counts_and_df(a, kind, label, metric, labels, a_KSC - b_KSC)
    variance = combine(d_SC[:, 0], d_SC[:, 1:].mean(axis=0), df)
    difference = float(d_SC[:, 0].mean())
    low, high = wald_t(difference, variance.total, variance.df)
    percentile_low, percentile_high = percentile(d_SC[:, 1:].mean(axis=0))
    flags += [] if labels else ["label list is empty"]
    flags += [f"fewer than {LEAST} subjects in a class"] if label != "macro" and df + 1 < LEAST else []
    flags += ["subjects only"] if len(matched) < SEEDS else []
    p_permutation = (
        _permuted(a, b, matched, labels, metric, permutations, task_name, seed) if permutations else float("nan")
    )
    return {
        "task": task_name, "split": a.split, "metric": metric, "label": label, "labels": labels,
        "a": float(a_KSC[:, :, 0].mean()), "b": float(b_KSC[:, :, 0].mean()), "difference": difference,
        "low": float(low), "high": float(high), "method": "wald-t", "percentile_low": percentile_low,
        "percentile_high": percentile_high, "se": variance.se, "df": variance.df, "v_subject": variance.subject,
        "v_seed": variance.seed, "sdd": variance.smallest_detectable, "p": variance.p_value(difference, threshold),
        "p_permutation": p_permutation, "per_run": d_SC[:, 0].tolist(),
        "pairs": [(a.runs[one], b.runs[two]) for one, two in matched], "n_runs": len(matched),
        "n_records": counts.records, "n_subjects": counts.subjects, "m": df + 1, "redrawn": boot.redrawn,
        "flags": [*flags, *a.flags],
    }  # fmt: skip


def _listed(table: Table, kind: Kind, min_positive: int) -> list[str]:
    """The fixed label list; all values of a `value` task."""
    if kind == "value":
        return list(table.labels)
    return listing(table, min_positive).filter("listed")["label"].unique(maintain_order=True).to_list()


def _draw(table: Table, kind: Kind, listed: list[str], task_name: str, seed: int, resamples: int) -> Bootstrap:
    two_classes = [kind != "value" and label in listed for label in table.labels]
    return draw(table, two_classes, task_name=task_name, seed=seed, resamples=resamples)


def _means(table: Table, found: Resampled, listed: list[str], notes: list[str]) -> list[dict[str, Any]]:
    """Rows of `macro`, `macro_present`, `micro` and `all`."""
    rows = []
    common = {"listed": True, "labels": len(listed)}
    empty = [] if listed else ["label list is empty"]
    for metric in METRICS:
        if metric != "threshold" and any((label, metric) in found.figures for label in table.labels):
            figure_KSC = _stack(found, listed, metric)
            undefined = [label for label, figure_SC in zip(listed, figure_KSC) if np.isnan(figure_SC[:, 0]).any()]
            flags = [*notes, *empty, *([f"undefined for {' '.join(undefined)}"] if undefined else [])]
            counts, df = _counts_and_df(table, "multilabel", "macro", metric, listed, figure_KSC)
            rows.append(row("macro", metric, figure_KSC.mean(axis=0), counts, df, flags=flags, **common))
    for metric in ("auroc", "ap"):
        rows.append(_present(table, found, metric))
    for (label, metric), figure_SC in found.figures.items():
        if label in ("micro", "all"):
            labels = listed if label == "micro" else list(table.labels)
            counts, df = _counts_and_df(table, "multilabel", label, metric, labels)
            rows.append(row(label, metric, figure_SC, counts, df, flags=notes, listed=True, labels=len(labels)))
    return rows


def _present(table: Table, found: Resampled, metric: str) -> dict[str, Any]:
    """The mean over all labels that occur, as the literature has it; where a resample lacks one, over the others."""
    present = [
        label for label in table.labels
        if (label, metric) in found.figures and not np.isnan(found.figures[label, metric][:, 0]).any()
    ]  # fmt: skip
    figure_KSC = _stack(found, present, metric)
    defined_KSC = ~np.isnan(figure_KSC)
    mean_SC = np.where(defined_KSC, figure_KSC, 0).sum(axis=0) / np.maximum(defined_KSC.sum(axis=0), 1)
    counts = count(table, [table.labels.index(label) for label in present])
    flags = ["a label absent from a resample is left out of it"] if present else ["no label is present"]
    low, high = percentile(mean_SC[:, 1:].mean(axis=0)) if present else (np.nan, np.nan)
    value_S1 = mean_SC[:, :1] if present else mean_SC[:, :1] + np.nan
    plain = row("macro_present", metric, value_S1, counts, np.nan, flags=flags, listed=True, labels=len(present))
    return plain | {
        "low": low, "high": high, "method": "percentile" if present else "none", "percentile_low": low,
        "percentile_high": high,
    }  # fmt: skip


def _stack(found: Resampled, labels: list[str], metric: str, runs: list[int] | None = None) -> np.ndarray:
    """Figures of some labels and runs, (K, S, C); without labels one of NaN."""
    if not labels:
        like_SC = next(iter(found.figures.values()))
        return np.full((1, len(like_SC) if runs is None else len(runs), like_SC.shape[1]), np.nan)
    figure_KSC = np.stack([found.figures[label, metric] for label in labels])
    return figure_KSC if runs is None else figure_KSC[:, runs]


def _counts_and_df(
    table: Table, kind: Kind, label: str, metric: str, labels: list[str], figure_KSC: np.ndarray | None = None
) -> tuple[Counts, float]:  # fmt: skip
    """What a figure rests on: counts, and the degrees of freedom of its variance over subjects.

    Args:
        labels: the one label, or those of a mean.
        figure_KSC: of a macro mean, whose rarest and most variable labels decide.
    """
    known = [table.labels.index(one) for one in labels if one in table.labels]
    counts = count(table, known or list(range(len(table.labels))))
    if label == "macro":
        if not labels or figure_KSC is None:
            return counts, float("nan")
        m_K = np.array([count(table, [k]).m for k in known])
        return counts, macro_df(figure_KSC[:, :, 1:].mean(axis=1), m_K)
    if metric == "f1_challenge2017":
        return counts, min(count(table, [table.labels.index(code)]).m for code in SCORED_2017) - 1
    if kind == "value" or label in ("micro", "all"):
        return counts, counts.subjects - 1
    return counts, counts.m - 1


def _pairs(
    a: Table, b: Table, pairs: Sequence[tuple[str, str]] | None, where: str
) -> tuple[list[tuple[int, int]], list[str]]:
    """Numbers of the runs that belong together, and what is to be said about it."""
    if pairs is not None:
        for one, two in pairs:
            for run, table in ((one, a), (two, b)):
                if run not in table.runs:
                    raise TaskError(where, f"no run called '{run}'", fix=nearest(run, table.runs), reason="runs")
        return [(a.runs.index(one), b.runs.index(two)) for one, two in pairs], []
    if len(b.runs) == 1:
        return [(one, 0) for one in range(len(a.runs))], []
    if len(a.runs) == 1:
        return [(0, two) for two in range(len(b.runs))], []
    seeds_a, seeds_b = ([run.rpartition("#")[2] for run in table.runs] for table in (a, b))
    matched = [(one, seeds_b.index(seed)) for one, seed in enumerate(seeds_a) if seed in seeds_b]
    if not matched:
        raise TaskError(
            where,
            "no run of one arm has the seed of a run of the other",
            expected=f"one of {seeds_a}",
            got=seeds_b,
            fix="give pairs",
            reason="runs",
        )
    alone = len(a.runs) + len(b.runs) - 2 * len(matched)
    return matched, [f"{alone} runs without a partner left out"] if alone else []


def _permuted(
    a: Table, b: Table, matched: list[tuple[int, int]], labels: list[str], metric: str, swaps: int, where: str, seed: int
) -> float:  # fmt: skip
    if metric != "auroc" or len(matched) != 1 or not set(labels) <= set(a.labels):
        raise TaskError(where, "the permutation check is for the AUROC of one pair of runs", fix="permutations=0")
    one, two = matched[0]
    scores = [(x.score_SnK[one], y.score_SnK[two]) for x, y in zip(a.splits, b.splits, strict=True)]
    columns = [a.labels.index(label) for label in labels]
    rng = generator(seed, where, "swap")
    return permutation.p_value(a.splits, scores, columns, swaps=swaps, rng=rng)
