"""`schema`: what a recipe, or the table of one plug-in, may say, as JSON Schema for editors and other programs.

Built from the constructors themselves, so it cannot differ from what is accepted.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from einthoven.core import recipe, registry
from einthoven.core.errors import RegistryError, nearest


@dataclass(frozen=True)
class Schema:
    """A JSON Schema (draft 2020-12)."""

    schema: dict[str, Any]
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        return self.schema

    def __str__(self) -> str:
        return json.dumps(self.schema, indent=2)


def schema(plugin: str | None = None) -> Schema:
    """The schema of one plug-in's settings, or of a whole recipe.

    Args:
        plugin: a name such as `simclr`, or with its kind where two kinds have it: `objectives.simclr`.

    Raises:
        RegistryError: no such plug-in; the nearest is named.
        ExtraError: the plug-in needs an optional part of the installation.
    """
    model = _recipe() if plugin is None else recipe.schema(registry.load(*_find(plugin)))
    return Schema({"$schema": "https://json-schema.org/draft/2020-12/schema", **model.model_json_schema()})


def _find(plugin: str) -> tuple[str, str]:
    kind, _, name = plugin.rpartition(".")
    places = [(each, name) for each in registry.KINDS if name in registry.names(each) and kind in ("", each)]
    if len(places) == 1:
        return places[0]
    if places:
        names = [f"{each}.{name}" for each, name in places]
        raise RegistryError("schema", f"several plug-ins are called '{plugin}'", fix=f"say {' or '.join(names)}")
    there = [each for every in registry.KINDS for each in registry.names(every)]
    raise RegistryError("schema", f"no plug-in called '{plugin}'", fix=nearest(name, there))


def _recipe() -> type[BaseModel]:
    from einthoven.core.layout import Layout
    from einthoven.data.augment import Augment
    from einthoven.training.settings import Data, Training

    layout, augment = recipe.schema(Layout), recipe.schema(Augment)
    fields: dict[str, Any] = {
        "name": (str, "run"),
        "seed": (Annotated[int, Field(ge=0)], 0),
        "data": (recipe.schema(Data), ...),
        "layout": (layout, layout()),
        "encoder": (_any_of("encoders", weights=(str | None, None)), ...),
        "objective": (_any_of("objectives"), ...),
        "augment": (augment, augment()),
        "training": (recipe.schema(Training), ...),
    }
    return create_model("Recipe", __config__=ConfigDict(extra="forbid", arbitrary_types_allowed=True), **fields)


def _any_of(kind: str, **more: Any) -> Any:
    """Any plug-in of a kind: its settings and its `name`, by which editors tell which one is meant."""
    models = []
    for name in registry.names(kind):
        base = recipe.schema(registry.load(kind, name))
        tag: Any = Literal[name]  # type: ignore[valid-type]
        models.append(create_model(base.__name__, __base__=base, __doc__=base.__doc__, name=(tag, ...), **more))
    return Annotated[reduce(or_, models), Field(discriminator="name")] if len(models) > 1 else models[0]
