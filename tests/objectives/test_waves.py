"""Targets of delineation argued from marks by hand, and that the loss falls where it should."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from einthoven.core.batch import Batch
from einthoven.core.errors import RecipeError
from einthoven.encoders.resnet import Resnet
from einthoven.encoders.wave_unet import WaveUnet
from einthoven.objectives.waves import Waves, distances, targets

torch.set_num_threads(1)
RATE, NAN = 100.0, float("nan")
WHOLE, PARTIAL = torch.tensor([False]), torch.tensor([True])
BEAT = (0.50, 0.54, 0.58, 0.62, 0.66, 0.70, 0.80, 0.90, 1.00)


def rows(*beats: tuple[float, ...]) -> torch.Tensor:
    return torch.tensor([beats])


def later(beat: tuple[float, ...], seconds: float) -> tuple[float, ...]:
    return tuple(mark + seconds for mark in beat)


def test_samples_from_onset_to_offset_are_the_wave_and_the_span_reaches_80_ms_further():
    kind, weight = targets(rows(BEAT, later(BEAT, 1)), WHOLE, 300, RATE)
    want = np.zeros(300)
    for start in (0, 100):
        for k, (on, off) in enumerate(((50, 58), (62, 70), (80, 100)), 1):
            want[start + on : start + off + 1] = k
    np.testing.assert_array_equal(kind[0].numpy(), want)
    np.testing.assert_array_equal(np.flatnonzero(weight[0].numpy()), np.arange(42, 209))


def test_waves_that_reach_over_the_edge_of_the_window_are_cut():
    kind, weight = targets(rows(later(BEAT, -0.66)), WHOLE, 50, RATE)
    np.testing.assert_array_equal(np.flatnonzero(kind[0] == 2), np.arange(0, 5))
    np.testing.assert_array_equal(np.flatnonzero(weight[0].numpy()), np.arange(0, 43))


def test_an_unmarked_t_onset_leaves_out_what_lies_before_the_peak():
    beat = (*BEAT[:6], NAN, *BEAT[7:])
    kind, weight = targets(rows(beat), PARTIAL, 200, RATE)
    np.testing.assert_array_equal(np.flatnonzero(kind[0] == 3), np.arange(90, 101))
    assert not weight[0, 71:90].any()
    assert weight[0, 62:71].all()  # the QRS complex itself counts
    assert weight[0, 90:101].all()


def test_between_marked_beats_with_an_unmarked_one_between_them_nothing_counts_where_marks_are_partial():
    beats = rows(BEAT, later(BEAT, 1), later(BEAT, 2), later(BEAT, 4))
    partial, whole = (targets(beats, kind, 600, RATE)[1][0] for kind in (PARTIAL, WHOLE))
    assert not partial[320:430].any()
    assert partial[120:130].all()
    assert whole[320:430].all()


def test_without_any_p_wave_partial_marks_say_nothing_of_where_there_is_none():
    beat = (NAN, NAN, NAN, *BEAT[3:])
    partial, whole = (targets(rows(beat, later(beat, 1)), kind, 300, RATE)[1][0] for kind in (PARTIAL, WHOLE))
    assert not partial[110:155].any()
    assert partial[62:71].all()
    assert whole[110:155].all()


def test_a_wave_with_one_end_is_no_background():
    beat = (NAN, *BEAT[1:])
    kind, weight = targets(rows(BEAT, later(beat, 1)), WHOLE, 300, RATE)
    assert not (kind[0, 140:160] == 1).any()
    assert not weight[0, 145:158].any()


def test_distances_are_zero_at_the_limit_and_one_80_ms_before_it():
    away, near = distances(rows(BEAT), 200, RATE)
    assert away.shape == near.shape == (1, 6, 200)
    qrs_on = 2
    np.testing.assert_allclose(away[0, qrs_on, [54, 62, 70]], [1, 0, -1], atol=1e-6)
    np.testing.assert_array_equal(np.flatnonzero(near[0, qrs_on]), np.arange(54, 71))


def test_distances_keep_the_fraction_of_a_sample():
    away, _ = distances(rows(later(BEAT, 0.003)), 200, RATE)
    np.testing.assert_allclose(away[0, 2, 62], 0.003 / 0.08, atol=1e-5)


def bumps(rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Beats every 0.8 s whose waves have exact support, and their marks (rows, 1, K, 9) in seconds; 250 Hz."""
    time = np.arange(1000) / 250
    draw = np.random.default_rng(0)
    signal, marks = np.zeros((rows, 1, 1000)), np.zeros((rows, 1, 4, 9))
    for r in range(rows):
        marks[r, 0] = draw.uniform(-0.3, 0.2) + 0.8 * np.arange(4)[:, None] + np.array(BEAT)
        for beat in marks[r, 0]:
            for (on, off), size in zip(((0, 2), (3, 5), (6, 8)), (0.15, 1.0, 0.3)):
                share = (time - beat[on]) / (beat[off] - beat[on])
                signal[r, 0] += size * np.where((share > 0) & (share < 1), np.sin(np.pi * share.clip(0, 1)) ** 2, 0)
    return torch.from_numpy(signal).float(), torch.from_numpy(marks).float()


