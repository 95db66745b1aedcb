"""Patients -> conditions -> parameters: who is recorded, what they suffer from, and what that does to the heart.

Everything is array code over the B recordings of a block; two recordings of one patient share what lasts (conditions,
anatomy, most of each parameter) and differ in what a day changes. Numbers come from parameters.toml, conditions.toml.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from einthoven.simulate.tables import AGES, conditions, parameters
from einthoven.simulate.world import World, normals, uniforms

YOUNGEST, MIDDLE, OLDEST, SPREAD = 18.0, 60.0, 95.0, 17.0
"""Ages of a hospital's patients: a normal distribution cut at both ends (PTB-XL: median 62; spread assumed)."""


@dataclass(frozen=True, eq=False)
class People:
    """The B recordings of a block, before any beat.

    age (B,) years at the recording; male (B,) bool; has (B, conditions) bool in table order: what this recording shows;
    theta: each parameter of parameters.toml (B,), in its unit; st (B, 3) the conditions' ST vector in mV.
    """

    keys: tuple[str, ...]
    age: np.ndarray
    male: np.ndarray
    has: np.ndarray
    theta: dict[str, np.ndarray]
    st: np.ndarray

    def shows(self, code: str) -> np.ndarray:
        """(B,) bool: the recording shows that condition."""
        return self.has[:, list(conditions()).index(code)]


def people(world: World, who: Sequence[tuple[int, int]], force: Sequence[str] | None = None) -> People:
    """The (patient, visit) pairs `who` with conditions and parameters; `force` gives all exactly these conditions."""
    ids, keys = [patient for patient, _ in who], tuple(f"{patient}/{visit}" for patient, visit in who)
    visit = np.array([visit for _, visit in who], dtype=float)
    table, rows = conditions(), parameters()
    life = uniforms(world.seed, ids, "life", 3)
    age = _truncated(ndtri(np.clip(life[:, 0], 1e-9, 1 - 1e-9)), MIDDLE, SPREAD, YOUNGEST, OLDEST)
    male = life[:, 1] < 0.5
    if force is None:
        chance = uniforms(world.seed, ids, "conditions", len(table))
        has = _conditions(world, age, male, chance) & (
            uniforms(world.seed, keys, "shows", len(table)) < [condition.shows for condition in table.values()]
        )
    else:
        has = np.tile([code in force for code in table], (len(who), 1))
    age = np.minimum(age + visit * (0.5 + 2 * life[:, 2]), OLDEST)
    lasting = normals(world.seed, ids, "parameters", len(rows))
    today = normals(world.seed, keys, "parameters today", len(rows))
    theta = {}
    for i, (name, row) in enumerate(rows.items()):
        z = np.sqrt(1 - row.within) * lasting[:, i] + np.sqrt(row.within) * today[:, i]
        mean, sd = np.where(male[:, None], row.men, row.women).T
        mean = mean + row.per_year * (age - MIDDLE)
        low, high = (np.log(row.low), np.log(row.high)) if row.log else (row.low, row.high)
        value = _truncated(z, mean, sd, low, high)
        theta[name] = np.exp(value) if row.log else value
    return People(keys, age, male, has, theta, _effects(world, ids, has, theta))


def _conditions(world: World, age: np.ndarray, male: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """(B, conditions) bool: what each person suffers from, at most one of a group, exclusions applied."""
    table = conditions()
    share = np.stack(
        [
            world.prevalence.get(code, 1.0)
            * np.where(male, *(np.interp(age, AGES, condition.prevalence[sex]) for sex in ("men", "women")))
            for code, condition in table.items()
        ],
        axis=1,
    )
    has = chance < share
    depth = np.where(has, chance / np.maximum(share, 1e-12), np.inf)
    for group in {condition.group for condition in table.values()} - {""}:
        place = [i for i, condition in enumerate(table.values()) if condition.group == group]
        has[:, place] &= depth[:, place] == depth[:, place].min(axis=1, keepdims=True)
    codes = list(table)
    for i, condition in enumerate(table.values()):
        for other in condition.not_with:
            has[:, i] &= ~has[:, codes.index(other)]
    return has


def _effects(world: World, ids: Sequence[int], has: np.ndarray, theta: dict[str, np.ndarray]) -> np.ndarray:
    """Let the conditions act on `theta` in place; return their ST vectors (B, 3)."""
    st = np.zeros((len(ids), 3))
    count = max(len(condition.set) + len(condition.add) + len(condition.times) for condition in conditions().values())
    for i, (code, condition) in enumerate(conditions().items()):
        rows = np.flatnonzero(has[:, i])
        if not len(rows):
            continue
        z = normals(world.seed, np.array(ids)[rows].tolist(), f"effects {code}", count + 1)
        column = iter(z.T)
        for name, (mean, sd, low, high) in condition.set.items():
            theta[name][rows] = _truncated(next(column), mean, sd, low, high)
        for name, (mean, sd) in condition.add.items():
            theta[name][rows] += mean + sd * next(column)
        for name, (mean, sd) in condition.times.items():
            theta[name][rows] *= np.maximum(mean + sd * next(column), 0.1)
        if condition.st is not None:
            st[rows] += np.clip(1 + 0.25 * z[:, -1:], 0.6, 1.8) * condition.st
    return st


def _truncated(z: np.ndarray, mean: np.ndarray | float, sd: np.ndarray | float, low: float, high: float) -> np.ndarray:
    """Standard normal numbers mapped to a normal distribution cut at low and high, monotone in z."""
    below, above = ndtr((low - mean) / sd), ndtr((high - mean) / sd)
    return mean + sd * ndtri(below + (above - below) * ndtr(z))
