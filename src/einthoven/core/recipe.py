"""Recipes: TOML in, checked settings out. The constructor is the schema.

The keyword arguments of a class, with their types and defaults, are what a table may say. Unknown keys are refused with
the nearest name; `--set a.b=c` overrides a key before the check.
"""

from __future__ import annotations

import inspect
import tomllib
import typing
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from einthoven.core.errors import RecipeError, nearest


def read(path: str | Path, sets: Sequence[str] = ()) -> dict[str, Any]:
    """The tables of a recipe file with `--set` overrides applied, not yet checked."""
    try:
        text = Path(path).read_bytes().decode("utf-8")
        table = tomllib.loads(text)
    except OSError as error:
        raise RecipeError(path, "cannot be read", got=error.strerror or error, fix="check the path") from error
    except UnicodeDecodeError as error:
        raise RecipeError(path, "is not UTF-8", got=f"byte {error.start}", fix="save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(path, "is not TOML", got=error, fix="https://toml.io shows the form") from error
    for item in sets:
        override(table, item)
    return table


def override(table: dict[str, Any], item: str) -> None:
    """Apply one `a.b=c` to nested tables in place; `c` is a TOML value, or a plain word."""
    path, equals, text = item.partition("=")
    keys = [key.strip() for key in path.split(".")]
    if not equals or not all(keys):
        raise RecipeError("--set", "is not of the form section.key=value", got=item)
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    for key in keys[:-1]:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise RecipeError(f"--set {item}", f"'{key}' is a value, not a table")
    table[keys[-1]] = value


def schema(target: Callable[..., Any], name: str | None = None) -> type[BaseModel]:
    """A pydantic model of the keyword arguments of a class or function (`self` and `*` aside).

    Arguments without annotation are ours to give, not the recipe's, and so are positional-only ones.
    """
    function = target.__init__ if inspect.isclass(target) else target
    hints = typing.get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {}
    for key, parameter in inspect.signature(function).parameters.items():
        if key in hints and parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            fields[key] = (hints[key], ... if parameter.default is parameter.empty else parameter.default)
    config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)
    return create_model(name or target.__name__, __config__=config, __doc__=inspect.getdoc(target), **fields)


def check(target: Callable[..., Any], table: dict[str, Any], where: str) -> dict[str, Any]:
    """Check one table against the constructor of `target`; return all arguments, defaults filled in.

    Args:
        where: file and section for messages, such as `simclr.toml [objective]`.

    Raises:
        RecipeError: unknown key (nearest name), missing key, wrong type or value out of range.
    """
    model = schema(target)
    known = set(model.model_fields)
    for key in table:
        if key not in known:
            raise RecipeError(where, f"no key '{key}'", fix=nearest(key, known), reason="key")
    try:
        checked = model.model_validate(table)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"][:1])
        missing = first["type"] == "missing"
        raise RecipeError(
            where, f"key '{key}' is missing" if missing else f"key '{key}' is wrong", expected=first["msg"],
            got="" if missing else repr(first["input"]), reason="value",
        ) from error  # fmt: skip
    return {key: getattr(checked, key) for key in model.model_fields}
