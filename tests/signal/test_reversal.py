"""Swapped cables by algebra on simulated recordings; the algebra against the potentials of the electrodes."""

from __future__ import annotations

import numpy as np
import pytest

from einthoven.core.leads import CHEST, STANDARD
from einthoven.signal.median import median_beat
from einthoven.signal.reversal import PERMUTED, SWAPS, suspect
from einthoven.simulate import record
from tests.signal.given import truth

LEADS = ("I", "II", *CHEST)


def flags(x, ecg, leads=LEADS):
    return suspect(median_beat(x, ecg.rate, truth(ecg).beats), ecg.rate, leads)


@pytest.mark.parametrize(("name", "cables"), [
    ("none", "RLF"), ("RA-LA", "LRF"), ("RA-LL", "FLR"), ("LA-LL", "RFL"),
    ("RA-LA-LL", "LFR"), ("RA-LL-LA", "FRL"),
])  # fmt: skip
def test_permutations_are_what_potentials_give(name, cables):
    # cables: the electrode on which the cables RA, LA, LL stand
    potential = dict(zip("RLF", np.random.default_rng(0).normal(size=(3, 50))))
    one, two = potential["L"] - potential["R"], potential["F"] - potential["R"]
    ra, la, ll = (potential[electrode] for electrode in cables)
    matrix = {tuple(np.round(np.array(PERMUTED[name]) @ np.array([one, two])[:, 0], 9))}
    assert tuple(np.round([(la - ra)[0], (ll - ra)[0]], 9)) in matrix


def test_clean_recordings_raise_no_flag_and_swapped_arms_do():
    found = {"none": [], "RA-LA": []}
    for seed in range(12):
        ecg = record("sinus", seed=seed)
        x = ecg.signal[[STANDARD.index(lead) for lead in LEADS]]
        for name, flagged in found.items():
            turned = np.concatenate([np.array(PERMUTED[name], np.float32) @ x[:2], x[2:]])
            flagged.append(flags(turned, ecg).limb)
    assert found["none"].count("") >= 11
    assert len([name for name in found["RA-LA"] if name]) >= 8


def test_a_flat_lead_two_is_a_cable_on_the_right_leg():
    ecg = record("lvh", seed=1)
    x = ecg.signal[[STANDARD.index(lead) for lead in LEADS]].copy()
    x[0], x[1] = x[0] - x[1], 0
    assert flags(x, ecg).limb == "RA-RL"


def test_swapped_chest_leads_are_named():
    named = 0
    for seed in range(10):
        ecg = record("sinus", seed=seed)
        x = ecg.signal[[STANDARD.index(lead) for lead in LEADS]]
        order = [2 + i for i in SWAPS["V3-V4"]]
        named += flags(x[[0, 1, *order]], ecg).chest == "V3-V4"
        assert flags(x, ecg).chest == ""
    assert named >= 3


def test_without_the_leads_nothing_is_said():
    ecg = record("sinus", seed=3, leads=("I", "II", "V1"))
    assert not flags(ecg.signal, ecg, ("I", "II", "V1")).checked
