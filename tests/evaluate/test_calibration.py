"""Calibration line, error and Brier decomposition against scikit-learn, finite differences and published figures."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from einthoven.evaluate.calibration import Bins, fit_line, platt
from einthoven.evaluate.metrics import brier


@pytest.fixture
def sample():
    rng = np.random.default_rng(3)
    score_n = rng.beta(1, 3, size=400)
    return (rng.random(400) < expit(0.4 + 0.7 * logit(score_n))).astype(float), score_n


def test_calibration_line_is_scikit_learns_unpenalised_logistic_regression(sample):
    truth_n, score_n = sample
    line = fit_line(truth_n, score_n)
    want = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(logit(score_n)[:, None], truth_n)
    assert line is not None
    assert (line.intercept, line.slope) == pytest.approx((want.intercept_[0], want.coef_[0, 0]), abs=1e-5)


def test_calibrated_scores_have_intercept_0_and_slope_1():
    rng = np.random.default_rng(4)
    score_n = rng.beta(1, 2, size=200_000)
    line = fit_line(rng.random(200_000) < score_n, score_n)
    assert line is not None
    assert (line.intercept, line.slope) == pytest.approx((0, 1), abs=0.03)  # standard errors are .007 and .005


def test_influence_is_the_change_of_the_line_when_a_record_counts_a_little_more(sample):
    truth_n, score_n = sample[0][:60], sample[1][:60]
    line = fit_line(truth_n, score_n)
    assert line is not None
    step, i = 1e-4, 7
    weight_n = np.ones(60)
    weight_n[i] += step
    fit = LogisticRegression(C=np.inf, tol=1e-12, max_iter=10_000, solver="newton-cholesky")
    fit.fit(logit(score_n)[:, None], truth_n, sample_weight=weight_n)
    change = (np.array([fit.intercept_[0], fit.coef_[0, 0]]) - [line.intercept, line.slope]) / step
    assert line.influence_2n[:, i] == pytest.approx(change, rel=1e-2)
    assert line.influence_2n.sum(axis=1) == pytest.approx([0, 0], abs=1e-8)


@pytest.mark.parametrize(
    ("truth", "score"),
    [([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4]), ([0, 1, 0, 1], [0.5] * 4), ([0, 0, 0], [0.1, 0.2, 0.3]),
     ([1, 1, 0, 0], [0.1, 0.2, 0.2, 0.4])],
)  # fmt: skip
def test_no_line_exists_for_separated_classes_constant_scores_or_one_class(truth, score):
    assert fit_line(np.array(truth), np.array(score)) is None


def test_platts_targets_keep_the_line_finite_where_classes_are_separated():
    line = platt(np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.3, 0.4]))
    assert line is not None
    assert np.isfinite([line.intercept, line.slope]).all()
    # At the maximum of the likelihood the probabilities add up to the targets, 2 x 3/4 and 2 x 1/4.
    assert line(np.array([0.1, 0.2, 0.3, 0.4])).sum() == pytest.approx(2)
    line = platt(np.array([0, 0, 0, 1]), np.array([0.1, 0.2, 0.3, 0.4]))
    assert line is not None
    assert line(np.array([0.1, 0.2, 0.3, 0.4])).sum() == pytest.approx(2 / 3 + 3 / 5)
    assert platt(np.zeros(3), np.array([0.1, 0.2, 0.3])) is None


def test_platt_scaling_undoes_a_distortion_of_logits():
    rng = np.random.default_rng(5)
    true_n = rng.beta(1, 2, size=50_000)
    distorted_n = expit(2 * logit(true_n) + 1)
    line = platt(rng.random(50_000) < true_n, distorted_n)
    assert line is not None
    assert np.abs(line(distorted_n) - true_n).mean() < 0.005  # twice the sampling error of the line


def test_calibration_error_is_that_of_sorting_into_ten_equal_bins():
    rng = np.random.default_rng(7)
    score_n, truth_n = rng.random(200), rng.integers(2, size=200).astype(float)
    order = np.argsort(score_n)
    gaps = [abs(score_n[bin_n].mean() - truth_n[bin_n].mean()) for bin_n in np.split(order, 10)]
    ece_R, largest_R = Bins(truth_n, score_n).errors(np.ones((200, 1)))
    assert (ece_R[0], largest_R[0]) == pytest.approx((np.mean(gaps), max(gaps)), abs=1e-14)


def test_equal_scores_share_a_bin_so_the_prevalence_is_calibrated():
    truth_n = np.repeat([1.0, 0.0], [30, 70])  # split by position, the bins would be all 1 or all 0
    ece_R, largest_R = Bins(truth_n, np.full(100, 0.3)).errors(np.ones((100, 1)))
    assert (ece_R[0], largest_R[0]) == pytest.approx((0, 0), abs=1e-12)


@pytest.mark.parametrize(
    ("prevalence", "n", "published"), [(0.05, 1500, 0.011), (0.25, 1500, 0.024), (0.25, 300, 0.053)]
)
def test_calibration_error_under_calibration_is_the_simulated_figure(prevalence, n, published):
    # Figures of the evaluation rules for scores of no stated spread; ours: Beta of that mean and concentration 4.
    rng = np.random.default_rng(8)
    figures = []
    for _ in range(10):
        score_n = rng.beta(4 * prevalence, 4 * (1 - prevalence), size=n)
        figures.append(Bins(np.zeros(n), score_n).if_calibrated(rng))
    assert np.mean(figures) == pytest.approx(published, rel=0.25)


def test_brier_is_reliability_less_resolution_plus_uncertainty_plus_within(sample):
    truth_n, score_n = sample
    weight_nR = np.random.default_rng(9).integers(3, size=(400, 6)).astype(float)
    part = Bins(truth_n, score_n).decomposition(weight_nR)
    total_R = part["reliability"] - part["resolution"] + part["uncertainty"] + part["within"]
    np.testing.assert_allclose(total_R, brier(truth_n, score_n, weight_nR), rtol=0, atol=1e-13)


def test_a_binned_forecast_has_nothing_within_its_bins():
    rng = np.random.default_rng(10)
    score_n = np.repeat(np.arange(10) / 10, 20)
    part = Bins(rng.integers(2, size=200), score_n).decomposition(np.ones((200, 1)))
    assert part["within"][0] == pytest.approx(0, abs=1e-14)
