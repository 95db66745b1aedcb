"""What only the prediction tables show: reliability diagrams, and single recordings on paper.

Recordings are named by their row in the cohort, not by file: names of files may be names of patients.
Shapes: n test recordings, B bins.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from einthoven.cohort.store import Cohort
from einthoven.core.errors import CohortError
from einthoven.evaluate.calibration import BINS
from einthoven.evaluate.metrics import f1_threshold
from einthoven.report import curves, paper, svg, tables
from einthoven.report.markup import Html, join, tag
from einthoven.report.results import Results, Row, Setting

MOST_SQUARES, MOST_ARMS = 6, 3


def reliability(results: Results, setting: Setting, colours: dict[str, str]) -> Html | None:
    """Squares for the listed labels with most positives, a curve for each of the first checkpoints (first run)."""
    roles = results.roles()
    arms = [arm for arm in results.arms(setting) if roles[arm] == "arm"][:MOST_ARMS]
    index = results.rows(setting)
    found = [(arm, test) for arm in arms if (test := _first(results, setting, arm, "test")) is not None]
    listed = [
        label for label in tables.label_names(index) if any(index[arm, label, "auroc"]["listed"] for arm, _ in found)
    ]
    squares = []
    for label in listed[:MOST_SQUARES]:
        series = [(colours[arm], bins(*_arrays(test, label))) for arm, test in found]
        errors = ", ".join(
            f"{tables.number(row['value'])} ({tables.number(even['value'])})"
            for arm, _ in found
            if (row := index.get((arm, label, "ece"))) and (even := index.get((arm, label, "ece_if_calibrated")))
        )
        squares.append(
            curves.reliability(join(label, tag("small", f" ECE {errors}")), series, f"reliability of {label}")
        )
    if not squares:
        return None
    names = curves.key([(arm, colours[arm]) for arm, _ in found])
    note = (
        f"Share of positives against mean score in {BINS} bins of equal mass, first run. "
        "ECE is the calibration error over all runs; in brackets what it would be if every score were true."
    )
    return join(tag("div", squares, class_="squares"), names, tag("p", note, class_="note"))


def bins(truth_n: np.ndarray, score_n: np.ndarray) -> list[tuple[float, float]]:
    """(mean score, share of positives) of each bin that is not empty: the bins of `evaluate.calibration.Bins`."""
    level_n, count_l = np.unique(score_n, return_inverse=True, return_counts=True)[1:]
    middle_l = np.cumsum(count_l) - count_l / 2
    bin_n = np.minimum((middle_l[level_n] * BINS / len(score_n)).astype(np.int64), BINS - 1)
    return [(float(score_n[bin_n == b].mean()), float(truth_n[bin_n == b].mean())) for b in np.unique(bin_n)]


def recordings(results: Results, setting: Setting) -> Html | None:
    """The recordings of one label that the first checkpoint is surest about, and those that it gets most wrong."""
    roles = results.roles()
    arm = next((arm for arm in results.arms(setting) if roles[arm] == "arm"), None)
    index = results.rows(setting)
    listed = [
        (row["value"], label) for (of, label, metric), row in index.items()
        if of == arm and metric == "auroc" and row["listed"] and label not in tables.NOT_A_LABEL
    ]  # fmt: skip
    if arm is None or not listed:
        return None
    label = min(listed)[1]
    train, validation, test = (_first(results, setting, arm, part) for part in ("train", "validation", "test"))
    if train is None or validation is None or test is None:
        return None
    cohort = _cohort(results.cells_of(setting, arm)[0])
    if isinstance(cohort, str):
        return tag("p", cohort, class_="note")
    truth_n, score_n = _arrays(test, label)
    keys = test.filter((pl.col("label") == label) & pl.col("truth").is_not_null())["key"].to_list()
    threshold = f1_threshold(*_arrays(validation, label), _arrays(train, label)[0].mean())
    positive_n = truth_n == 1
    wanted = (
        ("true positive of the highest score", positive_n & (score_n >= threshold), score_n),
        ("false positive of the highest score", ~positive_n & (score_n >= threshold), score_n),
        ("false negative of the lowest score", positive_n & (score_n < threshold), -score_n),
    )
    drawn = []
    for what, among_n, rank_n in wanted:
        if not among_n.any():
            drawn.append(tag("p", f"{label}: no {what.rpartition(' of ')[0]}.", class_="note"))
            continue
        i = int(np.flatnonzero(among_n)[rank_n[among_n].argmax()])
        row = cohort.index.filter(pl.col("key") == keys[i])["row"].item()
        truth = test.filter((pl.col("key") == keys[i]) & (pl.col("truth") == 1))["label"].to_list()
        caption = (
            f"{label}, {what}: score {score_n[i]:.3f}, threshold {threshold:.3f}. "
            f"Labels of this recording: {', '.join(truth) or 'none'}."
        )
        sheet = paper.lay(cohort.record(row), f"row {row} of the cohort")
        ecg = tag("div", Html(svg.write(sheet)), class_="wide paper", tabindex="0")
        drawn.append(tag("figure", tag("figcaption", caption), ecg))
    intro = (
        f"{arm}, first run, {label}: the label of the list with the lowest AUROC. "
        "The threshold is that of the best F1 on validation."
    )
    return join(tag("p", intro), drawn)


def _first(results: Results, setting: Setting, arm: str, part: str) -> pl.DataFrame | None:
    """Predictions of the first run of an arm on its first split."""
    for cell in results.cells_of(setting, arm)[:1]:
        table = results.predictions(cell)
        return table if table is None else table.filter(pl.col("part") == part)
    return None


def _arrays(table: pl.DataFrame, label: str) -> tuple[np.ndarray, np.ndarray]:
    """Truth and score of one label where the truth is known."""
    known = table.filter((pl.col("label") == label) & pl.col("truth").is_not_null())
    return known["truth"].to_numpy(), known["score"].to_numpy()


def _cohort(cell: Row) -> Cohort | str:
    """The cohort that a cell was computed on, or why it cannot be shown."""
    said = cell["facts"].get("cohort")
    if said is None:
        return "Recordings are not shown: the evaluation does not say where its cohort lies."
    try:
        cohort = Cohort.open(Path(said["path"]))
    except CohortError:
        return "Recordings are not shown: the cohort is no longer where it was evaluated."
    if cohort.fingerprint != said["fingerprint"]:
        return "Recordings are not shown: the cohort has changed since it was evaluated."
    return cohort
