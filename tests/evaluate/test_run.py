"""The driver: which rows a table gets, what is computed again, and two controls whose answer is known."""

import json

import numpy as np
import polars as pl
import pytest

from einthoven import evaluate
from einthoven.cohort.build import build
from einthoven.cohort.store import Cohort
from einthoven.core.errors import TaskError
from einthoven.core.layout import Layout
from einthoven.core.registry import load
from einthoven.evaluate import run as driver
from einthoven.evaluate import tables, tasks
from einthoven.training import checkpoint as checkpoints

torch = pytest.importorskip("torch")

TASK = "simulated/condition"


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    place = tmp_path_factory.mktemp("cohort") / "c"
    source = load("sources", "simulated")(patients=150, rate=100, seconds=3, seed=5)
    build(source, place, place, workers=1)
    return place


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, cohort):
    from einthoven.training import loop

    out = tmp_path_factory.mktemp("runs") / "run"
    recipe = {
        "name": "tiny",
        "data": {"cohort": str(cohort)},
        "layout": {"seconds": 3},
        "encoder": {"name": "resnet", "width": 4},
        "objective": {"name": "simclr"},
        "training": {"steps": 2, "batch": 16, "validate_every": 0},
    }
    loop.train(recipe, out)
    return out


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory, cohort, checkpoint):
    out = tmp_path_factory.mktemp("evaluated")
    saved = out / "model"
    return evaluate(checkpoint, cohort, task=TASK, out=out / "e", save=saved, smoke=True), saved


def test_every_table_has_its_reference_rows(evaluated):
    arms = {row["arm"] for row in evaluated[0].rows}
    assert arms == {
        "prior only", "age and sex", "random encoder", "random encoder, norm statistics", "supervised, equal steps",
        "supervised, early stop", "tiny",
    }  # fmt: skip


def test_a_constant_score_has_auroc_one_half(evaluated):
    assert next(row["value"] for row in evaluated[0].rows if row["arm"] == "prior only") == 0.5


def test_the_prediction_table_covers_each_known_record_once_and_no_subject_is_in_two_parts(evaluated, cohort):
    store = Cohort.open(cohort)
    task = tasks.read(store, TASK)
    for place in (evaluated[0].out / "cells").iterdir():
        table = pl.read_parquet(place / "predictions.parquet")
        assert table.select("key", "label").is_duplicated().sum() == 0
        assert table["key"].n_unique() == int(task.known.sum())
        assert table.group_by("subject").agg(pl.col("part").n_unique())["part"].max() == 1


def test_scores_can_be_made_again_from_the_prediction_tables_by_scikit_learn(evaluated):
    from sklearn.metrics import roc_auc_score

    out = evaluated[0].out
    scores = pl.read_parquet(out / "scores.parquet").filter((pl.col("arm") == "tiny") & (pl.col("metric") == "auroc"))
    place = next(place for place in (out / "cells").iterdir() if "--tiny--" in place.name)
    test = pl.read_parquet(place / "predictions.parquet").filter(pl.col("part") == "test")
    checked = 0
    for (label,), rows in test.group_by("label"):
        known = rows.drop_nulls("truth")
        if 0 < known["truth"].sum() < len(known):
            want = roc_auc_score(known["truth"], known["score"])
            got = scores.filter(pl.col("label") == label)["value"][0]
            assert got == pytest.approx(want, abs=1e-12)
            checked += 1
    assert checked >= 3


def test_the_same_call_again_computes_no_cell_again(evaluated, cohort, checkpoint):
    out = evaluated[0].out
    before = {place: place.stat().st_mtime_ns for place in (out / "cells").glob("*/predictions.parquet")}
    again = evaluate(checkpoint, cohort, task=TASK, out=out, smoke=True)
    assert {place: place.stat().st_mtime_ns for place in (out / "cells").glob("*/predictions.parquet")} == before
    assert again.rows == evaluated[0].rows


def test_a_cell_of_other_weights_is_computed_again(evaluated, cohort, checkpoint, tmp_path):
    out = evaluated[0].out
    place = next(place for place in (out / "cells").iterdir() if "--tiny--" in place.name)
    card = json.loads((place / "cell.json").read_text())
    (place / "cell.json").write_text(json.dumps(card | {"fingerprint": "other"}))
    before = (place / "predictions.parquet").stat().st_mtime_ns
    evaluate(checkpoint, cohort, task=TASK, out=out, smoke=True)
    assert (place / "predictions.parquet").stat().st_mtime_ns > before


def test_the_saved_checkpoint_gives_the_scores_of_the_prediction_table(evaluated, cohort):
    from einthoven import predict

    out, saved = evaluated[0].out, evaluated[1]
    place = next(place for place in (out / "cells").iterdir() if "--tiny--" in place.name)
    table = pl.read_parquet(place / "predictions.parquet")
    label = table["label"][0]
    mine = predict(cohort, checkpoint=saved).frame.select("key", score=f"probability:{label}")
    both = table.filter(pl.col("label") == label).join(mine, on="key", suffix="_again")
    assert len(both) > 100
    # int16 microvolts and float32 weights: the same to five digits
    np.testing.assert_allclose(both["score"], both["score_again"], atol=1e-5)


