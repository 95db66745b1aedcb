"""When each beat comes: one RR process a rhythm, as array code over the recordings that have it.

A beat is an entry of `Beats`: where P and QRS begin, what it is, and the RR interval that the QT follows. Times are
seconds from the start of the recording; simulation starts two seconds earlier, so that the first samples are like all
others.
Letters: B recordings, K slots for beats (unused ones have neither P nor QRS). Sources: McSharry 2003 (RR with
respiratory and Mayer peaks), Clifford 2010 (abnormal rhythms); AF as arrivals after a refractory time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from einthoven.simulate.patients import People
from einthoven.simulate.tables import conditions
from einthoven.simulate.world import World, normals, uniforms

LABELS = ("", "N", "S", "V", "paced", "P")
"""What a row is: a normal (or junctional), supraventricular premature, ventricular (premature or escape) or paced beat;
P is an atrial activation that the ventricles do not follow."""
NONE, NORMAL, PREMATURE, VENTRICULAR, PACED, ATRIAL = range(len(LABELS))

LEAD_IN = 2.0
FASTEST = 220.0
"""Slots are reserved for this rate in 1/min, atrial and ventricular events together."""


@dataclass(eq=False)
class Beats:
    """p, qrs (B, K) seconds of onset, NaN where absent; kind (B, K) index of LABELS; rr (B, K) seconds, for the QT."""

    p: np.ndarray
    qrs: np.ndarray
    kind: np.ndarray
    rr: np.ndarray


@dataclass(frozen=True, eq=False)
class _Chance:
    """Random numbers of a rhythm: once (B, 16) and per slot beat (B, K, 4) uniform, slow (B, K) normal."""

    once: np.ndarray
    beat: np.ndarray
    slow: np.ndarray


def beats(world: World, group: People) -> tuple[Beats, np.ndarray]:
    """The beats of a block, sorted in time, and a (B, 3) array of the atrial waves that run all through.

    The array holds: frequency in hertz of fibrillatory or flutter waves (0 for none), their kind (1 fibrillation,
    2 flutter) and the time in seconds of one flutter wave's start.
    """
    slots = math.ceil((world.seconds + 2 * LEAD_IN) * FASTEST / 60)
    count = len(group.keys)
    shape = count, slots
    out = Beats(np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape, int), np.ones(shape))
    atrial = np.zeros((count, 3))
    chance = _Chance(
        uniforms(world.seed, group.keys, "rhythm", 16),
        uniforms(world.seed, group.keys, "beats", 4 * slots).reshape(count, slots, 4),
        normals(world.seed, group.keys, "slow rhythm", slots),
    )
    process = np.zeros(count, int)
    for i, condition in enumerate(conditions().values()):
        if condition.rhythm:
            process[group.has[:, i]] = list(PROCESSES).index(condition.rhythm)
    for i, make in enumerate(PROCESSES.values()):
        rows = np.flatnonzero(process == i)
        if len(rows):
            theta = {name: value[rows] for name, value in group.theta.items()}
            theta["PAC"], theta["PVC"] = group.shows("PAC")[rows], group.shows("PVC")[rows]
            part, waves = make(world, theta, _Chance(chance.once[rows], chance.beat[rows], chance.slow[rows]))
            for name in ("p", "qrs", "kind", "rr"):
                getattr(out, name)[rows] = getattr(part, name)
            atrial[rows] = waves
    return _sorted(out), atrial


def _sinus(world: World, theta: dict[str, np.ndarray], chance: _Chance) -> tuple[Beats, np.ndarray]:
    """Sinus rhythm with 1:1 conduction and, where the recording shows them, atrial and ventricular premature beats."""
    rr = _sinus_rr(theta, chance)
    kind = np.full(rr.shape, NORMAL)
    regular = rr.copy()
    if (theta["PAC"] | theta["PVC"]).any():
        kind = _premature(world, theta, chance, rr)
        # A ventricular beat leaves the sinus clock alone (full compensatory pause); an atrial one resets it.
        short = _coupling(theta, kind, regular)
        early = np.zeros_like(rr)
        early[:, 1:] = np.where(kind == VENTRICULAR, 2 - short, np.where(kind == PREMATURE, 1.06, 0))[:, :-1]
        rr = np.where(kind != NORMAL, short * rr, np.where(early > 0, early * rr, rr))
    qrs = _clock(rr, chance)
    pr = theta["pr"][:, None] / 1000 + np.where(kind == PREMATURE, 0.015, 0.0)
    p = np.where(kind == VENTRICULAR, np.nan, qrs - pr)
    return Beats(p, qrs, kind, _memory(regular)), np.zeros((len(rr), 3))


def _bigeminy(world: World, theta: dict[str, np.ndarray], chance: _Chance) -> tuple[Beats, np.ndarray]:
    """Every second beat is ventricular."""
    regular = _sinus_rr(theta, chance)
    kind = np.full(regular.shape, NORMAL)
    kind[:, ::2] = VENTRICULAR
    short = _coupling(theta, kind, regular)
    rr = np.where(kind == VENTRICULAR, short, 2 - np.roll(short, 1, axis=1)) * regular
    qrs = _clock(rr, chance)
    p = np.where(kind == VENTRICULAR, np.nan, qrs - theta["pr"][:, None] / 1000)
    return Beats(p, qrs, kind, _memory(regular)), np.zeros((len(rr), 3))


def _fibrillation(world: World, theta: dict[str, np.ndarray], chance: _Chance) -> tuple[Beats, np.ndarray]:
    """No P; the AV node lets every fourth of random arrivals through, after a refractory time: Erlang intervals."""
    mean = 60 / theta["rate"][:, None]
    refractory = np.minimum(0.3, 0.6 * mean)
    rr = refractory - (mean - refractory) / 4 * np.log1p(-chance.beat).sum(axis=2)
    kind = np.full(rr.shape, NORMAL)
    if theta["PVC"].any():
        kind = np.where(_premature(world, theta, chance, rr) == VENTRICULAR, VENTRICULAR, NORMAL)
        rr = np.where(kind == VENTRICULAR, np.maximum(0.55 * mean, 0.42), rr)
        rr[:, 1:] = np.where(kind[:, :-1] == VENTRICULAR, np.maximum(rr[:, 1:], 1.1 * mean), rr[:, 1:])
    waves = np.stack([4.5 + 4 * chance.once[:, 8], np.ones(len(rr)), np.zeros(len(rr))], axis=1)
    return Beats(np.full(rr.shape, np.nan), _clock(rr, chance), kind, _memory(np.broadcast_to(mean, rr.shape))), waves


def _flutter(world: World, theta: dict[str, np.ndarray], chance: _Chance) -> tuple[Beats, np.ndarray]:
    """Flutter waves at 250-330 a minute; the ventricles follow every second, third or fourth, or in changing ratio."""
    cycle = 60 / (250 + 80 * chance.once[:, 8:9])
    ratio = np.select([chance.once[:, 9:10] < 0.35, chance.once[:, 9:10] < 0.7], [2.0, 4.0], 0.0)
    changing = 2 + np.floor(3 * chance.beat[..., 0])
    rr = cycle * np.where(ratio > 0, ratio, changing)
    qrs = _clock(rr, chance)
    kind = np.full(rr.shape, NORMAL)
    waves = np.stack([1 / cycle[:, 0], np.full(len(rr), 2.0), qrs[:, 0] - 0.1], axis=1)
    return Beats(np.full(rr.shape, np.nan), qrs, kind, _memory(rr)), waves


def _wenckebach(world: World, theta: dict[str, np.ndarray], chance: _Chance) -> tuple[Beats, np.ndarray]:
    """PR grows by ever smaller steps until one P is not conducted; then it starts anew (cycles of 3 to 5 P waves)."""
    pp = _sinus_rr(theta, chance)
    p = _clock(pp, chance)
    length = 3 + np.floor(3 * chance.once[:, 8:9])
    place = np.mod(np.arange(p.shape[1]) + np.floor(5 * chance.once[:, 9:10]), length)
    step = 0.06 + 0.05 * chance.once[:, 10:11]
    pr = theta["pr"][:, None] / 1000 + step * (1 - 0.55**place) / 0.45
    dropped = place == length - 1
    kind = np.where(dropped, ATRIAL, NORMAL)
    return Beats(p, np.where(dropped, np.nan, p + pr), kind, _memory(pp)), np.zeros((len(p), 3))


def _dissociation(world: World, theta: dict[str, np.ndarray], chance: _Chance) -> tuple[Beats, np.ndarray]:
    """Complete AV block: sinus P waves and a slow escape rhythm that know nothing of each other."""
    count, slots = chance.slow.shape
    wide = chance.once[:, 8:9] < 0.6
    escape = np.where(wide, 30 + 12 * chance.once[:, 9:10], 40 + 15 * chance.once[:, 9:10])
    atria = math.ceil(slots * 130 / FASTEST)
    rate = np.minimum(theta["rate"], 125.0)
    p = _clock(_sinus_rr(theta | {"rate": rate}, chance)[:, :atria], chance)
    rr = 60 / escape * (1 + 0.01 * chance.slow[:, atria:])
    qrs = -LEAD_IN - 2 * chance.once[:, 10:11] + np.cumsum(rr, axis=1)
    none_p, none_q = np.full_like(p, np.nan), np.full_like(qrs, np.nan)
    kind = np.concatenate(
        [np.full(p.shape, ATRIAL), np.broadcast_to(np.where(wide, VENTRICULAR, NORMAL), qrs.shape)], axis=1
    )
    # The QT of slow escape beats follows their own long interval, as far as the formula is used (1.2 s).
    interval = np.concatenate([np.ones_like(p), np.minimum(rr, 1.2)], axis=1)
    return Beats(np.concatenate([p, none_q], 1), np.concatenate([none_p, qrs], 1), kind, interval), np.zeros((count, 3))


def _paced(world: World, theta: dict[str, np.ndarray], chance: _Chance) -> tuple[Beats, np.ndarray]:
    """A ventricular pacemaker: half follow the sinus P after a fixed delay, half beat alone over fibrillating atria."""
    follows = chance.once[:, 8:9] < 0.5
    rr = np.where(follows, _sinus_rr(theta, chance), 60 / theta["rate"][:, None])
    qrs = _clock(rr, chance)
    p = np.where(follows, qrs - (0.14 + 0.06 * chance.once[:, 9:10]), np.nan)
    none = np.zeros(len(rr))
    waves = np.stack(
        [np.where(follows[:, 0], 0, 4.5 + 4 * chance.once[:, 10]), np.where(follows[:, 0], 0, 1), none], axis=1
    )
    return Beats(p, qrs, np.full(rr.shape, PACED), _memory(rr)), waves


PROCESSES: dict[str, Callable[[World, dict[str, np.ndarray], _Chance], tuple[Beats, np.ndarray]]] = {
    "sinus": _sinus,
    "fibrillation": _fibrillation,
    "flutter": _flutter,
    "paced": _paced,
    "wenckebach": _wenckebach,
    "dissociation": _dissociation,
    "bigeminy": _bigeminy,
}
"""What `rhythm` in conditions.toml may say."""


def _sinus_rr(theta: dict[str, np.ndarray], chance: _Chance) -> np.ndarray:
    """RR intervals (B, K) in seconds: mean, respiratory and Mayer oscillation, slow drift and a little of its own."""
    mean = 60 / theta["rate"][:, None]
    t = mean * np.arange(chance.slow.shape[1])
    phase = 2 * np.pi * chance.once[:, :3]
    breath = np.sin(2 * np.pi * theta["respiration"][:, None] * t + phase[:, :1])
    mayer = np.sin(2 * np.pi * 0.1 * t + phase[:, 1:2])
    wobble = theta["wobble"][:, None]
    return mean * (1 + theta["rsa"][:, None] * breath + wobble * (mayer + 0.3 * np.clip(chance.slow, -3, 3)))


def _clock(rr: np.ndarray, chance: _Chance) -> np.ndarray:
    """Times (B, K) from intervals; the first beat falls at a random place within its interval."""
    return -LEAD_IN + np.cumsum(rr, axis=1) - rr[:, :1] * chance.once[:, 3:4]


def _memory(rr: np.ndarray) -> np.ndarray:
    """The RR that repolarisation follows: mostly the mean, a fifth the last interval (hysteresis; share assumed)."""
    return 0.8 * rr.mean(axis=1, keepdims=True) + 0.2 * rr


def _premature(world: World, theta: dict[str, np.ndarray], chance: _Chance, rr: np.ndarray) -> np.ndarray:
    """Which beats are premature (B, K): one for sure near the middle, others at random, never two in a row."""
    t = -LEAD_IN + np.cumsum(rr, axis=1)
    kind = np.full(rr.shape, NORMAL)
    for code, what, column in (("PVC", VENTRICULAR, 0), ("PAC", PREMATURE, 1)):
        middle = world.seconds * (0.25 + 0.25 * column + 0.25 * chance.once[:, 4 + column])
        sure = np.arange(rr.shape[1]) == np.abs(t - middle[:, None]).argmin(axis=1)[:, None]
        more = chance.beat[..., column] < theta["ectopic_share"][:, None]
        for k in range(2, rr.shape[1]):
            free = (kind[:, k - 1] == NORMAL) & (kind[:, (k + 1) % rr.shape[1]] == NORMAL) & (kind[:, k] == NORMAL)
            ahead = sure[:, (k + 1) % rr.shape[1]]
            put = theta[code] & free & (sure[:, k] | (more[:, k] & ~ahead))
            kind[put, k] = what
    return kind


def _coupling(theta: dict[str, np.ndarray], kind: np.ndarray, rr: np.ndarray) -> np.ndarray:
    """Share (B, K) of the sinus interval after which a premature beat comes: after the T wave if ventricular."""
    qt = theta["qtc"][:, None] / 1000 * np.cbrt(rr.mean(axis=1, keepdims=True))
    floor = np.where(kind == VENTRICULAR, qt + 0.03, 0.8 * qt + theta["pr"][:, None] / 2000)
    return np.clip(np.maximum(theta["coupling"][:, None], floor / rr), 0.45, 0.92)


def _sorted(found: Beats) -> Beats:
    first = np.fmin(found.p, found.qrs)
    order = np.argsort(np.where(np.isnan(first), np.inf, first), axis=1, kind="stable")
    p, qrs, kind, rr = (np.take_along_axis(a, order, 1) for a in (found.p, found.qrs, found.kind, found.rr))
    return Beats(p, qrs, kind, rr)
