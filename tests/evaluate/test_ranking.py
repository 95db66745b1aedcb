"""AUROC and average precision for all weightings at once, against scikit-learn and the definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from einthoven.evaluate.ranking import Ranking

# Few levels make ties, 0 among the weights makes records that a resample left out.
LEVELS = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.5000001, 0.9, 1.0])
WEIGHTS = st.sampled_from([0.0, 0.0, 1.0, 2.0, 5.0, 0.3, 1e-3])


@st.composite
def weighted_scores(draw):
    n = draw(st.integers(2, 40))
    truth_n = np.array(draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)))
    score = draw(st.one_of(st.just([0.5] * n), st.lists(LEVELS, min_size=n, max_size=n)))
    weight_n = np.array(draw(st.lists(WEIGHTS, min_size=n, max_size=n)))
    return truth_n, np.array(score), weight_n


@given(weighted_scores())
def test_any_weights_ties_and_constant_scores_give_scikit_learns_figures(case):
    truth_n, score_n, weight_n = case
    auroc_R, ap_R = Ranking(truth_n, score_n)(weight_n[:, None])
    if weight_n[truth_n == 1].sum() == 0:
        assert np.isnan(auroc_R[0])
        assert np.isnan(ap_R[0])
        return
    want = average_precision_score(truth_n, score_n, sample_weight=weight_n)
    assert abs(ap_R[0] - want) < 1e-12  # sums of at most 40 terms of order 1
    if weight_n[truth_n == 0].sum() == 0:
        assert np.isnan(auroc_R[0])
    else:
        assert abs(auroc_R[0] - roc_auc_score(truth_n, score_n, sample_weight=weight_n)) < 1e-12


def test_every_column_of_a_large_case_is_scikit_learns_to_the_twelfth_digit():
    rng = np.random.default_rng(0)
    truth_n = rng.random(2000) < 0.2
    score_n = (rng.normal(size=2000) + truth_n).round(2)  # about four records a score
    weight_nR = rng.multinomial(2000, np.full(2000, 1 / 2000), size=20).T.astype(float)
    auroc_R, ap_R = Ranking(truth_n, score_n)(weight_nR)
    for r in range(20):
        assert abs(auroc_R[r] - roc_auc_score(truth_n, score_n, sample_weight=weight_nR[:, r])) < 1e-12
        assert abs(ap_R[r] - average_precision_score(truth_n, score_n, sample_weight=weight_nR[:, r])) < 1e-12


def test_auroc_is_the_weighted_share_of_pairs_in_order_with_ties_half():
    rng = np.random.default_rng(1)
    truth_n, score_n, weight_n = rng.random(30) < 0.4, rng.integers(5, size=30), rng.random(30)
    won = total = 0.0
    for i in np.flatnonzero(truth_n):
        for j in np.flatnonzero(~truth_n):
            pair = weight_n[i] * weight_n[j]
            won += pair * (0.5 if score_n[i] == score_n[j] else float(score_n[i] > score_n[j]))
            total += pair
    assert Ranking(truth_n, score_n)(weight_n[:, None])[0][0] == pytest.approx(won / total, abs=1e-13)


def test_pairs_of_several_labels_take_the_weight_of_their_record():
    rng = np.random.default_rng(2)
    truth_nK, score_nK = rng.random((50, 4)) < 0.3, rng.random((50, 4)).round(1)
    weight_nR = rng.integers(3, size=(50, 7)).astype(float)
    row = np.repeat(np.arange(50), 4)
    got = Ranking(truth_nK.ravel(), score_nK.ravel(), row, 50)(weight_nR)
    want = Ranking(truth_nK.ravel(), score_nK.ravel())(weight_nR[row])
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-14)


def test_no_positive_at_all_is_nan_and_no_error():
    auroc_R, ap_R = Ranking(np.zeros(3), np.array([0.1, 0.2, 0.3]))(np.ones((3, 2)))
    assert np.isnan([*auroc_R, *ap_R]).all()
