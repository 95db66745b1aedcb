"""Each condition looks as its definition says, measured on noise-free recordings within the waves' true limits."""

from __future__ import annotations

import numpy as np
import pytest

from einthoven.core.leads import STANDARD
from einthoven.simulate import KINDS, World, block

WORLD = World(seed=31, noise=0)
COUNT = 48


@pytest.fixture(scope="module")
def measured():
    """By kind: R, S, T, J and late QRS level in mV (recordings, leads), QRS duration in ms, axis, of a middle beat."""
    kept = {}

    def measure(kind):
        if kind not in kept:
            made = block(WORLD, [(patient, 0) for patient in range(COUNT)], force=KINDS[kind])
            kept[kind] = {name: np.array(column) for name, column in zip(NAMES, zip(*map(_one, made)))}
        return kept[kind]

    return measure


NAMES = ("R", "S", "T", "J", "first", "last", "qrs", "axis", "range")


def _one(ecg):
    columns = next(fact for fact in ecg.facts if fact.name == "truth.waves.global").columns
    whole = np.flatnonzero((columns["qrs_on"] >= 0) & (columns["t_off"] >= 0) & (columns["t_on"] >= 0))
    k = whole[len(whole) // 2]
    on, off, t_on, t_off = (columns[name][k] for name in ("qrs_on", "qrs_off", "t_on", "t_off"))
    level = ecg.signal[:, [on - 4]]
    qrs, t = ecg.signal[:, on:off] - level, ecg.signal[:, t_on:t_off] - level
    height = np.take_along_axis(t, np.abs(t).argmax(axis=1)[:, None], axis=1)[:, 0]
    third = len(qrs[0]) // 3
    values = {fact.name: fact.value for fact in ecg.facts if fact.kind == "value"}
    return (
        qrs.max(axis=1), qrs.min(axis=1), height, ecg.signal[:, off + 30] - level[:, 0], qrs[:, :third].mean(axis=1),
        qrs[:, -third:].mean(axis=1), values["truth.qrs"], values.get("truth.axis", np.nan), np.ptp(qrs, axis=1),
    )  # fmt: skip


def lead(array, *names):
    return array[:, [STANDARD.index(name) for name in names]]


def test_r_grows_and_s_shrinks_from_v1_to_v4_in_normals(measured):
    r, s = (np.median(lead(measured("sinus")[name], "V1", "V2", "V3", "V4"), axis=0) for name in "RS")
    assert (np.diff(r) > 0).all()
    assert s[1] < s[2] < s[3] < 0  # V2 is deepest
    assert (r / -s)[0] < 0.5 < 2 < (r / -s)[3]


def test_normal_t_is_upright_where_it_must_be(measured):
    assert (lead(measured("sinus")["T"], "I", "II", "V4", "V5", "V6") > 0).mean() > 0.97
    assert (lead(measured("sinus")["T"], "aVR") < 0).all()


def test_normal_st_is_level(measured):
    assert np.abs(lead(measured("sinus")["J"], "I", "II", "III", "aVL", "aVF", "V5", "V6")).max() < 0.1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("R", {"I": 0.74, "II": 0.84, "V1": 0.18, "V2": 0.50, "V4": 1.30, "V5": 1.34, "V6": 1.09}),
        ("S", {"V1": -0.84, "V2": -1.17, "V3": -0.80}),
        ("T", {"II": 0.27, "V2": 0.46, "V4": 0.37, "V5": 0.32}),
    ],
)
def test_normal_amplitudes_are_those_of_ptbxl(measured, name, expected):
    # medians of median beats of 300 recordings NORM; standard errors of 48 recordings are about 0.05 to 0.1 mV
    got = np.median(lead(measured("sinus")[name], *expected), axis=0)
    assert got == pytest.approx(list(expected.values()), rel=0.3, abs=0.2)


def test_left_bundle_branch_block_is_wide_negative_in_v1_and_positive_in_v6(measured):
    block = measured("lbbb")
    assert block["qrs"].min() >= 118  # 120 ms, limits on a grid of 2 ms
    assert (-lead(block["S"], "V1") > 3 * lead(block["R"], "V1")).mean() > 0.9
    assert (lead(block["R"], "V6") > -lead(block["S"], "V6")).mean() > 0.9
    assert (lead(block["T"], "V1") > 0).all()
    assert (lead(block["T"], "I", "V6") < 0).mean() > 0.9


def test_right_bundle_branch_block_ends_positive_in_v1_and_negative_in_one_and_v6(measured):
    block = measured("rbbb")
    assert block["qrs"].min() >= 118
    assert (lead(block["last"], "V1") > 0.05).mean() > 0.9
    assert (lead(block["last"], "I", "V6") < 0).mean() > 0.9
    assert (lead(block["T"], "V1") < 0).mean() > 0.8


@pytest.mark.parametrize(
    ("kind", "raised", "lowered"),
    [
        ("st-elevation", ("V2", "V3"), ()),
        ("st-elevation-inferior", ("II", "III", "aVF"), ("aVL",)),
        ("st-elevation-lateral", ("I", "aVL"), ("III",)),
        ("st-depression", ("aVR",), ("I", "V5", "V6")),
        ("st-depression-inferior", (), ("II", "III", "aVF")),
        ("st-depression-anterior", (), ("V2", "V3")),
    ],
)
def test_st_shifts_belong_to_their_territory(measured, kind, raised, lowered):
    shift = np.median(measured(kind)["J"], axis=0)
    normal = np.median(measured("sinus")["J"], axis=0)
    for name in raised:
        assert shift[STANDARD.index(name)] > max(0.08, normal[STANDARD.index(name)] + 0.05)
    for name in lowered:
        assert shift[STANDARD.index(name)] < -0.05


def test_inferior_elevation_is_higher_in_three_than_in_two(measured):
    two, three = lead(measured("st-elevation-inferior")["J"], "II", "III").T
    assert (three > two).mean() > 0.9


def test_hypertrophy_meets_sokolow_lyon_and_normals_do_not(measured):
    index = {
        kind: -lead(measured(kind)["S"], "V1")[:, 0] + lead(measured(kind)["R"], "V5", "V6").max(axis=1)
        for kind in ("lvh", "sinus")
    }
    assert np.median(index["lvh"]) > 3.5 > np.percentile(index["sinus"], 85)


def test_low_voltage_stays_below_half_a_millivolt_in_all_limb_leads(measured):
    assert (measured("low-voltage")["range"][:, :6].max(axis=1) < 0.5).mean() > 0.8
    assert (measured("sinus")["range"][:, :6].max(axis=1) > 0.5).mean() > 0.95


def test_a_pacemaker_in_the_right_apex_turns_the_axis_up_and_left(measured):
    axis = measured("paced")["axis"]
    assert ((axis > -120) & (axis < -30)).mean() > 0.9
    assert measured("paced")["qrs"].min() >= 118
