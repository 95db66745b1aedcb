"""The verb: a recipe file in, a run folder out, one line for every mistake."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from einthoven import cli
from einthoven.app.pretrain import pretrain
from einthoven.core.errors import RecipeError
from tests.training.given import cohort as make_cohort

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.fixture(scope="module")
def cohort(tmp_path_factory) -> Path:
    return make_cohort(tmp_path_factory.mktemp("pretrain"), seconds=6).path


@pytest.mark.parametrize("name", ["simclr-ptbxl", "supervised-ptbxl"])
def test_smoke_goes_the_whole_path_of_a_committed_recipe_in_a_few_steps(name, cohort, tmp_path):
    sets = [f"data.cohort={cohort}", "encoder.width=4", "layout.seconds=5", "augment.crop_seconds=3"]
    if name.startswith("supervised"):
        sets.append("objective.target=labels:size")
    done = pretrain(RECIPES / f"{name}.toml", out=tmp_path / "run", set=sets, smoke=True)
    assert (done.name, done.steps, done.exit_code) == (name, 4, 0)
    assert done.to_dict()["validation"] == done.validation
    assert (tmp_path / "run" / "best" / "model.safetensors").exists()
    assert f"checkpoints: {tmp_path / 'run'}/best" in str(done)


def test_the_command_line_prints_one_json_document_or_one_line_of_error(cohort, tmp_path, capsys):
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(
        f'[data]\ncohort = "{cohort}"\n[layout]\nseconds = 4\n[encoder]\nname = "resnet"\nwidth = 2\n'
        '[objective]\nname = "simclr"\n[training]\nsteps = 2\nbatch = 4\n'
    )
    run = str(tmp_path / "run")
    assert cli.main(["pretrain", str(recipe), "--out", run, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 2
    assert cli.main(["pretrain", str(recipe), "--out", run, "--set", "training.lr=0.01"]) == 2
    assert "holds the run of another recipe, expected training.lr = 0.001, got 0.01" in capsys.readouterr().err
    assert cli.main(["pretrain", str(recipe), "--out", run, "--set", "encoder.widht=3"]) == 2
    said = capsys.readouterr().err
    assert "tiny.toml [encoder]: no key 'widht'; did you mean width?" in said
    assert "Traceback" not in said


def test_a_missing_recipe_is_said(tmp_path):
    with pytest.raises(RecipeError, match=r"none.toml: cannot be read, got No such file"):
        pretrain(tmp_path / "none.toml", out=tmp_path / "run")
