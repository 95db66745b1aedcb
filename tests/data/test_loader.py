"""Batches against `processing.windows` of the same Records: one order of processing, two ways to it."""

import threading

import numpy as np
import pytest
import torch

from einthoven.cohort import windows
from einthoven.core.errors import CohortError, RecipeError
from einthoven.core.facts import Label, LabelSet, Value
from einthoven.core.layout import Layout
from einthoven.core.leads import STANDARD
from einthoven.core.record import Record
from einthoven.data.augment import Augment
from einthoven.data.loader import Loader
from einthoven.signal import processing
from tests.data.given import cohort_of, wavy

LAYOUT = Layout(("I", "II", "III", "V1"), 100, 5, (0.5, 40.0), 3, scale="per_lead")
MIXED = [
    ("strip", STANDARD, 500, 100.0), ("strip-2", STANDARD, 500, 100.0), ("limb", ("I", "II"), 500, 100.0),
    ("order", ("V1", "III", "I"), 500, 100.0), ("fast", ("II", "I", "V1"), 2500, 500.0), ("odd", STANDARD, 1801, 360.0),
    ("long", ("I", "II", "V1"), 2613, 100.0), ("longer", ("I", "II", "V1"), 2750, 100.0),
    ("short", ("I", "II", "V1"), 333, 100.0), ("short-2", ("I", "II", "V1"), 333, 100.0),
    ("chest", ("V1",), 700, 100.0),
]  # fmt: skip


def recordings():
    made = []
    for i, (key, leads, samples, rate) in enumerate(MIXED):
        signal = wavy(len(leads), samples, i, rate)
        if key in ("strip-2", "long"):
            signal[0, 200:260] = np.nan
            signal[-1, -40:] = np.nan
        facts = (Label("rhythm", "AF" if i % 2 else "SR"), Value("age", 50.0 + i, "years"))
        made.append(Record(key, leads, signal, rate, f"p{i}", facts if i else ()))
    return made


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return cohort_of(recordings(), tmp_path_factory.mktemp("loader"), [LabelSet("rhythm", "test", ("SR", "AF"))])


def loader(cohort, layout=LAYOUT, rows=None, **settings):
    index = windows.index(cohort, np.arange(len(cohort)) if rows is None else np.array(rows), layout)
    return Loader(cohort, layout, index, **({"batch": 2, "seed": 0} | settings))


def in_order(batches):
    """Signals and validities by recording, windows in order."""
    found = {}
    for batch in batches:
        for row, signal, valid in zip(batch.row.tolist(), batch.signal, batch.valid):
            found.setdefault(row, []).append((signal.numpy(), valid.numpy()))
    return found


@pytest.mark.parametrize("band", [(0.5, 40.0), (0.5, 0.0), None])
@pytest.mark.parametrize("stride", [None, 1.3])
def test_windows_from_the_store_are_those_of_the_record(cohort, band, stride):
    layout = Layout(LAYOUT.leads, 100, 5, band, 3)
    index = windows.index(cohort, np.arange(len(cohort)), layout, stride)
    found = in_order(Loader(cohort, layout, index, batch=4).sequential())
    assert sorted(found) == list(range(len(MIXED)))
    for row, record in enumerate(recordings()):
        want, valid, _ = processing.windows(record, layout, stride)
        assert len(found[row]) == len(want), record.key
        for i, (signal, there) in enumerate(found[row]):
            # the Records are whole microvolts: what differs is the rounding of two FFT libraries in float32
            np.testing.assert_allclose(signal, want[i], atol=5e-6, err_msg=record.key)
            assert (there == valid[i]).all()


def test_windows_of_any_amplitude_differ_from_the_records_by_rounding_to_microvolts_only(tmp_path):
    rough = Record("r", ("I", "II", "V1"), wavy(3, 3000, 0) + np.random.default_rng(0).uniform(-1, 1, (3, 3000)), 100.0)
    layout = Layout(LAYOUT.leads, 100, 5, (0.5, 40.0), 3)
    found = in_order(loader(cohort_of([rough], tmp_path), layout).sequential())[0]
    want, _, _ = processing.windows(rough, layout)
    # 0.5 uV a sample, three times that in a derived lead at worst; the filter's gain is at most 1 at each frequency
    assert np.abs(np.stack([signal for signal, _ in found]) - want).max() < 3e-3


