"""Exclusive sets: the official Challenge 2017 score by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from einthoven.evaluate import exclusive

# Rows truth N A O ~, columns called.
MATRIX = np.array([[50, 2, 6, 2], [3, 10, 1, 0], [8, 2, 20, 0], [1, 0, 1, 4]])


def records(matrix):
    truth, called = (np.repeat(index.ravel(), matrix.ravel()) for index in np.indices(matrix.shape))
    return truth, called


def test_challenge_score_is_the_mean_f1_of_three_classes_with_noise_in_the_matrix():
    # F1_N = 2*50 / (60 + 62), F1_A = 2*10 / (14 + 14), F1_O = 2*20 / (30 + 28), by hand.
    want = (100 / 122 + 20 / 28 + 40 / 58) / 3
    got = exclusive.f1_challenge2017(MATRIX[:, :, None].astype(float), ("N", "A", "O", "~"))
    assert got[0] == pytest.approx(want, abs=1e-15)
    over_four = f1_score(*records(MATRIX), average="macro")
    assert abs(got[0] - over_four) > 1e-3  # the common mistake is another figure


def test_challenge_score_does_not_depend_on_the_order_of_the_codes():
    order = [3, 0, 2, 1]
    shuffled = MATRIX[np.ix_(order, order)][:, :, None].astype(float)
    got = exclusive.f1_challenge2017(shuffled, ("~", "N", "O", "A"))
    assert got == pytest.approx(exclusive.f1_challenge2017(MATRIX[:, :, None].astype(float), ("N", "A", "O", "~")))


def test_weighted_matrix_and_accuracy_are_scikit_learns():
    truth, called = records(MATRIX)
    weight_nR = np.random.default_rng(0).integers(3, size=(len(truth), 4)).astype(float)
    matrix_CCR = exclusive.confusion(truth, called, weight_nR, 4)
    for r in range(4):
        want = accuracy_score(truth, called, sample_weight=weight_nR[:, r])
        assert exclusive.accuracy(matrix_CCR)[r] == pytest.approx(want, abs=1e-14)
        want = f1_score(truth, called, sample_weight=weight_nR[:, r], average=None)
        assert exclusive.f1(matrix_CCR)[:, r] == pytest.approx(want, abs=1e-14)


def test_a_class_that_nobody_has_or_gets_is_undefined():
    matrix_CCR = exclusive.confusion(np.array([0, 1]), np.array([0, 0]), np.ones((2, 1)), 3)
    assert np.isnan(exclusive.f1(matrix_CCR)[2, 0])
    assert exclusive.f1(matrix_CCR)[1, 0] == 0
