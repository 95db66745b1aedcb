"""Two components of variance, degrees of freedom, p values and the smallest detectable difference."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t, ttest_1samp

from einthoven.evaluate.variance import Variance, combine, macro_df

RNG = np.random.default_rng(0)


def test_with_fewer_than_three_runs_the_variance_is_of_subjects_alone():
    resamples_R = RNG.normal(0, 0.01, size=500)
    variance = combine(np.array([0.02, 0.03]), resamples_R, 29)
    assert np.isnan(variance.seed)
    assert variance.total == variance.subject == pytest.approx(np.var(resamples_R, ddof=1) * 30 / 29)
    assert variance.df == 29


def test_seeds_add_their_variance_over_the_number_of_runs():
    resamples_R, per_run_S = RNG.normal(0, 0.01, size=500), np.array([0.01, 0.03, 0.05, 0.02])
    variance = combine(per_run_S, resamples_R, 29)
    assert variance.seed == pytest.approx(per_run_S.var(ddof=1) / 4)
    assert variance.total == pytest.approx(variance.subject + variance.seed)
    want = variance.total**2 / (variance.subject**2 / 29 + variance.seed**2 / 3)
    assert variance.df == pytest.approx(want)


def test_without_variance_over_subjects_it_is_the_t_test_over_seeds():
    per_run_S = np.array([0.01, 0.03, 0.02, 0.05, -0.01])
    variance = combine(per_run_S, np.zeros(500), 99)
    want = ttest_1samp(per_run_S, 0.005)
    assert variance.df == pytest.approx(4)
    assert variance.p_value(per_run_S.mean(), 0.005) == pytest.approx(want.pvalue, rel=1e-9)


def test_smallest_detectable_difference_has_eighty_percent_power():
    # Independent: the share of t tests on simulated normal figures with that true difference that reach p <= 0.05.
    df, se = 20, 0.01
    sdd = Variance(se**2, np.nan, se**2, df).smallest_detectable
    estimated_se = se * np.sqrt(RNG.chisquare(df, size=200_000) / df)
    figure = RNG.normal(sdd, se, size=200_000)
    power = np.mean(np.abs(figure / estimated_se) > t(df).ppf(0.975))
    assert power == pytest.approx(0.80, abs=0.01)  # the sum of two t quantiles is itself an approximation


def test_macro_degrees_of_freedom_are_those_of_the_rarest_label_where_it_alone_varies():
    resamples_KR = np.stack([RNG.normal(0, 1, 1000), np.zeros(1000)])
    assert macro_df(resamples_KR, np.array([20, 400])) == pytest.approx(19)


def test_macro_degrees_of_freedom_of_equal_labels_add_up():
    resamples_KR = np.tile(RNG.normal(0, 1, 1000), (3, 1))
    assert macro_df(resamples_KR, np.array([20, 20, 20])) == pytest.approx(3 * 19)


def test_identical_arms_differ_by_nothing_with_certainty():
    variance = combine(np.zeros(3), np.zeros(500), 19)
    assert variance.total == 0
    assert (variance.p_value(0.0), variance.p_value(0.0, threshold=0.005)) == (1.0, 0.0)


def test_one_subject_has_no_variance():
    assert np.isnan(combine(np.zeros(3), np.zeros(500), 0).total)
