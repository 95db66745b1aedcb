"""Each rhythm does what its textbook definition says, read from the truth of many recordings."""

from __future__ import annotations

import numpy as np
import pytest

from einthoven.simulate import KINDS, World, block

WORLD = World(seed=21, noise=0)


def many(kind, count=24, world=WORLD):
    return list(block(world, [(patient, 0) for patient in range(count)], force=KINDS[kind]))


def rows(ecg):
    """Global limits, one row a beat, in milliseconds; NaN where absent."""
    columns = next(fact for fact in ecg.facts if fact.name == "truth.waves.global").columns
    points = {name: np.where(columns[name] < 0, np.nan, columns[name] * 2.0) for name in columns if "_" in name}
    return points | {"label": columns["label"]}


def value(ecg, name):
    return next((fact.value for fact in ecg.facts if fact.name == f"truth.{name}"), None)


def rr(beat):
    on = beat["qrs_on"]
    return np.diff(on[~np.isnan(on)])


def test_sinus_rhythm_has_a_p_before_each_qrs_at_a_constant_distance():
    for ecg in many("sinus"):
        beat = rows(ecg)
        both = ~np.isnan(beat["p_on"]) & ~np.isnan(beat["qrs_on"])
        assert both.sum() >= len(beat["label"]) - 2  # the first and last beat may be cut
        assert np.ptp((beat["qrs_on"] - beat["p_on"])[both]) <= 8
        assert set(beat["label"]) == {"N"}


def test_respiration_moves_the_sinus_rate_and_more_in_sinus_arrhythmia():
    calm, arrhythmia = ([np.ptp(rr(rows(ecg))) for ecg in many(kind)] for kind in ("sinus", "sinus-arrhythmia"))
    assert min(calm) > 0
    assert np.median(arrhythmia) > 120 > np.median(calm)


def test_fibrillation_has_no_p_and_irregular_intervals():
    spread = []
    for ecg in many("af"):
        assert np.isnan(rows(ecg)["p_on"]).all()
        assert value(ecg, "pr") is None
        assert value(ecg, "p_duration") is None
        assert value(ecg, "rhythm") == "AFIB"
        intervals = rr(rows(ecg))
        assert intervals.min() >= 250  # refractory
        spread.append(intervals.std() / intervals.mean())
    assert np.median(spread) > 0.15
    assert np.median(spread) > 5 * np.median([np.std(rr(rows(e))) / np.mean(rr(rows(e))) for e in many("sinus")])


def test_fibrillatory_waves_lie_between_four_and_nine_hertz():
    for ecg in many("af", 12):
        tq = _longest_gap(ecg)
        power = np.abs(np.fft.rfft((tq - tq.mean()) * np.hanning(len(tq)), 8192)) ** 2
        f = np.fft.rfftfreq(8192, 1 / 500)
        if len(tq) > 250:
            assert 3 < f[1:][power[1:].argmax()] < 11


def _longest_gap(ecg):
    """V1 between the end of a T and the next QRS."""
    beat = rows(ecg)
    gaps = [(b - a, int(a / 2), int(b / 2)) for a, b in zip(beat["t_off"][:-1], beat["qrs_on"][1:]) if b > a]
    _, start, stop = max(gaps)
    return ecg.signal[ecg.leads.index("V1"), start + 15 : stop - 15]


def test_flutter_conducts_whole_numbers_of_waves_and_has_no_p():
    for ecg in many("flutter"):
        beat = rows(ecg)
        assert np.isnan(beat["p_on"]).all()
        signal = ecg.signal[ecg.leads.index("II")]
        f = np.fft.rfftfreq(1 << 16, 1 / 500)
        power = np.abs(np.fft.rfft(signal - signal.mean(), 1 << 16))
        window = (f > 250 / 60 - 0.1) & (f < 330 / 60 + 0.1)
        cycles = rr(beat) / 1000 * f[window][power[window].argmax()]
        assert cycles == pytest.approx(np.rint(cycles), abs=0.3)


def test_a_ventricular_beat_is_wide_early_without_p_and_followed_by_a_full_pause():
    seen = 0
    for ecg in many("pvc"):
        beat = rows(ecg)
        for k in np.flatnonzero(beat["label"] == "V"):
            if not 1 <= k < len(beat["label"]) - 1 or np.isnan(beat["qrs_on"][k - 1 : k + 2]).any():
                continue
            seen += 1
            assert np.isnan(beat["p_on"][k])
            assert beat["qrs_off"][k] - beat["qrs_on"][k] >= 118  # 120 ms, limits on a grid of 2 ms
            if beat["label"][k - 1] == beat["label"][k + 1] == "N":
                before, after = beat["qrs_on"][k] - beat["qrs_on"][k - 1], beat["qrs_on"][k + 1] - beat["qrs_on"][k]
                sinus = 60_000 / value(ecg, "hr")
                assert before < 0.95 * sinus
                assert before + after == pytest.approx(2 * sinus, rel=0.15)
    assert seen >= 24


