"""Prediction tables in, scores with intervals out: `score` for one arm, `compare` for two on the same resamples.

Nothing is averaged but what the fixed label list names, nothing undefined is filled, and every figure has its interval,
the method of it, and counts of records, subjects and runs. Shapes: S seeds, each the mean over its runs (several draws
of few labels, else one); K labels; C = 1 + R columns, of which column 0 is the test set itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from einthoven.core.errors import TaskError, nearest
from einthoven.core.random import generator
from einthoven.evaluate import numbers, permutation
from einthoven.evaluate.bootstrap import draw
from einthoven.evaluate.exclusive import SCORED_2017
from einthoven.evaluate.figures import METRICS
from einthoven.evaluate.intervals import LEAST, percentile, wald_t
from einthoven.evaluate.labels import Counts, count, listing
from einthoven.evaluate.resampled import Asked, Kind, Resampled, resample
from einthoven.evaluate.rows import SCHEMA, row
from einthoven.evaluate.table import Table, aligned, read, together
from einthoven.evaluate.variance import SEEDS, combine, macro_df


def score(
    predictions: pl.DataFrame, *, task_name: str, kind: Kind, min_positive: int = 10, resamples: int = 1000,
    seed: int = 0,
) -> pl.DataFrame:  # fmt: skip
    """Score one arm on one task.

    Args:
        predictions: columns key, subject, split, part (train, validation, test), label, truth (1, 0, a number; null =
            unknown), score, run. One scheme of splits: `official`, or `half-a` and `half-b`, or `fold-0` .. `fold-4`.
            `run` holds the arm's seeds or few-label draws and is the same word in all splits of one seed. Train rows
            carry the truth of the full training part (their score is not read); validation rows give thresholds and
            the Platt line. What lacks them is NaN with a reason. A column `seed` says which runs are draws of few
            labels with one seed (null: none): they are averaged first, and the variance over runs is that of seeds.
        task_name: keys the resamples together with `seed`: arms scored under one name share them.
        kind: of the task; scores of a `multilabel` or `exclusive` task are probabilities (else only ranked).
        min_positive: positive and negative subjects that a label needs in each test part to be averaged (5 or more).
        resamples: of subjects, for the intervals.

    Returns:
        One row for each label and metric (`figures.METRICS`), then `macro` (mean over the fixed list), `macro_present`
        (over the labels that occur), `micro`, and for exclusive sets `all`. Columns as in SCHEMA: `method` is
        `logit-t`, `conservative`, `wald-t SCALE`, `wilson`, `percentile` or `none`; percentiles stand beside; `se` is
        on the metric's own scale; with three or more seeds their variance is included; `runs` is `3`, or `3 x 5` for
        three seeds with five draws each; `per_run` has a figure a seed; `flags` are joined by "; ".

    Raises:
        TaskError: the table breaks a rule (`table.read`), or `min_positive` is below 5.
    """
    table = read(predictions, task_name)
    asked = Asked(kind, _listed(table, kind, min_positive), task_name, seed)
    boot = draw(table, _two_classes(table, asked), task_name=task_name, seed=seed, resamples=resamples)
    found, units = resample(table, boot, asked), together(table.seeds)
    found = replace(found, figures={key: _by_seed(figure_SC, units) for key, figure_SC in found.figures.items()})
    rows = []
    learnt_as = {number.name: number.learnt_as for number in numbers.of(table.labels)} if kind == "value" else {}
    for label in learnt_as or table.labels:
        counts, listed = count(table, _columns(table, kind, [label])), label in asked.listed
        if kind == "value":
            counts = replace(counts, positive=0, negative=0)
        df = (counts.subjects if kind == "value" else counts.m) - 1
        for metric in METRICS:
            key = (label, metric)
            if key in found.figures or key in found.reasons:
                why = [found.reasons[key]] if key in found.reasons else []
                figure_SC = _stack(found, [label], metric)[0]
                one = row(label, metric, figure_SC, counts, df, flags=why, listed=listed)
                rows.append(one | {"learnt_as": learnt_as.get(label)})
    if kind != "value":
        rows += _means(table, found, asked, [f"{boot.redrawn} resamples drawn anew"] if boot.redrawn else [])
    common = {"task": task_name, "split": table.split, "n_runs": len(table.runs), "runs": _told(units)}
    for one in rows:
        one["flags"] = "; ".join([*one["flags"], *table.flags])
    return pl.DataFrame([common | one for one in rows], schema=SCHEMA, orient="row")


def compare(
    predictions_a: pl.DataFrame, predictions_b: pl.DataFrame, *, task_name: str, kind: Kind, metric: str = "",
    label: str = "macro", pairs: Sequence[tuple[str, str]] | None = None, threshold: float = 0.0,
    min_positive: int = 10, resamples: int = 1000, seed: int = 0, permutations: int = 0,
    memory: dict[Any, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The difference A - B of two arms, on the same resamples of the same subjects and with paired runs.

    Args:
        predictions_a, predictions_b: as for `score`, with the same test records and truth.
        metric: default `auroc`, for a value `mae`.
        label: a label, `macro`, `micro` or `all`; of a task with one number it is that one.
        pairs: which run of A goes with which of B. Default: the same text after the last `#` of the run's name (the
            whole name if it has none); a side with one run is paired with every run of the other, unless that has
            several draws a seed and one of them is the same. Pairs of one seed are averaged first (column `seed`).
        threshold: what the p value tests the difference against.
        permutations: swaps of subjects for the check of p (macro-AUROC or AUROC of one pair); 0 leaves it out.
        memory: one dictionary for all comparisons of a few arms, which must live as long: each is resampled once.

    Returns:
        task, split, metric, label, labels (averaged), a, b, difference, low, high, method, percentile_low,
        percentile_high, se, df, v_subject, v_seed (NaN below 3 seeds: the interval then holds for these runs only), sdd
        (smallest detectable difference), p, p_permutation, per_run (one a seed), pairs, n_runs (pairs), runs (`3 x 5`:
        three seeds with five pairs each), n_records, n_subjects, m (subjects of the rarer class; nu + 1 of a mean),
        redrawn, flags (list). What cannot be computed is NaN, with a flag: an empty label list, fewer than 10 subjects
        in a class.

    Raises:
        TaskError: the tables do not belong together, runs cannot be paired, or there is no such label or metric.
    """
    memory = {} if memory is None else memory
    a, b = (
        _once(memory, (id(frame), task_name), lambda frame=frame: read(frame, task_name))
        for frame in (predictions_a, predictions_b)
    )
    b = aligned(a, b, task_name)
    metric = metric or ("mae" if kind == "value" else "auroc")
    if metric not in METRICS:
        raise TaskError(task_name, f"no metric called '{metric}'", fix=nearest(metric, METRICS), reason="metric")
    asked = Asked(kind, _listed(a, kind, min_positive), task_name, seed, metric)
    if kind == "value" and label == "macro":
        label, *more = asked.listed
        if more:
            raise TaskError(
                task_name, "numbers have no mean", expected=f"one of {', '.join(asked.listed)}", got="macro"
            )
    labels = list(asked.listed) if label == "macro" else [label]
    matched, flags = _pairs(a, b, pairs, task_name)
    units = _units(a, b, matched)
    p_permutation = _permuted(a, b, matched, labels, metric, permutations, task_name, seed)
    boot = _once(
        memory, (asked, resamples),
        lambda: draw(a, _two_classes(a, asked), task_name=task_name, seed=seed, resamples=resamples),
    )  # fmt: skip
    found_a, found_b = (
        _once(memory, (id(frame), asked, resamples, a.labels), lambda table=table: resample(table, boot, asked))
        for frame, table in ((predictions_a, a), (predictions_b, b))
    )
    have = {of for of, name in (*found_a.figures, *found_a.reasons) if name == metric}
    for one in labels:
        if one not in have:
            raise TaskError(task_name, f"no {metric} of '{one}'", fix=nearest(one, have), reason="metric")
    a_KSC = _by_seed(_stack(found_a, labels, metric)[:, [one for one, _ in matched]], units)
    b_KSC = _by_seed(_stack(found_b, labels, metric)[:, [two for _, two in matched]], units)
    d_SC = (a_KSC - b_KSC).mean(axis=0)
    counts, df = _counts_and_df(a, kind, label, metric, labels, a_KSC - b_KSC)
    flags += [] if labels else ["label list is empty"]
    flags += ["subjects only"] if len(units) < SEEDS else []
    if len(labels) == 1 and df + 1 < LEAST:
        flags.append(f"fewer than {LEAST} subjects in a class")
        df = float("nan")
    variance = combine(d_SC[:, 0], d_SC[:, 1:].mean(axis=0), df)
    difference = float(d_SC[:, 0].mean())
    low, high = wald_t(difference, variance.total, variance.df)
    percentile_low, percentile_high = percentile(d_SC[:, 1:].mean(axis=0))
    return {
        "task": task_name, "split": a.split, "metric": metric, "label": label, "labels": labels,
        "a": float(a_KSC[:, :, 0].mean()), "b": float(b_KSC[:, :, 0].mean()), "difference": difference,
        "low": float(low), "high": float(high), "method": "wald-t", "percentile_low": percentile_low,
        "percentile_high": percentile_high, "se": variance.se, "df": variance.df, "v_subject": variance.subject,
        "v_seed": variance.seed, "sdd": variance.smallest_detectable, "p": variance.p_value(difference, threshold),
        "p_permutation": p_permutation, "per_run": d_SC[:, 0].tolist(),
        "pairs": [(a.runs[one], b.runs[two]) for one, two in matched], "n_runs": len(matched),
        "runs": _told(units), "n_records": counts.records, "n_subjects": counts.subjects, "m": df + 1,
        "redrawn": boot.redrawn, "flags": [*flags, *a.flags],
    }  # fmt: skip


