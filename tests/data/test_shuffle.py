"""The heartbeat shuffle keeps every sample, beat and interval, and leaves alone what its order would tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from einthoven import simulate
from einthoven.cohort.derive import derive
from einthoven.cohort.store import Cohort
from einthoven.core.errors import CohortError
from einthoven.core.record import Record
from einthoven.data.shuffle import Cuts, Shuffle, reorder
from einthoven.signal.analysis import analyse
from tests.data.given import cohort_of, wavy

RATE = 100.0
REFUSED = ("bigeminy", "wenckebach", "complete-block")
SHUFFLED = ("sinus", "lbbb", "av1")


class Fixed:
    """A draw whose random numbers are given."""

    def __init__(self, *numbers: float) -> None:
        self.numbers = np.array(numbers)

    def random(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.broadcast_to(self.numbers, shape).copy()


def shuffled(x: np.ndarray, cuts: list[int], draw, rate: float = 1.0, anywhere: bool = False):
    signal = torch.from_numpy(np.atleast_3d(x).reshape(1, -1, x.shape[-1]).astype(np.float64))
    valid = torch.ones_like(signal, dtype=torch.bool)
    return reorder(signal, valid, np.array([cuts]), rate, draw, anywhere)


def test_the_example_of_the_specification(monkeypatch: pytest.MonkeyPatch):
    """0..19 cut at 6, 11 and 17, second piece first (physioclr.md 12); seams are looked at in tests of their own."""
    monkeypatch.setattr("einthoven.data.shuffle._level", lambda *_: None)
    found, _, moved = shuffled(np.arange(20.0), [6, 11, 17], Fixed(0.9, 0.1))
    assert found[0, 0].tolist() == [*range(6), *range(11, 17), *range(6, 11), *range(17, 20)]
    assert moved.tolist() == [True]


def test_one_piece_stays_where_it_is():
    found, _, moved = shuffled(np.arange(20.0), [6, 11, -1], Fixed(0.9, 0.1))
    assert found[0, 0].tolist() == list(range(20))
    assert moved.tolist() == [False]


def test_the_order_as_it_was_changes_no_sample():
    x = np.random.default_rng(0).normal(size=(2, 50))
    found, _, moved = shuffled(x, [5, 20, 30, 45], Fixed(0.1, 0.2, 0.3))
    assert np.array_equal(found[0].numpy(), x)
    assert not moved[0]


def test_samples_are_kept_and_all_leads_move_together(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("einthoven.data.shuffle._level", lambda *_: None)
    x = np.stack([np.arange(100.0), 1000 + np.arange(100.0)])
    found, _, _ = shuffled(x, [7, 25, 40, 66, 90], np.random.default_rng(3))
    assert sorted(found[0, 0].tolist()) == x[0].tolist()
    assert np.array_equal(found[0, 1] - found[0, 0], np.full(100, 1000.0))
    assert np.array_equal(found[0, :, :7], x[:, :7])
    assert np.array_equal(found[0, :, 90:], x[:, 90:])


def test_invalid_samples_move_with_their_beat():
    x, valid = torch.randn(1, 1, 100), torch.ones(1, 1, 100, dtype=torch.bool)
    valid[..., 30:35] = False
    found, there, _ = reorder(x, valid, np.array([[10, 40, 70]]), RATE, Fixed(0.9, 0.1), False)
    assert torch.nonzero(~there[0, 0]).flatten().tolist() == list(range(60, 65))
    assert (found[~there] == 0).all()


def test_a_step_at_a_seam_is_levelled_within_40_ms_and_nothing_else_changes():
    x = np.where(np.arange(200) < 100, 0.0, 1.0) + 0.001 * np.arange(200)
    found, _, _ = shuffled(x, [50, 100, 150], Fixed(0.9, 0.1), rate=500.0)
    plain = np.concatenate([x[:50], x[100:150], x[50:100], x[150:]])
    out = found[0, 0].numpy()
    near = np.zeros(200, bool)
    for seam in (50, 100, 150):
        near[seam - 10 : seam + 10] = True
    assert np.array_equal(out[~near], plain[~near])
    assert np.abs(np.diff(plain)).max() > 0.9
    assert np.abs(np.diff(out)).max() < 0.12


def test_cutting_anywhere_keeps_number_and_length_of_pieces(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("einthoven.data.shuffle._level", lambda *_: None)
    x = np.arange(100.0)
    found, _, moved = shuffled(x, [10, 30, 55], np.random.default_rng(1), anywhere=True)
    assert moved[0]
    assert sorted(found[0, 0].tolist()) == x.tolist()
    breaks = np.flatnonzero(np.diff(found[0, 0].numpy()) != 1)
    assert sorted(np.diff(breaks)) == [20, 25]


# Whole recordings


@pytest.fixture(scope="module")
def hearts(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Simulated recordings of kinds whose order tells something, and of kinds whose order tells nothing."""
    made = []
    for kind in (*REFUSED, *SHUFFLED):
        for seed in range(6):
            record = simulate.record(kind, seed=seed, rate=RATE)
            made.append(Record(f"{kind}-{seed}", record.leads, record.signal, record.rate, f"{kind}-{seed}"))
    folder: Path = tmp_path_factory.mktemp("hearts")
    cohort = cohort_of(made, folder)
    derive(cohort, workers=1)
    return Cohort.open(cohort.path)


