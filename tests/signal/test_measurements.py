"""Measurements against the simulated truth, against numbers worked out by hand, and against rules of absence."""

from __future__ import annotations

import numpy as np
import pytest

from einthoven.core.leads import STANDARD
from einthoven.core.record import Record
from einthoven.signal import _rhythm
from einthoven.signal._pacing import spikes
from einthoven.signal._quantities import AMPLITUDES, LIMITS, ONE_NUMBER, UNITS
from einthoven.signal.formulae import axis_degrees, corrected
from einthoven.signal.marks import Beats, Delineation
from einthoven.signal.measurements import CORNELL_WOMEN_MV, measure
from einthoven.simulate import KINDS, record
from tests.signal.given import told, truth


def of(ecg: Record, **settings):
    return measure(ecg.signal, ecg.rate, ecg.leads, truth(ecg), **settings)


def beats_at(seconds, rate=500.0, leads=1) -> Delineation:
    """Beats with nothing but R peaks and QRS complexes of 120 ms."""
    r = np.array(seconds, float) * rate
    whole = np.full((len(r), 3, 3), np.nan)
    whole[:, 1] = r[:, None] + np.array([-0.05, 0, 0.07]) * rate
    lead = np.repeat(whole[:, None], leads, axis=1)
    return Delineation(Beats(r, np.full(len(r), "N"), np.ones(len(r))), lead, whole, np.ones((len(r), 3)), "", "hand")


@pytest.mark.parametrize("kind", ["sinus", "bradycardia", "pac", "pvc", "lbbb", "rbbb", "av1", "lvh", "st-elevation"])
def test_intervals_are_those_of_the_truth_when_the_limits_are(kind):
    ecg = record(kind, seed=2, noise=0)
    found, want = of(ecg), told(ecg)
    for name in ("p_duration", "pr", "qrs", "qt"):
        # the truth counts all normal beats, ours leaves premature ones out: half a sample and a beat's QT
        assert found[name].value == pytest.approx(want[name], abs=4), name
    assert found["jt"].value == pytest.approx(want["qt"] - want["qrs"], abs=6)
    assert found["hr_mean"].value == pytest.approx(want["hr_mean"], rel=0.03)  # the truth counts beats cut by an end
    assert found["hr"].value == pytest.approx(want["hr"], rel=0.02)
    assert found["axis_qrs"].value == pytest.approx(want["axis"], abs=4)  # the truth has no T and ST under its QRS


def test_noise_moves_the_axis_little_and_no_interval():
    quiet, loud = (of(record("sinus", seed=5, noise=noise)) for noise in (0, 2))
    assert loud["axis_qrs"].value == pytest.approx(quiet["axis_qrs"].value, abs=3)
    assert [loud[name].value for name in ("pr", "qrs", "qt")] == [quiet[name].value for name in ("pr", "qrs", "qt")]


def test_corrected_qt_and_axes_are_those_of_the_formulae():
    # physiology.md, section 7
    assert corrected(400, 0.8) == pytest.approx(
        {"qtc_bazett": 447.213595, "qtc_fridericia": 430.886938, "qtc_framingham": 430.8, "qtc_hodges": 426.25}
    )
    assert [axis_degrees(*pair) for pair in ((1, 1), (0, 1), (1, 0))] == pytest.approx([30, 90, -30])


def test_rmssd_and_pnn50_of_four_intervals():
    place = np.cumsum([0, 800, 860, 790, 800]) / 1000
    found = _rhythm.rhythm(place, np.full(5, "N"), np.full(5, 80.0), np.ones(5), np.zeros(5, bool))
    assert _rhythm.rmssd(found) == (pytest.approx(53.541261), 3)
    assert _rhythm.pnn50(found) == (pytest.approx(66.666667), 3)


def test_variability_waits_for_enough_pairs():
    x = np.zeros((1, 15000))
    few, more, many = (measure(x, 500, ["II"], beats_at(np.arange(1, n + 1) * 0.8)) for n in (6, 7, 22))
    assert (few["rmssd"].reason, more["rmssd"].value, more["rmssd"].n_beats) == ("too_few_beats", 0, 5)
    assert (more["pnn50"].reason, many["pnn50"].value) == ("too_few_beats", 0)


