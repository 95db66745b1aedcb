"""The linear probe against the conditions of its optimum and against what a reader would compute by hand."""

import numpy as np
import pytest

from einthoven.core.errors import TaskError
from einthoven.evaluate import probes


def data(n=400, d=6, k=2, seed=0, noise=1.0):
    gen = np.random.default_rng(seed)
    x_ND = gen.normal(size=(n, d)) * gen.uniform(0.1, 10, d) + gen.normal(size=d)
    w_KD = gen.normal(size=(k, d)) / x_ND.std(0)
    y_NK = ((x_ND - x_ND.mean(0)) @ w_KD.T + noise * gen.logistic(size=(n, k)) > 0).astype(float)
    return x_ND, y_NK


def test_the_gradient_of_the_stated_objective_is_zero_at_the_solution():
    x_ND, y_NK = data()
    fitted = probes.fit(x_ND[:300], y_NK[:300], x_ND[300:], y_NK[300:], "multilabel")
    z_ND = (x_ND[:300] - fitted.mean_D) / fitted.scale_D
    residual_NK = fitted.scores(x_ND[:300]) - y_NK[:300]
    # mean loss + |w|^2 / (2 C n): its gradient times n, bias unpenalised
    gradient_KD = residual_NK.T @ z_ND + fitted.weight_KD / fitted.penalty
    assert np.abs(gradient_KD).max() < 1e-6 * 300
    assert np.abs(residual_NK.sum(0)).max() < 1e-6 * 300


def test_the_penalty_is_the_one_with_the_best_validation_figure_and_ties_take_the_stronger():
    x_ND, y_NK = data(noise=0.01, d=1, k=1)  # one feature: every penalty ranks alike
    fitted = probes.fit(x_ND[:200], y_NK[:200], x_ND[200:], y_NK[200:], "multilabel")
    assert fitted.penalty == pytest.approx(1e-6)  # smallest of the grid, then of its extension by two decades
    assert any("edge" in flag for flag in fitted.flags)


def test_pure_noise_features_beside_one_good_one_choose_a_strong_penalty():
    gen = np.random.default_rng(1)
    y_N1 = gen.integers(0, 2, (1080, 1)).astype(float)
    x_ND = np.concatenate([y_N1 + gen.normal(size=(1080, 1)), gen.normal(size=(1080, 60))], axis=1)
    fitted = probes.fit(x_ND[:80], y_N1[:80], x_ND[80:], y_N1[80:], "multilabel")
    assert fitted.penalty <= 0.1


def test_scaling_and_shifting_features_changes_no_score():
    x_ND, y_NK = data()
    other_ND = x_ND * 37.0 - 5.0
    one, two = (probes.fit(x[:300], y_NK[:300], x[300:], y_NK[300:], "multilabel") for x in (x_ND, other_ND))
    np.testing.assert_allclose(one.scores(x_ND), two.scores(other_ND), rtol=1e-6)


def test_flat_features_are_dropped_and_counted():
    x_ND, y_NK = data()
    x_ND = np.concatenate([x_ND, np.full((len(x_ND), 2), 3.0)], axis=1)
    fitted = probes.fit(x_ND[:300], y_NK[:300], x_ND[300:], y_NK[300:], "multilabel")
    assert "2 flat features dropped" in fitted.flags
    assert not fitted.weight_KD[:, -2:].any()


def test_a_label_without_positives_gets_a_constant_score_and_is_named():
    x_ND, y_NK = data()
    y_NK[:, 1] = 0
    fitted = probes.fit(x_ND[:300], y_NK[:300], x_ND[300:], y_NK[300:], "multilabel")
    assert fitted.untrained == (1,)
    assert np.ptp(fitted.scores(x_ND)[:, 1]) == 0


def test_unknown_truth_leaves_its_label_only():
    x_ND, y_NK = data()
    hidden_NK = y_NK.copy()
    hidden_NK[:150, 1] = np.nan
    all_known = probes.fit(x_ND[:300], y_NK[:300], x_ND[300:], y_NK[300:], "multilabel")
    partly = probes.fit(x_ND[:300], hidden_NK[:300], x_ND[300:], y_NK[300:], "multilabel")
    assert all_known.penalty == partly.penalty  # else the next line would compare two models
    np.testing.assert_allclose(all_known.weight_KD[0], partly.weight_KD[0])
    assert np.abs(all_known.weight_KD[1] - partly.weight_KD[1]).max() > 1e-3


def test_no_label_with_both_classes_is_refused():
    x_ND, y_NK = data()
    with pytest.raises(TaskError, match="no label has positives and negatives"):
        probes.fit(x_ND[:300], np.zeros((300, 2)), x_ND[300:], y_NK[300:], "multilabel")


def test_a_value_is_fitted_by_ridge_regression_in_its_own_unit():
    gen = np.random.default_rng(2)
    x_ND = gen.normal(size=(300, 4))
    y_N1 = 60 + x_ND @ [[10.0], [0], [-5], [0]] + gen.normal(size=(300, 1))
    fitted = probes.fit(x_ND[:200], y_N1[:200], x_ND[200:], y_N1[200:], "value")
    assert np.abs(fitted.scores(x_ND[200:]) - y_N1[200:]).mean() < 1.0  # the noise has mean absolute value 0.80
    np.testing.assert_allclose(fitted.weight_KD[0] / fitted.scale_D, [10, 0, -5, 0], atol=0.3)


def test_several_numbers_are_fitted_as_if_each_were_alone():
    gen = np.random.default_rng(4)
    x_ND = gen.normal(size=(300, 40))
    y_NK = np.stack([60 + 10 * x_ND[:, 0] + gen.normal(size=300), 0.1 * gen.normal(size=300)], axis=1)
    y_NK[::3, 1] = np.nan
    both = probes.fit(x_ND[:200], y_NK[:200], x_ND[200:], y_NK[200:], "value", ("hr", "st"))
    alone = [probes.fit(x_ND[:200], y_N1[:200], x_ND[200:], y_N1[200:], "value") for y_N1 in (y_NK[:, :1], y_NK[:, 1:])]
    assert both.penalty == tuple(one.penalty for one in alone)
    assert both.penalty[1] > 1e3 * both.penalty[0]  # noise asks for another penalty than a clear line
    np.testing.assert_array_equal(both.weight_KD, np.vstack([one.weight_KD for one in alone]))
    np.testing.assert_array_equal(both.bias_K, np.concatenate([one.bias_K for one in alone]))
    assert any(flag.startswith("st: penalty at the edge") for flag in both.flags)


@pytest.mark.parametrize(("kind", "unjudged", "middle"), [("multilabel", 0.0, 0.1), ("value", np.nan, 10.0)])
def test_a_validation_part_that_judges_nothing_chooses_no_extreme_penalty_and_is_flagged(kind, unjudged, middle):
    x_ND, y_NK = data(k=1)
    fitted = probes.fit(x_ND[:300], y_NK[:300], x_ND[300:], np.full((100, 1), unjudged), kind)
    assert fitted.penalty == pytest.approx(middle)
    assert any("cannot choose" in flag for flag in fitted.flags)
    empty = probes.fit(x_ND[:300], y_NK[:300], x_ND[:0], y_NK[:0], kind)
    assert empty.penalty == pytest.approx(middle)