def eligible(cohort: Cohort, kind: str, **settings: bool) -> np.ndarray:
    rows = [row for row, key in enumerate(cohort.index["key"]) if key.startswith(f"{kind}-")]
    return Cuts(cohort, Shuffle(**settings)).eligible[rows]


@pytest.mark.parametrize("kind", REFUSED)
def test_the_guard_refuses_rhythms_whose_order_is_the_diagnosis(hearts: Cohort, kind: str):
    assert not eligible(hearts, kind).any()


@pytest.mark.parametrize("kind", REFUSED)
def test_without_the_guard_they_would_be_shuffled(hearts: Cohort, kind: str):
    """The control: it is the guard that refuses them, not a lack of places to cut."""
    assert eligible(hearts, kind, guard=False).any()


@pytest.mark.parametrize("kind", SHUFFLED)
def test_most_regular_rhythms_may_be_shuffled(hearts: Cohort, kind: str):
    assert eligible(hearts, kind).mean() >= 0.6


def medians(signal: np.ndarray, record: Record) -> np.ndarray:
    """RR, PR, QRS and QTc in milliseconds."""
    found = analyse(Record("x", record.leads, signal.astype(np.float32), record.rate)).measurements
    values = [found[name].value for name in ("hr", "pr", "qrs", "qtc_fridericia")]
    return np.array([np.nan if v is None else (60000 / v if i == 0 else v) for i, v in enumerate(values)])


def changes(cohort: Cohort, rows: np.ndarray, jitter_seconds: float = 0.0) -> np.ndarray:
    """By how many samples the medians differ after a shuffle of the whole recording, (rows, 4).

    With jitter each beat is cut at a delay of its own, up to so far from the common one (a control).
    """
    cuts, out = Cuts(cohort, Shuffle()), []
    for row in rows:
        record, draw = cohort.record(int(row)), np.random.default_rng(int(row))
        cut = cuts.of(np.array([row]), np.zeros(1), record.samples, record.rate)
        jitter = np.rint(draw.uniform(-1, 1, cut.shape) * jitter_seconds * record.rate).astype(np.int64)
        cut = np.where(cut >= 0, np.clip(cut + jitter, 0, record.samples), -1)
        signal = torch.from_numpy(record.signal[None].copy())
        valid = torch.ones_like(signal, dtype=torch.bool)
        new, _, moved = reorder(signal, valid, cut, record.rate, draw, False)
        assert moved[0]
        before, after = medians(record.signal, record), medians(new[0].numpy(), record)
        far = np.abs(after - before) * record.rate / 1000
        # not measured before: nothing to lose; measured before and not after is lost
        out.append(np.where(np.isnan(before), 0.0, np.nan_to_num(far, nan=np.inf)))
    return np.array(out)


def test_medians_stay_within_a_sample_and_with_a_delay_for_each_beat_they_do_not(hearts: Cohort):
    """RR, PR, QRS and QTc, measured again by the engine. How many of all PTB-XL: `python -m bench.shuffle`."""
    rows = np.flatnonzero(Cuts(hearts, Shuffle()).eligible)
    assert len(rows) >= 12
    kept = changes(hearts, rows)
    assert (kept <= 1).mean(axis=0).min() >= 0.95
    torn = changes(hearts, rows, jitter_seconds=0.1)
    assert (torn[:, 0] > 1).mean() > 0.3


def test_a_cohort_without_waves_is_refused_with_the_command_that_makes_them(tmp_path: Path):
    cohort = cohort_of([Record("a", ("I", "II"), wavy(2, 500, 0).astype(np.float32), RATE, "a")], tmp_path)
    with pytest.raises(CohortError, match="einthoven derive physiology"):
        Cuts(cohort, Shuffle())
