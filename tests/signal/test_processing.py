"""The one order of processing: against its steps written out, and against its own promises."""

import numpy as np
import pytest
import torch

from einthoven.core.errors import LayoutError, LeadError
from einthoven.core.layout import Layout
from einthoven.core.record import Record
from einthoven.signal import gaps, processing
from einthoven.signal.filters import bandpass
from einthoven.signal.resampling import resample

LAYOUT = Layout(leads=("I", "II", "III"), rate=100, seconds=10, band=(0.5, 40.0), order=3)


def noise(leads=3, samples=1000, seed=0):
    return np.random.default_rng(seed).normal(0, 0.3, (leads, samples))


def record(signal, leads=("I", "II", "III"), rate=100.0):
    return Record("r", leads, signal, rate)


def test_at_the_layouts_rate_it_is_the_band_pass():
    out, valid = processing.condition(noise(), np.ones((3, 1000), bool), 100, LAYOUT)
    np.testing.assert_allclose(out, bandpass(noise(), 100, (0.5, 40), 3), atol=1e-14)
    assert valid.all()
    assert valid.shape == (3, 1000)


def test_one_pass_is_resampling_then_band_pass():
    smooth = resample(noise(3, 1500), 50, 500)  # nothing above 25 Hz, 30 s
    layout = Layout(LAYOUT.leads, 100, 30, (0.5, 40), 3)
    out, _ = processing.condition(smooth, np.ones((3, 15000), bool), 500, layout)
    steps = bandpass(resample(smooth, 500, 100), 100, (0.5, 40), 3)
    assert np.abs(out - steps)[:, 500:-500].max() < 1e-4  # the two reflect at their ends before and after resampling


def test_without_a_band_at_the_same_rate_samples_keep_their_bits():
    x = noise().astype(np.float32)
    out, _ = processing.condition(x, np.ones((1, 1), bool), 100, Layout(("I", "II", "III"), 100, 10, None))
    assert (out == x).all()


def test_own_samples_around_a_window_replace_the_reflection():
    long = noise(3, 3000)
    whole, _ = processing.condition(long, np.ones((3, 3000), bool), 100, Layout(LAYOUT.leads, 100, 30, (0.5, 40), 3))
    near, _ = processing.condition(long[:, 800:2200], np.ones((3, 1400), bool), 100, LAYOUT, before=200, after=200)
    alone, _ = processing.condition(long[:, 1000:2000], np.ones((3, 1000), bool), 100, LAYOUT)
    assert np.abs(near - whole[:, 1000:2000]).max() < 5e-3  # what the filter would still see beyond 2 s
    assert np.abs(alone - whole[:, 1000:2000]).max() > 5e-2


@pytest.mark.parametrize(("before", "after"), [(0, 0), (200, 0), (37, 200), (11, 3)])
def test_numpy_and_torch_agree_in_a_batch_of_any_surroundings(before, after):
    x = np.stack([noise(seed=1, samples=1000 + before + after), noise(seed=2, samples=1000 + before + after)])
    x = x.astype(np.float32)
    layout = Layout(LAYOUT.leads, 80, 8, (0.5, 30), 2)
    valid = np.random.default_rng(0).random(x.shape) < 0.9
    x = np.where(valid, x, np.float32(0))
    want, want_valid = processing.condition(x, valid, 100, layout, before, after)
    got, got_valid = processing.condition(torch.from_numpy(x), torch.from_numpy(valid), 100, layout, before, after)
    assert want.dtype == np.float32
    assert got.dtype == torch.float32
    assert got.shape == (2, 3, 640)
    np.testing.assert_allclose(got.numpy(), want, atol=2e-6)  # float32 rounding of two FFT libraries
    assert (got_valid.numpy() == want_valid).all()


def test_a_gap_does_not_ring_into_the_samples_beside_it():
    x = noise() + 5.0  # a baseline of 5 mV: a hole filled with 0 would be two steps of 5 mV
    valid = np.ones((3, 1000), bool)
    valid[:, 500:510] = False
    whole, _ = processing.condition(x, np.ones((3, 1000), bool), 100, LAYOUT)
    torn, torn_valid = processing.condition(np.where(valid, x, 0), valid, 100, LAYOUT)
    assert (torn_valid == valid).all()
    assert (torn[~valid] == 0).all()
    assert np.abs(torn - whole)[valid].max() < 0.3  # no more than the signal that was lost


def test_an_output_sample_is_valid_if_both_input_samples_around_it_are():
    valid = np.ones((1, 1000), bool)
    valid[0, 500] = False
    _, out = processing.condition(noise(1), valid, 100, Layout(("I",), 250, 10, (0.5, 40)))
    assert np.flatnonzero(~out[0]).tolist() == [1248, 1249, 1250, 1251, 1252]  # between samples 499 and 501
    _, out = processing.condition(noise(1), valid, 100, Layout(("I",), 50, 10, (0.5, 20)))
    assert np.flatnonzero(~out[0]).tolist() == [250]


def test_leads_are_picked_by_name_and_limb_leads_derived():
    one, two, v1 = noise(3)
    layout = Layout(("III", "V1", "II", "aVR", "V6"))
    picked, status = processing.pick(np.stack([v1, one, two]), ("V1", "I", "II"), layout)
    np.testing.assert_allclose(picked[:4], [two - one, v1, two, -(one + two) / 2], atol=1e-15)
    assert np.isnan(picked[4]).all()
    assert status == ("derived", "measured", "measured", "derived", "missing")
    again, _ = processing.pick(torch.from_numpy(np.stack([v1, one, two])), ("V1", "I", "II"), layout)
    np.testing.assert_array_equal(again.numpy(), picked)


