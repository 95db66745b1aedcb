"""A run: what it leaves, that it learns, that it stops and goes on with the same bits."""

from __future__ import annotations

import json
import signal

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from einthoven.core.errors import CohortError, Interrupted, RecipeError, TrainingError
from einthoven.core.facts import Category
from einthoven.core.leads import STANDARD
from einthoven.core.record import Record
from einthoven.data.sampler import Sampler
from einthoven.objectives.simclr import Simclr
from einthoven.training import checkpoint, loop
from tests.data.given import cohort_of, wavy
from tests.training.given import OFF, leftovers, log, recipe


@pytest.fixture(scope="module")
def whole(cohort, tmp_path_factory):
    """An uninterrupted run."""
    out = tmp_path_factory.mktemp("whole") / "run"
    return loop.train(recipe(cohort), out)


def test_a_run_leaves_recipe_logs_states_and_two_checkpoints(whole):
    assert (whole.steps, whole.path.name) == (6, "run")
    assert {path.name for path in whole.path.iterdir()} == {
        "recipe.toml", "log.jsonl", "times.jsonl", "best", "last", "state",
    }  # fmt: skip
    assert {path.name for path in (whole.path / "state").iterdir()} == {
        "best", "finished", "step-00000004", "step-00000006",
    }  # fmt: skip
    lines = log(whole.path)
    assert [line["step"] for line in lines] == [1, 2, 3, 3, 4, 5, 6, 6]
    losses = {line["step"]: line["validation"] for line in lines if "validation" in line}
    assert whole.best_loss == min(losses.values()) == losses[whole.best_step]
    times = [json.loads(line) for line in (whole.path / "times.jsonl").read_text().splitlines()]
    assert times[0]["begin"]["step"] == 0


def test_the_log_follows_warm_up_and_cosine(whole):
    rates = [line["lr"] for line in log(whole.path) if "lr" in line]
    assert rates[:2] == [0.0005, 0.001]  # two steps of warm-up to 1e-3
    assert rates[2] == 0.001
    assert rates[3:] == sorted(rates[3:], reverse=True)
    assert rates[-1] > 0


def test_the_best_checkpoint_holds_the_weights_of_the_best_validation(whole):
    best, last = checkpoint.load(whole.path), checkpoint.load(whole.path / "last")
    assert best.card["step"] == whole.best_step
    assert last.card["step"] == 6
    assert best.path == whole.path / "best"


def test_a_checkpoint_states_the_validation_loss_of_its_own_weights_only(cohort, tmp_path, monkeypatch):
    monkeypatch.setattr(Simclr, "loss", _rising(Simclr.loss, iter(range(1, 99))))
    run = loop.train(recipe(cohort), tmp_path / "run")
    assert checkpoint.load(run.path).card["validation"] == 1.0
    assert checkpoint.load(run.path / "last").card["validation"] is None  # its own was worse and is not kept


def test_the_card_says_what_was_seen_and_names_nobody(whole, cohort):
    card = checkpoint.load(whole.path).card
    data = card["data"]
    assert (data["cohort_fingerprint"], data["family"], data["split"]) == (cohort.fingerprint, "given", "official")
    assert data["records"] == data["subjects"] == 36  # three of five persons
    assert card["recipe"]["encoder"]["width"] == 4
    text = (whole.path / "best" / "config.json").read_text()
    assert not any(key in text for key in [*cohort.index["key"], *cohort.index["subject"]])


def test_the_same_recipe_gives_the_same_bits_and_leaves_global_randomness_alone(whole, cohort, tmp_path):
    torch.manual_seed(5)
    want = torch.rand(3)
    torch.manual_seed(5)
    again = loop.train(recipe(cohort), tmp_path / "run")
    assert torch.equal(torch.rand(3), want)
    assert leftovers(again.path) == leftovers(whole.path)


def test_another_seed_gives_other_weights(whole, cohort, tmp_path):
    other = loop.train({**recipe(cohort), "seed": 4}, tmp_path / "run")
    assert leftovers(other.path)["last/model.safetensors"] != leftovers(whole.path)["last/model.safetensors"]


