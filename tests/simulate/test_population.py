"""Patients and readers: published normal ranges, age and sex, stated noise of labels, nothing told by names."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from einthoven.core.facts import Label
from einthoven.simulate import LABEL_SETS, World, block, visits
from einthoven.simulate.patients import people
from einthoven.simulate.tables import AGES, GAUSSIANS, conditions, parameters, patterns


@pytest.fixture(scope="module")
def normals():
    """True values of 250 people without a condition, by name, and whether they are men."""
    world, who = World(seed=41, noise=0, missing=0, seconds=5), [(patient, 0) for patient in range(250)]
    table = [
        {f.name: f.value for f in ecg.facts if f.kind in ("value", "category")} for ecg in block(world, who, force=[])
    ]
    return {name: np.array([row[name] for row in table]) for name in table[0]}


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("hr", 48, 98), ("pr", 113, 212), ("qrs", 69, 109), ("axis", -40, 91), ("qt", 325, 452)],
)
def test_normals_lie_in_the_published_range(normals, name, low, high):
    # Mason 2007 (PubMed 17276451), 2nd-98th percentile; 46,129 people
    values = normals[f"truth.{name}"]
    assert ((values >= low) & (values <= high)).mean() > 0.92
    assert np.ptp(np.percentile(values, [2, 98])) > 0.55 * (high - low)  # and they fill it


def test_corrected_qt_of_normals_lies_in_the_published_range(normals):
    fridericia = normals["truth.qt"] / np.cbrt(60 / normals["truth.hr"])
    assert ((fridericia >= 359) & (fridericia <= 445)).mean() > 0.92  # Mason 2007


@pytest.mark.parametrize(
    ("name", "men", "women"), [("hr", 63, 66), ("pr", 164, 158), ("qrs", 92, 86), ("axis", 35, 39)]
)
def test_medians_by_sex_are_near_the_published_ones(normals, name, men, women):
    # ELSA-Brasil (figshare 5720566), 11,094 adults; standard errors here are 1 to 3 units
    male = normals["sex"] == "male"
    tolerance = 6 if name != "axis" else 9
    assert np.median(normals[f"truth.{name}"][male]) == pytest.approx(men, abs=tolerance)
    assert np.median(normals[f"truth.{name}"][~male]) == pytest.approx(women, abs=tolerance)


def test_age_turns_the_axis_to_the_left(normals):
    old = normals["age"] >= np.median(normals["age"])
    assert np.median(normals["truth.axis"][old]) < np.median(normals["truth.axis"][~old]) - 5


def test_conditions_follow_age_and_the_prevalence_dial():
    who = [(patient, 0) for patient in range(4000)]
    usual, many = people(World(seed=1), who), people(World(seed=1, prevalence={"AFIB": 3}), who)
    old = usual.age > 70
    assert usual.shows("AFIB")[old].mean() > 2 * usual.shows("AFIB")[usual.age < 50].mean()
    assert many.shows("AFIB").sum() == pytest.approx(3 * usual.shows("AFIB").sum(), rel=0.25)
    assert not people(World(seed=1, prevalence={"AFIB": 0}), who).shows("AFIB").any()


def test_conditions_that_exclude_each_other_do_not_meet():
    group = people(
        World(seed=2, prevalence=dict.fromkeys(conditions(), 5.0)), [(patient, 0) for patient in range(2000)]
    )
    for condition in conditions().values():
        for other in condition.not_with:
            assert not (group.shows(condition.code) & group.shows(other)).any()
    rhythm = sum(group.shows(c.code).astype(int) for c in conditions().values() if c.group == "rhythm")
    assert rhythm.max() == 1


@pytest.fixture(scope="module")
def hospital():
    """Facts of the recordings of 500 patients, three seconds long so that it is quick."""
    world = World(seed=5, seconds=3, rate=100, noise=0)
    who = [(patient, visit) for patient in range(500) for visit in range(visits(world, patient))]
    return list(block(world, who))


def codes(ecg, name):
    return {fact.code for fact in ecg.facts if isinstance(fact, Label) and fact.name == name}


def test_every_label_is_in_its_set_and_the_rhythm_is_exactly_one(hospital):
    for labels in LABEL_SETS:
        for ecg in hospital:
            found = codes(ecg, labels.name)
            assert found <= set(labels.codes)
            if labels.exclusive:
                assert len(found) == 1
        seen = Counter(code for ecg in hospital for code in codes(ecg, labels.name))
        assert min(seen[code] for code in labels.codes) >= 3  # every code can be learnt


def test_readers_err_as_often_as_stated(hospital):
    wrong = np.mean([codes(ecg, "finding") != codes(ecg, "truth.finding") for ecg in hospital])
    assert 0.02 < wrong < 0.12  # 3 % of each finding overlooked, 0.3 % of 14 findings invented
    careful = block(
        World(seed=5, seconds=3, rate=100, noise=0, reader_noise=0), [(patient, 0) for patient in range(60)]
    )
    assert all(codes(ecg, "finding") == codes(ecg, "truth.finding") for ecg in careful)


def test_likelihood_tells_where_the_readers_agree(hospital):
    said = [
        (fact.likelihood, fact.code in codes(ecg, "truth.finding"))
        for ecg in hospital
        for fact in ecg.facts
        if isinstance(fact, Label) and fact.name == "finding"
    ]
    agreed, alone = ([right for likelihood, right in said if likelihood == level] for level in (100.0, 50.0))
    assert np.mean(agreed) > 0.97 > np.mean(alone)


def test_normal_is_said_only_where_nothing_else_is(hospital):
    for ecg in hospital:
        if "NORM" in codes(ecg, "condition"):
            assert codes(ecg, "condition") == {"NORM"}
            assert codes(ecg, "rhythm") <= {"SR", "SBRAD", "STACH", "SARRH"}


def test_age_and_sex_are_missing_now_and_then(hospital):
    for name in ("age", "sex"):
        share = np.mean([all(fact.name != name for fact in ecg.facts) for ecg in hospital])
        assert 0.01 < share < 0.06


def test_the_report_says_what_the_first_reader_found(hospital):
    words = {code: condition.phrases for code, condition in conditions().items()}
    for ecg in hospital:
        text = next(fact.text for fact in ecg.facts if fact.kind == "text").lower()
        for code in codes(ecg, "finding") - {"NORM"}:
            assert any(phrase.lower() in text for phrase in words[code])


def test_names_order_and_number_of_recordings_tell_nothing_about_the_labels(hospital):
    patient = np.array([int(ecg.subject.split("-")[1]) for ecg in hospital])
    visit = np.array([int(ecg.key.split("-")[2]) for ecg in hospital])
    count = np.bincount(patient)[patient]
    first = visit == 0  # one row a patient: recordings of one are alike
    for code in ("NORM", "CD", "STTC", "ARR", "ECT"):
        has = np.array([code in codes(ecg, "condition") for ecg in hospital])[first]
        for what in (patient[first], count[first]):
            order = np.argsort(np.argsort(what + 1e-6 * np.random.default_rng(0).random(len(what))))
            n, m = has.sum(), (~has).sum()
            auroc = (order[has].sum() - n * (n - 1) / 2) / (n * m)
            # standard error of the Mann-Whitney statistic without association; ten comparisons
            assert abs(auroc - 0.5) < 3 * np.sqrt((n + m + 1) / (12 * n * m))


def test_all_recordings_have_equal_size(hospital):
    assert {ecg.signal.shape for ecg in hospital} == {(12, 300)}


def test_the_tables_state_a_source_for_every_row():
    for row in (*parameters().values(), *conditions().values()):
        assert len(row.source) > 6
    for condition in conditions().values():
        assert all(len(condition.prevalence[sex]) == len(AGES) for sex in ("men", "women"))
        assert {*condition.set, *condition.add, *condition.times} <= set(parameters())
        assert set(condition.not_with) <= set(conditions())
        assert condition.phrases
    for wave in GAUSSIANS:
        assert (patterns(wave).rows[..., 1] > 0).all()
    assert (np.abs(patterns("qrs").rows[..., 2:]).max(axis=2) > 0).sum(axis=1).min() >= 5  # hospital.md: at least five
