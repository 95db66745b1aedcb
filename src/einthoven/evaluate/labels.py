"""Counts of subjects, and the fixed label list: which labels a macro mean averages, decided before any model is scored.

A label is listed if every split's test part has at least `min_positive` positive and as many negative subjects, and its
full training part at least five positive ones. The counts are of subjects, a subject with a positive and a negative
record being in both. Shapes: n records, K labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from einthoven.core.errors import TaskError
from einthoven.evaluate.table import Split, Table, read

TRAINED_POSITIVES = 5
LEAST_POSITIVES = 5
"""With fewer positive subjects more than 1 % of resamples have none (e^-5 = 0.7 %): such a list is refused."""


@dataclass(frozen=True)
class Counts:
    """Of the test records with known truth, over all splits. For a value no subject is positive or negative."""

    records: int
    subjects: int
    positive: int
    negative: int

    @property
    def m(self) -> int:
        """Subjects of the rarer class."""
        return min(self.positive, self.negative)


def count(table: Table, labels: Sequence[str]) -> Counts:
    """Counts of one label, or of several together: a record is known, or positive, if it is so for one of them."""
    columns = [table.labels.index(label) for label in labels]
    total = np.zeros(4, dtype=np.int64)
    for split in table.splits:
        truth_nQ, subject_n = split.test.truth_nK[:, columns], split.test.subject_n
        known_n = ~np.isnan(truth_nQ).all(axis=1)
        masks = (known_n, (truth_nQ == 1).any(axis=1), (truth_nQ == 0).any(axis=1))
        total += [known_n.sum(), *(len(np.unique(subject_n[mask_n])) for mask_n in masks)]
    return Counts(*(int(number) for number in total))


def label_list(predictions: pl.DataFrame, min_positive: int = 10) -> pl.DataFrame:
    """Counts of each label in each split, and whether it is listed; depends on truth only, the same for all arms.

    Returns:
        label, split, test_positive, test_negative, train_positive (subjects; null without train rows), reason ("" if
        this split would list the label), listed (the same in all splits of a label).

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
    rows = [_row(split, k, label) for k, label in enumerate(table.labels) for split in table.splits]
    counted = ("test_positive", "test_negative", "train_positive")
    schema: dict[str, Any] = {"label": pl.String, "split": pl.String} | dict.fromkeys(counted, pl.Int64)
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    least = zip(counted, (min_positive, min_positive, TRAINED_POSITIVES), strict=True)
    short = [
        pl.when(pl.col(column) < number).then(pl.lit(f"fewer than {number} {column.replace('_', ' ')} subjects"))
        for column, number in least
    ]
    reason = pl.coalesce(*short, pl.lit(""))
    frame = frame.with_columns(reason.alias("reason"))
    return frame.with_columns((pl.col("reason") == "").all().over("label").alias("listed"))


def _row(split: Split, k: int, label: str) -> tuple[str, str, int, int, int | None]:
    test, train = split.test, split.train
    positive, negative = (len(np.unique(test.subject_n[test.truth_nK[:, k] == truth])) for truth in (1, 0))
    trained = len(np.unique(train.subject_n[train.truth_nK[:, k] == 1])) if len(train.subject_n) else None
    return label, split.name, positive, negative, trained
