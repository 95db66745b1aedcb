"""The wave network through the ordinary loop: two joined cohorts of other rates, stopped and gone on."""

from __future__ import annotations

import numpy as np
import pytest

from einthoven.core.facts import Category, Waves
from einthoven.core.record import Record
from einthoven.simulate import record
from einthoven.training import checkpoint, loop
from tests.data.given import Given, cohort_of
from tests.training.given import log


def cohort(folder, family: str, name: str, rate: float, leads: tuple[str, ...], persons: int = 10):
    """Simulated recordings whose true waves bear another name; every fourth is of another parent."""
    records = []
    for i in range(persons):
        made = record("af" if i % 3 == 0 else "sinus", seed=i, rate=rate, seconds=5, leads=leads)
        (truth,) = [f for f in made.facts if isinstance(f, Waves) and f.name == "truth.waves"]
        split = Category("split", ("train", "train", "train", "train", "validation")[i % 5])
        facts = (Waves(name, truth.columns), split, Category("parent", "old" if i % 4 == 0 else "new"))
        records.append(Record(f"{family}{i}", made.leads, np.clip(made.signal, -30, 30), rate, f"p{i}", facts))
    Given.family = family
    try:
        return cohort_of(records, folder)
    finally:
        Given.family = "given"


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> dict:
    cohorts = [
        cohort(tmp_path_factory.mktemp("ludb"), "a", "reference.waves", 500, ("I", "II", "V2")),
        cohort(tmp_path_factory.mktemp("qtdb"), "b", "reference.waves.global", 250, ("II", "V5")),
    ]
    return {
        "name": "waves", "seed": 1,
        "data": {"cohort": [str(c.path) for c in cohorts], "leave_out": {"parent": "old"}},
        "layout": {"leads": ["any"], "rate": 250, "seconds": 4},
        "encoder": {"name": "wave_unet", "widths": [4, 6, 8], "kernel": 5, "dropout": 0.1},
        "objective": {"name": "waves"}, "augment": {"amplitude": 0.2},
        "training": {"steps": 6, "batch": 3, "warmup": 2, "validate_every": 3, "save_every": 2, "device": "cpu"},
    }  # fmt: skip


def test_a_run_on_joined_cohorts_ends_with_a_checkpoint_that_proves_itself(recipe, tmp_path):
    run = loop.train(recipe, tmp_path / "run")
    found = checkpoint.load(run.path)
    lines = log(run.path)
    assert run.steps == 6
    assert {"cross", "dice", "limits", "absent", "weight"} <= set(lines[0])
    assert all(line["unknown"] == 0 for line in lines if "unknown" in line)
    assert found.card["data"]["family"] == "a + b"
    assert found.card["data"]["records"] == 12  # 10 persons each: 8 to train on, 2 of them of the old parent
    assert found.encoder.conventions == ("ludb", "qtdb", "exact")


def test_the_same_recipe_gives_the_same_weights(recipe, tmp_path):
    weights = [
        (loop.train(recipe, tmp_path / name).path / "last" / "model.safetensors").read_bytes() for name in ("a", "b")
    ]
    assert weights[0] == weights[1]