def test_prefetching_changes_nothing_but_the_recipe(whole, cohort, tmp_path):
    plain = loop.train(recipe(cohort, prefetch=0), tmp_path / "run")
    assert leftovers(plain.path) == leftovers(whole.path)


def test_a_finished_run_is_not_trained_again(whole, cohort, monkeypatch):
    before = {path: path.stat().st_mtime_ns for path in whole.path.rglob("*")}
    monkeypatch.setattr(Simclr, "loss", None)
    again = loop.train(recipe(cohort), whole.path)
    assert (again.steps, again.best_step, again.best_loss) == (whole.steps, whole.best_step, whole.best_loss)
    assert {path: path.stat().st_mtime_ns for path in whole.path.rglob("*")} == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_request_to_end_finishes_the_step_and_the_same_command_goes_on(number, whole, cohort, tmp_path, monkeypatch):
    once = [5]
    real = Simclr.after_step

    def asking(self, encoder, step):
        if once and step == once[0] - 1:
            once.pop()
            signal.raise_signal(number)
        real(self, encoder, step)

    monkeypatch.setattr(Simclr, "after_step", asking)
    out = tmp_path / "run"
    with pytest.raises(Interrupted, match="stopped after step 5 of 6; the same command goes on") as stopped:
        loop.train(recipe(cohort), out)
    assert stopped.value.exit_code == 3
    assert (out / "state" / "step-00000005").is_dir()
    loop.train(recipe(cohort), out)
    got, want = leftovers(out), leftovers(whole.path)
    assert got.pop("state/step-00000005/tensors.safetensors")  # saved where it was asked to stop
    want.pop("state/step-00000004/tensors.safetensors")
    assert got == want


def test_a_damaged_newest_state_is_passed_over_for_the_one_before(whole, cohort, tmp_path, monkeypatch):
    out = tmp_path / "run"
    monkeypatch.setattr(loop._Trainer, "_finish", lambda self: None)
    loop.train(recipe(cohort), out)
    monkeypatch.undo()
    tensors = out / "state" / "step-00000006" / "tensors.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-4] + b"oops")
    loop.train(recipe(cohort), out)
    assert leftovers(out) == leftovers(whole.path)


def test_accumulated_passes_give_their_mean_loss_and_gradient(cohort, tmp_path, monkeypatch):
    """Two passes over the same rows are one pass over them, if nothing is drawn at random."""
    table = recipe(cohort, "supervised", steps=1, warmup=0, validate_every=0)
    table["encoder"]["dropout"] = 0.0
    table["augment"] = OFF
    monkeypatch.setattr(Sampler, "window_indices", lambda self, step: np.arange(self.batch))
    once = loop.train(table, tmp_path / "once").path
    table["training"]["accumulate"] = 2
    twice = loop.train(table, tmp_path / "twice").path
    for key in ("loss", "gradient"):
        assert log(twice)[0][key] == pytest.approx(log(once)[0][key], rel=1e-6)


def test_supervised_training_learns_and_its_head_has_names_thresholds_and_temperatures(cohort, tmp_path):
    table = recipe(cohort, "supervised", steps=40, batch=16, lr=1e-2, validate_every=20)
    run = loop.train(table, tmp_path / "run")
    losses = [line["loss"] for line in log(run.path) if "loss" in line]
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])
    head = checkpoint.load(run.path).head
    assert head is not None
    assert head.labels == ("flat", "tall")
    assert head.thresholds is not None
    assert all(threshold is not None and 0 < threshold < 1 for threshold in head.thresholds)
    assert len(head.temperature) == 2


def test_a_value_is_learnt_in_its_unit(cohort, tmp_path):
    table = recipe(cohort, "supervised") | {"objective": {"name": "supervised", "target": "value:age"}}
    head = checkpoint.load(loop.train(table, tmp_path / "run").path).head
    assert head is not None
    assert (head.kind, head.labels, head.unit) == ("value", ("age",), "a")
    assert 20 < float(head.bias) < 80


def test_few_labels_are_drawn_by_subject(cohort, tmp_path):
    table = recipe(cohort, "supervised")
    table["data"]["labelled"] = 20
    card = checkpoint.load(loop.train(table, tmp_path / "run").path).card
    assert (card["data"]["records"], card["data"]["labelled"]) == (20, 20)