def test_scaling_comes_last_and_is_the_layouts(cohort):
    for record, row in zip(recordings(), range(len(MIXED))):
        got = in_order(loader(cohort, rows=[row]).sequential())[row]
        want, _, _ = processing.windows(record, LAYOUT)
        np.testing.assert_allclose(np.stack([signal for signal, _ in got]), want, atol=2e-4, err_msg=record.key)


def test_a_layout_of_any_lead_gives_each_lead_its_own_windows(cohort):
    layout = Layout(("any",), 100, 5, (0.5, 40.0), 3)
    got = in_order(loader(cohort, layout, rows=[6, 10]).sequential())
    signal, leads = recordings()[6].signal, MIXED[6][1]
    want = [processing.windows(Record("x", (lead,), signal[i : i + 1], 100.0), layout) for i, lead in enumerate(leads)]
    for mine, theirs in zip(got[6], np.concatenate([each[0] for each in want])):
        np.testing.assert_allclose(mine[0], theirs, atol=5e-6)
    assert len(got[6]) == 3 * 6
    assert len(got[10]) == 2


def test_sequential_batches_hold_windows_of_one_kind_and_every_window_once(cohort):
    data = loader(cohort)
    batches = list(data.sequential(3))
    assert max(map(len, batches)) == 3
    assert {batch.signal.shape[1] for batch in batches} == {4}
    assert {batch.signal.shape[2] for batch in batches} == {500, 333}
    rows = np.concatenate([batch.row.numpy() for batch in batches])
    index = windows.index(cohort, np.arange(len(cohort)), LAYOUT)
    assert sorted(rows) == sorted(index.row)
    again = list(data.sequential(3))
    assert all(torch.equal(a.signal, b.signal) and torch.equal(a.row, b.row) for a, b in zip(batches, again))


def test_a_batch_says_whose_it_is_and_what_is_known(cohort):
    for batch in loader(cohort, facts=("labels:rhythm", "value:age")).sequential():
        index = cohort.index[batch.row.tolist()]
        assert batch.subject.tolist() == index["subject_id"].to_list()
        assert batch.rate == 100.0
        assert batch.signal.dtype == torch.float32
        np.testing.assert_array_equal(batch.fact("value:age").numpy(), cohort.values("age")[batch.row.numpy()])
        truth = cohort.labels("rhythm")[1][batch.row.numpy()]
        np.testing.assert_array_equal(batch.fact("labels:rhythm").numpy(), truth)
    with pytest.raises(CohortError):
        loader(cohort, facts=("value:height",))


STRIPS = [Record(f"r{i:02}", ("I", "II", "V1"), wavy(3, 1700, i), 100.0, f"p{i // 2}") for i in range(24)]
PLAIN = Layout(LAYOUT.leads, 100, 5, (0.5, 40.0), 3)
AUGMENT = Augment(amplitude=0.1, crop_seconds=3.0, lead_mask=0.2, time_mask=0.2)


@pytest.fixture(scope="module")
def strips(tmp_path_factory):
    return cohort_of(STRIPS, tmp_path_factory.mktemp("strips"))


def same(a, b):
    assert torch.equal(a.signal, b.signal)
    assert torch.equal(a.valid, b.valid)
    assert torch.equal(a.row, b.row)
    assert a.views.keys() == b.views.keys()
    for name in a.views:
        assert torch.equal(a.view(name).signal, b.view(name).signal)
        assert torch.equal(a.view(name).valid, b.view(name).valid)


def test_a_step_gives_the_same_bits_whatever_was_asked_before_and_by_whichever_way(strips):
    settings = {"batch": 5, "seed": 3, "views": ("a", "b"), "augment": AUGMENT}
    one, other = loader(strips, **settings), loader(strips, **settings, prefetch=3)
    want = [one.batch(step) for step in range(7)]
    for batch, expected in zip(other.iterate(2, 7), want[2:], strict=True):
        same(batch, expected)
    same(one.batch(1), want[1])
    assert not torch.equal(loader(strips, **(settings | {"seed": 4})).batch(0).signal, want[0].signal)


