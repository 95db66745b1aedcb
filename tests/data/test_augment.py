"""What each disturbance does, and what it may not change."""

import numpy as np
import pytest
import torch

from einthoven.core.errors import RecipeError
from einthoven.core.leads import STANDARD
from einthoven.data import interference
from einthoven.data.augment import Augment
from tests.data.given import wavy

OFF = {"wander": 0.0, "mains": 0.0, "noise": 0.0, "muscle": 0.0}
RATE, SAMPLES = 250.0, 2500


def windows(batch=6, leads=12, samples=SAMPLES):
    x = np.stack([wavy(leads, samples, seed, RATE) for seed in range(batch)]).astype(np.float32)
    if leads == 12:  # the limb leads as they follow from I and II
        one, two = x[:, 0], x[:, 1]
        x[:, 2:6] = np.stack([two - one, -(one + two) / 2, one - two / 2, two - one / 2], axis=1)
    return torch.from_numpy(x), torch.ones(batch, leads, 1, dtype=torch.bool).expand(batch, leads, samples)


def einthoven_error(signal):
    """Largest break of III = II - I, aVR = -(I + II) / 2, aVL = I - II / 2, aVF = II - I / 2, in mV."""
    one, two, three, right, left, foot = (signal[:, i] for i in range(6))
    ways = (three - (two - one), right + (one + two) / 2, left - (one - two / 2), foot - (two - one / 2))
    return max(float(way.abs().max()) for way in ways)


def added(settings, leads=STANDARD, **keys):
    """What a disturbance adds to a flat signal, (B, L, T), many recordings."""
    flat = torch.zeros(64, len(leads), SAMPLES)
    there = torch.ones(64, len(leads), 1, dtype=torch.bool).expand(flat.shape)
    return Augment(**(OFF | settings))(
        flat, there, RATE, **({"seed": 0, "step": 0, "stream": "a"} | keys), leads=leads
    )[0]


def test_with_everything_off_a_view_is_a_copy():
    x, valid = windows()
    view, there = Augment(**OFF)(x, valid, RATE, 0, 0, "a")
    assert torch.equal(view, x)
    assert view.data_ptr() != x.data_ptr()
    assert there.shape == x.shape
    assert there.all()


EVERYTHING = {"amplitude": 0.2, "shift_seconds": 0.4, "lead_mask": 0.3, "time_mask": 0.3}


def test_the_same_seed_step_and_stream_give_the_same_bits_and_others_do_not():
    x, valid = windows()
    augment = Augment(**EVERYTHING)
    first = augment(x, valid, RATE, 1, 2, "a", STANDARD)
    again = Augment(**EVERYTHING)(x, valid, RATE, 1, 2, "a", STANDARD)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    for other in ((2, 2, "a"), (1, 3, "a"), (1, 2, "b")):
        assert not torch.equal(first[0], augment(x, valid, RATE, *other, STANDARD)[0])


def test_views_are_what_their_streams_give_alone_and_the_input_stays():
    x, valid = windows()
    before = x.clone()
    augment = Augment(**EVERYTHING)
    both = augment.views(x, valid, RATE, 1, 2, ("a", "b"), STANDARD)
    for view, stream in zip(both, "ab"):
        alone = augment(x, valid, RATE, 1, 2, stream, STANDARD)
        assert torch.equal(view[0], alone[0])
        assert torch.equal(view[1], alone[1])
    assert torch.equal(x, before)


@pytest.mark.parametrize("settings", [EVERYTHING, {"crop_seconds": 4.0, "lead_mask": 0.3}, {}])
def test_what_is_not_valid_is_0_and_what_came_in_invalid_stays_so(settings):
    x, valid = windows()
    valid = valid.clone()
    valid[0, 3], valid[1, :, 700:900], valid[2, 5, 2400:] = False, False, False
    x = torch.where(valid, x, 0)
    view, there = Augment(**settings)(x, valid, RATE, 0, 0, "a", STANDARD)
    assert (view[~there] == 0).all()
    assert not there[0, 3].any()
    if not settings:
        assert torch.equal(there, valid)


def test_amplitude_is_one_gain_a_recording_so_ratios_and_einthovens_identity_survive():
    x, valid = windows()
    view, _ = Augment(**OFF, amplitude=0.3)(x, valid, RATE, 0, 0, "a", STANDARD)
    gain = (view / x)[x.abs() > 0.05].reshape(-1)
    assert 0.7 <= gain.min() < gain.max() <= 1.3
    for i in range(len(x)):
        own = (view[i] / x[i])[x[i].abs() > 0.05]
        assert own.max() - own.min() < 1e-6  # float32
    assert einthoven_error(view) < 1e-6