def test_patience_stops_early_and_says_so(cohort, tmp_path, monkeypatch):
    worse = iter(range(1, 99))
    monkeypatch.setattr(Simclr, "loss", _rising(Simclr.loss, worse))
    run = loop.train(recipe(cohort, steps=20, validate_every=2, patience=2), tmp_path / "run")
    assert (run.steps, run.best_step) == (6, 2)
    assert log(run.path)[-1]["stopped"] is True
    kept = load_file(run.path / "state" / "best" / "tensors.safetensors")
    best, last = (load_file(run.path / name / "model.safetensors") for name in ("best", "last"))
    assert all(torch.equal(tensor, kept[name]) for name, tensor in best.items())
    assert not all(torch.equal(tensor, last[name]) for name, tensor in best.items())


def _rising(real, worse):
    def loss(self, encoder, batch, step):
        value, noted = real(self, encoder, batch, step)
        return (value if self.training else value * 0 + next(worse)), noted

    return loss


def test_fine_tuning_begins_from_a_checkpoint_with_a_slow_body(whole, cohort, tmp_path):
    table = recipe(cohort, "supervised", steps=1, warmup=0, body_lr=0.0, validate_every=0)
    table["encoder"] |= {"weights": str(whole.path), "norm": "batch"}
    run = loop.train(table, tmp_path / "run")
    tuned, before = checkpoint.load(run.path), checkpoint.load(whole.path)
    for (name, got), want in zip(tuned.encoder.named_parameters(), before.encoder.parameters()):
        assert torch.equal(got, want), name  # learning rate 0
    assert tuned.card["earlier"] == [before.card["data"]]
    table["encoder"]["width"] = 8
    with pytest.raises(Exception, match=r"does not fit \[encoder\] width, expected 8, got 4"):
        loop.train(table, tmp_path / "other")


def test_a_loss_that_is_no_number_ends_the_run_and_names_the_step(cohort, tmp_path, monkeypatch):
    real = Simclr.loss

    def broken(self, encoder, batch, step):
        loss, noted = real(self, encoder, batch, step)
        return (loss * float("nan") if step == 3 and self.training else loss), noted

    monkeypatch.setattr(Simclr, "loss", broken)
    with pytest.raises(TrainingError, match="the loss is no number at step 4, got nan; lower"):
        loop.train(recipe(cohort), tmp_path / "run")


def test_another_recipe_in_the_folder_is_refused_with_the_first_difference(whole, cohort):
    with pytest.raises(RecipeError, match=r"another recipe, expected training.lr = 0.001, got 0.002"):
        loop.train(recipe(cohort, lr=0.002), whole.path)


def test_a_folder_with_something_else_is_left_alone(cohort, tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(RecipeError, match="is no run folder and not empty"):
        loop.train(recipe(cohort), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    ("section", "key", "value", "error", "message"),
    [
        ("data", "cohort", "nowhere", CohortError, "is no cohort"),
        ("objective", "target", "labels:sizes", CohortError, "no label set called 'sizes'; did you mean size"),
        ("training", "batch", 64, RecipeError, "batch"),
    ],
)
def test_what_the_cohort_cannot_give_is_said(section, key, value, error, message, cohort, tmp_path):
    table = recipe(cohort, "supervised")
    table[section] |= {key: value}
    with pytest.raises(error, match=message):
        loop.train(table, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_validation_recordings_of_several_lengths_are_compared_among_their_equals(tmp_path):
    """A batch of training size cannot be stacked from them; a smaller one can, and the run does not end there."""
    records = []
    for i in range(60):
        part = ("train", "train", "train", "validation", "test")[i % 5]
        signal = wavy(12, 500 if part == "train" else 300 + 10 * (i % 4), seed=i).astype(np.float32)
        records.append(Record(f"r{i}", STANDARD, signal, 100.0, f"p{i}", (Category("split", part),)))
    run = loop.train(recipe(cohort_of(records, tmp_path)), tmp_path / "run")
    assert run.best_loss is not None
    assert run.best_loss > 0  # pairs were compared with others: alone each has a loss of 0
