"""The whole analysis: bad input gives reasons and never an exception, long recordings give what short ones give."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from einthoven.core.record import Record
from einthoven.signal.analysis import analyse, glance
from einthoven.simulate import record
from tests.signal.given import tachycardia

SINUS = record("sinus", seed=3)
RNG = np.random.default_rng(0)


def at(x, rate=500.0, leads=SINUS.leads) -> Record:
    return Record("x", leads[: len(x)], x, rate)


def gap(leads=slice(None)) -> np.ndarray:
    x = SINUS.signal.copy()
    x[leads, 1500:3000] = np.nan
    return x


def test_below_fifty_hertz_nothing_is_measured():
    found = analyse(at(SINUS.signal[:, ::12], 500 / 12))
    assert {m.reason for m in found.measurements.values()} == {"sampling_rate"}
    assert analyse(at(SINUS.signal[:, ::8], 62.5)).measurements["hr"].value is not None


@pytest.mark.parametrize(
    ("x", "rate", "reason"),
    [
        (np.full((12, 5000), 0.2), 500, "no_signal"),
        (np.zeros((1, 3000)), 300, "no_signal"),
        (np.where(np.arange(5000) == 7, 0.1, np.nan)[None].repeat(12, 0), 500, "no_signal"),
        (RNG.normal(0, 0.3, (12, 5000)), 500, "poor_signal"),
        (RNG.normal(0, 0.3, (1, 5000)), 500, "poor_signal"),
        (np.cumsum(RNG.normal(0, 0.05, (12, 5000)), axis=1), 500, "poor_signal"),
        (SINUS.signal[:, :200], 500, "no_beats"),
        (np.sin(np.arange(5000) / 500 * 2 * np.pi * 1.2)[None], 500, "no_beats"),
    ],
    ids=["constant", "zero", "one sample", "noise", "noise of one lead", "random walk", "0.4 s", "sine"],
)
def test_what_holds_no_heartbeat_gives_a_reason_for_every_value(x, rate, reason):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = analyse(at(x, rate))
    assert {m.reason for m in found.measurements.values()} == {reason}
    assert {m.value for m in found.measurements.values()} == {None}
    assert found.quality.verdict != "good"


@pytest.mark.parametrize("samples", [1, 2, 3, 10, 100, 300, 500, 600, 750, 1000, 1500])
@pytest.mark.parametrize("rate", [50.0, 100.0, 500.0])
def test_recordings_of_any_length_and_rate_are_analysed_without_an_exception(samples, rate):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for x in (SINUS.signal[:, :samples], np.zeros((2, samples)), RNG.normal(size=(3, samples))):
            analyse(at(x, rate))


def test_fewer_than_two_beats_give_no_rate():
    found = analyse(at(SINUS.signal[:, :450])).measurements
    assert found["hr"].reason in ("too_few_beats", "no_beats")
    assert {found[name].value for name in ("hr", "rr_mean", "pr", "qt", "rmssd")} == {None}


def test_a_gap_in_all_leads_is_no_long_interval():
    plain, torn = analyse(SINUS).measurements, analyse(at(gap())).measurements
    assert torn["rr_max"].value < 1.05 * plain["rr_max"].value
    assert torn["hr"].value == pytest.approx(plain["hr"].value, rel=0.02)
    assert torn["qrs"].value == pytest.approx(plain["qrs"].value, abs=8)


def test_a_gap_in_one_lead_costs_that_lead_beats_and_the_others_nothing():
    plain, torn = analyse(SINUS).measurements, analyse(at(gap([6]))).measurements
    assert torn["amp_r_V1"].n_beats < plain["amp_r_V1"].n_beats
    assert torn["amp_r_V5"].n_beats == plain["amp_r_V5"].n_beats
    assert torn["qt"].value == pytest.approx(plain["qt"].value, abs=8)


def test_a_flat_lead_among_twelve_is_withheld_and_the_rest_is_measured():
    x = SINUS.signal.copy()
    x[7] = 0.3
    plain, found = analyse(SINUS), analyse(at(x))
    assert {m.reason for name, m in found.measurements.items() if name.endswith("_V2")} == {"lead_off"}
    for name in ("hr", "pr", "qrs", "qt", "axis_qrs", "amp_r_V5"):
        assert found.measurements[name].value == pytest.approx(plain.measurements[name].value, abs=10), name
    assert found.quality.verdict == "usable"


def test_one_lead_without_a_name_is_measured():
    found = analyse(Record("x", ("unknown",), SINUS.signal[[1]], 500)).measurements
    assert found["hr"].value == pytest.approx(64, abs=1)
    assert found["axis_qrs"].reason == "missing_lead"


def test_a_long_recording_gives_what_its_ten_seconds_give():
    x = np.tile(SINUS.signal[:2, 40:4740], (1, 40))  # 376 s; whole beats, so that the seams are hardly seen
    short, long = analyse(at(SINUS.signal[:2])), analyse(at(x))
    beats = len(long.found.beats)
    assert beats == pytest.approx(37.6 * short.measurements["hr_mean"].value / 6, abs=45)
    assert np.diff(long.found.beats.sample).min() > 100  # none twice at the edges of windows
    for name in ("hr", "pr", "qrs", "qt"):
        assert long.measurements[name].value == pytest.approx(short.measurements[name].value, rel=0.03), name
    assert long.quality.second.shape == (2, 376)


def test_a_day_of_which_most_is_lead_off_is_measured_where_there_is_a_signal():
    x = np.zeros((1, 500 * 600), np.float32)
    x[:, : 500 * 100] = np.tile(SINUS.signal[[1]], (1, 10))
    found = analyse(Record("x", ("II",), x, 500))
    assert found.measurements["hr"].value == pytest.approx(64, abs=2)
    assert found.found.beats.sample.max() < 500 * 101
    assert found.quality.verdict == "poor"
    assert found.quality.lost()[-1][1] == 600
    assert any("83 % of the time" in cause for cause in found.quality.causes)


def test_marks_and_values_do_not_depend_on_the_sampling_rate():
    whole = analyse(record("sinus", seed=8, rate=1000, noise=0.3)).measurements
    for rate in (250, 500):
        found = analyse(record("sinus", seed=8, rate=rate, noise=0.3)).measurements
        for name in ("pr", "qrs", "qt"):
            assert found[name].value == pytest.approx(whole[name].value, abs=8), (name, rate)
        assert found["hr"].value == pytest.approx(whole["hr"].value, rel=0.005)
        assert found["amp_r_V5"].value == pytest.approx(whole["amp_r_V5"].value, rel=0.06)


def test_the_same_recording_gives_the_same_analysis():
    one, two = analyse(SINUS), analyse(SINUS)
    assert one.measurements == two.measurements
    np.testing.assert_array_equal(one.found.whole, two.found.whole)


def test_a_withheld_lead_hides_no_pacing_spikes():
    ecg = record("paced", seed=1)
    x = ecg.signal.copy()
    x[7] = 0.3
    plain, found = analyse(ecg).measurements["pacing"], analyse(at(x)).measurements["pacing"]
    assert (found.value, found.value > 5) == (plain.value, True)


@pytest.mark.parametrize("lead", [0, 1])
def test_a_noisy_or_lost_limb_lead_is_no_cable_on_the_right_leg(lead):
    for spoilt in (RNG.normal(0, 0.5, 5000), np.full(5000, np.nan)):
        x = SINUS.signal.copy()
        x[lead] = spoilt
        assert (analyse(at(x)).reversal.limb, analyse(at(x)).reversal.checked) == ("", False)
    x = SINUS.signal.copy()
    x[lead] = RNG.normal(0, 0.002, 5000)
    assert "R" in analyse(at(x)).reversal.limb


def test_a_lead_that_is_withheld_is_the_reason():
    x = SINUS.signal.copy()
    for lead in ("V1", "V5"):
        x[SINUS.leads.index(lead)] = 0
    found, two = analyse(at(x)).measurements, analyse(at(SINUS.signal[[1]], leads=("II",))).measurements
    assert found["f_wave_index"].reason == "lead_off"
    assert found["t_peak_end"].value == pytest.approx(two["t_peak_end"].value, abs=15)


def test_swapped_cables_are_told_of_a_long_recording_by_most_of_its_windows():
    x = np.tile(SINUS.signal, (1, 10))
    one, two = x[:2, 17500:].copy()
    x[0, 17500:], x[1, 17500:] = -one, two - one  # RA-LA from 35 s on
    assert analyse(at(SINUS.signal)).reversal.limb == ""
    assert analyse(at(x)).reversal.limb == "RA-LA"


@pytest.mark.parametrize("lost", [np.nan, 0.3])
def test_leads_that_are_not_there_have_no_say_in_the_intervals(lost):
    x = SINUS.signal.copy()
    x[3:] = lost
    found, alone = analyse(at(x)), analyse(at(SINUS.signal[:3]))
    for name in ("pr", "qrs", "qt"):
        assert found.measurements[name].value == pytest.approx(alone.measurements[name].value, abs=0.1), name
    assert found.found.beats.label.tolist() == alone.found.beats.label.tolist()
    assert found.found.lead.shape == (len(found.found.beats), 12, 3, 3)
    assert np.isnan(found.found.lead[:, 3:]).all()


def test_the_axis_rests_on_any_two_limb_leads_that_are_usable():
    plain = analyse(SINUS).measurements["axis_qrs"].value
    for lost in ([5], [0, 5], [1, 3, 4, 5]):  # aVF; I and aVF; all but I and III
        x = SINUS.signal.copy()
        x[lost] = np.nan
        assert analyse(at(x)).measurements["axis_qrs"].value == pytest.approx(plain, abs=4), lost
    x[2] = RNG.normal(0, 0.5, 5000)
    assert analyse(at(x)).measurements["axis_qrs"].reason == "poor_signal"


@pytest.mark.parametrize("step", [2, 3, 7])
def test_single_missing_samples_are_restored_and_said(step):
    x = SINUS.signal.copy()
    x[:, ::step] = np.nan
    plain, torn = analyse(SINUS), analyse(at(x))
    for name in ("hr", "pr", "qrs", "qt", "p_present_share", "rr_max"):
        # a sample less is 2 ms; the network sees a slightly other signal
        assert torn.measurements[name].value == pytest.approx(plain.measurements[name].value, abs=2), name
    assert torn.quality.verdict == "usable"
    assert "single samples missing: all leads" in torn.quality.causes


@pytest.mark.parametrize("share", [0.06, 0.09, 1 / 7, 0.4])
def test_what_a_line_cannot_restore_is_not_measured_and_never_made_up(share):
    x = SINUS.signal.reshape(12, -1, 5).mean(axis=2)
    plain = analyse(at(x, 100)).measurements
    for where in (np.random.default_rng(1).random(1000) < share, np.arange(1000) % round(1 / share) == 0):
        torn = x.copy()
        torn[:, where] = np.nan
        found = analyse(at(torn, 100))
        assert found.quality.verdict != "good"
        for name in ("hr", "pr", "qrs", "qt", "p_present_share", "rr_max"):
            told = found.measurements[name]
            near = {"pr": 8, "qrs": 8, "qt": 8, "rr_max": 20, "hr": 1}.get(name, 0.2)
            assert told.reason or told.value == pytest.approx(plain[name].value, abs=near), name
            assert told.reason in ("", "gaps", "poor_signal", "too_few_beats"), name
        assert found.found.no_p != "af"


@pytest.mark.parametrize(("wave", "first", "last"), [("T", 115, 150), ("P", -75, -62)])
def test_a_wave_that_gaps_hide_is_not_said_to_be_absent(wave, first, last):
    x = SINUS.signal.copy()
    for sample in analyse(SINUS).found.beats.sample.astype(int):
        x[:, max(sample + first, 0) : max(sample + last, 0)] = np.nan
    found = analyse(at(x)).measurements
    assert found["hr"].value == pytest.approx(64, abs=1)
    names = {"T": ("qt", "amp_t_V5", "axis_t", "t_peak_end"), "P": ("pr", "p_present_share", "amp_p_II", "axis_p")}
    assert {name: found[name].reason for name in names[wave]} == dict.fromkeys(names[wave], "gaps")


@pytest.mark.parametrize("seconds", [10, 90])
@pytest.mark.parametrize("swapped", [False, True])
def test_a_glance_sees_what_the_whole_analysis_sees(seconds, swapped):
    made = record("sinus", seed=5, seconds=seconds, rate=250)
    if swapped:  # RA and LA: I turns over, II and III change places, so do aVR and aVL
        made.signal[:6] = made.signal[[0, 2, 1, 4, 3, 5]] * np.array([-1, 1, 1, 1, 1, 1])[:, None]
    made.signal[7, 1000:1600] = 0.3
    grade, flags = glance(made)
    whole = analyse(made)
    assert grade.to_dict() == whole.quality.to_dict()
    assert flags == whole.reversal
    assert (flags.limb == "RA-LA") == swapped


def test_stretches_without_beats_are_said():
    x = np.concatenate([SINUS.signal, RNG.normal(0, 0.005, (12, 3000))], axis=1)
    found = analyse(at(x))
    assert (found.quality.verdict, len(found.found.beats)) == ("usable", 11)
    assert "stretches without beats" in found.quality.causes


@pytest.mark.parametrize("bpm", [160, 200, 240])
def test_a_fast_regular_rhythm_without_visible_p_is_not_called_fibrillation(bpm):
    found = analyse(at(tachycardia(bpm)))
    assert found.measurements["regularity"].value == "regular"
    assert found.found.no_p == "no_p_wave"
    assert found.measurements["pr"].reason == "no_p_wave"
    assert found.measurements["ectopy_share"].value == 0.0
    assert all("af" not in value.flag for value in found.measurements.values())
    assert analyse(record("af", seed=2)).found.no_p == "af"


@pytest.mark.parametrize("leads", [12, 1])
@pytest.mark.parametrize("noise", [0.0, 0.005, 0.02])
@pytest.mark.parametrize("after", [11, 22, 28])
def test_what_comes_before_asystole_is_measured_and_the_rest_is_told(leads, noise, after):
    x = SINUS.signal[1:2] if leads == 1 else SINUS.signal
    still = RNG.normal(0, 1, (len(x), 500 * after)) * noise
    names = ("II",) if leads == 1 else SINUS.leads
    plain, found = analyse(at(x, leads=names)), analyse(at(np.concatenate([x, still], axis=1), leads=names))
    assert len(found.found.beats) == len(plain.found.beats)
    for name in ("hr", "pr", "qrs", "qt"):
        # T of the last beat is whole here, and the network sees another signal about it
        assert found.measurements[name].value == pytest.approx(plain.measurements[name].value, abs=5), name
    assert found.quality.verdict != "good"
    assert found.quality.causes[0].startswith("flat") or "stretches without beats" in found.quality.causes
    if not noise:
        assert found.quality.lost() == [[10, 10 + after]]


def test_how_much_of_a_long_recording_has_no_beats_is_told():
    x = np.concatenate([np.tile(SINUS.signal[[1]], (1, 6)), RNG.normal(0, 0.005, (1, 20000))], axis=1)
    found = analyse(at(x, leads=("II",)))
    told = next(cause for cause in found.quality.causes if "without beats" in cause)
    assert int(told.split("(")[1].split()[0]) == pytest.approx(40, abs=2)  # a window's share is taken with its margins
    assert found.measurements["hr"].value == pytest.approx(64, abs=1)
