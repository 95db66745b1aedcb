"""The fitted numbers of the classical engine, as `classical.toml` has them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

FILE = "classical.toml"


@dataclass(frozen=True, eq=False)
class Fitted:
    """limits: of each wave's onset and offset (`p_on` ...) a constant in milliseconds, then the weights of
    `_limits.design`; atria: mean and spread of `_atria.FEATURES`, the weights of `_atria.weighed`, and the
    bias less the threshold."""

    limits: Mapping[str, np.ndarray]
    atria: Mapping[str, np.ndarray]


@cache
def read() -> Fitted:
    said = tomllib.loads(files("einthoven.signal").joinpath(FILE).read_text("utf-8"))
    return Fitted(**{part: {name: np.array(row) for name, row in said[part].items()} for part in ("limits", "atria")})
