"""A block of recordings from end to end: patients, beats, dipole, leads, noise, truth, Records.

`block` makes recordings of a world; `record` makes one of a wanted kind. Array code over the recordings of a block, yet
every result is the same in any block. Letters: B recordings, N waves of one kind, T samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from einthoven.core.errors import LeadError, RecipeError, nearest
from einthoven.core.facts import Event, Fact, Waves
from einthoven.core.leads import STANDARD, known, resolve
from einthoven.core.record import Record
from einthoven.simulate import background, reading, truth
from einthoven.simulate.dipole import BEFORE, SPAN, Shapes, levels, p_class, qrs_class, shapes, windows
from einthoven.simulate.electrodes import ATRIA, VENTRICLES, channels, lead_field, leads
from einthoven.simulate.marks import Marks
from einthoven.simulate.noise import noise, recorded
from einthoven.simulate.patients import People, people
from einthoven.simulate.rhythm import Beats, beats
from einthoven.simulate.world import World, uniforms

AT_ONCE = 16
"""Recordings of ten seconds worked on together: few enough to stay in the cache, enough to amortise array calls."""

LEADS = resolve(STANDARD)

KINDS: dict[str, tuple[str, ...]] = {
    "sinus": (), "tachycardia": ("STACH",), "bradycardia": ("SBRAD",), "sinus-arrhythmia": ("SARRH",),
    "af": ("AFIB",), "flutter": ("AFLT",), "pac": ("PAC",), "pvc": ("PVC",), "bigeminy": ("BIGU",),
    "lbbb": ("CLBBB",), "rbbb": ("CRBBB",), "av1": ("1AVB",), "wenckebach": ("2AVB",), "complete-block": ("3AVB",),
    "paced": ("PACE",), "lvh": ("LVH",), "low-voltage": ("LVOLT",),
    "st-elevation": ("STE_ANT",), "st-elevation-inferior": ("STE_INF",), "st-elevation-lateral": ("STE_LAT",),
    "st-depression": ("STD_LAT",), "st-depression-inferior": ("STD_INF",), "st-depression-anterior": ("STD_ANT",),
}  # fmt: skip
"""What `record` can make, and the conditions it stands for."""


def block(
    world: World,
    who: Sequence[tuple[int, int]],
    *,
    force: Sequence[str] | None = None,
    labelled_as: Sequence[tuple[int, int]] | None = None,
) -> Iterator[Record]:
    """The recordings of these (patient, visit) pairs, in order.

    Args:
        force: gives all of them exactly these conditions.
        labelled_as: whose conditions the readers report for each; None for the recording's own.
    """
    at_once = max(1, AT_ONCE * 5000 // max(world.samples, 1000))
    for start in range(0, len(who), at_once):
        part = slice(start, start + at_once)
        yield from _some(world, who[part], force, labelled_as[part] if labelled_as else None)


def record(
    kind: str = "sinus",
    seed: int = 0,
    rate: float = 500.0,
    seconds: float = 10.0,
    leads: Sequence[str] = STANDARD,
    noise: float = 1.0,
) -> Record:
    """One recording of a wanted kind with all facts and truth; another seed is another patient.

    Args:
        kind: one of `KINDS`: sinus, af, lbbb, pvc, wenckebach, paced, ...
        rate: hertz. seconds: length. leads: names in the wanted order. noise: factor on all noise, 0 for none.

    Example:
        >>> ecg = record("af", seed=3)
        >>> ecg.signal.shape, ecg.rate
        ((12, 5000), 500.0)
    """
    if kind not in KINDS:
        raise RecipeError("simulate", f"no kind called '{kind}'", fix=nearest(kind, KINDS))
    world = World(seed=seed, rate=rate, seconds=seconds, noise=noise)
    whole = next(block(world, [(0, 0)], force=KINDS[kind]))
    wanted = [known(name, "simulate") for name in leads]
    for name in wanted:
        if name not in LEADS:
            raise LeadError("simulate", f"lead {name} is not made", expected=f"of {' '.join(LEADS)}", reason="lead")
    place = [whole.leads.index(name) for name in wanted]
    return Record(
        whole.key, tuple(wanted), whole.signal[place], whole.rate, whole.subject,
        tuple(_only(fact, wanted) for fact in whole.facts),
    )  # fmt: skip


def _only(fact: Fact, leads: Sequence[str]) -> Fact:
    """The fact without the rows of other leads."""
    if not isinstance(fact, Waves):
        return fact
    keep = np.isin(fact.columns["lead"], [*leads, ""])
    return Waves(fact.name, {name: column[keep] for name, column in fact.columns.items()})


def _some(
    world: World,
    who: Sequence[tuple[int, int]],
    force: Sequence[str] | None,
    labelled_as: Sequence[tuple[int, int]] | None,
) -> Iterator[Record]:
    ids = [patient for patient, _ in who]
    group = people(world, who, force)
    found, atria = beats(world, group)
    field = lead_field(world, ids, group.keys, group.male)
    projection = leads(channels(field))
    heart = shapes(world, ids, group, projection)
    dipole, marks = _waves(world, group, found, heart, projection)
    dipole[:, ATRIA] += background.atrial(world, group, atria)
    dipole[:, VENTRICLES] += background.spikes(world, group, found)
    signal = channels(field).astype(np.float32) @ dipole
    if world.noise > 0:
        signal += channels(noise(world, group.keys))
    signal = leads(recorded(world, signal)) / np.float32(1000)
    readings = people(world, labelled_as, force) if labelled_as else group
    for b, (patient, visit) in enumerate(who):
        rate = None if labelled_as else marks.heart_rate(b, world)
        spikes = [Event("truth.spikes", "", int(s), "pacing spike") for s in background.spike_samples(world, found, b)]
        facts = (
            *reading.person(world, group, b), *reading.labels(world, readings, b, rate), *reading.latent(group, b),
            *marks.facts(b, world), *spikes,
        )  # fmt: skip
        yield Record(world.key(patient, visit), LEADS, signal[b], world.rate, world.subject(patient), facts)


def _waves(
    world: World, group: People, found: Beats, heart: Shapes, projection: np.ndarray
) -> tuple[np.ndarray, Marks]:
    """Sum of all waves, (B, 6, T) float32 mV, and where each begins and ends in each lead; projection (B, 12, 6)."""
    count = len(found.kind)
    projection = projection.astype(np.float32)
    margin = round((max(SPAN.values()) + max(BEFORE.values())) * world.rate) + 2
    dipole = np.zeros((count, 6, world.samples + 2 * margin), np.float32)
    marks = Marks.empty(found, heart.area(), projection[..., VENTRICLES])
    chest = 2 * np.pi * uniforms(world.seed, group.keys, "breath", 1)
    duration = np.take_along_axis(heart.qrs_seconds, qrs_class(found.kind), axis=1)
    j = found.qrs + duration
    # The QT of a wide beat is longer by half of what its QRS is wider (Bogossian 2014).
    qt = group.theta["qtc"][:, None] / 1000 * np.cbrt(found.rr) + 0.5 * (duration - heart.qrs_seconds[:, :1])
    for wave, source, origin, unit, rows, kinds in (
        ("p", ATRIA, found.p, np.broadcast_to(heart.p_seconds[:, None], j.shape), heart.p, p_class(found.kind)),
        ("qrs", VENTRICLES, found.qrs, duration, heart.qrs, qrs_class(found.kind)),
        ("t", VENTRICLES, j, qt - duration, heart.t, qrs_class(found.kind)),
    ):
        seen = (origin > -SPAN[wave]) & (origin < world.seconds + BEFORE[wave])  # NaN is neither
        b, k = np.nonzero(seen)
        part, start = windows(rows[b, kinds[b, k]], origin[b, k], unit[b, k], wave, world.rate)
        breath = np.sin(2 * np.pi * group.theta["respiration"][b] * origin[b, k] + chest[b, 0])
        part *= (1 + (0.05 if wave == "qrs" else 0.03) * breath).astype(np.float32)[:, None, None]
        marks.put(wave, b, k, start, *truth.limits(projection[b][..., source] @ part), world.samples)
        if wave == "t":
            part += levels(heart.st[b, kinds[b, k]], origin[b, k], unit[b, k], start, world.rate)
        for row, first, wave_dipole in zip(b.tolist(), (start + margin).tolist(), part):
            dipole[row, source, first : first + part.shape[2]] += wave_dipole
    return dipole[:, :, margin : margin + world.samples], marks
