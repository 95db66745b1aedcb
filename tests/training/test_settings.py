"""Recipes: what is unknown or wrong is refused by name, and the resolved recipe says everything."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from einthoven.core import recipe as recipes
from einthoven.core.errors import EinthovenError, RecipeError
from einthoven.core.layout import Layout
from einthoven.training import settings

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.toml"))
SMALL = {
    "data": {"cohort": "c"},
    "encoder": {"name": "resnet"},
    "objective": {"name": "simclr"},
    "training": {"steps": 10},
}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_committed_recipes_are_valid_and_say_their_cost_on_top(path: Path):
    settings.check(recipes.read(path), path.name)
    assert "Cost" in path.read_text().partition("\nseed")[0]


@pytest.mark.parametrize("band", [None, (0.0, 0.0), (0.5, 40.0)])
def test_a_resolved_recipe_survives_toml_and_is_resolved_to_itself(band):
    table = {
        **SMALL,
        "name": 'a "quoted" \\ näme',
        "layout": {"leads": ["I", "V2"], **({"band": band} if band else {})},
    }
    table["training"] = {"steps": 10, "lr": 3e-5}
    resolved = settings.check(table)
    again = tomllib.loads(settings.to_toml(resolved))
    assert settings.check(again) == resolved == settings.check(resolved)
    Layout(**resolved["layout"])


def test_every_default_is_written_down():
    resolved = settings.check(SMALL)
    assert (resolved["seed"], resolved["layout"]["rate"], resolved["encoder"]["width"]) == (0, 100, 64)
    assert (resolved["objective"]["temperature"], resolved["training"]["weight_decay"]) == (0.1, 0.01)
    assert resolved["data"] == {"cohort": "c", "split": "official", "labelled": 1.0, "draw": 0, "leave_out": None}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trainig": {}}, "no section or key 'trainig'; did you mean training"),
        ({"encoder": {"name": "resnt"}}, "no encoder called 'resnt'; did you mean resnet"),
        ({"encoder": {"width": 3}}, "key 'name' is missing"),
        ({"encoder": {"name": "resnet", "widht": 3}}, r"r.toml \[encoder\]: no key 'widht'; did you mean width"),
        ({"encoder": {"name": "resnet", "width": "wide"}}, "key 'width' is wrong"),
        ({"objective": {"name": "simclr", "temperature": -1}}, "key 'temperature' is wrong"),
        ({"training": {}}, "key 'steps' is missing"),
        ({"training": {"steps": 10, "precision": "float16"}}, "key 'precision' is wrong"),
        ({"training": 5}, "'training' is a value, not a table"),
        ({"data": {"cohort": "c", "labelled": 0.0}}, "key 'labelled' is wrong"),
        ({"data": {"cohort": "c", "labelled": 2.5}}, "key 'labelled' is wrong"),
        ({"seed": -1}, "key 'seed' is wrong, expected an integer, 0 or more, got -1"),
        ({"layout": {"leads": ["I", "W"]}}, "no lead called 'W'"),
    ],
)
def test_a_wrong_recipe_is_refused(change, message):
    with pytest.raises(EinthovenError, match=message):
        settings.check({**SMALL, **change}, "r.toml")


@pytest.mark.parametrize("section", ["data", "encoder", "objective", "training"])
def test_a_missing_section_is_named(section):
    with pytest.raises(RecipeError, match=rf"section \[{section}\] is missing"):
        settings.check({key: value for key, value in SMALL.items() if key != section})


@pytest.mark.parametrize(("text", "kind"), [("1.0", float), ("0.1", float), ("100", int)])
def test_labelled_is_a_share_or_a_number_of_subjects(text, kind):
    table = dict(SMALL, data=dict(SMALL["data"]))
    recipes.override(table, f"data.labelled={text}")
    assert type(settings.check(table)["data"]["labelled"]) is kind
