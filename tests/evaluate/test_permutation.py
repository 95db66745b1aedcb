"""The swap check of a p value, against all swaps of a small case."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score

from einthoven.evaluate.permutation import p_value
from einthoven.evaluate.table import read
from tests.evaluate import given

SUBJECT = np.array([0, 0, 1, 2, 3, 3, 4, 5, 6, 7])
TRUTH = np.array([[1, 0], [1, 1], [0, 1], [0, 0], [1, 0], [0, np.nan], [0, 1], [1, 0], [0, 0], [0, 1]])


def split_of(scores_NK):
    return read(given.table(TRUTH, scores_NK, SUBJECT, np.full(10, "test")), "task").splits[0]


def macro(scores_NK):
    known = [~np.isnan(TRUTH[:, k]) for k in (0, 1)]
    return np.mean([roc_auc_score(TRUTH[known[k], k], scores_NK[known[k], k]) for k in (0, 1)])


def test_p_value_is_the_share_of_all_swaps_of_subjects_that_reach_the_difference():
    rng = np.random.default_rng(0)
    a_NK, b_NK = rng.random((10, 2)) + 0.5 * np.nan_to_num(TRUTH), 100 * rng.random((10, 2))  # of another scale
    rank_a, rank_b = np.empty((10, 2)), np.empty((10, 2))
    for k in (0, 1):
        known = ~np.isnan(TRUTH[:, k])
        rank_a[known, k], rank_b[known, k] = rankdata(a_NK[known, k]), rankdata(b_NK[known, k])
    differences = []
    for swap in product([False, True], repeat=8):
        swap_N1 = np.array(swap)[SUBJECT][:, None]
        differences.append(macro(np.where(swap_N1, rank_b, rank_a)) - macro(np.where(swap_N1, rank_a, rank_b)))
    exact = np.mean(np.abs(differences) >= abs(differences[0]) - 1e-9)
    got = p_value([split_of(a_NK)], [(a_NK, b_NK)], [0, 1], swaps=10_000, rng=rng)
    assert got == pytest.approx(exact, abs=0.02)  # four standard errors at 10,000 swaps
    assert 0.05 < exact < 0.95  # else the case would say nothing


def test_equal_arms_have_p_1_and_no_p_is_0():
    rng = np.random.default_rng(1)
    scores_NK = rng.random((10, 2))
    assert p_value([split_of(scores_NK)], [(scores_NK, scores_NK)], [0, 1], swaps=99, rng=rng) == 1
    truth_NK, subject_N = np.repeat([[0.0], [1.0]], 50, axis=0), np.arange(100)
    split = read(given.table(truth_NK, truth_NK, subject_N, np.full(100, "test")), "task").splits[0]
    assert p_value([split], [(truth_NK, -truth_NK)], [0], swaps=99, rng=rng) == 1 / 100
