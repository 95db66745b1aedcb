import json
import pickle
import shutil
from dataclasses import asdict

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from einthoven.cohort.store import MISSING, Cohort
from einthoven.core.errors import CohortError
from einthoven.core.facts import Waves


def kept(generated):
    return [i for i in range(generated.records) if i % 11 != 10]


def test_a_cohort_gives_back_what_the_source_said(cohort, generated):
    assert cohort.index["key"].to_list() == [f"r{i:05d}" for i in kept(generated)]
    for row, i in enumerate(kept(generated)):
        record = cohort.record(row)
        np.testing.assert_allclose(record.signal, generated.signal(i), atol=1e-6)  # whole microvolts, float32
        assert (record.rate, record.subject, record.site) == ((100, 250, 500)[i % 3], f"p{i // 2:04d}", f"site {i % 2}")
        assert len(record.leads) == generated.width(i)


def test_all_kinds_of_facts_come_back(cohort, generated):
    row, i = 30, kept(generated)[30]
    got = sorted(cohort.record(row).facts, key=lambda fact: (fact.kind, fact.name))
    want = sorted(generated.facts(i), key=lambda fact: (fact.kind, fact.name))
    assert [fact.kind for fact in got] == [fact.kind for fact in want]
    for one, other in zip(got, want):
        if isinstance(one, Waves):
            assert {k: v.tolist() for k, v in one.columns.items()} == {k: v.tolist() for k, v in other.columns.items()}
        else:
            assert asdict(one) == asdict(other)


def test_a_cohort_is_readable_with_numpy_and_parquet_alone(cohort, generated):
    entry = pl.read_parquet(cohort.path / "index.parquet").row(20, named=True)
    flat = np.load(cohort.path / "signals" / f"{entry['shard']:05d}.npy")
    width = len(entry["leads"].split(" "))
    stored = flat[entry["offset"] : entry["offset"] + entry["samples"] * width].reshape(entry["samples"], width)
    assert stored.dtype == np.dtype("<i2")
    want = generated.signal(kept(generated)[20]).T
    np.testing.assert_array_equal(stored[~np.isnan(want)], np.rint(want[~np.isnan(want)] * 1000))
    assert (stored[np.isnan(want)] == -32768).all()


def slowly(cohort, row, start, samples):
    """One window, sample by sample."""
    signal = cohort.signal(row)
    return [
        signal[t].tolist() if 0 <= t < len(signal) else [MISSING] * signal.shape[1]
        for t in range(start, start + samples)
    ]


@given(st.data())
def test_gathered_windows_are_those_read_one_by_one(cohort, data):
    width = data.draw(st.sampled_from([1, 2, 12]))
    rows = np.flatnonzero(cohort.index["leads"].str.split(" ").list.len() == width)
    chosen = np.array(data.draw(st.lists(st.sampled_from(rows.tolist()), min_size=1, max_size=8)))
    starts = np.array([data.draw(st.integers(-3000, 3000)) for _ in chosen])
    samples = data.draw(st.integers(1, 700))
    got = cohort.gather(chosen, starts, samples)
    assert got.dtype == np.int16
    assert got.tolist() == [slowly(cohort, row, start, samples) for row, start in zip(chosen, starts)]


def test_a_window_longer_than_its_shard_is_filled_up(cohort):
    row = len(cohort) - 1
    samples = 10 * len(np.load(cohort.path / "signals/00000.npy"))
    got = cohort.gather(np.array([row]), np.array([-5]), samples)[0]
    signal = cohort.signal(row)
    np.testing.assert_array_equal(got[5 : 5 + len(signal)], signal)
    assert (got[:5] == MISSING).all()
    assert (got[5 + len(signal) :] == MISSING).all()


def test_windows_of_different_leads_are_refused(cohort):
    with pytest.raises(CohortError, match="differ in their leads"):
        cohort.gather(np.array([0, 1]), np.array([0, 0]), 10)


def test_labels_of_a_closed_set_are_complete_and_those_of_an_open_one_are_not(cohort, generated):
    codes, truth = cohort.labels("rhythm")
    assert codes == ("AF", "SR", "VT")
    assert truth.tolist() == [[float(i % 7 % 3 == k) for k in range(3)] for i in kept(generated)]
    codes, truth = cohort.labels("finding")  # not declared by the source: open, with the codes that occur
    assert codes == ("ST up",)
    assert truth[:, 0].tolist() == [float(i % 2) for i in kept(generated)]
    assert not cohort.label_sets["finding"].closed


def test_a_recording_whose_labels_are_all_less_likely_than_asked_stands_outside(cohort, generated):
    _, truth = cohort.labels("rhythm", likelihood=100)  # even recordings state 80 %, odd ones nothing
    assert np.isnan(truth).all(axis=1).tolist() == [i % 2 == 0 for i in kept(generated)]
    assert not np.isnan(cohort.labels("rhythm", likelihood=80)[1]).any()


def test_values_and_categories_stand_in_row_order(cohort, generated):
    assert cohort.values("age").tolist() == [20.0 + i % 70 for i in kept(generated)]
    assert cohort.categories("sex") == ["male" if i % 2 else "female" for i in kept(generated)]


@pytest.mark.parametrize(
    ("ask", "hint"),
    [
        (lambda c: c.values("aeg"), "age"),
        (lambda c: c.categories("Sex"), "sex"),
        (lambda c: c.labels("rythm"), "rhythm"),
        (lambda c: c.facts("values"), "value"),
    ],
)
def test_a_fact_that_is_not_there_is_refused_with_the_nearest_name(cohort, ask, hint):
    with pytest.raises(CohortError, match=f"did you mean {hint}"):
        ask(cohort)


def test_an_open_cohort_travels_to_another_process(cohort):
    copy = pickle.loads(pickle.dumps(cohort))
    np.testing.assert_array_equal(copy.signal(3), cohort.signal(3))


def broken(cohort, folder, damage):
    copy = folder / "cohort"
    shutil.copytree(cohort.path, copy)
    damage(copy)
    return copy


def reversion(path):
    card = json.loads((path / "card.json").read_text())
    (path / "card.json").write_text(json.dumps(card | {"schema": 99}))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (reversion, "schema"),
        (lambda p: (p / "card.json").unlink(), "missing"),
        (lambda p: (p / "card.json").write_text("{"), "damaged"),
        (lambda p: (p / "index.parquet").write_bytes(b"PAR1"), "damaged"),
        (lambda p: (p / "index.parquet").unlink(), "damaged"),
        (lambda p: (p / "refused.parquet").replace(p / "index.parquet"), "damaged"),
        (lambda p: (p / "signals/00000.npy").write_bytes((p / "signals/00000.npy").read_bytes()[:-2]), "damaged"),
        (lambda p: (p / "signals/00001.npy").unlink(), "damaged"),
        (lambda p: np.save(p / "signals/00000.npy", np.zeros(3, np.int16)), "damaged"),
        (lambda p: np.save(p / "signals/00000.npy", np.array([{}]), allow_pickle=True), "damaged"),
    ],
)
def test_a_damaged_cohort_is_refused(cohort, tmp_path, damage, reason):
    path = broken(cohort, tmp_path, damage)
    with pytest.raises(CohortError) as caught:
        Cohort.open(path)
    assert caught.value.reason == reason
    assert str(path) in str(caught.value)