def test_an_interval_next_to_an_ectopic_beat_is_not_normal():
    place = np.array([0, 1, 2, 2.6, 4, 5, 6, 7, 8])
    found = _rhythm.rhythm(place, np.full(9, "N"), np.full(9, 80.0), np.ones(9), np.zeros(9, bool))
    assert found.narrow.tolist() == [False] * 3 + [True] + [False] * 5
    assert found.nn.tolist() == [True, True, False, False, True, True, True, True]
    assert _rhythm.rmssd(found) == (0, 4)


@pytest.mark.parametrize(
    ("kind", "word"), [("sinus", "regular"), ("af", "irregularly irregular"), ("bigeminy", "irregular"),
                       ("sinus-arrhythmia", "irregular"), ("paced", "regular")]
)  # fmt: skip
def test_regularity_of_rhythms(kind, word):
    words = [of(record(kind, seed=seed, noise=0))["regularity"].value for seed in range(8)]
    assert words.count(word) >= 7


def test_q_r_and_s_are_the_deflections_of_the_complex():
    rate, x = 500, np.zeros(3000)
    for at in (500, 1000, 1500, 2000, 2500):
        for centre, size in ((-15, -0.2), (0, 1.5), (15, -0.6), (28, 0.3)):
            x[at - 40 : at + 60] += size * np.exp(-0.5 * ((np.arange(-40, 60) - centre) / 3) ** 2)
    found = measure(x[None], rate, ["V1"], beats_at(np.array([500, 1000, 1500, 2000, 2500]) / rate))
    sizes = [found[f"amp_{wave}_V1"].value for wave in ("q", "r", "s", "r2")]
    assert sizes == pytest.approx([-0.2, 1.5, -0.6, 0.3], abs=0.01)
    upside = measure(-x[None], rate, ["V1"], beats_at(np.array([500, 1000, 1500, 2000, 2500]) / rate))
    assert upside["amp_r_V1"].value == pytest.approx(0.2, abs=0.01)  # now the small one is the first positive one


def test_a_complex_without_r_is_an_s_and_counts_in_the_voltages():
    ecg = record("sinus", seed=1, noise=0)
    flipped = ecg.signal.copy()
    v1 = ecg.leads.index("V1")
    flipped[v1] = -np.abs(flipped[v1])
    found = of(Record("x", ecg.leads, flipped, ecg.rate, None, ecg.facts))
    assert (found["amp_r_V1"].reason, found["amp_q_V1"].reason) == ("no_wave", "no_wave")
    deep, r = -found["amp_s_V1"].value, max(found["amp_r_V5"].value, found["amp_r_V6"].value)
    assert found["sokolow_lyon"].value == pytest.approx(deep + r, abs=1e-5)


def test_a_drift_is_no_st_change():
    ecg = record("sinus", seed=4, noise=0)
    drift = 0.8 * np.arange(ecg.samples) / ecg.samples
    lifted = measure(ecg.signal + drift, ecg.rate, ecg.leads, truth(ecg))
    plain = of(ecg)
    for lead in STANDARD:
        for name in (f"st_j60_{lead}", f"amp_t_{lead}"):
            assert lifted[name].value == pytest.approx(plain[name].value, abs=0.006), name


def test_st_elevation_is_seen_where_it_was_made():
    high, none = (of(record(kind, seed=1, noise=0)) for kind in ("st-elevation", "sinus"))
    assert high["st_j60_V3"].value - none["st_j60_V3"].value > 0.1


def test_af_has_no_p_and_no_pr_but_a_qt():
    found = of(record("af", seed=1))
    assert {found[name].reason for name in ("p_duration", "pr", "axis_p", "ptf_v1", "amp_p_II")} == {"no_p_wave"}
    assert found["qt"].value is not None
    assert found["qtc_fridericia"].flag.startswith("af")
    assert found["ectopy_share_narrow"].reason == "fibrillation"


def test_amplitudes_of_slow_sampling_and_of_paced_beats_are_flagged():
    slow = of(record("sinus", seed=1, rate=80))
    assert {slow["amp_r_II"].flag, slow["st_j_V2"].flag} == {"sampling_rate"}
    assert slow["qrs"].flag == ""
    assert of(record("paced", seed=1))["amp_s_V1"].flag == "paced"
    assert of(record("sinus", seed=1, rate=100))["amp_r_II"].flag == ""


