"""Whose folder it is: a run folder belongs to one recipe, and nothing else is written over."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from einthoven.core.errors import RecipeError
from einthoven.core.output import replaced_file
from einthoven.training import settings

RECIPE = "recipe.toml"


def claim(out: Path, resolved: dict[str, Any]) -> None:
    """Write the resolved recipe into a new or empty folder; accept a folder that holds a run of the same recipe.

    Raises:
        RecipeError: the folder holds another recipe's run (the first difference is named), or something else.
        OutputError: it cannot be written.
    """
    place = out / RECIPE
    if not place.exists():
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise RecipeError(out, "is no run folder and not empty", fix="choose another folder", reason="other")
        with replaced_file(place) as scratch:
            scratch.write_text(settings.to_toml(resolved), encoding="utf-8")
        return
    try:
        before = settings.check(tomllib.loads(place.read_text("utf-8")), str(place))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(place, "cannot be read", got=error, fix="choose another folder") from error
    for key, old, new in _differences(before, resolved):
        raise RecipeError(
            out, "holds the run of another recipe", expected=f"{key} = {old!r}", got=repr(new),
            fix="choose another folder", reason="other",
        )  # fmt: skip


def _differences(before: Mapping[str, Any], after: Mapping[str, Any], section: str = "") -> Iterator[tuple]:
    """(key, old, new) of all settings that differ, sections joined by dots."""
    for key in dict.fromkeys([*before, *after]):
        old, new = before.get(key), after.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from _differences(old, new, f"{section}{key}.")
        elif old != new:
            yield f"{section}{key}", old, new
