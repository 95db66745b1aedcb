"""The 5 % rule against closed forms, and the marks of whole recordings against a slow direct evaluation in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest

from einthoven.core.leads import STANDARD
from einthoven.simulate import World, block, record, truth
from einthoven.simulate.dipole import p_class, qrs_class, shapes
from einthoven.simulate.electrodes import channels, lead_field, leads
from einthoven.simulate.marks import Marks
from einthoven.simulate.patients import people
from einthoven.simulate.rhythm import Beats, beats


def waves(ecg, name="truth.waves"):
    return next(fact for fact in ecg.facts if fact.name == name).columns


def values(ecg):
    return {fact.name.removeprefix("truth."): fact.value for fact in ecg.facts if fact.name.startswith("truth.")
            and fact.kind == "value"}  # fmt: skip


def test_a_gaussian_ends_where_it_falls_to_five_percent():
    t = np.arange(-500, 501)
    sigma = 40.0
    lead, whole = truth.limits(np.exp(-0.5 * (t / sigma) ** 2)[None, None])
    reach = math.floor(sigma * math.sqrt(2 * math.log(20)))  # exp(-r^2 / 2 s^2) = 1/20
    assert lead[0, 0].tolist() == [500 - reach, 500, 500 + reach]
    assert whole[0].tolist() == lead[0, 0].tolist()


def test_a_lead_below_twenty_microvolts_has_limits_of_its_own_but_no_say_in_the_global_ones():
    t = np.arange(1000)
    wide = 0.019 * np.exp(-0.5 * ((t - 500) / 100) ** 2)
    narrow = -0.5 * np.exp(-0.5 * ((t - 520) / 10) ** 2)
    lead, whole = truth.limits(np.stack([wide, narrow])[None])
    assert lead[0, 0, 0] < lead[0, 1, 0]
    assert whole[0].tolist() == lead[0, 1].tolist()


def test_a_wave_that_no_lead_shows_has_no_global_limits():
    _, whole = truth.limits(np.full((1, 12, 10), 0.01))
    assert whole[0].tolist() == [-1, -1, -1]


@pytest.mark.parametrize(("one", "two", "degrees"), [(1, 1, 30), (0, 1, 90), (1, 0, -30), (-1, 1, 120)])
def test_axis_follows_from_the_areas_in_leads_one_and_two(one, two, degrees):
    # physiology.md, section 7, and I = -II from the hexaxial system
    assert truth.axis_degrees(np.float64(one), np.float64(two)) == pytest.approx(degrees, abs=1e-9)


@pytest.mark.parametrize("force", [(), ("PVC", "PAC"), ("CLBBB",), ("3AVB",), ("PACE",), ("STE_INF",)])
@pytest.mark.parametrize("rate", [500.0, 180.0])
def test_marks_equal_the_rule_applied_to_each_wave_evaluated_over_the_whole_recording(force, rate):
    world = World(seed=8, noise=0, rate=rate, seconds=6)
    ecg = next(block(world, [(0, 0)], force=force))
    expected = _slow_marks(world, force)
    got = {
        (wave, lead, on): (peak, off)
        for wave in ("p", "qrs", "t")
        for lead, on, peak, off in zip(*(waves(ecg)[c] for c in ("lead", f"{wave}_on", f"{wave}_peak", f"{wave}_off")))
        if on >= 0
    }
    assert len(expected) > 100
    assert got == expected


def _slow_marks(world, force):
    """Every wave of the recording's own parameters, over all samples, in float64, one lead after the other."""
    group = people(world, [(0, 0)], force)
    found, _ = beats(world, group)
    projection = leads(channels(lead_field(world, [0], group.keys, group.male)))
    heart = shapes(world, [0], group, projection)
    t = np.arange(-world.samples, 2 * world.samples) / world.rate
    expected = {}
    for p, qrs, kind, rr in zip(found.p[0], found.qrs[0], found.kind[0], found.rr[0]):
        c = int(qrs_class(kind))
        width = heart.qrs_seconds[0, c]
        extra = 0.5 * (width - heart.qrs_seconds[0, 0])
        jt = group.theta["qtc"][0] / 1000 * np.cbrt(rr) + extra - width
        for wave, origin, unit, rows, at in (
            ("p", p, heart.p_seconds[0], heart.p[0, int(p_class(kind))], slice(3, 6)),
            ("qrs", qrs, width, heart.qrs[0, c], slice(0, 3)),
            ("t", qrs + width, jt, heart.t[0, c], slice(0, 3)),
        ):
            if not -1 < origin < world.seconds + 1:  # NaN, or wholly outside
                continue
            shape = np.exp(-0.5 * ((t[:, None] - origin - unit * rows[:, 0]) / (unit * rows[:, 1])) ** 2)
            for lead, row in zip(STANDARD, projection[0][:, at]):
                size = np.abs(shape @ (rows[:, 2:] @ row))
                above = np.flatnonzero(size > 0.05 * size.max()) - world.samples
                if above[0] >= 0 and above[-1] < world.samples:
                    expected[wave, lead, above[0]] = (size.argmax() - world.samples, above[-1])
    return expected


