"""Intervals against closed forms, SciPy and the equations that define them; their coverage is in test_coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, norm, t

from einthoven.evaluate.intervals import (
    auroc_interval,
    conservative,
    effective_count,
    logit_t,
    newcombe,
    percentile,
    wald_t,
    wilson,
)  # fmt: skip


def test_logit_t_is_symmetric_in_log_odds_with_students_quantile():
    low, high = logit_t(0.8, 0.04**2, 30, 500)
    odds = np.log([x / (1 - x) for x in (low, 0.8, high)])
    half = t(29).ppf(0.975) * 0.04 / (0.8 * 0.2)
    assert odds == pytest.approx([odds[1] - half, odds[1], odds[1] + half], abs=1e-12)


def test_a_perfect_auroc_is_drawn_half_a_pair_inside():
    low, high = logit_t(1.0, 0.0, 20, 100)
    assert (low, high) == pytest.approx((1 - 0.5 / 2000, 1 - 0.5 / 2000))
    assert conservative(1.0, 0.0, 20, 100)[0] == newcombe(1.0, 20, 100)[0] < 0.95


@pytest.mark.parametrize("auroc", [0.5, 0.75, 0.9, 0.97])
def test_newcombes_limits_solve_his_equation(auroc):
    m, other = 20, 500
    for theta in newcombe(auroc, m, other):
        N = (m + other) / 2
        variance = theta * (1 - theta) * (2 * N - 1 - (3 * N - 3) / ((2 - theta) * (1 + theta))) / (m * other)
        assert abs(auroc - theta) == pytest.approx(norm.ppf(0.975) * np.sqrt(variance), rel=1e-6)


def test_newcombe_of_a_perfect_and_of_a_reversed_ranking_mirror_each_other():
    low_1, high_1 = newcombe(1.0, 20, 100)
    low_0, high_0 = newcombe(0.0, 20, 100)
    assert (high_1, low_0) == (1.0, 0.0)
    assert high_0 == pytest.approx(1 - low_1, abs=1e-9)


def test_the_union_holds_both_intervals():
    low, high = conservative(0.9, 0.02**2, 20, 500)
    for one_low, one_high in (logit_t(0.9, 0.02**2, 20, 500), newcombe(0.9, 20, 500)):
        assert low <= one_low
        assert high >= one_high


@pytest.mark.parametrize(
    ("auroc", "m", "method"),
    [(0.9, 9, "none"), (0.9, 10, "conservative"), (0.9, 49, "conservative"), (0.9, 50, "logit-t"),
     (0.95, 400, "conservative"), (0.949, 400, "logit-t"), (np.nan, 50, "none")],
)  # fmt: skip
def test_method_follows_from_subjects_and_auroc(auroc, m, method):
    low, high, got = auroc_interval(auroc, 0.01**2, m, 500, m - 1)
    assert got == method
    assert np.isnan(low) == np.isnan(high) == (method == "none")


def test_wilson_is_scipys():
    want = binomtest(45, 50).proportion_ci(method="wilson")
    assert wilson(0.9, 50) == pytest.approx((want.low, want.high), abs=1e-12)
    assert wilson(1.0, 30)[1] == pytest.approx(1)
    assert wilson(1.0, 30)[0] < 0.9


def test_effective_subjects_are_those_of_a_binomial_with_the_same_variance():
    assert effective_count(0.8, 0.8 * 0.2 / 40, 100) == pytest.approx(40)
    assert effective_count(0.8, 0.8 * 0.2 / 400, 100) == 100  # never more than there are
    assert effective_count(1.0, 0.0, 30) == 30


@pytest.mark.parametrize(
    ("scale", "value", "to"),
    [("identity", 0.3, lambda x: x), ("log", 8.0, np.log), ("logit", 0.2, lambda x: np.log(x / (1 - x))),
     ("atanh", 0.6, np.arctanh)],
)  # fmt: skip
def test_wald_t_is_symmetric_on_its_scale_and_first_order_there(scale, value, to):
    low, high = wald_t(value, 0.01**2, 25, scale)
    assert to(value) - to(low) == pytest.approx(to(high) - to(value), rel=1e-9)
    assert high - low == pytest.approx(2 * t(25).ppf(0.975) * 0.01, rel=0.01)  # narrow: the scale is about straight


def test_percentiles_leave_out_undefined_resamples():
    assert percentile(np.array([np.nan, *np.arange(101.0)])) == pytest.approx((2.5, 97.5))
    assert np.isnan(percentile(np.full(3, np.nan))).all()
