"""PhysioCLR in the whole loop: it trains, goes on where it was, keeps statistics, and refuses what it cannot use."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from einthoven import simulate
from einthoven.cohort.derive import derive
from einthoven.cohort.store import Cohort
from einthoven.core.errors import CheckpointError, CohortError, RecipeError, TrainingError
from einthoven.core.facts import Category
from einthoven.core.record import Record
from einthoven.objectives.physioclr import BLOCKS
from einthoven.training import checkpoint, loop
from einthoven.training.material import _own_first
from tests.data.given import cohort_of
from tests.training import given

KINDS = ("sinus", "lbbb", "af", "lvh", "pvc", "av1", "tachycardia", "rbbb")


@pytest.fixture(scope="module")
def hearts(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    made = []
    for i in range(48):
        found = simulate.record(KINDS[i % 8], seed=i, rate=100)
        part = ("train", "train", "validation")[i // 16]
        made.append(Record(f"r{i}", found.leads, found.signal, found.rate, f"p{i}", (Category("split", part),)))
    cohort = cohort_of(made, tmp_path_factory.mktemp("hearts"))
    derive(cohort, workers=1)
    return Cohort.open(cohort.path)


def recipe(cohort: Cohort, **settings) -> dict:
    table = given.recipe(cohort, "physioclr", batch=16, steps=4, validate_every=2)
    table["layout"] = {"leads": ["I", "II", "V1", "V5"], "seconds": 10}
    table["augment"] = {"crop_seconds": 5}
    table["objective"] |= settings
    return table


ARMS = {
    "A3": {"positives": ["adjacent"], "alpha": 0.0, "beta": 0.0},
    "A4": {"positives": ["adjacent"], "same_patient": "positive", "alpha": 0.0, "beta": 0.0},
    "A5": {"positives": ["shuffle", "adjacent"], "alpha": 0.0, "beta": 0.0},
    "A6": {"positives": ["adjacent", "features"], "alpha": 0.0, "beta": 0.0},
    "A7": {"alpha": 0.0, "beta": 0.0},
    "A8": {"neighbours": 1},
    "A8-paper": {"rule": "cosine", "delta": 0.25, "neutral": [], "features": "full", "pca": 20},
    "A8-released": {"form": "released", "rule": "cosine", "neutral": []},
    "C1": {"control": "permute"},
    "C2": {"control": "random"},
    "C4": {"control": "random_cuts"},
    "C5": {"control": "regress", "alpha": 0.0, "beta": 0.0},
    "C7a": {"beta": 0.0},
    "C7b": {"alpha": 0.0},
    "H2": {"exclude": ["intervals"]},
    "group": {"form": "group"},
    "soft": {"form": "soft", "rule": "kernel"},
    "knn": {"rule": "knn", "form": "sum"},
    "amplitude": {"peak": "amplitude"},
}


@pytest.mark.parametrize("arm", ARMS)
def test_every_arm_and_control_trains(hearts: Cohort, tmp_path: Path, arm: str):
    run = loop.train(recipe(hearts, **ARMS[arm]), tmp_path / "run")
    lines = given.log(run.path)
    assert run.steps == 4
    assert all(np.isfinite(value) for line in lines for value in line.values())
    if arm in ("A3", "A4", "A5"):
        assert not any(line.get("alarm_positives") for line in lines)  # there are no like ones to count
    wanted = ARMS[arm].get("positives", list(BLOCKS)) if arm != "C5" else []
    assert all(f"cosine_{kind}" in lines[0] for kind in wanted)
    assert ("reconstruction" in lines[0]) == bool(ARMS[arm].get("alpha", 0.2) or ARMS[arm].get("beta", 0.1))


def test_a_stopped_run_ends_with_the_same_bytes(hearts: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    table = recipe(hearts, neighbours=1)
    whole = given.leftovers(loop.train(table, tmp_path / "whole").path)
    one_step = loop._Trainer._one_step

    def broken(self, *given):
        if self.step == 3:
            raise KeyboardInterrupt
        return one_step(self, *given)

    monkeypatch.setattr(loop._Trainer, "_one_step", broken)
    with pytest.raises(KeyboardInterrupt):
        loop.train(table, tmp_path / "run")
    monkeypatch.undo()
    assert given.leftovers(loop.train(table, tmp_path / "run").path) == whole


def test_the_checkpoint_keeps_the_statistics_of_the_features(hearts: Cohort, tmp_path: Path):
    run = loop.train(recipe(hearts), tmp_path / "run")
    found = checkpoint.load(run.path)
    assert found.engines == {"physiology": hearts.card["derived"]["physiology"]["engine"]}
    assert found.card["statistics"]["features"][:2] == ["log_rr", "log1p_rmssd"]
    rr = 60000 / hearts.values("physiology.hr")[:32]
    assert float(found.statistics["centre"][0]) == pytest.approx(float(np.median(np.log(rr))), rel=1e-5)
    again = checkpoint.load(checkpoint.copy(run.path, tmp_path / "copy"))
    assert all(torch.equal(again.statistics[name], tensor) for name, tensor in found.statistics.items())
    weights = tmp_path / "copy" / "config.json"
    card = json.loads(weights.read_text())
    card["statistics"]["shapes"]["centre"] = [28]
    weights.write_text(json.dumps(card))
    with pytest.raises(CheckpointError, match=r"objective\.centre has another shape"):
        checkpoint.load(tmp_path / "copy")


def with_engine(cohort: Cohort, folder: Path, engine: str) -> Cohort:
    """The same cohort, said to be measured by another engine."""
    import shutil

    shutil.copytree(cohort.path, folder)
    card = json.loads((folder / "card.json").read_text())
    card["derived"]["physiology"]["engine"] = engine
    (folder / "card.json").write_text(json.dumps(card))
    return Cohort.open(folder)


def test_another_engine_is_refused_going_on_and_beginning_from_a_checkpoint(hearts: Cohort, tmp_path: Path):
    place = tmp_path / "cohort"
    cohort = with_engine(hearts, place, hearts.card["derived"]["physiology"]["engine"])
    table = recipe(cohort)
    run = loop.train(table, tmp_path / "run")
    (run.path / loop.FINISHED).unlink()
    card = json.loads((place / "card.json").read_text())
    card["derived"]["physiology"] |= {"engine": "older-1", "fingerprint": "other"}
    (place / "card.json").write_text(json.dumps(card))
    with pytest.raises(RecipeError, match="measured anew since this run began"):
        loop.train(table, run.path)
    begun = recipe(Cohort.open(place))
    begun["encoder"]["weights"] = str(run.path)
    with pytest.raises(CheckpointError, match=r"physiology of another engine.*einthoven derive physiology"):
        loop.train(begun, tmp_path / "other")


def test_a_cohort_without_measurements_is_refused_with_the_command(cohort: Cohort, tmp_path: Path):
    with pytest.raises(CohortError, match=r"has no measurements.*einthoven derive physiology"):
        loop.train(given.recipe(cohort, "physioclr"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_batch_without_negatives_says_so_instead_of_training(hearts: Cohort, tmp_path: Path):
    table = recipe(hearts, rule="cosine", delta=-1.0, neutral=[])
    with pytest.raises(TrainingError, match="no recording has a positive and a negative at step 1"):
        loop.train(table, tmp_path / "run")


def test_settings_that_exclude_each_other_are_refused(hearts: Cohort, tmp_path: Path):
    for settings, said in (
        ({"positives": []}, "is empty"), ({"positives": ["adjacent"], "control": "permute"}, "needs the positives"),
        ({"neutral": [0.9, 0.2]}, "is no zone"), ({"rule": "kernel"}, "set form"),
        ({"rule": "kernel", "form": "soft", "neutral": []}, "set form"), ({"weights": [0, 0, 0]}, "are no weights"),
        ({"control": "random_cuts", "positives": ["adjacent"]}, "needs the positive"),
        ({"form": "released", "positives": ["adjacent"]}, "all three"), ({"pca": 40}, "more components"),
    ):  # fmt: skip
        with pytest.raises(RecipeError, match=said):
            loop.train(recipe(hearts, **settings), tmp_path / "run")


def test_permuted_measurements_are_a_fixed_pairing_within_each_part(hearts: Cohort, tmp_path: Path):
    trainer = loop._Trainer(
        loop.settings.check(recipe(hearts, control="permute")), tmp_path, loop.Runtime("cpu", 1, "float32"), False
    )
    worn = trainer.material.worn
    assert worn is not None
    train, validation = trainer.material.train, trainer.material.validation
    assert sorted(worn[train]) == sorted(train)
    assert sorted(worn[validation]) == sorted(validation)
    assert (worn[train] != train).mean() > 0.8
    need, batch = "value:physiology.hr", trainer.loader.batch(0)
    rates = torch.from_numpy(hearts.values("physiology.hr").astype(np.float32))
    assert torch.equal(batch.fact(need), rates[torch.from_numpy(worn)[batch.row]])


def test_measurements_worn_by_their_owners_are_the_arm_without_the_control(
    hearts: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    plain = loop.train(recipe(hearts, neighbours=1), tmp_path / "plain")
    worn = loop.train(recipe(hearts, neighbours=1, control="permute"), tmp_path / "worn")
    monkeypatch.setattr("einthoven.training.material._worn", lambda seed, rows, count: np.arange(count))
    own = loop.train(recipe(hearts, neighbours=1, control="permute"), tmp_path / "own")
    assert given.log(own.path) == given.log(plain.path)
    assert given.log(worn.path) != given.log(plain.path)


def test_joined_cohorts_of_two_engines_are_refused(hearts: Cohort, tmp_path: Path):
    with_engine(hearts, tmp_path / "other", "older-1")
    table = recipe(hearts)
    table["data"]["cohort"] = [str(hearts.path), str(tmp_path / "other")]
    with pytest.raises(CohortError, match=r"different engines measured.*einthoven derive physiology"):
        loop.train(table, tmp_path / "run")
    table["data"]["cohort"] = [str(hearts.path), str(hearts.path)]
    run = loop.train(table, tmp_path / "run")
    assert checkpoint.load(run.path).engines == {"physiology": hearts.card["derived"]["physiology"]["engine"]}


def test_likeness_is_not_computed_in_bfloat16(hearts: Cohort, tmp_path: Path):
    seen = []
    table = recipe(hearts)
    table["training"]["precision"] = "bfloat16"
    trainer = loop._Trainer(loop.settings.check(table), tmp_path, loop.Runtime("cpu", 1, "bfloat16"), False)
    objective, batch = trainer.model.objective, trainer.loader.batch(0)
    kept = objective._contrast
    objective._contrast = lambda out, *rest: seen.append((out @ out.T).dtype) or kept(out, *rest)
    with torch.autocast("cpu", torch.bfloat16):
        loss, _ = objective.loss(trainer.model.encoder, batch, 0)
    assert seen == [torch.float32]
    assert loss.dtype == torch.float32


def test_companions_are_the_nearest_by_physiology(hearts: Cohort, tmp_path: Path):
    table = recipe(hearts, neighbours=1)
    trainer = loop._Trainer(loop.settings.check(table), tmp_path, loop.Runtime("cpu", 1, "float32"), False)
    near = trainer.material.companions
    assert near is not None
    kind = np.arange(len(hearts)) % 8
    found = near[trainer.material.train]
    assert (found != trainer.material.train[:, None]).all()
    assert set(found[found >= 0].tolist()) <= set(trainer.material.train.tolist())
    graph = trainer.model.objective.statistics()[1]["neighbours"]
    assert graph["likeness_nearest"] > graph["likeness_last"]
    assert graph["never_chosen"] < len(found) > graph["most_chosen"] > 1
    same = (kind[found[:, 0]] == kind[trainer.material.train]).mean()
    assert same > 0.3  # one in eight by chance


@pytest.mark.parametrize("settings", [{}, {"positives": ["adjacent"], "alpha": 0.0, "beta": 0.0}], ids=["A8", "A4"])
def test_recordings_of_one_person_are_drawn_together_and_are_positive(hearts: Cohort, tmp_path: Path, settings: dict):
    made = [hearts.record(row) for row in range(len(hearts))]
    people = [f"p{row // 32}-{row % 32 // (1 + row % 3)}" for row in range(len(hearts))]  # one to three recordings
    several = cohort_of([replace(record, subject=who) for record, who in zip(made, people)], tmp_path / "several")
    derive(several, workers=1)
    subject = several.index["subject_id"].to_numpy()
    found = {}
    for same in ("ignore", "positive"):
        table = recipe(several, same_patient=same, **settings)
        table["training"]["batch"] = 8
        trainer = loop._Trainer(loop.settings.check(table), tmp_path, loop.Runtime("cpu", 1, "float32"), False)
        near, pairs = trainer.material.companions, 0
        for step in range(6):
            batch = trainer.loader.batch(step)
            dealt, _ = trainer.model.objective._deal(batch, step)
            here = batch.subject[:, None] == batch.subject
            here.fill_diagonal_(False)
            assert not (dealt.negative & here).any()
            assert (dealt.positive[here]).all()
            assert len(batch.row.unique()) == len(batch) == 8
            pairs += int(here.sum())
        found[same] = pairs
        if same == "positive":
            train = trainer.material.train
            for row in train:
                own = set(train[subject[train] == subject[row]].tolist()) - {row}
                assert set(near[row][near[row] >= 0].tolist()) == own or not own
    assert found["ignore"] == 0 < found["positive"]


def test_one_person_many_recordings_has_at_most_ten_candidates():
    rows, subject = np.arange(2, 30), np.array([0, 1] + [5] * 25 + [6, 7, 7])
    near = _own_first(None, rows, subject)
    assert near.shape == (30, 10)
    assert (near[:2] == -1).all()
    assert (near[27] == -1).all()
    assert near[28].tolist() == [29] + [-1] * 9
    for row in range(2, 27):
        assert len(set(near[row].tolist()) - {row}) == 10
        assert (subject[near[row]] == 5).all()
    like = np.full((30, 12), -1)
    like[27, :3] = (2, 3, 4)
    assert _own_first(like, rows, subject)[27, :4].tolist() == [2, 3, 4, -1]