def batch(signal: torch.Tensor, marks: torch.Tensor) -> Batch:
    row = torch.arange(len(signal))
    facts = {"waves:reference.waves": marks, "waves:reference.waves.global": torch.full_like(marks, NAN)}
    return Batch(signal, torch.ones(1, 1, 1, dtype=torch.bool), 250.0, row, row, facts)


def test_it_learns_to_mark_simple_waves_and_finds_their_limits():
    torch.manual_seed(0)
    encoder, objective = WaveUnet(1, widths=(8, 12, 16), kernel=9), Waves(11, shift_seconds=0.2)
    optimiser = torch.optim.AdamW(encoder.parameters(), lr=1e-2)
    signal, marks = bumps(8)
    for step in range(60):
        loss, _ = objective.loss(encoder, batch(signal, marks), step)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    encoder.eval()
    with torch.no_grad():
        found = encoder.waves(signal, torch.ones(1, 1, 1, dtype=torch.bool), 250.0)
    kind, weight = targets(marks[:, 0], torch.zeros(8, dtype=torch.bool), 1000, 250.0)
    right = ((found.logit[:, 0].argmax(1) == kind) * weight).sum() / weight.sum()
    assert float(right) > 0.9
    away, near = distances(marks[:, 0], 1000, 250.0)
    error = ((found.distance[:, 0] - away).abs() * near)[:, 2:4].sum() / near[:, 2:4].sum()
    assert float(error) < 0.2  # of 80 ms; a constant 0 gives 0.5


def test_disturbed_marks_stay_on_their_waves():
    objective = Waves(11, flip=1.0, stretch=0.1, shift_seconds=0.3)
    signal, marks = bumps(4)
    draw = np.random.default_rng(3)
    moved, valid, places = objective._disturb(signal, torch.ones_like(signal, dtype=torch.bool), marks, 250.0, draw)
    assert not torch.allclose(places, marks, atol=0.02)
    for r in range(4):
        for beat in places[r, 0]:
            peak = round(float(beat[4]) * 250)
            if 60 < peak < 940:
                near = slice(peak - 25, peak + 26)
                assert abs(int(moved[r, 0, near].argmin()) - 25) <= 1  # upside down: the R peak is the least
                assert valid[r, 0, near].all()


def test_a_row_of_unknown_marks_has_no_weight_and_is_counted():
    encoder, objective = WaveUnet(1, widths=(8, 12), kernel=5).eval(), Waves(11).eval()
    signal, marks = bumps(2)
    marks[1] = NAN
    _, seen = objective.loss(encoder, batch(signal, marks), 0)
    alone, _ = objective.loss(encoder, batch(signal[:1], marks[:1]), 0)
    both, _ = objective.loss(encoder, batch(signal, marks), 0)
    assert float(seen["unknown"]) == 1
    torch.testing.assert_close(both, alone, rtol=1e-5, atol=1e-6)


def test_an_encoder_without_waves_is_refused():
    with pytest.raises(RecipeError, match="each sample"):
        Waves(8).loss(Resnet(1, width=8, kernel=3), batch(*bumps(2)), 0)
