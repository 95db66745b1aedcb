"""The heart as a moving dipole: which Gaussians each beat adds, and the sum d(t) in three dimensions.

A pattern of morphology.toml is turned to the patient's axis, scaled to the voltage and stretched so that, by the 5 %
rule in this patient's leads, the wave lasts as long as the parameter says. Sources: McSharry 2003, Sameni 2007,
Clifford 2010. Letters: B recordings, C classes of beat (0 conducted, 1 ventricular or paced), G Gaussians, N waves,
W samples of a window. Rows of Gaussians are [centre, width, x, y, z].
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from einthoven.simulate import truth
from einthoven.simulate.electrodes import ATRIA, VENTRICLES
from einthoven.simulate.patients import People
from einthoven.simulate.rhythm import PACED, PREMATURE, VENTRICULAR
from einthoven.simulate.tables import GAUSSIANS, conditions, patterns
from einthoven.simulate.world import World, normals, uniforms

BEFORE = {"p": 0.05, "qrs": 0.06, "t": 0.03}
SPAN = {"p": 0.26, "qrs": 0.34, "t": 0.64}
"""Windows in seconds: how long before onset (for T: J) they start, and how long they are. The longest waves that the
parameters allow are down to two microvolts at both edges (tested)."""

_GRID = np.linspace(-0.7, 1.7, 601)
"""Where patterns are looked at to find their limits, in units of the wave."""


@dataclass(frozen=True, eq=False)
class Shapes:
    """Waves of each recording, limits at 0 and 1: rows of p (B, 2, G, 5), of qrs and t (B, C, G, 5); st (B, C, 3) mV.

    P classes: 0 sinus, 1 ectopic. The unit of T is the JT interval. p_seconds (B,), qrs_seconds (B, C): durations.
    """

    p: np.ndarray
    qrs: np.ndarray
    t: np.ndarray
    st: np.ndarray
    p_seconds: np.ndarray
    qrs_seconds: np.ndarray

    def area(self) -> np.ndarray:
        """Integral of the QRS dipole over time, (B, C, 3), up to a factor that is the same on all axes."""
        return (self.qrs[..., 1:2] * self.qrs[..., 2:]).sum(axis=2)


def shapes(world: World, ids: Sequence[int], group: People, projection: np.ndarray) -> Shapes:
    """The waves of each recording of a block; `projection` (B, 12, 6) is the patients' dipoles to leads."""
    theta, count = group.theta, len(ids)
    qrs_index, t_index = _chosen(world, ids, group)

    p = np.stack([patterns("p").rows[[patterns("p").index(name)] * count] for name in ("sinus", "ectopic")], axis=1)
    qrs, t = patterns("qrs").rows[qrs_index], patterns("t").rows[t_index]
    z = np.clip(normals(world.seed, ids, "shape", 2 * sum(GAUSSIANS.values())), -2.5, 2.5)
    for rows in (p, qrs, t):
        part, z = np.split(z, [2 * rows.shape[2]], axis=1)
        _personal(rows, part)

    p[:, 0] = _turned(p[:, 0], theta["p_axis"] - patterns("p").axis[0])
    turn = np.stack([theta["axis"] - patterns("qrs").axis[qrs_index[:, 0]], theta["ectopic_axis"]], axis=1)
    own = theta["t_axis"][:, None] - patterns("t").axis[t_index]
    t_turn = np.where(patterns("t").follows[t_index], turn, own)
    st = patterns("t").st[t_index]
    for c in (0, 1):
        qrs[:, c] = _turned(qrs[:, c], turn[:, c])
        t[:, c] = _turned(t[:, c], t_turn[:, c])
        st[:, c] = _turned_vectors(st[:, c], t_turn[:, c])
    qrs[:, 0, :, 2:] = _about_long_axis(qrs[:, 0, :, 2:], theta["turn"])

    p[..., 2:] *= theta["p_voltage"][:, None, None, None]
    qrs[..., 2:] *= theta["voltage"][:, None, None, None]
    t[..., 2:] *= (theta["t_voltage"] * np.sqrt(theta["voltage"]))[:, None, None, None]
    st = st * theta["voltage"][:, None, None]
    st[:, 0] += group.st

    for rows, source in ((p, ATRIA), (qrs, VENTRICLES), (t, VENTRICLES)):
        for c in (0, 1):
            _stretch(rows[:, c], projection[..., source])
    # T fills the last share of the JT interval: 0 stays J, 1 the end of T.
    share = theta["t_share"][:, None, None]
    t[..., 0] = 1 - share * (1 - t[..., 0])
    t[..., 1] *= share
    widths = np.stack([theta["qrs"], theta["ectopic_width"]], axis=1) / 1000
    return Shapes(p, qrs, t, st, theta["p"] / 1000, widths)


def p_class(kind: np.ndarray) -> np.ndarray:
    """Which P pattern a beat of that kind has."""
    return (kind == PREMATURE).astype(int)


