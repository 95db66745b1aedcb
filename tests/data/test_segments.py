"""Stretches of windows: neighbours that never overlap, the anchor as it is, peaks where they are drawn."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import torch

from einthoven import simulate
from einthoven.cohort import windows
from einthoven.cohort.derive import derive
from einthoven.cohort.store import Cohort
from einthoven.core.errors import RecipeError
from einthoven.core.layout import Layout
from einthoven.core.leads import STANDARD
from einthoven.core.record import Record
from einthoven.data.augment import Augment
from einthoven.data.loader import Loader
from einthoven.data.moments import Moments
from einthoven.data.segments import Segments
from einthoven.data.shuffle import Shuffle
from tests.data.given import cohort_of

PEAKS = "peaks:physiology.waves.global"
LAYOUT = Layout(STANDARD, 100, 10, (0.5, 0.0), scale="none")
VIEWS = ("anchor", "adjacent", "shuffled", "clean")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    made = []
    for seed in range(10):
        record = simulate.record("sinus" if seed % 2 else "bigeminy", seed=seed)
        made.append(Record(f"r{seed}", record.leads, record.signal, record.rate, f"p{seed}"))
    found = cohort_of(made, tmp_path_factory.mktemp("segments"))
    derive(found, workers=1)
    return Cohort.open(found.path)


def loader(cohort: Cohort, layout: Layout = LAYOUT, **settings) -> Loader:
    index = windows.index(cohort, np.arange(len(cohort)), layout)
    chosen = {"views": VIEWS, "augment": Augment(crop_seconds=5), "facts": (PEAKS,), "shuffle": Shuffle(p=1.0)}
    return Loader(cohort, layout, index, **({"batch": 8, "seed": 0} | chosen | settings))


def test_anchor_and_adjacent_are_neighbours_and_come_in_either_order():
    x = torch.arange(1000.0)[None, None].expand(64, 2, -1)
    valid = torch.ones(1, 1, 1, dtype=torch.bool).expand(x.shape)
    segments = Segments(None, ("anchor", "adjacent"), 4, 10, Shuffle())  # type: ignore[arg-type]
    parts, first, length, _ = segments.cut(x, valid, np.arange(64), np.zeros(64), 100.0, 0, 0)
    anchor, adjacent = (parts[name][0][:, 0, 0] for name in ("anchor", "adjacent"))
    assert length == 400
    assert torch.equal(anchor, torch.from_numpy(first).float())
    assert set((adjacent - anchor).tolist()) == {-400.0, 400.0}
    assert min(anchor.min(), adjacent.min()) >= 0
    assert max(anchor.max(), adjacent.max()) + 400 <= 1000
    assert len(set(first.tolist())) > 20


def test_stretches_that_do_not_fit_twice_are_refused(cohort: Cohort):
    with pytest.raises(RecipeError, match="does not fit twice"):
        loader(cohort, augment=Augment(crop_seconds=6)).batch(0)


def test_clean_is_the_anchor_undisturbed(cohort: Cohort):
    plain = loader(cohort, augment=Augment(crop_seconds=5, wander=0, mains=0, noise=0, muscle=0)).batch(3)
    noisy = loader(cohort).batch(3)
    assert torch.equal(plain.view("anchor").signal, plain.view("clean").signal)
    assert torch.equal(plain.view("clean").signal, noisy.view("clean").signal)
    assert not torch.equal(noisy.view("anchor").signal, noisy.view("clean").signal)


def test_only_what_may_be_shuffled_is(cohort: Cohort):
    batch = loader(cohort, augment=Augment(crop_seconds=5, wander=0, mains=0, noise=0, muscle=0)).batch(1)
    fate, sinus = batch.fact("shuffled"), batch.row % 2 == 1
    assert (fate[~sinus] == -1).all()
    assert (fate[sinus] == 1).any()
    same = (batch.view("shuffled").signal == batch.view("clean").signal).flatten(1).all(1)
    assert torch.equal(same, fate != 1)


def test_the_same_step_gives_the_same_bits_and_another_stream_each_view(cohort: Cohort):
    once, again, other = loader(cohort).batch(2), loader(cohort).batch(2), loader(cohort).batch(3)
    for name in VIEWS:
        assert torch.equal(once.view(name).signal, again.view(name).signal)
        assert not torch.equal(once.view(name).signal, other.view(name).signal)
    fewer = loader(cohort, views=("anchor", "clean")).batch(2)
    assert torch.equal(once.view("anchor").signal, fewer.view("anchor").signal)


def test_peaks_stand_where_the_anchor_has_them(cohort: Cohort):
    batch = loader(cohort, augment=Augment(crop_seconds=5, wander=0, mains=0, noise=0, muscle=0)).batch(0)
    peak = batch.fact(PEAKS)
    assert peak.shape[:2] == (8, 3)
    power = batch.view("clean").signal.square().sum(1)
    for b in torch.nonzero(batch.row % 2).flatten().tolist():  # of one height each
        r = peak[b, 1][peak[b, 1] >= 0]
        assert len(r) >= 4
        around = [power[b, max(int(at) - 6, 0) : int(at) + 7].max() for at in r]
        assert float(torch.stack(around).median()) > 0.5 * float(power[b].quantile(0.995))
    whole = next(loader(cohort, views=()).sequential(4)).fact(PEAKS)
    marks = cohort.facts("waves").filter((pl.col("name") == "physiology.waves.global") & (pl.col("row") == 0))
    want = np.rint(marks["qrs_peak"].filter(marks["qrs_peak"] >= 0).to_numpy() / 5)
    assert whole[0, 1][whole[0, 1] >= 0].tolist() == pytest.approx(want, abs=1)


def test_moments_are_found_by_recording_and_stretch():
    row, seconds = np.array([0, 0, 2, 2, 2, 3]), np.array([1.0, 9.0, 0.5, 1.5, 8.0, 0.0])
    found = Moments(row, seconds).within(
        np.array([2, 0, 1, 3, 2]), np.array([1.0, 0, 0, 0, 9]), np.array([9.0, 9, 9, 1, 20])
    )
    np.testing.assert_allclose(found[0], [0.5, 7.0])
    np.testing.assert_allclose(found[1], [1.0, np.nan])
    assert np.isnan(found[[2, 4]]).all()
    np.testing.assert_allclose(found[3], [0.0, np.nan])


def test_facts_may_be_worn_by_others_but_peaks_never(cohort: Cohort):
    need = "value:physiology.hr"
    worn = np.roll(np.arange(len(cohort)), 1)
    plain, other = loader(cohort, facts=(need, PEAKS)), loader(cohort, facts=(need, PEAKS), worn=worn)
    rate = torch.from_numpy(cohort.values("physiology.hr").astype(np.float32))
    a, b = plain.batch(0), other.batch(0)
    assert torch.equal(a.fact(need), rate[a.row])
    assert torch.equal(b.fact(need), rate[(b.row - 1) % len(cohort)])
    assert torch.equal(a.fact(PEAKS), b.fact(PEAKS))
