"""What a recipe may say, section by section, and the resolved recipe that a run is made of.

`[data]` and `[training]` are the classes below; `[layout]`, `[encoder]`, `[objective]` and `[augment]` are checked
against the constructors of what they name. The resolved recipe has every default filled in: it says the run completely.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from einthoven.core import recipe as recipes
from einthoven.core import registry
from einthoven.core.errors import RecipeError, nearest
from einthoven.core.layout import Layout
from einthoven.data.augment import Augment


@dataclass(frozen=True, kw_only=True)
class Data:
    """Where recordings come from and which of them may be seen.

    Args:
        cohort: folder of a prepared cohort, or a list of them (`cohort.join`).
        split: training sees its train part, validation its validation part, nothing its test part.
        labelled: 1.0 for all, a share, or a number of training subjects; validation shrinks by the same share.
        draw: which of the nested draws of subjects.
        leave_out: recordings of which a category says this word take no part: `{ parent = "mitdb" }`.
    """

    cohort: str | list[str]
    split: str = "official"
    labelled: Annotated[float, Field(gt=0, le=1, strict=True)] | Annotated[int, Field(gt=1, strict=True)] = 1.0
    draw: Annotated[int, Field(ge=0)] = 0
    leave_out: dict[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Training:
    """How long and how fast.

    Args:
        steps: optimiser steps.
        batch: recordings a forward pass, of all processes together.
        accumulate: forward passes a step; contrast is among the recordings of one pass.
        lr, body_lr: peak learning rate, and that of the encoder where it differs (fine-tuning).
        warmup: steps of linear rise before the cosine to 0.
        weight_decay: of AdamW; norms, biases and embeddings have none.
        clip: longest gradient (2-norm over all parameters).
        precision: `bfloat16` computes the forward pass in it, weights stay float32.
        validate_every: steps between validations (and at the end); 0 for none.
        patience: stop after so many validations without a better loss; 0 never.
        save_every: steps between states on disk.
        prefetch: batches made ahead by a thread.
        device: `auto` takes CUDA where there is one.
        devices: processes that this command starts on this machine; torchrun starts its own.
    """

    steps: Annotated[int, Field(ge=1)]
    batch: Annotated[int, Field(ge=2)] = 64
    accumulate: Annotated[int, Field(ge=1)] = 1
    lr: Annotated[float, Field(gt=0)] = 1e-3
    body_lr: Annotated[float, Field(ge=0)] | None = None
    warmup: Annotated[int, Field(ge=0)] = 100
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    clip: Annotated[float, Field(gt=0)] = 1.0
    precision: Literal["float32", "bfloat16"] = "float32"
    validate_every: Annotated[int, Field(ge=0)] = 200
    patience: Annotated[int, Field(ge=0)] = 0
    save_every: Annotated[int, Field(ge=1)] = 200
    prefetch: Annotated[int, Field(ge=0)] = 2
    device: Literal["auto", "cpu", "cuda"] = "auto"
    devices: Annotated[int, Field(ge=1)] = 1


SECTIONS = ("data", "layout", "encoder", "objective", "augment", "training")
TOP = ("name", "seed", *SECTIONS)
SMOKE = {"steps": 4, "batch": 8, "accumulate": 1, "warmup": 1, "validate_every": 2, "save_every": 2, "patience": 0}
"""Settings of `--smoke`: the whole path in a few steps."""


def check(table: Mapping[str, Any], where: str = "recipe") -> dict[str, Any]:
    """Check a recipe and fill in every default; a resolved recipe is resolved to itself.

    Args:
        table: the sections; `name` and `seed` stand above them. `[encoder] weights` names a checkpoint to begin from.
        where: the file, for messages.

    Raises:
        RecipeError: unknown section or key, missing key, wrong type or range. RegistryError: no such plug-in.
    """
    for key in table:
        if key not in TOP:
            raise RecipeError(where, f"no section or key '{key}'", fix=nearest(key, TOP), reason="key")
    for section in ("data", "encoder", "objective", "training"):
        if section not in table:
            raise RecipeError(where, f"section [{section}] is missing", fix=f"add [{section}]", reason="key")
    for section in SECTIONS:
        if not isinstance(table.get(section, {}), Mapping):
            raise RecipeError(where, f"'{section}' is a value, not a table", fix=f"write [{section}]", reason="value")
    seed, name = table.get("seed", 0), table.get("name", "run")
    if type(seed) is not int or seed < 0:
        raise RecipeError(
            where, "key 'seed' is wrong", expected="an integer, 0 or more", got=repr(seed), reason="value"
        )
    if not isinstance(name, str) or not name:
        raise RecipeError(where, "key 'name' is wrong", expected="a word", got=repr(name), reason="value")

    def plain(section: str, cls: type) -> dict[str, Any]:
        return recipes.check(cls, dict(table.get(section, {})), f"{where} [{section}]")

    weights = table["encoder"].get("weights")
    encoder = {key: value for key, value in table["encoder"].items() if key != "weights"}
    layout = Layout(**plain("layout", Layout)).to_dict()
    return {
        "name": name,
        "seed": seed,
        "data": plain("data", Data),
        "layout": layout | {"band": layout["band"] or [0.0, 0.0]},  # TOML has no word for None
        "encoder": _plugin("encoders", encoder, f"{where} [encoder]") | ({"weights": str(weights)} if weights else {}),
        "objective": _plugin("objectives", table["objective"], f"{where} [objective]"),
        "augment": plain("augment", Augment),
        "training": plain("training", Training),
    }


def _plugin(kind: str, table: Mapping[str, Any], where: str) -> dict[str, Any]:
    if not isinstance(table.get("name"), str):
        raise RecipeError(where, "key 'name' is missing", fix=f"einthoven list {kind} shows them", reason="key")
    settings = {key: value for key, value in table.items() if key != "name"}
    return {"name": table["name"], **recipes.check(registry.load(kind, table["name"]), settings, where)}


def to_toml(recipe: Mapping[str, Any]) -> str:
    """A resolved recipe as TOML; reading and checking it gives the same recipe. A setting that is None is left out."""
    lines = [f"{key} = {_value(value)}" for key, value in recipe.items() if not isinstance(value, Mapping)]
    for section, table in recipe.items():
        if isinstance(table, Mapping):
            lines += ["", f"[{section}]"]
            lines += [f"{key} = {_value(value)}" for key, value in table.items() if value is not None]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, str | bool):
        return json.dumps(value, ensure_ascii=False)  # JSON's strings and truth values are TOML's
    return repr(value)