def test_in_af_qt_and_rr_are_weighted_by_the_interval_before_the_beat():
    rr = np.array([1.4, 0.4, 0.7, 0.5, 1.1, 0.45, 0.8, 0.6, 1.2, 0.5, 0.9])
    marks = beats_at(1 + np.concatenate([[0], np.cumsum(rr)]))
    qt = np.append(0.4, 0.3 + 0.1 * rr)  # seconds
    marks.whole[:, 2, 2] = marks.whole[:, 1, 0] + 500 * qt
    af = Delineation(marks.beats, marks.lead, marks.whole, marks.confidence, "af", "hand")
    found = measure(np.ones((1, 7000)), 500, ["II"], af)
    mean = np.sum(rr * rr) / np.sum(rr)
    want = corrected(1000 * (0.3 + 0.1 * mean), mean)
    assert found["qtc_bazett"].value == pytest.approx(want["qtc_bazett"], abs=0.5)
    assert found["qtc_bazett"].flag == "af"
    plain = measure(np.ones((1, 7000)), 500, ["II"], marks)["qtc_bazett"].value
    assert abs(plain - found["qtc_bazett"].value) > 10  # the median would be another


def test_fibrillatory_waves_raise_the_index():
    af, sinus = ([of(record(kind, seed=s))["f_wave_index"].value for s in range(6)] for kind in ("af", "sinus"))
    assert np.median(af) > 1.3 * np.median(sinus)


def test_paced_beats_are_flagged_and_their_spikes_counted():
    ecg = record("paced", seed=1)
    found = of(ecg)
    spikes = sum(fact.kind == "events" for fact in ecg.facts)
    assert (found["pacing"].value, found["pacing_ventricular"].value) == (spikes, spikes)
    assert (found["qrs"].flag, found["pr"].reason) == ("paced", "paced")
    assert of(record("sinus", seed=1))["pacing"].value == 0
    assert of(record("paced", seed=1, rate=125))["pacing"].reason == "sampling_rate"


def test_ventricular_beats_are_wide_ectopy_and_stay_out_of_the_intervals():
    ecg = record("pvc", seed=1, noise=0)
    found, marks = of(ecg), truth(ecg)
    assert found["ectopy_share_wide"].value == pytest.approx(np.mean(marks.beats.label == "V"), abs=1e-6)
    assert found["qrs"].n_beats == (marks.beats.label == "N").sum()
    assert found["beat_corr_min"].value < 0.8 < found["beat_corr_mean"].value


def test_one_lead_gives_what_one_lead_allows():
    ecg = record("sinus", seed=3, leads=("II",))
    found = of(ecg)
    assert {name for name, m in found.items() if m.reason == "missing_lead"} == {
        "axis_p", "axis_qrs", "axis_t", "qrs_t_angle", "sokolow_lyon", "sokolow_lyon_product", "cornell",
        "cornell_product", "cornell_product_women", "ptf_v1", "f_wave_index",
    }  # fmt: skip
    assert found["pr"].value is not None
    assert len(found) == len(ONE_NUMBER) + len(AMPLITUDES)


def test_two_limb_leads_give_the_axis():
    whole, two = (record("sinus", seed=3, leads=leads, noise=0) for leads in (STANDARD, ("aVL", "III")))
    assert of(two)["axis_qrs"].value == pytest.approx(of(whole)["axis_qrs"].value, abs=1)


def test_without_units_no_voltage_is_told():
    found = of(record("sinus", seed=3), units=False)
    withheld = {name.rpartition("_")[0] for name, m in found.items() if m.reason == "no_units" and name[-1].isdigit()}
    assert {"amp_r", "amp_t", "st_j", "st_slope"} <= withheld
    assert found["sokolow_lyon"].reason == "no_units"
    assert found["qrs"].value is not None
    assert found["axis_qrs"].value is not None


def test_what_cannot_be_is_withheld_and_not_clipped():
    ecg = record("sinus", seed=3, noise=0)
    assert measure(50 * ecg.signal / np.abs(ecg.signal).max(), 500, ecg.leads, truth(ecg))["amp_r_V5"].reason in (
        "implausible", "no_wave",
    )  # fmt: skip
    slow = measure(np.zeros((1, 50000)), 500, ["II"], beats_at([10, 15, 20, 25]))
    assert (slow["hr"].value, slow["hr"].reason) == (None, "implausible")


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_value_has_its_unit_and_lies_within_its_limits_or_has_a_reason(kind):
    found = of(record(kind, seed=7, noise=1))
    for name, measured in found.items():
        quantity = name if name in UNITS else name.rpartition("_")[0]
        assert measured.unit == UNITS[quantity]
        assert (measured.value is None) == bool(measured.reason)
        if isinstance(measured.value, float) and quantity in LIMITS:
            assert LIMITS[quantity][0] <= measured.value <= LIMITS[quantity][1]
        assert 0 <= measured.quality <= 1


