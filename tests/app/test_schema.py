"""The printed schema is what the check accepts, for one plug-in and for a whole recipe."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from einthoven.app.schema import schema
from einthoven.core import registry
from einthoven.core.errors import RegistryError
from einthoven.training import settings

ROOT = Path(__file__).resolve().parents[2]
RECIPES = [*ROOT.glob("recipes/**/*.toml"), ROOT / "src/einthoven/app/demo.toml"]


def resolved(whole: dict[str, Any], part: dict[str, Any]) -> list[dict[str, Any]]:
    """The tables that a part of the schema may be, references followed."""
    if "$ref" in part:
        part = whole["$defs"][part["$ref"].rpartition("/")[2]]
    if "oneOf" in part:
        return [one for each in part["oneOf"] for one in resolved(whole, each)]
    return [part]


@pytest.mark.parametrize("kind", ["encoders", "objectives", "sources"])
def test_every_plugin_has_a_schema_that_refuses_other_keys(kind: str):
    for name in registry.names(kind):
        found = schema(f"{kind}.{name}")
        assert found.schema["additionalProperties"] is False
        assert json.loads(str(found)) == json.loads(json.dumps(found.to_dict()))


def test_limits_and_defaults_are_those_of_the_constructor():
    temperature = schema("simclr").schema["properties"]["temperature"]
    assert (temperature["type"], temperature["default"], temperature["exclusiveMinimum"]) == ("number", 0.1, 0)


def test_a_wrong_name_gets_the_nearest():
    with pytest.raises(RegistryError, match="no plug-in called 'resnt'; did you mean resnet"):
        schema("resnt")


def test_a_name_that_two_kinds_have_is_asked_for_with_its_kind(monkeypatch):
    monkeypatch.setattr(registry, "names", lambda kind: ["resnet"])
    with pytest.raises(RegistryError, match=r"say formats\.resnet or sources\.resnet"):
        schema("resnet")


@pytest.mark.parametrize("file", RECIPES, ids=lambda path: path.stem)
def test_every_committed_recipe_is_inside_the_schema(file: Path):
    whole = schema().schema
    table = tomllib.loads(file.read_text(encoding="utf-8"))
    assert set(whole["required"]) <= set(table) <= set(whole["properties"])
    for section, value in table.items():
        if isinstance(value, dict):
            tables = resolved(whole, whole["properties"][section])
            named = [
                one for one in tables if one["properties"].get("name", {}).get("const") in (None, value.get("name"))
            ]
            assert len(named) == 1
            assert set(value) <= set(named[0]["properties"])
            assert set(named[0].get("required", ())) <= set(value)


def test_the_schema_and_the_check_know_the_same_sections():
    assert tuple(schema().schema["properties"]) == settings.TOP