def test_a_persons_recordings_never_meet_in_a_batch(strips):
    for batch in loader(strips, batch=6).iterate(0, 20):
        assert len(batch.subject.unique()) == 6


def test_views_are_augmented_and_scaled_while_signal_stays_plain(strips):
    data = loader(strips, batch=5, views=("a", "b"), augment=AUGMENT)
    batch, plain = data.batch(0), loader(strips, batch=5).batch(0)
    assert torch.equal(batch.signal, plain.signal)
    a, b = batch.view("a"), batch.view("b")
    assert a.signal.shape == b.signal.shape == (5, 4, 300)
    assert not torch.equal(a.signal, b.signal)
    for view in (a, b):
        assert (view.signal[~view.valid] == 0).all()
        count = view.valid.sum(-1)
        np.testing.assert_allclose(view.signal.sum(-1) / count.clamp(min=1), 0, atol=1e-5)
        spread = (view.signal.square().sum(-1) / count.clamp(min=1)).sqrt()
        np.testing.assert_allclose(spread[count > 0], 1, atol=1e-5)


def test_one_more_view_changes_none_of_the_others(strips):
    both = loader(strips, batch=5, views=("a", "b"), augment=AUGMENT).batch(3)
    alone = loader(strips, batch=5, views=("b",), augment=AUGMENT).batch(3)
    assert torch.equal(both.view("b").signal, alone.view("b").signal)


def test_an_objective_without_views_gets_its_signal_augmented_in_training_only(strips):
    data = loader(strips, batch=5, augment=AUGMENT)
    assert data.batch(0).signal.shape == (5, 4, 300)
    assert next(data.sequential()).signal.shape == (5, 4, 500)
    assert not data.batch(0).views


def test_views_without_augmentation_are_the_window(strips):
    batch = loader(strips, batch=5, views=("a",)).batch(0)
    assert torch.equal(batch.view("a").signal, batch.signal)


def test_processes_share_a_batch_and_disturb_differently(strips):
    settings = {"batch": 6, "augment": Augment(), "views": ("a",), "layout": PLAIN}
    whole = loader(strips, **settings).batch(2)
    parts = [loader(strips, **settings, rank=rank, processes=2).batch(2) for rank in range(2)]
    assert torch.equal(torch.stack([part.row for part in parts], dim=1).flatten(), whole.row)
    noise = [part.view("a").signal - part.signal for part in parts]
    assert (noise[0] - noise[1]).abs().max() > 0.01


def test_noise_enters_at_the_electrodes_of_the_layouts_leads(strips):
    view = loader(strips, PLAIN, batch=6, augment=Augment(noise=0.5), views=("a",)).batch(0).view("a").signal
    assert (view[:, 2] - (view[:, 1] - view[:, 0])).abs().max() < 1e-5  # III = II - I, in float32


def test_an_unknown_view_and_a_batch_too_large_are_refused(strips):
    with pytest.raises(RecipeError, match="no view called 'c'"):
        loader(strips, views=("a", "c"))
    data = loader(strips, batch=13)  # twelve persons
    assert sum(map(len, data.sequential())) == 24 * 4  # no one is drawn
    with pytest.raises(RecipeError, match="expected 1 to 12, got 13"):
        data.batch(0)


def test_stopping_early_leaves_no_thread(strips):
    stream = loader(strips, batch=5).iterate(0, 1000)
    next(stream)
    stream.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "einthoven-prefetch"]


def test_an_hour_long_recording_is_read_a_window_at_a_time(tmp_path):
    hour = Record("hour", ("II",), wavy(1, 3600 * 100, 0), 100.0)
    data = loader(cohort_of([hour], tmp_path), Layout(("II",), 100, 10, (0.5, 40.0), 2), batch=8)
    read = []
    gather = data.cohort.gather
    data.cohort.gather = lambda rows, starts, samples: read.append(len(rows) * samples) or gather(rows, starts, samples)
    assert sum(map(len, data.sequential())) == 360
    assert max(read) <= 8 * 1400
