"""What a constructor takes is what a recipe may say; anything else is refused in one line with the way out."""

from __future__ import annotations

import contextlib
import json
import tomllib
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from einthoven.core import recipe
from einthoven.core.errors import EinthovenError, RecipeError


class Net:
    """Stand-in for a plug-in. The positional-only argument is the program's to give."""

    def __init__(
        self,
        leads: int,
        /,
        *,
        width: Annotated[int, Field(gt=0)] = 64,
        depths: tuple[int, ...] = (2, 2),
        dropout: float = 0.0,
        norm: Literal["group", "batch"] = "group",
        path: str,
        hidden=None,  # without a type: not a setting
    ) -> None:
        raise AssertionError("a schema is read without making the object")


def test_defaults_are_filled_in_and_numbers_get_their_type():
    settings = recipe.check(Net, {"path": "x", "dropout": 1}, "a.toml [encoder]")
    assert settings == {"width": 64, "depths": (2, 2), "dropout": 1.0, "norm": "group", "path": "x"}
    assert isinstance(settings["dropout"], float)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"path": "x", "widht": 3}, "a.toml [encoder]: no key 'widht'; did you mean width?"),
        ({"path": "x", "leads": 3}, "a.toml [encoder]: no key 'leads'; there are: depths, dropout, norm, path, width"),
        ({"path": "x", "hidden": 3}, "a.toml [encoder]: no key 'hidden'"),
        ({}, "a.toml [encoder]: key 'path' is missing"),
        ({"path": "x", "width": "wide"}, "key 'width' is wrong, expected Input should be a valid integer"),
        ({"path": "x", "width": 2.5}, "key 'width' is wrong"),
        ({"path": "x", "width": -3}, "greater than 0, got -3"),
        ({"path": "x", "norm": "layer"}, "'group' or 'batch', got 'layer'"),
        ({"path": "x", "depths": [1, "two"]}, "key 'depths' is wrong"),
        ({"path": 7}, "key 'path' is wrong"),
    ],
    ids=str,
)
def test_a_mistake_is_one_line_that_says_where_and_what(table: dict, message: str):
    with pytest.raises(RecipeError) as caught:
        recipe.check(Net, table, "a.toml [encoder]")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_function_has_a_schema_too():
    def train(*, steps: int, batch: int = 8) -> None: ...

    assert recipe.check(train, {"steps": 5}, "here") == {"steps": 5, "batch": 8}


def test_the_json_schema_says_types_limits_choices_and_what_is_required():
    shape = json.loads(json.dumps(recipe.schema(Net).model_json_schema()))
    assert shape["required"] == ["path"]
    assert shape["additionalProperties"] is False
    assert shape["properties"]["width"] == {"default": 64, "exclusiveMinimum": 0, "title": "Width", "type": "integer"}
    assert shape["properties"]["norm"]["enum"] == ["group", "batch"]


def test_set_overrides_the_file_before_the_check(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text('seed = 1\n[encoder]\nname = "resnet"\nwidth = 64\n')
    table = recipe.read(
        file, ["encoder.width=32", "training.lr=1e-3", "seed = 7", "data.cohort=runs/a b", "x.y.z=[1, 2]"]
    )
    assert table == {
        "seed": 7, "encoder": {"name": "resnet", "width": 32}, "training": {"lr": 1e-3}, "data": {"cohort": "runs/a b"},
        "x": {"y": {"z": [1, 2]}},
    }  # fmt: skip


@given(
    st.recursive(
        st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner, max_size=3),
        max_leaves=5,
    )
)
def test_what_toml_can_say_set_can_say(value: object):
    text = json.dumps(value)  # a TOML value too, for these types
    table: dict = {}
    recipe.override(table, f"a.b={text}")
    assert table == {"a": tomllib.loads(f"b = {text}")}


@pytest.mark.parametrize("item", ["width", "=3", ".width=3", "encoder.=3", ""])
def test_a_set_without_key_or_value_is_refused(item: str):
    with pytest.raises(RecipeError, match=r"section\.key=value"):
        recipe.override({}, item)


def test_a_set_does_not_dig_into_a_value():
    with pytest.raises(RecipeError, match="'seed' is a value, not a table"):
        recipe.override({"seed": 1}, "seed.x=2")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"seed = ", "is not TOML"),
        (b"[a]\n[a]\n", "is not TOML"),
        (b"\xff\xfe", "is not UTF-8"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_is_no_recipe_is_one_line(tmp_path, content: bytes | None, message: str):
    file = tmp_path / "a.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(RecipeError, match=message) as caught:
        recipe.read(file)
    assert len(str(caught.value).splitlines()) == 1


@given(st.binary(max_size=40))
def test_any_bytes_are_a_table_or_a_recipe_error(tmp_path_factory, content: bytes):
    file = tmp_path_factory.mktemp("recipe") / "a.toml"
    file.write_bytes(content)
    with contextlib.suppress(EinthovenError):
        assert isinstance(recipe.read(file), dict)
