"""Rows that see measurements: what they do with missing values, and two controls whose answer is known."""

import json
import shutil

import numpy as np
import polars as pl
import pytest

from einthoven import evaluate
from einthoven.cohort.store import Cohort
from einthoven.core.errors import TaskError
from einthoven.evaluate import measured, tasks
from tests.evaluate.given import simulated, tiny

pytest.importorskip("torch")

TASK = "simulated/condition"


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return simulated(tmp_path_factory.mktemp("cohort") / "c", 150)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, plain):
    return tiny(tmp_path_factory.mktemp("runs") / "run", plain)


def _with_values(plain, place, values_NM):
    """A copy of the cohort whose recordings have these measurements; NaN is not there."""
    shutil.copytree(plain, place)
    store = Cohort.open(place)
    rows, columns = np.nonzero(~np.isnan(values_NM))
    added = pl.DataFrame({
        "row": rows, "name": [f"physiology.m{column:02d}" for column in columns], "value": values_NM[rows, columns],
        "unit": [""] * len(rows),
    })  # fmt: skip
    table = pl.concat([store.facts("value"), added.cast(store.facts("value").schema)]).sort("row", maintain_order=True)
    table.write_parquet(place / "facts" / "value.parquet")
    return place


@pytest.fixture(scope="module")
def telling(plain, tmp_path_factory):
    """Measurements that are the labels, a third of them missing."""
    truth_NK = tasks.read(Cohort.open(plain), TASK).truth_NK
    gen = np.random.default_rng(1)
    values_NM = np.where(gen.random((len(truth_NK), truth_NK.shape[1])) < 0.1, np.nan, truth_NK)
    return _with_values(plain, tmp_path_factory.mktemp("telling") / "c", values_NM)


@pytest.fixture(scope="module")
def noise(plain, tmp_path_factory):
    values_NM = np.random.default_rng(2).normal(size=(len(Cohort.open(plain)), 12))
    return _with_values(plain, tmp_path_factory.mktemp("noise") / "c", values_NM)


def _macro(evaluation):
    return {row["arm"]: row for row in evaluation.rows}


def test_a_cohort_without_measurements_gets_no_such_row_and_says_how_to_get_them(plain, checkpoint, tmp_path):
    assert not any("measurements" in arm for arm in _macro(
        evaluate(checkpoint, plain, task=TASK, out=tmp_path / "e", smoke=True)
    ))  # fmt: skip
    with pytest.raises(TaskError, match="einthoven derive physiology"):
        evaluate(checkpoint, plain, task=TASK, out=tmp_path / "f", features="measurements", smoke=True)


def test_measurements_that_hold_the_labels_are_found_through_missing_values(telling, checkpoint, tmp_path):
    rows = _macro(evaluate(checkpoint, telling, task=TASK, out=tmp_path, features="embedding+measurements", smoke=True))
    assert rows["measurements, boosted"]["value"] > 0.9
    assert rows["measurements, logistic"]["value"] > 0.9
    assert rows["tiny + measurements"]["value"] > rows["tiny"]["value"] + 0.1
    assert rows["tiny + measurements"]["role"] == "arm"


def test_measurements_of_noise_tell_nothing(noise, checkpoint, tmp_path):
    rows = _macro(evaluate(checkpoint, noise, task=TASK, out=tmp_path, features="measurements", smoke=True))
    assert set(rows) >= {"measurements, boosted", "measurements, logistic"}
    assert "tiny" not in rows
    for name in ("measurements, boosted", "measurements, logistic"):
        assert rows[name]["low"] < 0.5 < rows[name]["high"]


def test_the_joint_row_is_compared_with_the_embedding_and_with_the_measurements(telling, checkpoint, tmp_path):
    evaluate(checkpoint, telling, task=TASK, out=tmp_path, features="embedding+measurements", smoke=True)
    pairs = {frozenset((row["arm_a"], row["arm_b"])) for row in json.loads((tmp_path / "differences.json").read_text())}
    both = "tiny + measurements"
    assert {"tiny", both} in pairs
    assert {both, "measurements, boosted"} in pairs


def test_derived_anew_measurements_are_computed_anew(plain, noise, telling, checkpoint, tmp_path):
    first = _macro(evaluate(checkpoint, noise, task=TASK, out=tmp_path, features="measurements", smoke=True))
    second = _macro(evaluate(checkpoint, telling, task=TASK, out=tmp_path, features="measurements", smoke=True))
    assert second["measurements, boosted"]["value"] > first["measurements, boosted"]["value"] + 0.2


def test_filling_uses_training_rows_only_and_marks_what_was_missing():
    values_NM = np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, 7.0], [100.0, 9.0]])
    filled_ND = measured.filled(values_NM, np.array([0, 1]))
    np.testing.assert_array_equal(filled_ND[:, 0], [1, 3, 2, 100])
    np.testing.assert_array_equal(filled_ND[:, 1], [0, 0, 0, 0])  # no training row has it
    np.testing.assert_array_equal(filled_ND[:, 2:], [[0, 1], [0, 1], [1, 0], [0, 0]])


def test_a_measurement_that_no_training_row_has_tells_the_trees_nothing(plain):
    store = Cohort.open(plain)
    task = tasks.read(store, TASK)
    train, validation = np.arange(0, 100), np.arange(100, 150)
    known_NM = np.nan_to_num(task.truth_NK)
    absent_N1 = np.where(np.arange(len(store)) < 100, np.nan, 1.0)[:, None]
    rows = {"train": train, "validation": validation}
    with_it = measured.Boosted(task, np.concatenate([absent_N1, known_NM], axis=1), rows)
    without = measured.Boosted(task, known_NM, rows)
    np.testing.assert_array_equal(with_it.scores(), without.scores())


def test_scores_of_quality_are_no_measurements(plain, tmp_path):
    place = _with_values(plain, tmp_path / "c", np.ones((len(Cohort.open(plain)), 1)))
    table = pl.read_parquet(place / "facts" / "value.parquet")
    renamed = table.with_columns(pl.col("name").str.replace("physiology.m00", "physiology.quality.m00", literal=True))
    renamed.write_parquet(place / "facts" / "value.parquet")
    assert measured.measurements(Cohort.open(place)) is None


def test_a_number_is_boosted_towards_its_absolute_error(telling, checkpoint, tmp_path):
    rows = _macro(evaluate(checkpoint, telling, task="value:age", out=tmp_path, features="measurements", smoke=True))
    assert rows["measurements, boosted"]["metric"] == "mae"


def test_features_of_signals_only_are_fine_tuned(telling, checkpoint, tmp_path):
    with pytest.raises(TaskError, match="signals only"):
        evaluate(checkpoint, telling, task=TASK, out=tmp_path, probe="finetune", features="measurements", smoke=True)
