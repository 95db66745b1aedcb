"""Metrics of sets of which each record has exactly one class: accuracy, F1 by class, the Challenge 2017 score.

Shapes: n records, C classes, R weightings at once. The called class is the one of the highest score, ties to the first
in code order. The Challenge 2017 score is the mean F1 of N, A and O only; noisy records (~) stay in the matrix, so that
an N called ~ hurts N (Clifford et al. 2017). Dividing four F1 by four, as many copies do, is another figure.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

CHALLENGE_2017 = ("N", "A", "O", "~")
SCORED_2017 = ("N", "A", "O")


def confusion(truth_n: np.ndarray, called_n: np.ndarray, weight_nR: np.ndarray, classes: int) -> np.ndarray:
    """Weighted counts, rows truth, columns called: (C, C, R), from class numbers 0..C-1."""
    cell_n = np.asarray(truth_n) * classes + np.asarray(called_n)
    n = len(cell_n)
    cells = csr_array((np.ones(n), (cell_n, np.arange(n))), shape=(classes**2, n))
    return (cells @ weight_nR).reshape(classes, classes, -1)


def accuracy(matrix_CCR: np.ndarray) -> np.ndarray:
    """Share on the diagonal, (R,)."""
    return np.einsum("ccr->r", matrix_CCR) / matrix_CCR.sum(axis=(0, 1))


def f1(matrix_CCR: np.ndarray) -> np.ndarray:
    """2 M[c, c] / (sum of row c + sum of column c), (C, R); NaN for a class that nobody has, in truth or as called."""
    both_CR = matrix_CCR.sum(axis=0) + matrix_CCR.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(both_CR > 0, 2 * np.einsum("ccr->cr", matrix_CCR) / both_CR, np.nan)


def f1_challenge2017(matrix_CCR: np.ndarray, codes: tuple[str, ...]) -> np.ndarray:
    """The official score of the PhysioNet/CinC Challenge 2017, (R,): the mean F1 of N, A and O."""
    return f1(matrix_CCR)[[codes.index(code) for code in SCORED_2017]].mean(axis=0)
