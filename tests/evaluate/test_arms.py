"""What a checkpoint may bring with it: earlier stages, no recipe, a recipe with weights; and what is saved from it."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from einthoven import evaluate, predict
from einthoven.cohort.build import build
from einthoven.cohort.store import Cohort
from einthoven.core.errors import CheckpointError, TaskError
from einthoven.core.registry import load
from einthoven.evaluate import run as driver
from einthoven.evaluate import tables, tasks, tuned
from einthoven.evaluate.cells import SAID

pytest.importorskip("torch")
from einthoven.training import checkpoint as checkpoints
from einthoven.training import loop

TASK = "simulated/condition"


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    place = tmp_path_factory.mktemp("cohort") / "c"
    build(load("sources", "simulated")(patients=150, rate=100, seconds=3, seed=5), place, place, workers=1)
    return Cohort.open(place)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, cohort):
    """A run of some steps."""

    def make(steps, width=4):
        out = tmp_path_factory.mktemp("runs") / "run"
        recipe = {
            "name": "tiny", "data": {"cohort": str(cohort.path)}, "layout": {"seconds": 3},
            "encoder": {"name": "resnet", "width": width}, "objective": {"name": "simclr"},
            "training": {"steps": steps, "batch": 16, "validate_every": 0},
        }  # fmt: skip
        loop.train(recipe, out)
        return out

    return make


@pytest.fixture(scope="module")
def run(trained):
    return trained(2)


def resaved(run, folder, **card):
    """The encoder of a run with another card."""
    found = checkpoints.load(run)
    network = found.card["encoder"]
    return checkpoints.save(
        folder, encoder=found.encoder, encoder_name=network["name"], encoder_settings=network["settings"],
        layout=found.layout, card={"name": "other", **card},
    )  # fmt: skip


@pytest.fixture
def no_scratch(monkeypatch):
    monkeypatch.setattr(driver._Bench, "_scratch", lambda self, *rest: iter(()))


def cells(folder):
    return [json.loads(place.read_text()) | {"place": place.parent} for place in folder.glob("cells/*/cell.json")]


def test_an_earlier_stage_that_saw_test_subjects_is_refused(run, cohort, tmp_path):
    data = checkpoints.load(run).card["data"]
    other = data | {"split": "half-b"}
    joined = other | {"cohort_fingerprint": "of both", "members": ["of another", data["cohort_fingerprint"]]}
    for name, earlier in (("alone", other), ("joined", joined)):
        place = resaved(run, tmp_path / name, earlier=[earlier], data=data)
        with pytest.raises(TaskError, match=r"saw test subjects.*got 'half-b'"):
            evaluate(place, cohort.path, task=TASK, out=tmp_path / "e", smoke=True)


def test_a_network_of_another_loop_is_evaluated_with_all_its_rows(run, cohort, tmp_path):
    """docs/plain-loop.md saves a checkpoint whose card holds a name and no recipe."""
    found = evaluate(resaved(run, tmp_path / "model"), cohort.path, task=TASK, out=tmp_path / "e", smoke=True)
    assert {"other", "supervised, equal steps", "supervised, early stop"} <= {row["arm"] for row in found.rows}


def test_a_fine_tuned_network_is_saved_and_predicts_its_own_scores(run, cohort, tmp_path, no_scratch):
    evaluate(
        run, cohort.path, task=TASK, out=tmp_path / "e", probe="finetune", save=tmp_path / "model", smoke=True
    )  # fmt: skip
    agree(next(cell for cell in cells(tmp_path / "e") if cell["role"] == "arm"), tmp_path / "model", cohort)


def test_the_probe_of_an_exclusive_set_is_saved_as_what_it_is(run, cohort, tmp_path, no_scratch):
    evaluate(run, cohort.path, task="rhythm", out=tmp_path / "e", save=tmp_path / "model", smoke=True)
    cell = next(cell for cell in cells(tmp_path / "e") if cell["role"] == "arm")
    assert cell["kind"] == "exclusive"
    frame = agree(cell, tmp_path / "model", cohort)
    names = [name for name in frame.columns if name.startswith("probability:")]
    highest = frame.select(names).to_numpy().argmax(axis=1)
    assert frame["class"].to_list() == [names[k].partition(":")[2] for k in highest]


def agree(cell, model, cohort):
    """`predict` gives the scores of the prediction table for every label and recording; return its frame."""
    frame = predict(cohort.path, checkpoint=model).frame
    table = pl.read_parquet(cell["place"] / "predictions.parquet").pivot("label", index="key", values="score")
    both = table.join(frame, on="key")
    assert len(both) == len(table) > 100
    for label in table.columns[1:]:  # float32 weights: the same to five digits
        np.testing.assert_allclose(both[label], both[f"probability:{label}"], atol=1e-5)
    return frame


def test_of_several_amounts_of_labels_the_head_of_the_most_is_saved(run, cohort, tmp_path, no_scratch):
    shares = ["0.5", "1.0"]
    evaluate(run, cohort.path, task=TASK, labelled=shares, out=tmp_path / "e", save=tmp_path / "model", smoke=True)
    assert checkpoints.load(tmp_path / "model").card["evaluated"]["labelled"] == "1.0"


def test_a_folder_of_something_else_is_never_replaced_by_a_checkpoint(run, cohort, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").write_text("years of work")
    with pytest.raises(CheckpointError, match=r"holds something else than a checkpoint.*thesis.tex"):
        evaluate(run, cohort.path, task=TASK, out=tmp_path / "e", save=tmp_path / "thesis", smoke=True)
    with pytest.raises(CheckpointError, match="something else"):
        checkpoints.copy(run, tmp_path / "thesis")
    assert (tmp_path / "thesis" / "thesis.tex").read_text() == "years of work"
    assert not (tmp_path / "e").exists()


def test_a_single_label_is_probed_though_no_network_is_trained_on_it(run, cohort, tmp_path):
    label = tasks.read(cohort, TASK).labels[0]
    found = evaluate(run, cohort.path, task=f"condition:{label}", out=tmp_path / "e", smoke=True)
    arms = {row["arm"] for row in found.rows}
    assert {"tiny", "random encoder"} <= arms
    assert not any(arm.startswith("supervised") for arm in arms)


def test_a_row_from_scratch_never_begins_from_weights(run, cohort, tmp_path):
    recipe = {"encoder": {"name": "resnet", "width": 4, "weights": "elsewhere"}, "training": {"steps": 7, "batch": 8}}
    arm = checkpoints.load(resaved(run, tmp_path / "model", recipe=recipe))
    task = tasks.read(cohort, TASK)
    of = {"split": "official", "labelled": 1.0, "draw": 0, "seed": 0, "steps": 7}
    assert "weights" not in tuned.recipe(arm, cohort, task, **of, weights=None)["encoder"]
    assert tuned.recipe(arm, cohort, task, **of, weights=run)["encoder"]["weights"] == str(run)


def test_rows_from_scratch_are_trained_again_for_an_arm_of_other_steps(run, trained, cohort, tmp_path):
    def steps(place):
        settings = driver.Settings((tasks.read(cohort, TASK),), ("official",), random_seeds=1)
        driver.evaluate([checkpoints.load(place)], cohort, tmp_path, settings)
        scratch = [cell for cell in cells(tmp_path) if cell["arm"] == "supervised, equal steps"]
        return [cell["facts"]["card"]["training"]["steps"] for cell in scratch]

    assert steps(run) == [2]
    assert steps(trained(3)) == [3]


def test_recordings_without_any_lead_of_the_checkpoint_are_said(run, cohort, tmp_path, monkeypatch):
    def torn(checkpoint, cohort, rows=None):
        features_ND = np.ones((len(cohort), 3), np.float32)
        features_ND[:4] = np.nan
        return features_ND

    monkeypatch.setattr(driver, "embed_cohort", torn)
    with pytest.raises(TaskError, match=r"4 of \d+ recordings have none of the leads"):
        evaluate(run, cohort.path, task=TASK, out=tmp_path, smoke=True)


@pytest.mark.parametrize("share", ["inf", "nan", "1.5", "-3", "many"])
def test_an_amount_of_labels_that_is_none_is_refused(run, cohort, tmp_path, share):
    with pytest.raises(TaskError, match="is unusable"):
        evaluate(run, cohort.path, task=TASK, out=tmp_path / "e", labelled=share, smoke=True)


def test_predictions_made_elsewhere_stand_in_the_same_table_and_say_what_they_lack(run, cohort, tmp_path, no_scratch):
    evaluate(run, cohort.path, task=TASK, out=tmp_path / "e", smoke=True)
    mine = next(cell for cell in cells(tmp_path / "e") if cell["role"] == "arm")
    place = tmp_path / "e" / "cells" / "theirs"
    place.mkdir()
    table = pl.read_parquet(mine["place"] / "predictions.parquet")
    table.with_columns(run=pl.lit("theirs#0"), note=pl.lit("other columns")).write_parquet(
        place / "predictions.parquet"
    )
    says = {name: mine[name] for name in SAID} | {"arm": "theirs"}
    (place / "cell.json").write_text(json.dumps(says))
    scores = tables.write(tmp_path / "e", "again", resamples=20).filter(pl.col("metric") == "auroc", label="macro")
    assert scores.filter(arm="theirs")["value"].to_list() == scores.filter(arm="tiny")["value"].to_list()
    (place / "cell.json").write_text(json.dumps({name: says[name] for name in says if name != "kind"}))
    with pytest.raises(TaskError, match=r"theirs/cell.json: lacks keys, expected arm, .*, got no kind"):
        tables.write(tmp_path / "e", "again")
    (place / "cell.json").write_text(json.dumps(says))
    table.drop("truth").write_parquet(place / "predictions.parquet")
    with pytest.raises(TaskError, match="is no prediction table, expected key, subject"):
        tables.write(tmp_path / "e", "again")


def test_an_arm_of_another_architecture_replaces_no_row_of_the_first(run, trained, cohort, tmp_path, no_scratch):
    def random_rows():
        return {c["arm"]: c["fingerprint"] for c in cells(tmp_path) if c["arm"].startswith("random encoder")}

    evaluate(run, cohort.path, task=TASK, out=tmp_path, smoke=True)
    before = random_rows()
    evaluate(trained(2, width=6), cohort.path, task=TASK, out=tmp_path, smoke=True)
    after = random_rows()
    assert before.items() <= after.items()
    assert len(after) == 2 * len(before)