def _once(memory: dict[Any, Any], key: Any, make: Callable[[], Any]) -> Any:
    if key not in memory:
        memory[key] = make()
    return memory[key]


def _listed(table: Table, kind: Kind, min_positive: int) -> tuple[str, ...]:
    """The fixed label list; all numbers of a `value` task."""
    if kind == "value":
        return tuple(number.name for number in numbers.of(table.labels))
    return tuple(listing(table, min_positive).filter("listed")["label"].unique(maintain_order=True).to_list())


def _columns(table: Table, kind: Kind, labels: Sequence[str]) -> list[str]:
    """Labels of the table that some labels, or numbers, are made of."""
    if kind == "value":
        return [column for number in numbers.of(table.labels) if number.name in labels for column in number.columns]
    return [label for label in labels if label in table.labels]


def _two_classes(table: Table, asked: Asked) -> list[bool]:
    """Labels that must have both classes in every resample."""
    return [asked.kind != "value" and label in asked.listed for label in table.labels]


def _means(table: Table, found: Resampled, asked: Asked, notes: list[str]) -> list[dict[str, Any]]:
    """Rows of `macro`, `macro_present`, `micro` and `all`."""
    rows, listed = [], list(asked.listed)
    empty = [] if listed else ["label list is empty"]
    metrics = {metric for label, metric in (*found.figures, *found.reasons) if label in table.labels}
    for metric in (name for name in METRICS if name in metrics - {"threshold"}):
        figure_KSC = _stack(found, listed, metric)
        undefined = [label for label, figure_SC in zip(listed, figure_KSC) if np.isnan(figure_SC[:, 0]).any()]
        flags = [*notes, *empty, *([f"undefined for {' '.join(undefined)}"] if undefined else [])]
        counts, df = _counts_and_df(table, asked.kind, "macro", metric, listed, figure_KSC)
        mean_SC = figure_KSC.mean(axis=0)
        rows.append(row("macro", metric, mean_SC, counts, df, flags=flags, listed=True, labels=len(listed)))
    rows += [_present(table, found, metric) for metric in ("auroc", "ap")]
    for (label, metric), figure_SC in found.figures.items():
        if label in ("micro", "all"):
            labels = listed if label == "micro" else list(table.labels)
            counts, df = _counts_and_df(table, asked.kind, label, metric, labels, figure_SC[None])
            rows.append(row(label, metric, figure_SC, counts, df, flags=notes, listed=True, labels=len(labels)))
    return rows


