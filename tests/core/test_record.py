"""A Record that breaks a rule cannot be made, and one that keeps them holds what it was given."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from einthoven.core.errors import EinthovenError, LeadError, RecordError
from einthoven.core.facts import Value
from einthoven.core.leads import KNOWN
from einthoven.core.record import LIMIT_MV, Record

millivolts = st.floats(-32, 32, width=32) | st.just(math.nan)
lead_lists = st.lists(st.sampled_from(KNOWN), min_size=1, max_size=15, unique=True)


@st.composite
def signals(draw: st.DrawFn) -> tuple[list[str], np.ndarray]:
    leads = draw(lead_lists)
    signal = draw(arrays(np.float32, (len(leads), draw(st.integers(1, 20))), elements=millivolts))
    signal[0, 0] = 0.5  # at least one sample that is there
    return leads, signal


@given(signals(), st.floats(0.001, 1e5))
def test_a_record_holds_the_signal_leads_and_rate_that_it_was_given(given_: tuple[list[str], np.ndarray], rate: float):
    leads, signal = given_
    record = Record("a", tuple(leads), signal, rate)
    np.testing.assert_array_equal(record.signal, signal)
    assert record.signal.dtype == np.float32
    assert record.signal.flags.c_contiguous
    assert list(record.leads) == leads
    assert record.seconds * rate == pytest.approx(signal.shape[1])


@given(signals())
def test_sorting_moves_each_signal_with_its_name(given_: tuple[list[str], np.ndarray]):
    leads, signal = given_
    record = Record("a", tuple(leads), signal, 100).sorted()
    assert list(record.leads) == [lead for lead in KNOWN if lead in leads]
    for lead, row in zip(leads, signal, strict=True):
        np.testing.assert_array_equal(record.signal[record.leads.index(lead)], row)


@given(st.permutations(KNOWN), st.integers(0, 1000))
def test_the_order_of_the_channels_does_not_matter_once_sorted(names: list[str], seed: int):
    signal = np.random.default_rng(seed).normal(size=(len(KNOWN), 5)).astype(np.float32)
    shuffled = signal[[KNOWN.index(name) for name in names]]
    np.testing.assert_array_equal(Record("a", tuple(names), shuffled, 100).sorted().signal, signal)


@pytest.mark.parametrize(
    ("key", "leads", "signal", "rate", "reason"),
    [
        ("", ("I",), np.zeros((1, 5)), 100, "key"),
        ("a", ("I",), np.zeros(5), 100, "shape"),
        ("a", ("I", "II"), np.zeros((1, 5)), 100, "shape"),
        ("a", (), np.zeros((0, 5)), 100, "shape"),
        ("a", ("I",), np.zeros((1, 5)), 0, "rate"),
        ("a", ("I",), np.zeros((1, 5)), -250, "rate"),
        ("a", ("I",), np.zeros((1, 5)), math.nan, "rate"),
        ("a", ("I",), np.zeros((1, 5)), math.inf, "rate"),
        ("a", ("I",), np.zeros((1, 0)), 100, "empty"),
        ("a", ("I",), np.full((1, 5), math.nan), 100, "empty"),
        ("a", ("I",), np.array([[0, 300.0]]), 100, "range"),
        ("a", ("I",), np.array([[0, -32.768]]), 100, "range"),
        ("a", ("I",), np.array([[0, math.inf]]), 100, "range"),
        ("a", ("I",), np.array([[0, -math.inf]]), 100, "range"),
        ("a", ("I", "I"), np.zeros((2, 5)), 100, "lead"),
        ("a", ("aVR", "AVR"), np.zeros((2, 5)), 100, "lead"),
    ],
)
def test_a_record_that_breaks_a_rule_is_refused_with_its_reason(key, leads, signal, rate, reason):
    with pytest.raises((RecordError, LeadError)) as caught:
        Record(key, leads, signal, rate)
    assert caught.value.reason == reason
    assert isinstance(caught.value, EinthovenError)
    assert isinstance(caught.value, ValueError)
    assert "\n" not in str(caught.value)


@given(st.floats(LIMIT_MV + 1e-5, 1e38))
def test_no_amplitude_beyond_the_limit_enters(peak: float):
    with pytest.raises(RecordError, match=re.escape("--unit uV")):
        Record("a", ("I",), np.array([[0.0, -peak]]), 100)


def test_the_limit_itself_is_still_a_record_and_fits_int16_microvolts():
    record = Record("a", ("I",), np.array([[-LIMIT_MV, LIMIT_MV]]), 100)
    assert np.abs(np.round(record.signal.astype(np.float64) * 1000)).max() == np.iinfo(np.int16).max


def test_channels_without_a_name_are_counted_and_never_taken_for_lead_one():
    record = Record("a", ("ECG", "signal 0", "", "II"), np.zeros((4, 3)), 100)
    assert record.leads == ("unknown", "unknown-2", "unknown-3", "II")


def test_integers_become_float32_and_a_transposed_array_becomes_c_order():
    record = Record("a", ("I", "II"), np.arange(10).reshape(5, 2).T, 100)
    assert record.signal.dtype == np.float32
    assert record.signal.flags.c_contiguous
    assert record.signal.tolist() == [[0, 2, 4, 6, 8], [1, 3, 5, 7, 9]]


def test_a_record_does_not_change():
    with pytest.raises(AttributeError):
        Record("a", ("I",), np.zeros((1, 5)), 100).rate = 200  # type: ignore[misc]


def test_a_record_that_is_told_more_keeps_its_samples_and_refuses_an_empty_key():
    record = Record("a", ("I",), np.ones((1, 10)), 100, site="x")
    told = record.told("b", "ann", [Value("age", 40.0)], "y")
    assert (told.key, told.subject, told.facts, told.site) == ("b", "ann", (Value("age", 40.0),), "y")
    assert (told.leads, told.rate) == (record.leads, record.rate)
    assert told.signal is record.signal
    assert (record.key, record.subject, record.facts, record.site) == ("a", None, (), "x")
    with pytest.raises(RecordError, match="has no key"):
        record.told("", None, (), "")