@pytest.mark.parametrize("kind", ["wander", "mains", "noise", "muscle"])
def test_einthovens_identity_survives_everything_that_electrodes_pick_up(kind):
    x, valid = windows()
    view, _ = Augment(**(OFF | {kind: 0.5}))(x, valid, RATE, 0, 0, "a", STANDARD)
    assert (view - x).std() > 0.05
    assert einthoven_error(view) < 2e-6  # float32
    loose, _ = Augment(**(OFF | {kind: 0.5}))(x, valid, RATE, 0, 0, "a")  # unnamed leads are electrodes of their own
    assert einthoven_error(loose) > 0.1


@pytest.mark.parametrize(
    ("kind", "bands"),
    [("wander", [(0, 0.8)]), ("mains", [(50, 50), (60, 60)]), ("muscle", [(19, 125)]), ("noise", [(0, 125)])],
)
def test_each_disturbance_keeps_to_its_band(kind, bands):
    x = torch.cat([added({kind: 0.1}, step=step) for step in range(4)]).double() * torch.hann_window(
        SAMPLES, dtype=torch.float64
    )
    power = torch.fft.rfft(x).abs().square().mean((0, 1))
    hertz = torch.fft.rfftfreq(SAMPLES, 1 / RATE)
    # the Hann window spreads a line by 0.2 Hz
    inside = torch.stack([(hertz >= low - 0.2) & (hertz <= high + 0.2) for low, high in bands]).any(0)
    assert power[inside].sum() / power.sum() > 1 - 1e-5


@pytest.mark.parametrize("kind", ["wander", "mains", "noise", "muscle"])
def test_strength_is_the_largest_sd_of_a_bipolar_lead_drawn_uniformly_a_recording(kind):
    steps = torch.cat([added({kind: 0.1}, step=step) for step in range(8)])
    square = steps.double().square().mean((-2, -1)) if kind == "wander" else steps.double().square().mean(-1)
    got = steps.double().square().mean((0, 2)).sqrt()
    want = 0.1 / np.sqrt(3) * np.array([1, 1, 1, *[np.sqrt(3) / 2] * 3, *[np.sqrt(2 / 3)] * 6])
    # uniform strength: mean square 1/3, known to 4 % from 512 draws; 10 s of slow wander tell its SD worse still
    np.testing.assert_allclose(got, want, rtol=0.3 if kind == "wander" else 0.12)
    assert square.min() < 0.1 * square.mean()
    if kind == "noise":
        assert square.max() < 0.1**2 * 1.2  # 2500 samples tell a mean square to 3 %


@pytest.mark.parametrize("kind", ["noise", "mains"])
def test_a_single_lead_gets_the_strength_itself_and_never_more(kind):
    spread = torch.cat([added({kind: 0.1}, leads=("any",), step=step)[:, 0].std(-1) for step in range(8)])
    assert spread.max() < 0.1 * 1.05  # 2500 samples of noise tell an SD to 1.4 %
    np.testing.assert_allclose(spread.mean(), 0.05, rtol=0.1)  # uniform from 0: known to 2.6 % from 512


def test_mains_are_left_out_where_the_rate_cannot_hold_them():
    x, valid = windows()
    view, _ = Augment(**(OFF | {"mains": 0.5}))(x, valid, 100.0, 0, 0, "a", STANDARD)
    assert torch.equal(view, x)
    view, _ = Augment(**(OFF | {"mains": 0.5}))(x, valid, 110.0, 0, 0, "a", STANDARD)  # 50 Hz alone
    assert not torch.equal(view, x)


def test_recordings_of_a_batch_and_views_of_a_recording_hear_different_noise():
    heard = torch.cat([added({"noise": 0.1}, leads=("I", "II"), stream=stream)[:, 0] for stream in "ab"]).double()
    likeness = torch.corrcoef(heard) - torch.eye(len(heard))
    assert (
        likeness.abs().max() < 0.12
    )  # 2500 samples: standard deviation 0.02, the largest of 8000 pairs below 5 of them


def test_a_crop_is_a_run_of_the_windows_own_samples():
    x, valid = windows()
    view, there = Augment(**OFF, crop_seconds=4.0)(x, valid, RATE, 0, 0, "a", STANDARD)
    assert view.shape == (6, 12, 1000)
    assert there.all()
    starts = []
    for i in range(6):
        at = [s for s in range(1501) if torch.equal(view[i], x[i, :, s : s + 1000])]
        assert len(at) == 1
        starts += at
    assert len(set(starts)) > 3


def test_a_crop_takes_the_validity_of_its_samples_along():
    x, valid = windows()
    valid = valid.clone()
    valid[:, :, 1000:1500] = False
    view, there = Augment(**OFF, crop_seconds=4.0)(torch.where(valid, x, 0), valid, RATE, 0, 0, "a", STANDARD)
    runs = torch.where(valid, x, 0).unfold(-1, 1000, 1)[:, 0]  # (recording, start, sample) of lead I
    start = (runs == view[:, :1]).all(-1).int().argmax(1).tolist()
    for i in range(6):
        assert torch.equal(there[i], valid[i, :, start[i] : start[i] + 1000])