def _present(table: Table, found: Resampled, metric: str) -> dict[str, Any]:
    """The mean over all labels that occur, as the literature has it; where a resample lacks one, over the others."""
    present = [label for label in table.labels if not np.isnan(_stack(found, [label], metric)[:, :, 0]).any()]
    figure_KSC = _stack(found, present, metric)
    defined_KSC = ~np.isnan(figure_KSC)
    mean_SC = np.where(defined_KSC, figure_KSC, 0).sum(axis=0) / np.maximum(defined_KSC.sum(axis=0), 1)
    value_S1 = mean_SC[:, :1] if present else mean_SC[:, :1] + np.nan
    low, high = percentile(mean_SC[:, 1:].mean(axis=0)) if present else (np.nan, np.nan)
    flags = ["a label absent from a resample is left out of it"] if present else ["no label is present"]
    counts = count(table, present)
    plain = row("macro_present", metric, value_S1, counts, np.nan, flags=flags, listed=True, labels=len(present))
    return plain | {
        "low": low, "high": high, "method": "percentile" if present else "none", "percentile_low": low,
        "percentile_high": high,
    }  # fmt: skip


def _stack(found: Resampled, labels: list[str], metric: str) -> np.ndarray:
    """Figures of some labels, (K, S, C): NaN for a label that has none, one of NaN without labels."""
    absent_SC = np.full_like(next(iter(found.figures.values())), np.nan)
    return np.stack([found.figures.get((label, metric), absent_SC) for label in labels] or [absent_SC])


