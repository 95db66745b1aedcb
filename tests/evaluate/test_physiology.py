"""Decoding of measurements from an embedding: controls whose answer is known, and what takes no part."""

import json
import shutil

import numpy as np
import polars as pl
import pytest

from einthoven import evaluate
from einthoven.cohort.store import Cohort
from einthoven.core import fingerprint
from einthoven.core.errors import TaskError
from einthoven.evaluate import run as driver
from einthoven.evaluate import tasks
from tests.evaluate.given import simulated, tiny

pytest.importorskip("torch")

UNITS = {"hr": "1/min", "pr": "ms", "axis_qrs": "deg", "rmssd": "ms", "st_j60_V2": "mV"}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return simulated(tmp_path_factory.mktemp("cohort") / "c", 300)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, plain):
    return tiny(tmp_path_factory.mktemp("runs") / "run", plain)


def latent(n):
    """What truth and features are made of, (n, 5)."""
    return np.random.default_rng(1).normal(size=(n, 5))


@pytest.fixture(scope="module")
def derived(plain, tmp_path_factory):
    """The cohort with measurements: linear in the latents, the axis about 180 degrees, PR unknown in a third."""
    place = tmp_path_factory.mktemp("derived") / "c"
    shutil.copytree(plain, place)
    store = Cohort.open(place)
    z_N5 = latent(len(store))
    angle_N = 180 + 25 * z_N5[:, 2]
    values = {
        "hr": 70 + 12 * z_N5[:, 0], "pr": np.where(np.arange(len(store)) % 3, 160 + 20 * z_N5[:, 1], np.nan),
        "axis_qrs": (angle_N + 180) % 360 - 180, "rmssd": np.expm1(3 + 0.6 * z_N5[:, 3]), "st_j60_V2": 0.1 * z_N5[:, 4],
    }  # fmt: skip
    added = pl.concat([
        pl.DataFrame({"row": rows, "name": [f"physiology.{name}"] * len(rows), "value": value_N[rows],
                      "unit": [UNITS[name]] * len(rows)})
        for name, value_N in values.items() for rows in [np.flatnonzero(~np.isnan(value_N))]
    ])  # fmt: skip
    assert (values["axis_qrs"] > 150).sum() > 50 < (values["axis_qrs"] < -150).sum()
    table = pl.concat([store.facts("value"), added.cast(store.facts("value").schema)]).sort("row", maintain_order=True)
    table.write_parquet(place / "facts" / "value.parquet")
    card = fingerprint.read_json(place / "card.json")
    card["derived"] = {"physiology": {"engine": "made up", "fingerprint": "made up"}}
    (place / "card.json").write_text(fingerprint.to_json(card))
    return place


def embedded(monkeypatch, order=None):
    """Every encoder gives the latents and the coordinates of the axis, of other recordings if an order is given."""

    def embed(checkpoint, cohort, rows=None):
        z_N5 = latent(len(cohort))
        turn_N = np.radians(180 + 25 * z_N5[:, 2])
        features_ND = np.concatenate([z_N5, np.cos(turn_N)[:, None], np.sin(turn_N)[:, None]], axis=1)
        return features_ND[slice(None) if order is None else order(len(cohort))].astype(np.float32)

    monkeypatch.setattr(driver, "embed_cohort", embed)


def r2(found, arm="tiny"):
    return {row["label"]: row for row in found.rows if row["arm"] == arm}


def test_features_that_hold_the_measurements_decode_them(derived, checkpoint, tmp_path, monkeypatch):
    embedded(monkeypatch)
    found = evaluate(checkpoint, derived, task="physiology", out=tmp_path, smoke=True)
    rows = r2(found)
    assert list(rows) == ["hr", "pr", "axis_qrs", "rmssd", "st_j60_V2"]  # two that nobody has are left out
    assert all(row["value"] > 0.999 and row["metric"] == "r2" for row in rows.values())
    errors = found.scores.filter(arm="tiny", metric="mae")
    assert dict(errors.select("label", "unit").rows()) == UNITS
    assert errors.filter(label="axis_qrs")["value"].item() < 1  # degrees, across the jump at 180
    assert r2(found, "prior only")["hr"]["value"] < 0.05
    assert {row["label"] for row in found.differences} == set(rows)
    assert {row["metric"] for row in found.differences} == {"r2"}


