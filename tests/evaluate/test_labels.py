"""The fixed label list: subjects, not records; truth, not scores."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from einthoven.core.errors import TaskError
from einthoven.evaluate.labels import count, label_list
from einthoven.evaluate.table import read
from tests.evaluate import given


def frame(test_positive: int, train_positive: int, *, per_subject: int = 1, test: int = 40, split: str = "official"):
    """A label with so many positive subjects among `test` test and 20 train subjects."""
    truth_G = np.concatenate([np.arange(20) < train_positive, np.arange(test) < test_positive]).astype(float)
    subject_N = np.repeat(np.arange(20 + test), per_subject)
    part_N = np.where(subject_N < 20, "train", "test")
    scores = np.random.default_rng(0).random((len(subject_N), 1))
    return given.table(truth_G[subject_N][:, None], scores, subject_N, part_N, split=split)


@pytest.mark.parametrize(
    ("test_positive", "train_positive", "reason"),
    [(10, 5, ""), (9, 5, "fewer than 10 test positive subjects"), (10, 4, "fewer than 5 train positive subjects"),
     (31, 5, "fewer than 10 test negative subjects")],
)  # fmt: skip
def test_a_label_is_listed_by_its_positive_and_negative_subjects(test_positive, train_positive, reason):
    row = label_list(frame(test_positive, train_positive)).row(0, named=True)
    assert row["reason"] == reason
    assert row["listed"] == (reason == "")
    assert (row["test_positive"], row["train_positive"]) == (test_positive, train_positive)


def test_records_of_one_subject_count_once():
    assert not label_list(frame(5, 5, per_subject=3))["listed"][0]


def test_the_list_is_the_same_whatever_the_scores():
    one = frame(12, 5)
    assert label_list(one).equals(label_list(one.with_columns(score=1 - pl.col("score"))))


def test_a_label_of_halves_is_listed_only_if_both_halves_have_it():
    halves = pl.concat([frame(15, 8, split="half-a"), frame(8, 15, split="half-b")])
    rows = label_list(halves)
    assert rows["listed"].to_list() == [False, False]
    assert rows["reason"].to_list() == ["", "fewer than 10 test positive subjects"]


def test_without_train_rows_the_training_rule_is_left_out():
    rows = label_list(frame(12, 5).filter(pl.col("part") == "test"))
    assert rows["listed"][0]
    assert rows["train_positive"][0] is None


def test_a_list_that_resamples_would_empty_is_refused():
    with pytest.raises(TaskError, match="expected >= 5, got 4"):
        label_list(frame(12, 5), min_positive=4)


def test_a_subject_with_both_kinds_of_record_counts_in_both_classes_and_halves_add_up():
    truth_N1 = np.array([[1.0], [0.0], [1.0], [0.0]])
    one = given.table(truth_N1, truth_N1, np.array([0, 0, 1, 2]), np.full(4, "test"), split="half-a")
    two = one.with_columns(split=pl.lit("half-b"), subject=pl.col("subject") + 10)
    counts = count(read(pl.concat([one, two]), "task"), ["label0"])
    assert (counts.records, counts.subjects, counts.positive, counts.negative) == (8, 6, 4, 4)
