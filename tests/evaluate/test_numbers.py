"""Numbers as learnt and as told: there and back, and an angle that goes past 180 degrees."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import r2_score

from einthoven.core.errors import TaskError
from einthoven.evaluate import numbers
from einthoven.evaluate.scores import compare, score
from tests.evaluate import given


@pytest.mark.parametrize(("form", "values"), [
    ("plain", [-2.0, 0.0, 400.0]), ("log1p", [0.0, 5.0, 900.0]), ("angle", [-179.0, 0.0, 30.0, 180.0]),
])  # fmt: skip
def test_a_number_comes_back_from_its_columns(form, values):
    columns = numbers.learnt("x", np.array(values), form)
    (number,) = numbers.of(list(columns))
    assert number.name == "x"
    assert number.columns == tuple(columns)
    np.testing.assert_allclose(number.told(np.stack(list(columns.values()))), values, rtol=1e-12, atol=1e-12)


def test_an_error_of_an_angle_is_the_shorter_way_round():
    (number,) = numbers.of(["cos(axis)", "sin(axis)"])
    truth, told = (np.stack(list(numbers.learnt("axis", np.array(a), "angle").values())) for a in (
        [179.0, -179.0, 10.0, 90.0], [-179.0, 179.0, -10.0, 90.0]
    ))  # fmt: skip
    np.testing.assert_allclose(number.error(truth, 3 * told), [2, -2, -20, 0], atol=1e-9)  # length says nothing


def test_columns_that_are_no_pair_or_would_be_two_of_one_name_stay_what_they_are_called():
    assert [n.name for n in numbers.of(["cos(a)", "b"])] == ["cos(a)", "b"]
    assert [n.name for n in numbers.of(["b", "log1p(b)"])] == ["b", "log1p(b)"]
    assert [n.name for n in numbers.of(["log1p(c)", "cos(c)", "sin(c)"])] == ["c", "cos(c)", "sin(c)"]
    assert [n.learnt_as for n in numbers.of(["b", "log1p(b)"])] == [None, None]


ANGLE_N = np.random.default_rng(0).normal(180, 20, 300)  # about the jump
RMSSD_N = np.random.default_rng(1).lognormal(3, 1, 300)
NAMES = ["cos(axis)", "sin(axis)", "log1p(rmssd)", "hr"]


def arm(noise, unknown=0):
    """A prediction table of three numbers; the first records do not know `rmssd`."""
    gen = np.random.default_rng(2)
    truth = numbers.learnt("axis", ANGLE_N, "angle") | numbers.learnt("rmssd", RMSSD_N, "log1p")
    truth_NK = np.stack([*truth.values(), gen.normal(70, 10, 300)], axis=1)
    score_NK = truth_NK + noise * truth_NK.std(axis=0) * gen.normal(size=truth_NK.shape)
    truth_NK[:unknown, 2] = np.nan
    part_N = np.repeat(["test", "train", "validation"], 100)
    table = given.table(truth_NK, score_NK, np.arange(300), part_N, labels=NAMES)
    return table, truth_NK[:100], score_NK[:100]


def test_each_number_is_scored_from_its_columns_in_its_unit():
    table, truth_nK, score_nK = arm(0.5)
    rows = {(row["label"], row["metric"]): row for row in score(
        table, task_name="t", kind="value", resamples=200
    ).iter_rows(named=True)}  # fmt: skip
    assert {label for label, _ in rows} == {"axis", "rmssd", "hr"}
    weight_K = truth_nK[:, :2].var(axis=0)
    both = r2_score(truth_nK[:, :2], score_nK[:, :2], multioutput="variance_weighted")  # the same sums over both
    assert weight_K[1] > 3 * weight_K[0]
    assert rows["axis", "r2"]["value"] == pytest.approx(both, abs=1e-12)
    assert rows["axis", "r2"]["learnt_as"] == "cos(axis), sin(axis)"
    assert rows["axis", "r2"]["low"] < both < rows["axis", "r2"]["high"]
    away = np.angle(np.exp(1j * (np.arctan2(score_nK[:, 1], score_nK[:, 0]) - np.radians(ANGLE_N[:100]))), deg=True)
    assert rows["axis", "mae"]["value"] == pytest.approx(np.abs(away).mean(), abs=1e-9)
    assert ("axis", "spearman") not in rows
    assert rows["rmssd", "r2"]["value"] == pytest.approx(r2_score(truth_nK[:, 2], score_nK[:, 2]), abs=1e-12)
    in_ms = np.abs(np.expm1(score_nK[:, 2]) - RMSSD_N[:100]).mean()
    assert rows["rmssd", "mae"]["value"] == pytest.approx(in_ms, rel=1e-9)
    assert rows["hr", "r2"]["learnt_as"] is None
    assert all(row["n_subjects"] == 100 for row in rows.values())


def test_an_unknown_number_leaves_its_own_figures_only():
    whole, _, _ = arm(0.5)
    partly, truth_nK, score_nK = arm(0.5, unknown=40)
    one, two = (score(t, task_name="t", kind="value", resamples=100).filter(metric="r2") for t in (whole, partly))
    assert two["n_records"].to_list() == [100, 60, 100]
    assert one.filter(label="hr")["value"].item() == two.filter(label="hr")["value"].item()
    want = r2_score(truth_nK[40:, 2], score_nK[40:, 2])
    assert two.filter(label="rmssd")["value"].item() == pytest.approx(want, abs=1e-12)
    found = compare(
        partly, arm(0.8, unknown=40)[0], task_name="t", kind="value", metric="r2", label="rmssd", resamples=50
    )
    assert (found["n_records"], found["n_subjects"], found["m"]) == (60, 60, 60)


def test_a_difference_is_of_one_number_on_the_same_subjects():
    good, bad = arm(0.2)[0], arm(0.8)[0]
    figures = [
        score(t, task_name="t", kind="value", resamples=100).filter(metric="r2", label="axis") for t in (good, bad)
    ]
    found = compare(good, bad, task_name="t", kind="value", metric="r2", label="axis", resamples=100)
    assert found["difference"] == pytest.approx(figures[0]["value"].item() - figures[1]["value"].item(), abs=1e-12)
    assert found["low"] > 0
    assert (found["n_subjects"], found["m"]) == (100, 100)
    with pytest.raises(TaskError, match=r"numbers have no mean, expected one of axis, rmssd, hr"):
        compare(good, bad, task_name="t", kind="value", metric="r2")