def _with_features(monkeypatch, make):
    def embed(checkpoint, cohort, rows=None):
        return make(tasks.read(cohort, TASK).truth_NK).astype(np.float32)

    monkeypatch.setattr(driver, "embed_cohort", embed)


def test_features_that_hold_the_labels_reach_an_auroc_of_one(monkeypatch, cohort, checkpoint, tmp_path):
    _with_features(monkeypatch, lambda truth_NK: np.nan_to_num(truth_NK))
    rows = _linear_only(monkeypatch, cohort, checkpoint, tmp_path)
    assert rows["tiny"]["value"] > 0.999


def test_features_of_noise_have_one_half_within_their_interval(monkeypatch, cohort, checkpoint, tmp_path):
    gen = np.random.default_rng(3)
    _with_features(monkeypatch, lambda truth_NK: gen.normal(size=(len(truth_NK), 8)))
    rows = _linear_only(monkeypatch, cohort, checkpoint, tmp_path)
    assert rows["tiny"]["low"] < 0.5 < rows["tiny"]["high"]


def _linear_only(monkeypatch, cohort, checkpoint, out):
    monkeypatch.setattr(driver._Bench, "_scratch", lambda self, *rest: iter(()))
    found = evaluate(checkpoint, cohort, task=TASK, out=out, smoke=True)
    return {row["arm"]: row for row in found.rows}


def test_a_checkpoint_that_saw_the_cohort_under_another_split_is_refused(cohort, checkpoint, tmp_path):
    with pytest.raises(TaskError, match="saw test subjects"):
        evaluate(checkpoint, cohort, task=TASK, out=tmp_path, split="half-a", smoke=True)


def test_few_labels_are_drawn_by_subject_and_pair_arms_by_their_draw(cohort, checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(driver._Bench, "_scratch", lambda self, *rest: iter(()))
    found = evaluate(checkpoint, cohort, task=TASK, out=tmp_path, labelled="40", smoke=True)
    cells = [json.loads(place.read_text()) for place in tmp_path.glob("cells/*/cell.json")]
    assert {cell["labelled"] for cell in cells} == {"40"}
    tiny = next(cell for cell in cells if cell["arm"] == "tiny")
    assert 40 <= tiny["facts"]["rows"]["train"] <= 120  # one to three recordings a person
    assert all(one["n_runs"] == 1 for one in found.differences)


def test_each_seed_has_draws_of_its_own_and_no_training_from_scratch_has_a_second(
    cohort, checkpoint, tmp_path, monkeypatch
):
    trained, arm = [], checkpoints.load(checkpoint)
    monkeypatch.setattr(driver._Bench, "_scratch", lambda self, like, *pair: trained.append(pair[:2]) or iter(()))

    def runs(draws):
        settings = driver.Settings((tasks.read(Cohort.open(cohort), TASK),), ("official",), labelled=(40,), draws=draws)
        found = driver.evaluate([arm], Cohort.open(cohort), tmp_path, settings)
        marks = {place.name: json.loads((place / "cell.json").read_text())["fingerprint"] for place in found}
        cells = [json.loads((place / "cell.json").read_text()) for place in found]
        return marks, {
            name: [(c["seed"], c["draw"]) for c in cells if c["arm"] == name] for name in {c["arm"] for c in cells}
        }

    before, one = runs(1)
    assert one["random encoder"] == [(i, i) for i in range(5)]  # what a folder of one draw a seed has
    assert (one["tiny"], one["prior only"]) == ([(0, 0)], [(0, i) for i in range(5)])
    after, two = runs(2)
    assert before.items() <= after.items()
    assert two["tiny"] == [(0, 0), (0, 100)]
    assert two["random encoder"] == [(i, i + k) for k in (0, 100) for i in range(5)]
    assert two["prior only"] == [(0, draw) for draw in (0, 1, 2, 3, 4, 100)]
    assert trained == 2 * [(0, 0)]
    tables.write(tmp_path, "again", resamples=20)
    told = {one["arm_b"]: one["runs"] for one in json.loads((tmp_path / "differences.json").read_text())}
    assert told["random encoder"] == told["prior only"] == "1 x 2"


def test_the_number_of_draws_is_one_at_least(cohort, checkpoint, tmp_path):
    with pytest.raises(TaskError, match="1 or more draws"):
        evaluate(checkpoint, cohort, task=TASK, out=tmp_path, draws=0, smoke=True)


@pytest.mark.parametrize(
    ("task", "words"),
    [("ptbxl/superclass", "another source"), ("conditon", "did you mean condition"), ("value:agee", "did you mean age"),
     ("condition@much", "percentage"), ("condition:NOPE", "no label called")],
)  # fmt: skip
def test_a_wrong_task_is_named_with_the_nearest(cohort, task, words):
    with pytest.raises(TaskError, match=words):
        tasks.read(Cohort.open(cohort), task)


def test_layouts_and_sources_agree_on_what_a_task_knows(cohort):
    store = Cohort.open(cohort)
    age = tasks.read(store, "value:age")
    assert age.kind == "value"
    assert age.units == ("years",)
    assert age.truth_NK.shape == (len(store), 1)
    assert tasks.read(store, "rhythm").kind == "exclusive"
    assert Layout().leads[0] == "I"
