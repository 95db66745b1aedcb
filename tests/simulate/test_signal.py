"""The signal: exact identities, whole converter steps, the same bytes in any block, another seed another person."""

from __future__ import annotations

import numpy as np
import pytest

from einthoven.core.errors import EinthovenError
from einthoven.simulate import KINDS, World, block, record
from einthoven.simulate.dipole import levels, shapes, windows
from einthoven.simulate.electrodes import channels, lead_field, leads
from einthoven.simulate.patients import people
from einthoven.simulate.rhythm import beats

WHO = [(patient, visit) for patient in range(9) for visit in (0, 1)]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_leads_obey_einthoven_and_goldberger_to_the_last_microvolt(kind):
    stored = np.rint(record(kind, seed=1).signal * 1000).astype(int)
    one, two, three, avr, avl, avf = stored[:6]
    assert (one + three == two).all()
    assert (2 * avr == -(one + two)).all()
    assert (2 * avl == 2 * one - two).all()
    assert (2 * avf == 2 * two - one).all()


def test_samples_are_whole_steps_of_the_converter():
    ecg = next(block(World(seed=2, resolution=5), [(0, 0)]))
    microvolts = ecg.signal[[0, 1, 6, 9]] * 1000.0
    assert np.abs(microvolts / 5 - np.rint(microvolts / 5)).max() < 1e-3  # float32 millivolts
    assert np.abs(np.diff(microvolts)).max() > 100


def test_any_split_into_blocks_gives_the_same_recordings():
    world = World(seed=4, seconds=4)
    whole = list(block(world, WHO))
    for step in (1, 5, 7):
        parts = [ecg for start in range(0, len(WHO), step) for ecg in block(world, WHO[start : start + step])]
        for a, b in zip(whole, parts, strict=True):
            assert a.key == b.key
            assert a.signal.tobytes() == b.signal.tobytes()
            assert [fact for fact in a.facts if fact.kind != "waves"] == [f for f in b.facts if f.kind != "waves"]
            for x, y in zip(*([f.columns for f in ecg.facts if f.kind == "waves"] for ecg in (a, b)), strict=True):
                assert all(x[name].tolist() == y[name].tolist() for name in x)


def test_the_order_of_a_block_changes_nothing():
    world = World(seed=4, seconds=4)
    there, back = list(block(world, WHO)), list(block(world, WHO[::-1]))[::-1]
    assert all(a.signal.tobytes() == b.signal.tobytes() for a, b in zip(there, back))


def test_another_seed_is_another_hospital():
    a, b = (next(block(World(seed=seed), [(0, 0)])) for seed in (0, 1))
    assert a.subject != b.subject
    assert abs(np.corrcoef(a.signal[1], b.signal[1])[0, 1]) < 0.5


def test_two_recordings_of_a_patient_are_alike_but_not_the_same():
    a, b, other = block(World(seed=9, noise=0), [(0, 0), (0, 1), (1, 0)], force=[])
    assert a.subject == b.subject != other.subject
    assert a.key != b.key
    beats = [_beat(ecg) for ecg in (a, b, other)]
    assert 0.9 < np.corrcoef(beats[0], beats[1])[0, 1] < 1
    assert np.corrcoef(beats[0], beats[2])[0, 1] < np.corrcoef(beats[0], beats[1])[0, 1]


def _beat(ecg):
    peaks = next(fact for fact in ecg.facts if fact.name == "truth.waves.global").columns["qrs_on"]
    on = peaks[peaks > 100][0]
    return ecg.signal[:, on - 20 : on + 80].ravel()


@pytest.mark.parametrize(
    "force", [[], ["SBRAD", "CLBBB"], ["STACH", "CRBBB"], ["SBRAD", "PVC"], ["3AVB"], ["SBRAD", "STE_INF"]]
)
def test_windows_hold_whole_waves_down_to_two_microvolts(force):
    world, ids = World(seed=12, seconds=4), list(range(150))
    group = people(world, [(patient, 0) for patient in ids], force)
    projection = leads(channels(lead_field(world, ids, group.keys, group.male)))
    heart, (found, _) = shapes(world, ids, group, projection), beats(world, group)
    longest = group.theta["qtc"] / 1000 * np.cbrt(found.rr.max(axis=1))
    for c in (0, 1):
        width = heart.qrs_seconds[:, c]
        jt = longest + 0.5 * (width - heart.qrs_seconds[:, 0]) - width
        for wave, rows, unit in (
            ("p", heart.p[:, c], heart.p_seconds),
            ("qrs", heart.qrs[:, c], width),
            ("t", heart.t[:, c], jt),
        ):
            part, _ = windows(rows, np.zeros(len(ids)), unit, wave, 500)
            assert np.abs(part[:, :, [0, -1]]).max() < 0.002
            if wave == "t":
                assert (
                    np.abs(
                        levels(heart.st[:, c], np.zeros(len(ids)), unit, np.full(len(ids), -15), 500)[:, :, [0, -1]]
                    ).max()
                    < 0.002
                )


def test_noise_is_a_factor_and_zero_leaves_the_heart_alone():
    quiet, usual, loud = (record("sinus", seed=3, noise=noise).signal for noise in (0, 1, 3))
    small, large = (usual - quiet).std(), (loud - quiet).std()
    assert 0.01 < small < 0.5
    assert large == pytest.approx(3 * small, rel=0.02)  # quantisation adds little


@pytest.mark.parametrize("rate", [100, 250, 360, 1000])
def test_another_rate_samples_the_same_heart(rate):
    fine, other = record("pvc", seed=5, noise=0, rate=500), record("pvc", seed=5, noise=0, rate=rate)
    assert other.samples == 10 * rate
    step = np.lcm(500, rate)
    common = fine.signal[:, :: step // rate], other.signal[:, :: step // 500]
    np.testing.assert_allclose(common[0], common[1], atol=0.004)  # two roundings to 2 microvolts


def test_a_recording_of_two_minutes_has_beats_to_its_end():
    long = record("af", seed=1, seconds=120)
    assert long.samples == 60_000
    columns = next(fact for fact in long.facts if fact.name == "truth.waves.global").columns
    assert columns["qrs_on"].max() > 59_000


def test_the_device_filter_removes_what_lies_outside_its_band():
    plain, narrow = (
        next(block(World(seed=6, band=band), [(0, 0)], force=[])).signal[1] for band in ((0, 0), (0.5, 40))
    )
    power = [np.abs(np.fft.rfft(x)) ** 2 for x in (plain, narrow)]
    f = np.fft.rfftfreq(5000, 1 / 500)
    assert power[1][f > 90].sum() < 0.05 * power[0][f > 90].sum()
    assert power[1][(f > 0) & (f < 0.15)].sum() < 0.1 * power[0][(f > 0) & (f < 0.15)].sum()


@pytest.mark.parametrize(
    "make",
    [
        lambda: record("sinsu"),
        lambda: record("sinus", leads=("I", "X9")),
        lambda: record("sinus", leads=("V3R",)),
        lambda: World(rate=0),
        lambda: World(seconds=1e9),
        lambda: World(noise=float("nan")),
        lambda: World(prevalence={"AFBI": 2}),
        lambda: World(prevalence={"AFIB": -1}),
    ],
)
def test_a_setting_that_cannot_be_is_refused_in_one_line(make):
    with pytest.raises(EinthovenError) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_a_wrong_kind_is_told_the_nearest():
    with pytest.raises(EinthovenError, match="did you mean sinus"):
        record("sinsu")
