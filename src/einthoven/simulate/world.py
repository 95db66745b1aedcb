"""The dials of a simulated world, and random numbers that depend only on who and what for.

Every draw is keyed by (seed, patient or recording, purpose), so a recording is the same in any block, in any order and
on any number of workers. Letters: B recordings of a block.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from einthoven.core.errors import RecipeError, nearest
from einthoven.core.random import generator
from einthoven.simulate.tables import conditions

VISITS = (0.6, 0.87, 1.0)
"""Shares of patients with at most one, two, three recordings (assumed)."""


@dataclass(frozen=True)
class World:
    """What all recordings of one simulated hospital have in common.

    Args:
        seed: another seed is another hospital: other patients, other noise.
        rate: samples per second, 50 to 2000.
        seconds: length of a recording, 2 to 3600.
        noise: factor on all noise; 0 for none.
        resolution: step of the device's converter in microvolts. The default 2 keeps all twelve leads whole microvolts,
            so the identities of Einthoven and Goldberger survive storage as int16 microvolts exactly.
        band: edges in hertz of the device's zero-phase filter, 0 for an open end; (0, 0) for no filter.
        reader_noise: share of findings that a reader overlooks or mistakes; a tenth of it, per finding, is invented.
        missing: share of recordings without age, and of those without sex, at random.
        prevalence: factor for the prevalence of single conditions, by code (`{"AFIB": 2}`).
    """

    seed: int = 0
    rate: float = 500.0
    seconds: float = 10.0
    noise: float = 1.0
    resolution: float = 2.0
    band: tuple[float, float] = (0.0, 0.0)
    reader_noise: float = 0.03
    missing: float = 0.03
    prevalence: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        limits = {
            "rate": (50, 2000), "seconds": (2, 3600), "noise": (0, 100), "resolution": (0.01, 100),
            "reader_noise": (0, 0.5), "missing": (0, 1),
        }  # fmt: skip
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not (math.isfinite(value) and low <= value <= high):
                raise RecipeError("simulated", f"{name} is out of range", expected=f"{low} to {high}", got=value)
        for code, factor in self.prevalence.items():
            if code not in conditions():
                raise RecipeError("simulated", f"no condition called '{code}'", fix=nearest(code, conditions()))
            if not 0 <= factor < math.inf:
                raise RecipeError(
                    "simulated", f"prevalence of {code} is out of range", expected="0 or more", got=factor
                )

    @property
    def samples(self) -> int:
        return round(self.rate * self.seconds)

    def subject(self, patient: int) -> str:
        """Name of a patient: those of two worlds differ, because they are different people."""
        return f"{self.seed}-{patient:06d}"

    def key(self, patient: int, visit: int) -> str:
        """Name of a recording."""
        return f"{self.subject(patient)}-{visit}"


def normals(seed: int, keys: Sequence[int | str], purpose: str, count: int) -> np.ndarray:
    """Standard normal numbers, shape (B, count): row b depends on (seed, keys[b], purpose) alone."""
    return np.array([generator(seed, key, purpose).standard_normal(count) for key in keys]).reshape(-1, count)


def uniforms(seed: int, keys: Sequence[int | str], purpose: str, count: int) -> np.ndarray:
    """Numbers uniform in [0, 1), shape (B, count), keyed like `normals`."""
    return np.array([generator(seed, key, purpose).random(count) for key in keys]).reshape(-1, count)


def visits(world: World, patient: int) -> int:
    """How many recordings that patient has: one to three, whatever the patient suffers from."""
    return 1 + int(np.searchsorted(VISITS[:-1], generator(world.seed, patient, "visits").random(), side="right"))