def qrs_class(kind: np.ndarray) -> np.ndarray:
    """Which QRS and T pattern a beat of that kind has."""
    return ((kind == VENTRICULAR) | (kind == PACED)).astype(int)


def windows(
    rows: np.ndarray, origin: np.ndarray, unit: np.ndarray, wave: str, rate: float
) -> tuple[np.ndarray, np.ndarray]:
    """The dipole of N waves, each in a window of its own.

    Args:
        rows: (N, G, 5) Gaussians in units of the wave. origin: (N,) seconds of unit 0. unit: (N,) seconds of one unit.

    Returns:
        dipole (N, 3, W) float32 mV, and start (N,) int, the sample of the recording at which the window starts.
    """
    start = np.floor((origin - BEFORE[wave]) * rate).astype(int)
    t = (np.arange(round(SPAN[wave] * rate)) / rate).astype(np.float32)
    centre = (origin - start / rate)[:, None] + unit[:, None] * rows[..., 0]
    inverse = 1 / (unit[:, None] * rows[..., 1])
    z = (t - centre[..., None].astype(np.float32)) * inverse[..., None].astype(np.float32)
    return rows[..., 2:].astype(np.float32).transpose(0, 2, 1) @ np.exp(-0.5 * z * z), start


def levels(st: np.ndarray, j: np.ndarray, jt: np.ndarray, start: np.ndarray, rate: float) -> np.ndarray:
    """ST segments st (N, 3) in mV as plateaus from J into the T, in the windows of the T waves: (N, 3, W) float32."""
    t = np.arange(round(SPAN["t"] * rate)) / rate + (start / rate - j)[:, None]
    rise = expit((t - 0.004) / 0.005)
    fall = expit((0.72 * jt[:, None] - t) / (0.07 * jt[:, None]))
    return st[..., None].astype(np.float32) * (rise * fall).astype(np.float32)[:, None]


def _chosen(world: World, ids: Sequence[int], group: People) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the QRS and T patterns, (B, C) each: class 0 by condition, class 1 by focus or pacemaker."""
    count = len(ids)
    names_q = np.full((count, 2), "normal", dtype=object)
    names_t = names_q.copy()
    left = uniforms(world.seed, ids, "focus", 1)[:, 0] < 0.5
    names_q[:, 1] = names_t[:, 1] = np.where(left, "left_ventricle", "right_outflow")
    for i, condition in enumerate(conditions().values()):
        c = 1 if condition.rhythm else 0
        if condition.qrs:
            names_q[group.has[:, i], c] = condition.qrs
        if condition.t:
            names_t[group.has[:, i], c] = condition.t
    index = [
        np.vectorize(patterns(wave).index, otypes=[int])(names) for wave, names in (("qrs", names_q), ("t", names_t))
    ]
    return index[0], index[1]


def _personal(rows: np.ndarray, z: np.ndarray) -> None:
    """Nobody is the pattern: each Gaussian a little stronger or weaker (18 %), narrower or wider (6 %), in place."""
    strength, width = np.split(z, 2, axis=1)
    rows[..., 2:] *= np.exp(0.18 * strength)[:, None, :, None]
    rows[..., 1] *= np.exp(0.06 * width)[:, None]


def _turned(rows: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """(B, G, 5) Gaussians turned in the frontal plane by (B,) degrees, left towards feet."""
    return np.concatenate([rows[..., :2], _turned_vectors(rows[..., 2:], degrees[:, None])], axis=-1)


def _turned_vectors(vectors: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    return np.stack([cos * x - sin * y, sin * x + cos * y, z], axis=-1)


def _about_long_axis(vectors: np.ndarray, degrees: np.ndarray) -> np.ndarray:
    """(B, G, 3) vectors turned in the horizontal plane, front towards back for positive angles."""
    cos, sin = np.cos(np.radians(degrees))[:, None], np.sin(np.radians(degrees))[:, None]
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    return np.stack([cos * x + sin * z, y, cos * z - sin * x], axis=-1)


def _stretch(rows: np.ndarray, projection: np.ndarray) -> None:
    """Move and stretch (B, G, 5) Gaussians in place so that the limits for all leads are 0 and 1."""
    g = np.exp(-0.5 * ((_GRID - rows[..., :1]) / rows[..., 1:2]) ** 2).astype(np.float32)
    vectors = (projection @ rows[..., 2:].transpose(0, 2, 1)).astype(np.float32)
    _, whole = truth.limits(vectors @ g)
    first, last = _GRID[whole[:, 0]], _GRID[whole[:, 2]]
    unseen = whole[:, 0] < 0
    first, last = np.where(unseen, 0.0, first)[:, None], np.where(unseen, 1.0, last)[:, None]
    rows[..., 0] = (rows[..., 0] - first) / (last - first)
    rows[..., 1] /= last - first