def test_order_of_leads_and_their_number_change_nothing():
    ecg = record("sinus", seed=6)
    plain, marks = of(ecg), truth(ecg)
    turn = np.random.default_rng(0).permutation(12)
    turned = Delineation(marks.beats, marks.lead[:, turn], marks.whole, marks.confidence, "", "truth")
    found = measure(ecg.signal[turn], 500, [ecg.leads[i] for i in turn], turned)
    assert found.keys() == plain.keys()
    for name, measured in plain.items():
        if isinstance(measured.value, float):
            assert found[name].value == pytest.approx(measured.value, abs=2e-3), name


def test_scaling_scales_amplitudes_and_nothing_else():
    ecg = record("sinus", seed=6, noise=0)
    plain, double = of(ecg), measure(2 * ecg.signal, 500, ecg.leads, truth(ecg))
    assert double["amp_r_V5"].value == pytest.approx(2 * plain["amp_r_V5"].value, rel=1e-4)
    assert double["axis_qrs"].value == pytest.approx(plain["axis_qrs"].value, abs=0.01)
    assert double["qt"].value == plain["qt"].value


def test_products_are_voltages_times_the_qrs_and_women_get_their_addition():
    found = {name: m.value for name, m in of(record("lvh", seed=2, noise=0)).items()}
    assert found["sokolow_lyon_product"] == pytest.approx(found["sokolow_lyon"] * found["qrs"], rel=1e-5)
    assert found["cornell_product"] == pytest.approx(found["cornell"] * found["qrs"], rel=1e-5)
    more = found["cornell_product_women"] - found["cornell_product"]  # mV ms
    assert more == pytest.approx(0.8 * found["qrs"], rel=1e-5)
    assert CORNELL_WOMEN_MV == 0.8


def test_a_lead_that_comes_back_from_flat_is_no_spike():
    ecg = record("sinus", seed=4)
    off = ecg.signal.copy()
    off[5, 1000:2000] = 0.0
    off[5, 2000:] += 2.0  # an electrode that is connected again: a step of 2 mV
    assert spikes(off, ecg.rate, truth(ecg)) == []
    paced = record("paced", seed=4)
    plain = spikes(paced.signal, paced.rate, truth(paced))
    flat = paced.signal.copy()
    flat[5] = 0.0
    assert len(plain) > 5
    assert spikes(flat, paced.rate, truth(paced)) == plain


def test_a_lost_lead_hides_no_spikes_and_the_edge_of_a_gap_is_none():
    ecg = record("paced", seed=1)
    plain = spikes(ecg.signal, ecg.rate, truth(ecg))
    lost = ecg.signal.copy()
    lost[7] = np.nan
    assert len(plain) > 5
    assert spikes(lost, ecg.rate, truth(ecg)) == plain
    sinus = record("sinus", seed=1, noise=0)
    torn = sinus.signal + 5
    torn[3, 2000:2600] = np.nan
    assert spikes(torn, sinus.rate, truth(sinus)) == []


def test_peak_to_end_of_t_is_that_of_another_lead_where_the_first_is_not_there():
    ecg = record("sinus", seed=3, noise=0)
    five, two = (measured(ecg, [ecg.leads.index(lead)]) for lead in ("V5", "II"))
    both = measured(ecg, [ecg.leads.index(lead) for lead in ("II", "V5")])
    assert (both.value, five.value is None, two.value is None) == (five.value, False, False)
    assert measured(ecg, [ecg.leads.index("I"), ecg.leads.index("V1")]).reason == "missing_lead"


def measured(ecg: Record, rows: list[int]):
    marks = truth(ecg)
    some = Delineation(marks.beats, marks.lead[:, rows], marks.whole, marks.confidence, "", "truth")
    return measure(ecg.signal[rows], ecg.rate, [ecg.leads[row] for row in rows], some)["t_peak_end"]


def test_a_t_wave_that_a_beats_window_cuts_has_no_area():
    marks = beats_at(np.arange(1, 8) * 2.0)
    marks.whole[:, 2] = marks.whole[:, 1, :1] + np.array([300, 340, 380])  # ends 760 ms after QRS onset
    marks.lead[:, 0] = marks.whole
    found = measure(np.ones((1, 8000)), 500, ["II"], marks)
    assert found["amp_t_II"].value is None