def test_a_crop_longer_than_the_window_is_the_window():
    x, valid = windows()
    assert Augment(**OFF, crop_seconds=60.0)(x, valid, RATE, 0, 0, "a")[0].shape == x.shape


def test_a_shift_moves_samples_unchanged_and_what_moves_in_is_invalid():
    x, valid = windows(batch=12)
    view, there = Augment(**OFF, shift_seconds=0.4)(x, valid, RATE, 0, 0, "a", STANDARD)
    moved = []
    for i in range(12):
        by = next(
            by for by in range(-100, 101)
            if torch.equal(view[i, :, max(by, 0) : SAMPLES + min(by, 0)], x[i, :, max(-by, 0) : SAMPLES - max(by, 0)])
        )  # fmt: skip
        kept = torch.zeros(SAMPLES, dtype=torch.bool)
        kept[max(by, 0) : SAMPLES + min(by, 0)] = True
        assert torch.equal(there[i], kept.expand(12, -1))
        moved.append(by)
    assert min(moved) < -20
    assert max(moved) > 20


def test_lead_mask_takes_whole_leads_and_leaves_the_others_bit_for_bit():
    x, valid = windows(batch=40)
    view, there = Augment(**OFF, lead_mask=0.25)(x, valid, RATE, 0, 0, "a", STANDARD)
    gone = ~there.any(-1)
    assert torch.equal(there, ~gone[..., None].expand(there.shape))
    assert (view[gone] == 0).all()
    assert torch.equal(view[~gone], x[~gone])
    assert 0.17 < gone.float().mean() < 0.33  # 480 draws of 0.25: standard deviation 0.02
    assert len({tuple(row.tolist()) for row in gone}) > 20


def test_lead_mask_never_takes_the_last_lead_that_is_there():
    x, valid = windows(batch=40, leads=3)
    valid = valid.clone()
    valid[:20, 1:] = False
    _, there = Augment(**OFF, lead_mask=0.95)(torch.where(valid, x, 0), valid, RATE, 0, 0, "a", ("I", "II", "III"))
    assert there.any(-1).any(-1).all()
    assert torch.equal(there[:20], valid[:20])


def test_time_mask_takes_one_block_in_all_leads_and_leaves_the_rest_bit_for_bit():
    x, valid = windows(batch=40)
    view, there = Augment(**OFF, time_mask=0.3)(x, valid, RATE, 0, 0, "a", STANDARD)
    assert torch.equal(there, there[:, :1].expand(there.shape))
    assert torch.equal(view[there], x[there])
    share = (~there[:, 0]).float().mean(1)
    assert share.max() <= 0.3
    assert 0.1 < share.mean() < 0.2
    edges = there[:, 0].to(torch.int8).diff(dim=1)
    assert ((edges == -1).sum(1) <= 1).all()
    assert ((edges == 1).sum(1) <= 1).all()


def test_the_bank_is_long_enough_for_any_window_and_any_batch():
    long = torch.zeros(3, 1, 100_000)
    there = torch.ones(3, 1, 1, dtype=torch.bool).expand(long.shape)
    assert Augment()(long, there, 500.0, 0, 0, "a")[0].std() > 0
    many = torch.zeros(3000, 1, 50)
    there = torch.ones(3000, 1, 1, dtype=torch.bool).expand(many.shape)
    assert Augment()(many, there, 100.0, 0, 0, "a")[0].std() > 0


def test_wiring_is_that_of_the_standard_leads():
    matrix = interference.wiring(STANDARD) * np.sqrt(2)
    assert matrix.shape == (12, 9)
    rng = np.random.default_rng(0)
    electrodes = dict(zip(sorted(["RA", "LA", "LL", "V1", "V2", "V3", "V4", "V5", "V6"]), rng.normal(0, 1, 9)))
    got = dict(zip(STANDARD, matrix @ np.array(list(electrodes.values()))))
    terminal = (electrodes["RA"] + electrodes["LA"] + electrodes["LL"]) / 3
    np.testing.assert_allclose(got["II"], electrodes["LL"] - electrodes["RA"])
    np.testing.assert_allclose(got["aVR"], 1.5 * (electrodes["RA"] - terminal))  # Goldberger
    np.testing.assert_allclose(got["V4"], electrodes["V4"] - terminal)


@pytest.mark.parametrize("settings", [{"amplitude": 1.0}, {"lead_mask": -0.1}, {"noise": float("nan")}, {"wander": -1}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(RecipeError, match=f"{next(iter(settings))} is out of range"):
        Augment(**settings)