def test_the_t_of_a_ventricular_beat_points_away_from_its_qrs():
    opposite = []
    for ecg in many("pvc"):
        beat = rows(ecg)
        for k in np.flatnonzero((beat["label"] == "V") & ~np.isnan(beat["t_off"]) & ~np.isnan(beat["qrs_on"])):
            on, off, end = (int(beat[name][k] / 2) for name in ("qrs_on", "qrs_off", "t_off"))
            level = ecg.signal[:, [on - 5]]
            qrs, t = (ecg.signal[:, a:b] - level for a, b in ((on, off), (off, end)))
            largest = np.abs(qrs.sum(axis=1)).argmax()
            opposite.append(qrs[largest].sum() * t[largest].sum() < 0)
    assert np.mean(opposite) > 0.95


def test_an_atrial_premature_beat_has_another_p_a_narrow_qrs_and_no_full_pause():
    for ecg in many("pac"):
        beat, seen = rows(ecg), 0
        for k in np.flatnonzero(beat["label"] == "S"):
            if not 1 <= k < len(beat["label"]) - 1 or np.isnan(beat["qrs_on"][k - 1 : k + 2]).any():
                continue
            seen += 1
            before, after = beat["qrs_on"][k] - beat["qrs_on"][k - 1], beat["qrs_on"][k + 1] - beat["qrs_on"][k]
            sinus = 60_000 / value(ecg, "hr")
            assert before < 0.95 * sinus
            assert before + after < 1.99 * sinus
            assert beat["p_on"][k] < beat["qrs_on"][k]
        assert seen


def test_in_bigeminy_every_second_beat_is_ventricular():
    for ecg in many("bigeminy"):
        label = rows(ecg)["label"]
        assert set(label[::2]) | set(label[1::2]) == {"N", "V"}
        assert len(set(label[::2])) == len(set(label[1::2])) == 1


def test_wenckebach_pr_lengthens_until_a_p_is_not_conducted():
    blocks = 0
    for ecg in many("wenckebach"):
        beat = rows(ecg)
        pr = beat["qrs_on"] - beat["p_on"]
        runs = np.split(np.arange(len(pr)), np.flatnonzero(beat["label"] == "P"))
        for run in runs:
            steps = np.diff(pr[run][~np.isnan(pr[run])])
            assert (steps > 0).all()
        blocked = np.flatnonzero(beat["label"] == "P")
        blocks += len(blocked)
        assert np.isnan(beat["qrs_on"][blocked]).all()
        assert len(blocked)
    assert blocks > 48


def test_in_complete_block_atria_and_ventricles_keep_their_own_regular_time():
    distances = []
    for ecg in many("complete-block"):
        beat = rows(ecg)
        p = np.sort(beat["p_on"][~np.isnan(beat["p_on"])])
        qrs = beat["qrs_on"][~np.isnan(beat["qrs_on"])]
        assert np.median(np.diff(p)) < 0.8 * np.median(np.diff(qrs))
        assert np.std(np.diff(p)) < 0.1 * np.mean(np.diff(p))
        assert np.std(np.diff(qrs)) < 0.05 * np.mean(np.diff(qrs))
        assert value(ecg, "pr") is None
        phase = [(q - p[p <= q][-1]) / np.median(np.diff(p)) for q in qrs if (p <= q).any()]
        distances += [x for x in phase if x < 1]
    # Independent clocks: where a QRS falls within the P-P interval is uniform (Kolmogorov-Smirnov at about 0.1 %).
    distances = np.sort(distances)
    ideal = (np.arange(len(distances)) + 0.5) / len(distances)
    assert np.abs(distances - ideal).max() < 1.95 / np.sqrt(len(distances) / 5)  # five beats of a recording depend


def test_a_spike_comes_just_before_each_paced_qrs():
    for ecg in many("paced"):
        beat = rows(ecg)
        spikes = np.array([fact.sample for fact in ecg.facts if fact.kind == "events"]) * 2.0
        on = beat["qrs_on"][~np.isnan(beat["qrs_on"])]
        assert set(beat["label"]) == {"paced"}
        assert np.nanmedian(beat["qrs_off"] - beat["qrs_on"]) >= 118  # 120 ms, limits on a grid of 2 ms
        for start in on[on > 20]:
            assert (start - spikes >= 0).any()
            assert (start - spikes[spikes <= start]).min() <= 12


@pytest.mark.parametrize(("kind", "low", "high"), [("tachycardia", 100, 145), ("bradycardia", 36, 50)])
def test_rates_keep_to_their_definition(kind, low, high):
    for ecg in many(kind):
        assert low - 2 <= value(ecg, "hr") <= high + 2


def test_first_degree_block_has_a_pr_above_200_ms():
    assert min(value(ecg, "pr") for ecg in many("av1")) > 200


def test_qt_follows_the_rate():
    fast, slow = (np.median([value(ecg, "qt") for ecg in many(kind)]) for kind in ("tachycardia", "bradycardia"))
    assert slow > fast + 60
