"""What fits the classical engine: regressions find what was put in, folds stay out, the marks are followed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.waves import atria, limits
from bench.waves.limits import Rows
from einthoven.core.facts import WAVE_COLUMNS, Waves
from einthoven.signal import _atria, _fitted, beats, classical
from einthoven.simulate import record

P, QRS, T = 0, 1, 2


def made(count=400, noise=0.0, seed=0, features=5, constant=7.0):
    draw = np.random.default_rng(seed)
    parts = draw.normal(0, 10, (count, features))
    weight = np.linspace(-0.5, 0.8, features)
    miss = constant + parts @ weight + draw.normal(0, noise, count)
    return Rows(parts, miss, draw.integers(1, 11, count).astype(float), np.arange(count) % 5), weight


def test_the_regression_finds_the_weights_that_were_put_in():
    rows, weight = made()
    np.testing.assert_allclose(limits.huber_ridge(rows, 1e-6, 20), [7, *weight], atol=1e-6)


def test_a_few_wild_marks_hardly_move_the_weights():
    rows, weight = made(noise=2)
    rows.miss[::20] += 300
    np.testing.assert_allclose(limits.huber_ridge(rows, 1, 5), [7, *weight], atol=0.7)
    squares = limits.huber_ridge(rows, 1, 1e9)
    assert abs(squares[0] - 7) > 10  # the control: without Huber's bound they do


def test_a_strong_ridge_leaves_the_constant_alone():
    rows, _ = made()
    fitted = limits.huber_ridge(rows, 1e9, 1e9)
    assert np.abs(fitted[1:]).max() < 1e-3
    assert fitted[0] == pytest.approx(np.average(rows.miss, weights=rows.weight), abs=0.1)


def test_parts_that_say_nothing_want_a_strong_ridge_and_parts_that_say_all_a_weak_one():
    draw = np.random.default_rng(1)
    noise = Rows(draw.normal(0, 10, (60, 34)), draw.normal(0, 10, 60), np.ones(60), np.arange(60) % 5)
    assert limits.strength_of(noise, 20) == limits.STRENGTHS[-1]
    assert limits.strength_of(made()[0], 20) == limits.STRENGTHS[0]


def test_folds_that_are_left_out_choose_and_weigh_nothing():
    rows = {
        name: made(150, noise=3, seed=i, features=len(limits.UNFITTED[name]) - 1)[0]
        for i, name in enumerate(limits.NEEDED)
    }
    other = {
        name: replace(one, miss=np.where(np.isin(one.fold, [4, 0]), -one.miss, one.miss)) for name, one in rows.items()
    }
    before, after = limits.tables(rows), limits.tables(other)
    assert set(before) == {(0,), (1,), (2,), (3,), (4,), (0, 1), (1, 2), (2, 3), (3, 4), (4, 0)}
    for name in limits.NEEDED:
        np.testing.assert_array_equal(before[4, 0][name], after[4, 0][name])
        assert not np.array_equal(before[4,][name], after[4,][name])  # fold 0 is among its rows


def test_a_mark_belongs_to_the_beat_that_made_it():
    r = np.array([200.0, 1000.0])
    assert limits.owner(np.array([50.0, 250.0, 900.0, 1300.0]), r, P).tolist() == [0, -1, 1, -1]
    assert limits.owner(np.array([60.0, 230.0, 990.0, 1300.0]), r, QRS).tolist() == [0, 0, 1, -1]
    assert limits.owner(np.array([50.0, 500.0, 1300.0, 1900.0]), r, T).tolist() == [-1, 0, 1, -1]
    assert limits.owner(np.array([50.0]), np.empty(0), QRS).tolist() == [-1]


def test_the_engine_follows_those_who_marked():
    """Marks that stand 15 ms later make limits that stand 15 ms later, in recordings that were not fitted to."""
    given = [marked(seed, late) for seed in range(20) for late in (0.0, 15.0)]
    folds = {ecg.key: i // 2 % 5 for i, (ecg, _) in enumerate(given)}
    early, late = (limits.table(limits.collect(given[k::2], folds), (0,)) for k in (0, 1))
    whole = []
    for fitted in (early, late):
        ecg, found = given[0]
        numbers = replace(_fitted.read(), limits=fitted)
        whole.append(classical.delineate(ecg.signal, ecg.rate, found, numbers).whole * 1000 / ecg.rate)
    moved = (whole[1] - whole[0])[..., [0, 2]]
    assert np.nanmedian(moved) == pytest.approx(15, abs=1)
    assert np.nanpercentile(np.abs(moved - 15), 95) < 6


def marked(seed, late):
    ecg = record("sinus", seed=seed)
    truth = next(fact for fact in ecg.facts if fact.name == "truth.waves")
    columns = dict(truth.columns)
    for name in WAVE_COLUMNS:
        columns[name] = np.where(columns[name] < 0, -1, columns[name] + round(late * ecg.rate / 1000))
    facts = (Waves("reference.waves", columns),)
    return ecg.told(f"{seed} {late}", ecg.subject, facts, ecg.site), beats.find(ecg.signal, ecg.rate)


def test_shipping_one_part_keeps_the_rest_of_the_file():
    text = "# head\n\n[limits]\np_on = [1, 2]\n\n[atria]\nmean = [0.5]\nbias = [1]\n"
    one = limits.shipped(text, "limits", {"p_on": np.array([1.23456, -0.00001234])})
    assert one == "# head\n\n[limits]\np_on = [1.235, -1.234e-05]\n\n[atria]\nmean = [0.5]\nbias = [1]\n"
    other = limits.shipped(text, "atria", {"mean": np.array([3.0])})
    assert other == "# head\n\n[limits]\np_on = [1, 2]\n\n[atria]\nmean = [3]\n"


def test_the_threshold_keeps_its_promise_and_gives_nothing_away():
    draw = np.random.default_rng(3)
    odds, beats = np.round(draw.normal(3, 2, 300), 1), draw.integers(5, 20, 300)
    p = draw.integers(0, beats + 1)
    for most in (0.5, 3.0, 20.0):
        limit = atria.threshold(odds, p, beats, most)
        assert 100 * p[odds <= limit].sum() / beats.sum() <= most
        higher = odds[odds > limit].min()
        assert 100 * p[odds <= higher].sum() / beats.sum() > most


def test_where_nothing_keeps_the_promise_all_are_denied_p_waves():
    odds = np.array([0.5, 0.5, 2.0])
    assert atria.threshold(odds, np.array([9, 0, 9]), np.array([10, 10, 10]), 3.0) < 0.5
    assert atria.threshold(odds, np.zeros(3, int), np.array([10, 10, 10]), 3.0) > 2.0


def test_two_features_that_only_together_say_something_are_told_apart_out_of_fold():
    draw = np.random.default_rng(4)
    features = draw.normal(0, 1, (1600, len(_atria.FEATURES)))
    none = features[:, 0] * features[:, 1] > 0
    fold = 1 + np.arange(1600) % 8
    ones, views = np.ones(1600, int), np.array(list(atria.VIEWS))[np.arange(1600) % 3]
    seen = atria.Seen(features, none, ones, ones, views, fold, np.full(1600, ""))
    odds = atria.out_of_fold(seen)
    assert ((odds > 0) == none).mean() > 0.8  # 0.5 by chance
    other = replace(seen, none=np.where(fold == 3, ~none, none))
    np.testing.assert_array_equal(atria.out_of_fold(other)[fold == 3], odds[fold == 3])  # its labels fit others only
    assert not np.array_equal(atria.out_of_fold(other)[fold == 4], odds[fold == 4])


def test_the_interval_of_a_share_counts_people_and_not_recordings():
    p, beats = np.array([0, 10] * 20), np.full(40, 10)
    rate, low, high = atria.share(p, beats, np.arange(40))
    assert rate == 50
    assert 30 < low < 40 < 60 < high < 70
    _, few_low, few_high = atria.share(p, beats, np.arange(40) % 2)
    assert (few_low, few_high) == (0, 100)


def test_the_shipped_regression_has_a_weight_for_every_feature_and_product():
    fitted, count = _fitted.read().atria, len(_atria.FEATURES)
    assert fitted["mean"].shape == fitted["spread"].shape == (count,)
    assert fitted["weight"].shape == (count + count * (count + 1) // 2,)
