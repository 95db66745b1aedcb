"""The fixed label list of a task: which labels a macro mean averages, decided from truth before any model is scored.

A label is listed if every split's test part has at least `min_positive` positive and as many negative subjects, and its
full training part at least five positive ones. The counts are of subjects, a subject with a positive and a negative
record being in both. Shapes: n records, K labels.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from einthoven.core.errors import TaskError
from einthoven.evaluate.table import Split, Table, read

TRAINED_POSITIVES = 5
LEAST_POSITIVES = 5
"""With fewer positive subjects more than 1 % of resamples have none (e^-5 = 0.7 %): such a list is refused."""


def label_list(predictions: pl.DataFrame, min_positive: int = 10) -> pl.DataFrame:
    """Counts of each label in each split, and whether it is listed; depends on truth only, the same for all arms.

    Returns:
        label, split, test_positive, test_negative, train_positive (subjects; null without train rows), listed (the same
        in all splits of a label), reason ("" if this split would list it).

    Raises:
        TaskError: the table cannot be read, or `min_positive` is below 5.
    """
    return listing(read(predictions, "label list"), min_positive)


def listing(table: Table, min_positive: int) -> pl.DataFrame:
    """`label_list` of a table already read."""
    if min_positive < LEAST_POSITIVES:
        raise TaskError(
            "label list", "min_positive is too small for a bootstrap over subjects", expected=f">= {LEAST_POSITIVES}",
            got=min_positive, reason="labels",
        )  # fmt: skip
    rows = [_count(split, k, label) for k, label in enumerate(table.labels) for split in table.splits]
    frame = pl.DataFrame(rows, schema={
        "label": pl.String, "split": pl.String, "test_positive": pl.Int64, "test_negative": pl.Int64,
        "train_positive": pl.Int64,
    }, orient="row")  # fmt: skip
    reason = (
        pl.when(pl.col("test_positive") < min_positive).then(pl.lit(f"fewer than {min_positive} positive subjects in test"))
        .when(pl.col("test_negative") < min_positive).then(pl.lit(f"fewer than {min_positive} negative subjects in test"))
        .when(pl.col("train_positive") < TRAINED_POSITIVES)
        .then(pl.lit(f"fewer than {TRAINED_POSITIVES} positive subjects in train")).otherwise(pl.lit(""))
    )  # fmt: skip
    return frame.with_columns(reason.alias("reason")).with_columns(
        (pl.col("reason") == "").all().over("label").alias("listed")
    ).select("label", "split", "test_positive", "test_negative", "train_positive", "listed", "reason")  # fmt: skip


def subjects_with(subject_n: np.ndarray, truth_n: np.ndarray, value: float) -> int:
    """How many subjects have a record of that truth."""
    return len(np.unique(subject_n[truth_n == value]))


def _count(split: Split, k: int, label: str) -> tuple[str, str, int, int, int | None]:
    test, train = split.test, split.train
    return (
        label, split.name,
        subjects_with(test.subject_n, test.truth_nK[:, k], 1), subjects_with(test.subject_n, test.truth_nK[:, k], 0),
        subjects_with(train.subject_n, train.truth_nK[:, k], 1) if len(train.subject_n) else None,
    )  # fmt: skip
