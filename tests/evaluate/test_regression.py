"""Metrics of numbers against scikit-learn and SciPy; a weight of w is w copies."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from einthoven.evaluate import regression

RNG = np.random.default_rng(0)
TRUTH = RNG.normal(60, 12, size=80).round()  # ties, as in ages
SCORE = (TRUTH + RNG.normal(0, 8, size=80)).round()
WEIGHT = RNG.integers(4, size=80).astype(float)
COPIES = np.repeat(np.arange(80), WEIGHT.astype(int))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(regression.mae, mean_absolute_error), (regression.rmse, root_mean_squared_error), (regression.r2, r2_score),
     (regression.spearman, lambda truth, score: spearmanr(truth, score).statistic)],
)  # fmt: skip
def test_a_weighted_figure_is_the_other_librarys_on_copies(ours, theirs):
    want = theirs(TRUTH[COPIES], SCORE[COPIES])
    assert ours(TRUTH, SCORE, WEIGHT) == pytest.approx(want, abs=1e-12)
    both = np.stack([WEIGHT, np.ones(80)], axis=1)
    assert ours(TRUTH, SCORE, both) == pytest.approx([want, theirs(TRUTH, SCORE)], abs=1e-12)


def test_r2_around_the_training_mean_is_the_skill_against_that_mean():
    residual, around = ((SCORE - TRUTH) ** 2).sum(), ((TRUTH - 50) ** 2).sum()
    assert regression.r2(TRUTH, SCORE, np.ones(80), centre=50) == pytest.approx(1 - residual / around, abs=1e-12)


def test_r2_of_two_columns_adds_their_sums_of_squares():
    truth_2n = np.stack([TRUTH, RNG.normal(size=80)])
    score_2n = truth_2n + RNG.normal(size=(2, 80)) * [[8], [0.5]]
    residual = ((score_2n - truth_2n)[:, COPIES] ** 2).sum()
    around = ((truth_2n[:, COPIES] - truth_2n[:, COPIES].mean(axis=1, keepdims=True)) ** 2).sum()
    assert regression.r2(truth_2n, score_2n, WEIGHT) == pytest.approx(1 - residual / around, abs=1e-12)
    centre = np.array([50.0, 1.0])
    around = ((truth_2n - centre[:, None]) ** 2).sum()
    want = 1 - ((score_2n - truth_2n) ** 2).sum() / around
    assert regression.r2(truth_2n, score_2n, np.ones(80), centre=centre) == pytest.approx(want, abs=1e-12)


@pytest.mark.filterwarnings("error")
def test_a_constant_truth_has_neither_r2_nor_rank_correlation():
    assert np.isnan(regression.r2(np.full(80, 3.0), SCORE, WEIGHT))
    assert np.isnan(regression.spearman(np.full(80, 3.0), SCORE, WEIGHT))
    assert np.isnan(regression.spearman(TRUTH, np.full(80, 3.0), WEIGHT))
