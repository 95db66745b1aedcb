"""What is made of the wave network's output, against outputs written by hand; no network is needed."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import bench
from einthoven import simulate
from einthoven.app import models
from einthoven.signal import _onnx, _runs, network
from einthoven.signal._onnx import RATE
from einthoven.signal._runs import Settings
from einthoven.signal.marks import Beats
from tests.signal import given

PLAIN = Settings(shared=0.0, mixed=(1.0,) * 6, steady=(0, 0, 0), astray=(9, 9, 9), p_least=0.0)
P_ALWAYS = {"mean": np.zeros(12), "spread": np.ones(12), "weight": np.zeros(12), "bias": np.array([-1.0])}
BEAT = np.array([[-0.20, -0.15, -0.10], [-0.04, 0.0, 0.05], [0.15, 0.25, 0.35]])
"""Onset, peak and offset of P, QRS and T in seconds from R."""


def beats(*seconds: float) -> Beats:
    at = np.array(seconds) * RATE
    return Beats(at, np.array(["N"] * len(at)), np.ones(len(at)))


def marked(found: Beats, leads: int, without: tuple[tuple[int, int, int], ...] = (), shift: float = 0.0) -> np.ndarray:
    """(K, L, 3, 3) samples at 250 Hz; `without` are (beat, lead, wave)."""
    marks = np.tile(found.sample[:, None, None, None] + (BEAT + shift) * RATE, (1, leads, 1, 1))
    for place in without:
        marks[place] = np.nan
    return marks


def told(marks: np.ndarray, samples: int) -> np.ndarray:
    """What a faultless network says, (L, N, 11)."""
    leads = marks.shape[1]
    out = np.zeros((leads, samples, 11), np.float32)
    out[..., 0] = 4
    place = np.arange(samples)
    for beat in marks:
        for lead in range(leads):
            for wave in range(3):
                on, _, off = beat[lead, wave]
                if np.isfinite(on):
                    inside = (place >= on - 0.5) & (place <= off + 0.5)
                    out[lead, inside, 1 + wave] = 8
    return out


def signal(marks: np.ndarray, samples: int) -> np.ndarray:
    """Bumps whose tops lie at the marked peaks."""
    place = np.arange(samples)
    x = np.zeros((marks.shape[1], samples), np.float32)
    for beat in marks:
        for lead, waves in enumerate(beat):
            for (on, peak, off), size in zip(waves, (0.1, 1.0, 0.3)):
                if np.isfinite(on):
                    x[lead] += size * np.exp(-0.5 * ((place - peak) / ((off - on) / 6)) ** 2)
    return x


def found(marks: np.ndarray, at: Beats, samples: int = 1500, settings: Settings = PLAIN):
    return made(marks, told(marks, samples), at, settings)


def made(marks: np.ndarray, output: np.ndarray, at: Beats, settings: Settings = PLAIN) -> SimpleNamespace:
    lead, whole, confidence = _runs.waves(signal(marks, output.shape[1]), output, at, settings)
    return SimpleNamespace(lead=lead, whole=whole, confidence=confidence)


def test_marks_of_a_faultless_network_come_back_to_the_sample():
    at = beats(1.0, 1.8021, 2.7, 3.5)
    marks = marked(at, 3)
    got = found(marks, at)
    np.testing.assert_allclose(got.lead[..., [0, 2]], marks[..., [0, 2]], atol=0.51)
    np.testing.assert_allclose(got.lead[..., 1], marks[..., 1], atol=0.5)
    np.testing.assert_allclose(got.whole[..., [0, 2]], marks[:, 0][..., [0, 2]], atol=0.51)
    assert (got.confidence > 0.9).all()


def test_a_wave_that_is_not_told_is_absent_there_and_only_there():
    at = beats(1.0, 1.8, 2.7)
    gone = ((0, 0, 0), (0, 1, 0), (0, 2, 0), (2, 1, 2))
    got = found(marked(at, 3, gone), at)
    absent = np.isnan(got.lead).all(axis=3)
    assert {tuple(map(int, place)) for place in np.argwhere(absent)} == set(gone)
    assert np.isnan(got.whole[0, 0]).all()
    assert got.confidence[0, 0] == 0
    assert np.isfinite(got.whole[2, 2]).all()
    assert got.confidence[2, 2] == pytest.approx(2 / 3, abs=0.05)


def test_a_beat_without_a_t_wave_does_not_take_the_neighbours():
    at = beats(1.0, 1.5, 2.0)
    got = found(marked(at, 1, ((1, 0, 2), (2, 0, 0))), at)
    assert np.isnan(got.lead[1, 0, 2]).all()
    assert np.isnan(got.lead[2, 0, 0]).all()
    assert np.isfinite(got.lead[0, 0]).all()


def test_fragments_near_each_other_are_one_wave_and_specks_are_none():
    at = beats(1.0, 2.0)
    marks = marked(at, 1)
    output = told(marks, 800)
    middle = round(marks[0, 0, 2, 1])
    output[0, middle - 3 : middle + 3, 3] = 0  # a hole of 24 ms in a T wave
    output[0, 400:404, 1] = 9  # 16 ms of P
    got = made(marks, output, at)
    np.testing.assert_allclose(got.lead[..., [0, 2]], marks[..., [0, 2]], atol=0.51)


def test_limits_are_drawn_to_the_median_of_like_beats_and_one_far_away_is_left():
    at = beats(1.0, 1.9, 2.8, 3.7, 4.6)
    marks = marked(at, 1)
    marks[1, 0, 2, 2] += 6
    marks[3, 0, 2, 2] += 14
    got = found(marks, at, settings=replace(PLAIN, steady=(0, 0, 0.5)))
    np.testing.assert_allclose(got.lead[1, 0, 2, 2], marks[0, 0, 2, 2] - at.sample[0] + at.sample[1] + 3, atol=0.6)
    np.testing.assert_allclose(got.lead[3, 0, 2, 2], marks[3, 0, 2, 2], atol=0.6)


def test_one_lead_of_many_may_not_stray():
    at = beats(1.0, 2.0)
    marks = marked(at, 8)
    marks[0, 5, 2, 2] += 30
    got = found(marks, at, settings=replace(PLAIN, astray=(0.024, 0.024, 0.048)))
    assert got.lead[0, 5, 2, 2] - marks[0, 0, 2, 2] == pytest.approx(12, abs=0.6)


def test_what_most_leads_say_helps_a_lead_that_doubts():
    at = beats(1.0, 2.0)
    marks = marked(at, 6)
    output = told(marks, 700)
    output[3, ..., 1] -= 4.5  # lead 3 just misses its P waves
    alone, shared = (made(marks, output, at, replace(PLAIN, shared=share)).lead[:, 3, 0, 0] for share in (0.0, 0.4))
    assert np.isnan(alone).all()
    assert np.isfinite(shared).all()


def test_long_recordings_are_told_in_tiles_without_seams():
    draw = np.random.default_rng(0)
    x = draw.normal(0, 1, (2, 6100)).astype(np.float32)

    def local(tile_RN: np.ndarray, valid_RN: np.ndarray) -> np.ndarray:
        assert tile_RN.shape[1] == _onnx.TILE
        return np.repeat(np.where(valid_RN, tile_RN, 0)[..., None], 11, axis=2)

    for samples in (700, 2500, 2501, 4600, 6100):
        got = _onnx.outputs(x[:, :samples], local)
        np.testing.assert_array_equal(got, np.repeat(x[:, :samples, None], 11, axis=2))


def test_what_a_tile_says_near_its_ends_is_left_to_its_neighbour():
    x = np.random.default_rng(0).normal(0, 1, (2, 6100)).astype(np.float32)

    def spoiled(tile_RN: np.ndarray, valid_RN: np.ndarray) -> np.ndarray:
        out = np.repeat(tile_RN[..., None], 11, axis=2)
        out[2:, : _onnx.TRIM] = np.nan  # two leads a tile: but for the first one's beginning
        out[:-2, -_onnx.TRIM :] = np.nan  # and the last one's end
        return out

    np.testing.assert_array_equal(_onnx.outputs(x, spoiled), np.repeat(x[..., None], 11, axis=2))


@pytest.mark.parametrize("seconds", [3.0, 4.05, 6.3])
def test_a_short_recording_is_like_a_part_of_a_long_one(seconds: float):
    ecg = simulate.record("sinus", seed=5)
    beats = given.truth(ecg).beats
    few = beats.sample < (seconds - 0.6) * ecg.rate
    some = Beats(beats.sample[few], beats.label[few], beats.confidence[few])
    whole = network.delineate(ecg.signal, ecg.rate, beats).whole[few]
    part = network.delineate(ecg.signal[:, : round(seconds * ecg.rate)], ecg.rate, some).whole
    assert few.sum() >= 2
    assert (np.isfinite(part) == np.isfinite(whole)).all()
    assert np.nanmax(np.abs(part - whole)) * 1000 / ecg.rate < 30


@pytest.mark.parametrize("rate", [257.123, 499.77, 511.625, 999.9])
def test_any_rate_will_do(rate: float):
    ecg = simulate.record("sinus", seed=5)
    beats = given.truth(ecg).beats
    place = np.arange(int(ecg.seconds * rate)) / rate * ecg.rate
    other = np.stack([np.interp(place, np.arange(ecg.samples), row) for row in ecg.signal]).astype(np.float32)
    moved = Beats(beats.sample * rate / ecg.rate, beats.label, beats.confidence)
    one, two = network.delineate(ecg.signal, ecg.rate, beats), network.delineate(other, rate, moved)
    far = 1000 * np.abs(two.whole / rate - one.whole / ecg.rate)[1:-1, :, [0, 2]]
    assert np.nanmean(far) < 2


def test_a_wave_that_an_end_of_the_recording_cuts_is_none():
    at = beats(1.0, 1.8, 2.7)
    marks = marked(at, 2)
    until = round(marks[2, 0, 2, 1])  # in the last T wave
    got = made(marks, told(marks, until), at)
    assert np.isnan(got.lead[2, :, 2]).all()
    assert np.isfinite(got.lead[2, :, 1]).all()


def test_limits_of_other_waves_are_not_mixed():
    ecg = simulate.record("sinus", seed=1)
    truth = given.truth(ecg)
    marks = (truth.lead * (RATE / ecg.rate))[:, :1]
    seen = network.see(ecg.signal, ecg.rate, truth.beats, lambda x, _: told(np.repeat(marks, len(x), 1), _onnx.TILE))
    alone = network.joined(seen, replace(PLAIN, mixed=(1.0,) * 6), P_ALWAYS)
    seen.classical.lead[:, :, 0] -= 0.2 * ecg.rate  # the classical engine has taken another bump
    seen.classical.whole[:, 0] -= 0.2 * ecg.rate
    got = network.joined(seen, replace(PLAIN, mixed=(0.0,) * 6), P_ALWAYS)
    np.testing.assert_array_equal(got.lead[:, :, 0], alone.lead[:, :, 0])
    np.testing.assert_array_equal(got.whole[:, 0], alone.whole[:, 0])


@pytest.mark.parametrize("rate", [250.0, 360.0, 500.0, 1000.0])
def test_marks_are_in_samples_of_the_recording_at_any_rate(rate: float):
    at = beats(1.0, 1.8, 2.7)
    marks = marked(at, 2)
    seconds = 4
    x = np.stack([np.interp(np.arange(round(seconds * rate)) / rate, np.arange(1000) / RATE, row)
                  for row in signal(marks, 1000)]).astype(np.float32)  # fmt: skip

    def faultless(tile_RN: np.ndarray, valid_RN: np.ndarray) -> np.ndarray:
        return told(np.concatenate([marks[:, :1]] * len(tile_RN), axis=1), _onnx.TILE)

    found_beats = Beats(at.sample * rate / RATE, at.label, at.confidence)
    got = network.joined(network.see(x, rate, found_beats, faultless), PLAIN, P_ALWAYS)
    np.testing.assert_allclose(got.lead[..., [0, 2]] / rate, marks[..., [0, 2]] / RATE, atol=0.0025)
    np.testing.assert_array_equal(got.beats.sample, found_beats.sample)


def test_no_p_is_the_mean_over_many_leads_and_of_two_the_one_that_shows_it_best():
    output = np.zeros((8, 100, 11), np.float32)
    output[:4, :, _runs.NO_P] = 4
    assert _runs.lacks_p(output) == pytest.approx(2)
    assert _runs.lacks_p(output[3:5]) == 0
    assert _runs.lacks_p(output[:1]) == pytest.approx(4)


@pytest.mark.parametrize(("sure", "no_p"), [(3.0, "af"), (1.0, "")])
def test_above_the_threshold_no_beat_has_a_p_wave(sure: float, no_p: str):
    ecg = simulate.record("sinus", seed=1)
    truth = given.truth(ecg)
    marks = (truth.lead * (RATE / ecg.rate))[:, :1]

    def says(tile_RN: np.ndarray, valid_RN: np.ndarray) -> np.ndarray:
        output = told(np.repeat(marks, len(tile_RN), axis=1), _onnx.TILE)
        output[..., _runs.NO_P] = sure
        return output

    seen = network.see(ecg.signal, ecg.rate, truth.beats, says)
    of_network = {"mean": np.zeros(12), "spread": np.ones(12), "weight": np.eye(12)[11], "bias": np.array([-2.0])}
    got = network.joined(seen, PLAIN, of_network)
    assert got.no_p == no_p
    assert np.isfinite(got.lead[1:-1, :, 0]).all() == (no_p == "")
    assert np.isfinite(got.whole[1:-1, 0]).all() == (no_p == "")
    assert bool(got.confidence[:, 0].any()) == (no_p == "")
    assert np.isfinite(got.whole[1:-1, 1:]).all()


def test_limits_are_mixed_by_their_shares():
    ecg = simulate.record("sinus", seed=1)
    truth = given.truth(ecg)
    marks = (truth.lead * (RATE / ecg.rate))[:, :1]
    seen = network.see(ecg.signal, ecg.rate, truth.beats, lambda x, _: told(np.repeat(marks, len(x), 1), _onnx.TILE))
    of = {share: network.joined(seen, replace(PLAIN, mixed=(share,) * 6), P_ALWAYS) for share in (0.0, 0.3, 1.0)}
    for name in ("lead", "whole"):
        all_classical, mixed, all_network = (getattr(of[share], name)[1:-1, ..., [0, 2]] for share in of)
        assert np.abs(all_network - all_classical).max() > 2
        np.testing.assert_allclose(mixed, 0.3 * all_network + 0.7 * all_classical, atol=1e-9)
    np.testing.assert_allclose(of[0.0].whole[1:-1, ..., [0, 2]], seen.classical.whole[1:-1, ..., [0, 2]])


def test_a_p_wave_that_few_leads_show_is_left_out():
    at = beats(1.0, 2.0)
    marks = marked(at, 4, tuple((0, lead, 0) for lead in (1, 2, 3)))
    got = found(marks, at, settings=replace(PLAIN, p_least=0.5))
    assert np.isnan(got.lead[0, :, 0]).all()
    assert np.isfinite(got.lead[1, :, 0]).all()


SHIPPED = Path(_onnx.__file__).parent / "wave_network"


def test_the_shipped_settings_are_those_that_the_inner_folds_chose():
    chosen = json.loads((Path(bench.__file__).parent / "waves" / "figures.json").read_text())["settings"]["shipped"]
    assert json.loads(json.dumps(asdict(Settings()))) == chosen


def test_the_shipped_network_gives_what_torch_gave():
    test = np.load(SHIPPED / "onnx" / "test.npz")
    feed = {name: test[name] for name in ("signal", "valid", "convention")}
    got = _onnx.shipped().session.run(["tokens"], feed)[0]
    assert np.abs(got - test["tokens"]).max() < 1e-4 * np.abs(test["tokens"]).max()


def test_the_shipped_checkpoint_is_the_shipped_network():
    torch = pytest.importorskip("torch")
    model = models.checkpoint(SHIPPED / "checkpoint", "export")
    assert sum(weight.numel() for weight in model.encoder.parameters()) < 500_000
    test = np.load(SHIPPED / "onnx" / "test.npz")
    with torch.no_grad():
        got = model.encoder(*(torch.from_numpy(test[name]) for name in ("signal", "valid")), RATE).tokens.numpy()
    ludb = test["convention"] == 0
    assert ludb.any()
    assert np.abs(got - test["tokens"])[ludb].max() < 1e-4 * np.abs(test["tokens"]).max()
    assert model.fingerprint == _onnx.shipped().card["fingerprint"]


def test_the_shipped_network_sees_the_waves_of_a_simulated_recording():
    ecg = simulate.record("sinus", seed=77)
    got, want = network.delineate(ecg.signal, ecg.rate, given.truth(ecg).beats), given.truth(ecg)
    error = 1000 * (got.whole - want.whole)[1:-1] / ecg.rate
    assert np.abs(error[..., [0, 2]]).mean() < 15
    swapped = network.joined(network.see(ecg.signal, ecg.rate, want.beats, lambda x, _: np.zeros((*x.shape, 11))))
    assert np.isnan(swapped.whole).all()  # a network that says nothing: so it was the network
