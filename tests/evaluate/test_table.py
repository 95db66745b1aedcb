"""Prediction tables: what is read, and what is refused with one line that says why."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from einthoven.core.errors import TaskError
from einthoven.evaluate.table import aligned, read
from tests.evaluate import given

PART = np.array(["train", "train", "validation", "test", "test", "test"])
TRUTH = np.array([[1, 0], [0, 1], [1, 0], [0, np.nan], [1, 1], [0, 0]])
SCORE = np.arange(12).reshape(6, 2) / 12


def frame(**columns):
    return given.table(TRUTH, SCORE, np.arange(6), PART).with_columns(**columns)


def test_arrays_are_those_of_the_table_in_any_row_order():
    for shuffled in (frame(), frame().sample(fraction=1, shuffle=True, seed=0).sort("label", maintain_order=True)):
        table = read(shuffled, "task")
        (split,) = table.splits
        assert table.labels == ("label0", "label1")
        np.testing.assert_array_equal(split.test.truth_nK, TRUTH[3:])
        np.testing.assert_array_equal(split.score_SnK, SCORE[None, 3:])
        np.testing.assert_array_equal(split.train.truth_nK, TRUTH[:2])
        np.testing.assert_array_equal(split.validation[0].score_nK, SCORE[2:3])
        np.testing.assert_array_equal(split.test.key_n, ["r00003", "r00004", "r00005"])


def test_labels_keep_the_order_of_the_table_and_are_matched_by_name_between_arms():
    other = given.table(TRUTH[:, ::-1], SCORE[:, ::-1], np.arange(6), PART, labels=["label1", "label0"])
    a, b = read(frame(), "task"), read(other, "task")
    assert b.labels == ("label1", "label0")
    np.testing.assert_array_equal(aligned(a, b, "task").splits[0].score_SnK, a.splits[0].score_SnK)


def test_train_rows_need_no_score():
    score = pl.when(pl.col("part") == "train").then(None).otherwise(pl.col("score")).alias("score")
    assert read(frame().with_columns(score), "task").runs == ("arm#0",)


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (lambda: frame().rename({"score": "scores"}), "no column 'score'; did you mean scores"),
        (lambda: frame().clear(), "empty"),
        (lambda: frame(subject=pl.lit(1)), "1 subjects are in two parts, got 1"),
        (lambda: pl.concat([frame(), frame()]), "two rows for one label"),
        (lambda: frame(split=pl.Series(["official", "half-a"] * 6)), "do not belong together"),
        (lambda: frame(split=pl.lit("random")), "do not belong together"),
        (lambda: frame(score=pl.lit(None, pl.Float64)), "5 test rows of known truth have no finite score"),
        (lambda: frame(part=pl.lit("train")), "no test rows"),
        (lambda: frame(truth=pl.lit(None, pl.Float64)), "no test row has known truth"),
        (lambda: pl.concat([frame(), frame(run=pl.lit("arm#1")).head(10)]), "runs have other test records or truth"),
    ],
)
def test_a_table_that_cannot_be_scored_honestly_is_refused(broken, says):
    with pytest.raises(TaskError) as error:
        read(broken(), "task")
    assert says in str(error.value)


def test_arms_tested_on_other_truth_are_not_compared():
    flipped = frame(truth=1 - pl.col("truth"))
    with pytest.raises(TaskError, match="other test records"):
        aligned(read(frame(), "task"), read(flipped, "task"), "task")


def test_one_half_alone_is_read_and_says_so():
    assert read(frame(split=pl.lit("half-a")), "task").flags == ("without half-b",)