def test_features_of_other_recordings_decode_nothing(derived, checkpoint, tmp_path, monkeypatch):
    embedded(monkeypatch, order=np.random.default_rng(7).permutation)
    rows = r2(evaluate(checkpoint, derived, task="physiology", out=tmp_path, smoke=True))
    for row in rows.values():
        assert -0.15 < row["value"] < 0.1  # seven features, about 100 test recordings
        assert row["low"] < 0.05


def test_only_rows_that_do_not_know_the_answer_stand_beside(derived, checkpoint, tmp_path, monkeypatch):
    embedded(monkeypatch)
    found = evaluate(checkpoint, derived, task="physiology", out=tmp_path, smoke=True)
    arms = {row["arm"] for row in found.rows}
    assert {"tiny", "prior only", "age and sex", "random encoder"} <= arms
    assert not any(arm.startswith(("measurements", "supervised")) for arm in arms)
    one = evaluate(checkpoint, derived, task="value:physiology.hr", out=tmp_path / "one", smoke=True, split="official")
    assert not any(row["arm"].startswith("measurements") for row in one.rows)


def test_what_was_not_measured_takes_no_part_in_its_own_quantity_only(derived, checkpoint, tmp_path, monkeypatch):
    embedded(monkeypatch)
    found = evaluate(checkpoint, derived, task="physiology", out=tmp_path, smoke=True)
    rows, store = r2(found), Cohort.open(derived)
    test_N = driver.splits.parts(store, "official") == "test"
    known = int((test_N & ~np.isnan(store.values("physiology.pr"))).sum())
    assert rows["pr"]["n_records"] == known < rows["hr"]["n_records"] == int(test_N.sum())


def test_few_labels_are_drawn_as_in_other_tasks(derived, checkpoint, tmp_path, monkeypatch):
    embedded(monkeypatch)
    found = evaluate(checkpoint, derived, task="physiology", out=tmp_path, labelled=["40", "1.0"], smoke=True)
    cells = [json.loads(place.read_text()) for place in tmp_path.glob("cells/*/cell.json")]
    sizes = {cell["labelled"]: cell["facts"]["rows"]["train"] for cell in cells if cell["arm"] == "tiny"}
    assert 40 <= sizes["40"] <= 120 < sizes["1.0"]
    assert len([row for row in found.rows if row["arm"] == "tiny"]) == 10
    few = next(cell for cell in cells if cell["arm"] == "tiny" and cell["labelled"] == "40")
    assert len(few["facts"]["penalty"]) == 6  # one a column: the axis has two


def test_a_number_that_no_labelled_recording_has_is_named(derived, checkpoint, tmp_path, monkeypatch):
    embedded(monkeypatch)
    monkeypatch.setattr(driver.splits, "few", lambda cohort, rows, share, draw: rows[rows % 3 == 0][:5])
    with pytest.raises(TaskError, match=r"known in no training recording, got pr"):
        evaluate(checkpoint, derived, task="physiology", out=tmp_path, labelled="5", smoke=True)


def test_a_cohort_without_measurements_is_refused_with_the_command_that_makes_them(plain):
    with pytest.raises(TaskError, match=f"has no measurements.*einthoven derive physiology {plain}"):
        tasks.read(Cohort.open(plain), "physiology")


@pytest.mark.parametrize(("settings", "words"), [
    ({"features": "embedding+measurements"}, "measurements are the truth of this task"),
    ({"save": "model"}, "several numbers"), ({"probe": "finetune"}, "whole label sets or one value only"),
])  # fmt: skip
def test_what_makes_no_sense_for_measurements_is_refused(derived, checkpoint, tmp_path, settings, words):
    settings = {key: tmp_path / value if key == "save" else value for key, value in settings.items()}
    with pytest.raises(TaskError, match=words):
        evaluate(checkpoint, derived, task="simulated/physiology", out=tmp_path / "e", smoke=True, **settings)
