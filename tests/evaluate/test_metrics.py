"""Metrics of one label against scikit-learn, brute force and figures by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, f1_score, recall_score

from einthoven.evaluate import metrics

TRUTH = np.array([0, 0, 1, 1, 0, 1, 0, 0])
SCORE = np.array([0.1, 0.4, 0.4, 0.8, 0.7, 0.9, 0.2, 0.3])


@given(st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1), st.integers(0, 4)), min_size=1, max_size=30))
def test_brier_f1_sensitivity_and_specificity_are_scikit_learns(rows):
    truth_n, score_n, weight_n = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    called_n = score_n >= 0.5
    if weight_n.sum() > 0:
        want = brier_score_loss(truth_n, score_n, sample_weight=weight_n, pos_label=1)
        assert metrics.brier(truth_n, score_n, weight_n) == pytest.approx(want, abs=1e-12)
    if weight_n @ truth_n > 0:
        want = f1_score(truth_n, called_n, sample_weight=weight_n)
        assert metrics.f1(truth_n, called_n, weight_n) == pytest.approx(want, abs=1e-12)
        want = recall_score(truth_n, called_n, sample_weight=weight_n)
        assert metrics.sensitivity(truth_n, called_n, weight_n) == pytest.approx(want, abs=1e-12)
    if weight_n @ (1 - truth_n) > 0:
        want = recall_score(1 - truth_n, ~called_n, sample_weight=weight_n)
        assert metrics.specificity(truth_n, called_n, weight_n) == pytest.approx(want, abs=1e-12)


def test_many_weightings_at_once_are_the_weightings_one_by_one():
    weight_nR = np.random.default_rng(0).integers(1, 4, size=(8, 5)).astype(float)
    for metric in (metrics.auroc, metrics.average_precision, metrics.brier, metrics.brier_scaled):
        together_R = metric(TRUTH, SCORE, weight_nR)
        assert together_R == pytest.approx([metric(TRUTH, SCORE, weight_nR[:, r]) for r in range(5)], abs=1e-14)


@pytest.mark.filterwarnings("error")  # numpy's own warnings of 0 / 0 would reach the user
def test_an_absent_class_is_nan_and_never_a_half_or_a_zero():
    nobody, everybody, score = np.zeros(4), np.ones(4), np.array([0.1, 0.2, 0.3, 0.4])
    assert np.isnan(metrics.auroc(nobody, score))  # torchmetrics: 0.0
    assert np.isnan(metrics.auroc(everybody, score))
    assert np.isnan(metrics.average_precision(nobody, score))  # scikit-learn: 0.0
    assert np.isnan(metrics.f1(nobody, score > 0.3))  # scikit-learn: 0.0
    assert np.isnan(metrics.sensitivity(nobody, score > 0.3))
    assert np.isnan(metrics.specificity(everybody, score > 0.3))
    assert np.isnan(metrics.brier_scaled(nobody, score))
    assert metrics.brier(nobody, score) == pytest.approx(0.075)  # (1 + 4 + 9 + 16) / 400: it needs no positive


def test_scaled_brier_is_0_for_the_prevalence_and_1_for_the_truth():
    assert metrics.brier_scaled(TRUTH, np.full(8, 3 / 8)) == pytest.approx(0, abs=1e-15)
    assert metrics.brier_scaled(TRUTH, TRUTH) == 1


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6)), min_size=1, max_size=25))
def test_f1_threshold_is_the_highest_of_the_best_scores(rows):
    truth_v, score_v = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    if not truth_v.any():
        return
    figures = {cut: f1_score(truth_v, score_v >= cut) for cut in set(score_v)}
    best = max(cut for cut, figure in figures.items() if figure > max(figures.values()) - 1e-12)
    assert metrics.f1_threshold(truth_v, score_v) == best


def test_f1_threshold_without_a_positive_is_the_quantile_of_the_training_prevalence():
    score_v = np.arange(101) / 100
    assert metrics.f1_threshold(np.zeros(101), score_v, training_prevalence=0.05) == pytest.approx(0.95)
    assert np.isnan(metrics.f1_threshold(np.zeros(101), score_v))
    assert np.isnan(metrics.f1_threshold(np.zeros(0), np.zeros(0), training_prevalence=0.05))


def test_thresholds_of_labels_leave_out_unknown_truth():
    truth_VK = np.array([[1, np.nan], [0, 1], [0, 0]])
    score_VK = np.array([[0.9, 0.99], [0.2, 0.6], [0.3, 0.1]])
    assert metrics.thresholds(truth_VK, score_VK) == pytest.approx([0.9, 0.6])


@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 9)), min_size=1, max_size=25),
    st.sampled_from([0.5, 0.9, 0.95]),
)
def test_specificity_threshold_is_the_lowest_score_that_reaches_the_target(rows, target):
    truth_v, score_v = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    negative = score_v[truth_v == 0]
    cut = metrics.specificity_threshold(truth_v, score_v, target)
    if len(negative) == 0:
        assert np.isnan(cut)
        return
    reaching = [score for score in sorted(set(score_v)) if np.mean(negative < score) >= target - 1e-12]
    assert cut == (reaching[0] if reaching else np.inf)


def test_nine_of_ten_negatives_are_a_specificity_of_ninety_percent():
    truth_v, score_v = np.zeros(10), np.arange(10.0)
    assert metrics.specificity_threshold(truth_v, score_v, 0.9) == 9
    assert metrics.specificity(truth_v, score_v >= 9) == 0.9


def test_a_threshold_above_all_scores_calls_nobody():
    truth_v = np.array([0, 0, 1])
    cut = metrics.specificity_threshold(truth_v, np.array([0.7, 0.7, 0.7]), 0.95)
    assert cut == np.inf
    assert metrics.sensitivity(truth_v, np.array([0.7, 0.7, 0.7]) >= cut) == 0
