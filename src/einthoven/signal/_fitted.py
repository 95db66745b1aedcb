"""The fitted numbers of both engines, as `classical.toml` and `network.toml` have them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np


@dataclass(frozen=True, eq=False)
class Fitted:
    """Of the classical engine. limits: of each wave's onset and offset (`p_on` ...) a constant in ms, then the
    weights of `_limits.design`; atria: mean and spread of `_atria.FEATURES`, the weights of `_atria.weighed`, and the
    bias less the threshold."""

    limits: Mapping[str, np.ndarray]
    atria: Mapping[str, np.ndarray]


def read() -> Fitted:
    return Fitted(table("classical", "limits"), table("classical", "atria"))


def path(engine: str) -> Path:
    """Where the numbers of an engine are shipped."""
    return Path(__file__).with_name(f"{engine}.toml")


@cache
def table(engine: str, part: str) -> dict[str, np.ndarray]:
    """One part of the numbers of an engine, by their names."""
    said = tomllib.loads(path(engine).read_text("utf-8"))
    return {name: np.array(row) for name, row in said[part].items()}