def _by_seed(figure_RC: np.ndarray, units: list[list[int]]) -> np.ndarray:
    """Figures (.., runs, C) averaged over the runs of each seed: (.., S, C)."""
    if all(len(unit) == 1 for unit in units):  # in the order of the runs
        return figure_RC
    return np.stack([figure_RC[..., unit, :].mean(axis=-2) for unit in units], axis=-2)


def _told(units: list[list[int]]) -> str:
    """How many seeds, and with how many draws each where they have several."""
    least, most = (of(len(unit) for unit in units) for of in (min, max))
    return str(len(units)) if most == 1 else f"{len(units)} x {least}" + f"-{most}" * (least < most)


def _counts_and_df(
    table: Table, kind: Kind, label: str, metric: str, labels: list[str], figure_KSC: np.ndarray
) -> tuple[Counts, float]:
    """What a figure rests on: counts, and the degrees of freedom of its variance over subjects."""
    counts = count(table, _columns(table, kind, labels) or table.labels)
    if label == "macro":  # only as certain as its rarest and most variable labels
        m_K = np.array([count(table, [one]).m for one in labels])
        return counts, macro_df(figure_KSC[:, :, 1:].mean(axis=1), m_K) if labels else float("nan")
    if metric == "f1_challenge2017":
        return counts, min(count(table, [code]).m for code in SCORED_2017) - 1
    return counts, (counts.subjects if kind == "value" or label in ("micro", "all") else counts.m) - 1


def _pairs(
    a: Table, b: Table, pairs: Sequence[tuple[str, str]] | None, where: str
) -> tuple[list[tuple[int, int]], list[str]]:
    """Numbers of the runs that belong together, and what is to be said about it."""
    if pairs is not None:
        for run, table in ((pair[side], table) for pair in pairs for side, table in enumerate((a, b))):
            if run not in table.runs:
                raise TaskError(where, f"no run called '{run}'", fix=nearest(run, table.runs), reason="runs")
        return [(a.runs.index(one), b.runs.index(two)) for one, two in pairs], []
    names_a, names_b = ([run.rpartition("#")[2] for run in table.runs] for table in (a, b))
    matched = [(one, names_b.index(name)) for one, name in enumerate(names_a) if name in names_b]
    drawn = any(len(unit) > 1 for table in (a, b) for unit in together(table.seeds))
    if 1 in (len(a.runs), len(b.runs)) and not (drawn and matched):
        found = [(one, two) for one in range(len(a.runs)) for two in range(len(b.runs))]
        return found, ["one run against several: no seeds of its side are in the interval"] * (len(found) > 1)
    if not matched:
        raise TaskError(
            where, "no run of one arm has the seed of a run of the other", expected=f"one of {' '.join(names_a)}",
            got=" ".join(names_b), fix="give pairs", reason="runs",
        )  # fmt: skip
    alone = len(a.runs) + len(b.runs) - 2 * len(matched)
    return matched, [f"{alone} runs without a partner left out"] if alone else []


def _units(a: Table, b: Table, matched: list[tuple[int, int]]) -> list[list[int]]:
    """Pairs that have one seed, together: of the side with fewer seeds, none of which may count twice."""
    sides = [[a.seeds[one] for one, _ in matched], [b.seeds[two] for _, two in matched]]
    single = [side for side, table in zip(sides, (b, a), strict=True) if len(table.runs) == 1]
    return min((together(side) for side in single or sides), key=len)


def _permuted(
    a: Table, b: Table, matched: list[tuple[int, int]], labels: list[str], metric: str, swaps: int, where: str,
    seed: int,
) -> float:  # fmt: skip
    if not swaps:
        return float("nan")
    if metric != "auroc" or len(matched) != 1 or not set(labels) <= set(a.labels):
        raise TaskError(where, "the permutation check is for the AUROC of one pair of runs", fix="permutations=0")
    one, two = matched[0]
    scores = [(x.score_SnK[one], y.score_SnK[two]) for x, y in zip(a.splits, b.splits, strict=True)]
    columns = [a.labels.index(label) for label in labels]
    return permutation.p_value(a.splits, scores, columns, swaps=swaps, rng=generator(seed, where, "swap"))
