"""Quality: what is spoilt is seen, what is clean is left alone, and the grades separate real recordings."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from einthoven.core.leads import STANDARD
from einthoven.signal import _indices, _traits, quality
from einthoven.signal.marks import Beats
from einthoven.simulate import record

NONE = Beats(np.zeros(0), np.zeros(0, str), np.zeros(0))


def spoilt(kind: str) -> tuple[np.ndarray, float]:
    ecg = record("sinus", seed=11)
    x, rng = ecg.signal.copy(), np.random.default_rng(0)
    if kind == "flat":
        x[7] = 0.2
    elif kind == "missing":
        x[4] = np.nan
    elif kind == "muscle":
        x[8] += 0.6 * rng.standard_normal(x.shape[1]).astype(np.float32)
    elif kind == "burst":
        x[:, 2000:3500] += 1.5 * rng.standard_normal((12, 1500)).astype(np.float32)
    elif kind == "clipped":
        x[10] = np.clip(x[10], -0.1, 0.15)
    return x, ecg.rate


def test_a_clean_recording_is_good_in_every_lead_and_second():
    for seed in range(5):
        ecg = record("sinus", seed=seed, noise=0.5)
        found = quality.assess(ecg.signal, ecg.rate, ecg.leads)
        assert found.verdict == "good"
        assert found.usable.all()
        assert found.second.min() > quality.SECOND_POOR
        assert found.lost() == []


@pytest.mark.parametrize(
    ("kind", "lead", "reason"), [("flat", 7, "lead_off"), ("missing", 4, "lead_off"), ("muscle", 8, "poor_signal")]
)
def test_a_bad_lead_is_named_and_the_others_are_measured(kind, lead, reason):
    x, rate = spoilt(kind)
    found = quality.assess(x, rate, STANDARD)
    assert np.flatnonzero(~found.usable).tolist() == [lead]
    assert (found.why_not(lead), found.why_not(0), found.nothing()) == (reason, "", "")
    assert found.verdict == "usable"
    assert any(STANDARD[lead] in cause for cause in found.causes)


def test_noise_for_some_seconds_spoils_these_and_the_intervals_across_them():
    x, rate = spoilt("burst")
    found = quality.assess(x, rate, STANDARD)
    assert found.lost() == [[4, 7]]
    place = np.array([1.5, 2.5, 3.5, 7.5, 8.5])
    assert found.broken(place).tolist() == [True, False, False, True, False]
    assert found.fine(place).any(axis=1).all()
    assert not found.fine(np.array([5.0])).any()


def test_a_clipped_lead_is_told():
    assert "clipped: V5" in quality.assess(*spoilt("clipped"), STANDARD).causes


@pytest.mark.parametrize("leads", [1, 12])
def test_nothing_but_noise_is_poor_and_nothing_is_measured(leads):
    x = np.random.default_rng(1).normal(0, 0.4, (leads, 5000)).astype(np.float32)
    found = quality.assess(x, 500, STANDARD[:leads])
    assert (found.verdict, found.nothing(), found.usable.any()) == ("poor", "poor_signal", False)


def test_a_flat_run_is_found_to_the_sample():
    rng = np.random.default_rng(0)
    x = rng.normal(0, 0.1, (1, 1000)).astype(np.float32)
    x[0, 300:460] = 0.05  # 159 steps that are none, of 100 a second
    seen = _traits.traits(x, 100, NONE).second[0, :, 1]
    assert seen.tolist() == pytest.approx([0, 0, 0, 1, 0.6, 0, 0, 0, 0, 0], abs=0.011)
    x[0, 300:460:15] += 0.1  # a move each 150 ms
    assert _traits.traits(x, 100, NONE).second[0, :, 1].max() == 0


def test_indices_of_pure_tones_are_what_they_must_be():
    t = np.arange(5000) / 500
    x = (0.3 * np.sin(2 * np.pi * 10 * t) + 0.05 * np.sin(2 * np.pi * 50 * t)).astype(np.float32)[None]
    found = _indices.indices(x, 500, ["II"])
    assert found["mains_uv"] == pytest.approx(50 / np.sqrt(2), rel=0.01)
    assert found["p_sqi"] == pytest.approx(1, abs=0.01)
    assert found["bas_sqi"] == pytest.approx(1, abs=0.01)


def test_the_ratio_to_muscle_is_that_of_the_noise_that_was_added():
    rng = np.random.default_rng(0)
    at = np.arange(400, 9600, 400)
    x = np.zeros((2, 10000))
    x[:, at], x[:, at - 1] = 0.6, -0.4  # 1 mV from peak to peak
    white = rng.normal(0, 1, x.shape)
    found = [_indices.muscle_snr(x + size * white, 500, at.astype(float)) for size in (0.01, 0.02)]
    # white noise of which 215 of 250 Hz are above 35 Hz
    assert found[0] == pytest.approx(20 * np.log10(1 / (6 * 0.01 * np.sqrt(215 / 250))), abs=0.7)
    assert found[0] - found[1] == pytest.approx(6.02, abs=0.4)
    assert _indices.muscle_snr(x[:, :900], 500, at[:2].astype(float)) is None


def test_noise_lowers_the_ratio_to_the_median_beat():
    ecg = record("sinus", seed=1, noise=0)
    noisy = ecg.signal + np.random.default_rng(0).normal(0, 0.05, ecg.signal.shape).astype(np.float32)
    clean, less = (quality.assess(x, 500, ecg.leads).scores["template_snr"] for x in (ecg.signal, noisy))
    assert less < clean - 3


def test_einthoven_sees_a_lead_that_does_not_follow():
    ecg = record("sinus", seed=1)
    assert _indices.einthoven(ecg.signal, ecg.leads) < 0.02
    mixed = ecg.signal.copy()
    mixed[[1, 5]] = mixed[[5, 1]]
    assert _indices.einthoven(mixed, ecg.leads) > 0.1
    assert _indices.einthoven(ecg.signal[:2], ("I", "II")) is None


def test_grades_of_windows_join_to_those_of_the_whole():
    ecg = record("sinus", seed=2, seconds=30)
    parts = [quality.assess(ecg.signal[:, a : a + 5000], 500, STANDARD) for a in (0, 5000, 10000)]
    joined = quality.join(parts, [(0, 10)] * 3)
    assert joined.second.shape == (12, 30)
    assert joined.verdict == "good"
    np.testing.assert_array_equal(joined.second[:, 10:20], parts[1].second)


@pytest.mark.shared
def test_acceptable_recordings_are_told_from_unacceptable_ones(shared_data: Path):
    folder = shared_data / "challenge2011"
    good = set((folder / "RECORDS-acceptable").read_text().split())
    leads = ("I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6")
    scores: dict[bool, list[float]] = {True: [], False: []}
    seen = set()
    for file in sorted((folder / "set-a").glob("*.txt"))[::3]:
        x = np.loadtxt(file, delimiter=",", dtype=np.float32)[:, 1:].T / 1000
        if (digest := hashlib.sha256(x.tobytes()).digest()) not in seen:
            seen.add(digest)
            scores[file.stem in good].append(quality.assess(x, 500, leads).score)
    high, low = np.array(scores[True]), np.array(scores[False])
    auroc = np.mean((high[:, None] > low) + 0.5 * (high[:, None] == low))
    assert min(len(high), len(low)) > 30
    assert auroc > 0.93  # a third of the recordings; all of them give .97