def test_intervals_are_differences_of_the_global_limits():
    ecg = record("av1", seed=5, noise=0)
    glob = waves(ecg, "truth.waves.global")
    whole = (glob["p_on"] >= 0) & (glob["qrs_on"] >= 0)
    assert values(ecg)["pr"] == np.median((glob["qrs_on"] - glob["p_on"])[whole]) * 2
    assert (
        values(ecg)["qt"]
        == np.median((glob["t_off"] - glob["qrs_on"])[(glob["qrs_on"] >= 0) & (glob["t_off"] >= 0)]) * 2
    )


def test_the_axis_is_that_of_the_areas_of_the_noise_free_signal():
    ecg = record("sinus", seed=3, noise=0)
    on, off = (waves(ecg, "truth.waves.global")[f"qrs_{end}"][3] for end in ("on", "off"))
    one, two = (ecg.signal[i, on - 5 : off + 6] - ecg.signal[i, on - 5] for i in (0, 1))
    assert values(ecg)["axis"] == pytest.approx(truth.axis_degrees(one.sum(), two.sum()), abs=6)  # ST joins at the end


def test_a_qrs_that_points_to_the_front_has_no_frontal_axis():
    never = np.full((1, 1), np.nan)
    nobody = Beats(never, never, np.zeros((1, 1), int), np.ones((1, 1)))
    projection = np.zeros((1, 12, 3))
    projection[0, :6, :2] = [(1, 0), (0.5, 0.87), (-0.5, 0.87), (-0.75, -0.43), (0.75, -0.43), (0, 0.87)]
    projection[0, 6:, 2] = 1
    front, oblique = Marks.empty(nobody, np.array([[[0.04, 0.0, 1.0], [0.06, 0.0, 1.0]]]), projection).axis[0]
    assert np.isnan(front)
    assert oblique == pytest.approx(0, abs=0.5)


def test_heart_rate_is_sixty_over_the_median_interval_between_peaks():
    ecg = record("sinus", seed=4, noise=0)
    lead = waves(ecg)
    peaks = lead["qrs_peak"][(lead["lead"] == "II") & (lead["qrs_peak"] >= 0)]
    assert values(ecg)["hr"] == pytest.approx(60 / (np.median(np.diff(peaks)) / 500), rel=0.01)  # samples of 2 ms


def test_points_lie_within_the_recording_in_order():
    for kind in ("sinus", "af", "pvc", "complete-block", "flutter"):
        columns = waves(record(kind, seed=6))
        for wave in ("p", "qrs", "t"):
            on, peak, off = (columns[f"{wave}_{part}"] for part in ("on", "peak", "off"))
            there = on >= 0
            assert ((on <= peak) & (peak <= off) & (off < 5000))[there].all()
            assert (peak[~there] == -1).all()
            assert (off[~there] == -1).all()


def test_the_marks_of_a_lead_do_not_depend_on_which_leads_are_asked_for():
    all_leads, two = waves(record("pvc", seed=2)), record("pvc", seed=2, leads=("V5", "II"))
    assert two.leads == ("V5", "II")
    for lead in two.leads:
        for column in ("p_on", "qrs_peak", "t_off"):
            want, got = all_leads[column][all_leads["lead"] == lead], waves(two)[column][waves(two)["lead"] == lead]
            assert want.tolist() == got.tolist()