def test_a_lost_sample_of_one_lead_does_not_reach_another():
    x = noise(3)
    x[2, 5] = np.nan
    picked, _ = processing.pick(x, ("I", "II", "V1"), Layout(("III", "V1")))
    assert not np.isnan(picked[0]).any()
    assert np.isnan(picked[1]).sum() == 1


def test_scaling_uses_valid_samples_only_and_leaves_lost_ones_at_0():
    x, valid = noise(3) * [[1], [5], [0.2]] + 3.0, np.ones((3, 1000), bool)
    valid[:, 100:300] = False
    x = np.where(valid, x, 0)
    each = processing.scale(x, valid, Layout(LAYOUT.leads, scale="per_lead"))
    for lead in range(3):
        np.testing.assert_allclose(each[lead][valid[lead]].mean(), 0, atol=1e-12)
        np.testing.assert_allclose(each[lead][valid[lead]].std(), 1, rtol=1e-12)
    jointly = processing.scale(x, valid, Layout(LAYOUT.leads, scale="per_record"))
    np.testing.assert_allclose(jointly[valid], (x[valid] - x[valid].mean()) / x[valid].std(), rtol=1e-12)
    assert (each[~valid] == 0).all()
    assert (jointly[~valid] == 0).all()
    assert (processing.scale(x, valid, Layout(LAYOUT.leads, scale="fixed", divisor=2.0)) == x / 2).all()
    assert processing.scale(x, valid, Layout(LAYOUT.leads)) is x


def test_a_flat_lead_stays_flat_when_scaled():
    x = np.full((1, 100), 0.25) + np.random.default_rng(0).normal(0, 1e-7, (1, 100))
    assert np.abs(processing.scale(x, np.ones((1, 1), bool), Layout(("I",), scale="per_lead"))).max() < 1e-3


@pytest.mark.parametrize(
    ("samples", "stride", "want"),
    [(1000, None, [0]), (999, None, [0]), (3000, None, [0, 1000, 2000]), (2500, None, [0, 1000, 1500]),
     (1001, None, [0, 1]), (2000, 5.0, [0, 500, 1000])],
)  # fmt: skip
def test_windows_begin_every_stride_and_the_last_is_flush_with_the_end(samples, stride, want):
    assert processing.starts(samples, 100, LAYOUT, stride).tolist() == want


def test_a_stride_that_goes_nowhere_is_refused():
    with pytest.raises(LayoutError, match="above 0 s"):
        processing.starts(1000, 100, LAYOUT, 0.0)


def test_a_window_at_an_odd_rate_has_the_layouts_samples():
    out, valid, start = processing.windows(record(noise(3, 5321), rate=257.0), LAYOUT)
    assert out.shape == valid.shape == (3, 3, 1000)
    assert out.dtype == np.float32
    np.testing.assert_allclose(start, [0, 10, (5321 - 2570) / 257])


def test_a_recording_shorter_than_the_layout_is_one_window_of_its_own_length():
    out, valid, start = processing.windows(record(noise(3, 1501), rate=250.0), LAYOUT)
    assert out.shape == valid.shape == (1, 3, 601)
    assert start.tolist() == [0]


def test_windows_of_a_long_recording_are_its_filtered_whole_cut_up():
    long = noise(3, 6000).astype(np.float32)
    out, _, _ = processing.windows(record(long), LAYOUT)
    whole = bandpass(long, 100, (0.5, 40), 3)
    assert np.abs(np.concatenate(list(out), axis=1) - whole).max() < 1e-2  # what lies beyond 2 s


def test_a_window_of_an_hour_equals_the_same_seconds_cut_out_with_2_s_around_them():
    long = noise(3, 360_000).astype(np.float32)
    cut = long[:, 100_000 - 200 : 101_000 + 200]
    got = processing.windows(record(long), LAYOUT, stride_seconds=1000)[0][1]
    want = gaps.fill(cut)[0]
    assert (got == processing.condition(want, np.ones((1, 1), bool), 100, LAYOUT, 200, 200)[0]).all()


@pytest.mark.parametrize("signal", [np.zeros((3, 1000)), np.full((3, 1000), 1.5)])
def test_a_constant_recording_is_refused(signal):
    with pytest.raises(LayoutError, match="flat") as caught:
        processing.windows(record(signal), LAYOUT)
    assert caught.value.reason == "flat"


def test_a_recording_whose_wanted_leads_are_lost_is_refused_though_another_lead_is_there():
    x = noise(2)
    x[0] = np.nan
    with pytest.raises(LayoutError, match="flat"):
        processing.windows(record(x, ("I", "V1")), Layout(("I", "V2")))
    with pytest.raises(LayoutError, match="none of the leads"):
        processing.windows(record(x, ("I", "V1")), Layout(("V2",)))


def test_a_layout_of_any_lead_takes_the_only_one_and_refuses_to_choose():
    out, _, _ = processing.windows(record(noise(1), ("MLII",)), Layout(("any",)))
    assert out.shape == (1, 1, 1000)
    with pytest.raises(LeadError, match="one lead of any name"):
        processing.windows(record(noise(2), ("MLII", "V5")), Layout(("any",)))


def test_a_missing_lead_is_0_and_invalid_and_does_not_change_the_others():
    layout = Layout(("I", "II", "V1"), scale="per_record")
    out, valid, _ = processing.windows(record(noise(2), ("I", "II")), layout)
    assert (out[0, 2] == 0).all()
    assert not valid[0, 2].any()
    assert valid[0, :2].all()
    alone, _, _ = processing.windows(record(noise(2), ("I", "II")), Layout(("I", "II"), scale="per_record"))
    np.testing.assert_allclose(out[0, :2], alone[0], atol=1e-6)
