"""The three tables of the simulated world as arrays: parameters, conditions, morphology.

The tables are TOML so that a clinician can read them and object; this module only loads and checks them. Every block
states its source or the word assumed. Letters: G Gaussians a wave (rows of zeros fill up), P patterns.
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from einthoven.core.fingerprint import to_json

AGES = np.array([20.0, 50.0, 70.0, 90.0])
"""Ages at which conditions.toml states prevalences."""

GAUSSIANS = {"p": 2, "qrs": 6, "t": 2}


@dataclass(frozen=True)
class Parameter:
    """One row of parameters.toml; see the head of that file."""

    unit: str
    men: tuple[float, float]
    women: tuple[float, float]
    per_year: float
    low: float
    high: float
    within: float
    source: str
    log: bool = False


@dataclass(frozen=True)
class Condition:
    """One block of conditions.toml; see the head of that file. `classes` is the block's `class`, "" for none."""

    code: str
    name: str
    classes: str
    prevalence: dict[str, list[float]]
    shows: float
    mistaken: str
    phrases: tuple[str, ...]
    source: str
    group: str = ""
    not_with: tuple[str, ...] = ()
    rhythm: str = ""
    qrs: str = ""
    t: str = ""
    st: tuple[float, float, float] | None = None
    set: dict[str, list[float]] = field(default_factory=dict)
    add: dict[str, list[float]] = field(default_factory=dict)
    times: dict[str, list[float]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Patterns:
    """All patterns of one wave: names (P), rows (P, G, 5) as [centre, width, x, y, z], st (P, 3) in mV.

    axis (P,) degrees: the frontal axis at which the pattern is drawn, that of its mean vector unless the table says.
    follows (P,) bool: a T pattern turns with the QRS and not to the patient's own T axis.
    """

    names: tuple[str, ...]
    rows: np.ndarray
    st: np.ndarray
    axis: np.ndarray
    follows: np.ndarray

    def index(self, name: str) -> int:
        return self.names.index(name)


@cache
def parameters() -> dict[str, Parameter]:
    """parameters.toml by name, in drawing order."""
    return {name: Parameter(**row) for name, row in _load("parameters").items()}


@cache
def conditions() -> dict[str, Condition]:
    """conditions.toml by code, in drawing order."""
    found = [Condition(classes=block.pop("class"), **block) for block in _load("conditions")["condition"]]
    return {condition.code: condition for condition in found}


@cache
def patterns(wave: str) -> Patterns:
    """The patterns of `p`, `qrs` or `t` in morphology.toml."""
    blocks = _load("morphology")[wave]
    rows = np.zeros((len(blocks), GAUSSIANS[wave], 5))
    rows[..., 1] = 1.0  # a width above 0 for the rows of zeros
    for i, block in enumerate(blocks.values()):
        rows[i, : len(block["rows"])] = block["rows"]
    mean = (rows[..., 1:2] * rows[..., 2:4]).sum(axis=1)
    own = np.degrees(np.arctan2(mean[:, 1], mean[:, 0]))
    axis = np.array([block.get("axis", angle) for block, angle in zip(blocks.values(), own)])
    st = np.array([block.get("st", [0.0] * 3) for block in blocks.values()])
    return Patterns(tuple(blocks), rows, st, axis, np.array([block.get("follows", False) for block in blocks.values()]))


@cache
def fingerprint() -> str:
    """SHA-256 of the three tables: results on a simulated world name it, because a changed table is another world."""
    state = hashlib.sha256()
    for name in ("parameters", "conditions", "morphology"):
        state.update(to_json(_load(name)).encode())
    return state.hexdigest()


def _load(name: str) -> dict[str, Any]:
    return tomllib.loads((files("einthoven.simulate") / f"{name}.toml").read_text("utf-8"))
