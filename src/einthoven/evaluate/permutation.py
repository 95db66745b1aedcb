"""A check on the p value of a difference between two runs: swap the two arms' scores subject by subject.

If the arms are equal, a subject's scores of A and B could as well have been exchanged, all records and labels of a
subject together. Scores of two arms have different scales, so mid-ranks within arm and label are swapped. Shapes: n
records, K labels, Q swaps. Each record stands twice, once with either arm's rank; a swap decides by a weight of 1 or 0
which of the two is present, so that all swaps of a label are one weighted ranking.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata

from einthoven.evaluate.ranking import Ranking
from einthoven.evaluate.table import Split

BLOCK = 250


def p_value(
    splits: Sequence[Split], scores: Sequence[tuple[np.ndarray, np.ndarray]], labels: Sequence[int], *,
    swaps: int, rng: np.random.Generator,
) -> float:  # fmt: skip
    """(1 + swaps whose |difference of macro-AUROC| reaches the observed one) / (swaps + 1).

    Args:
        splits: test subjects and truth; the difference is the mean over splits.
        scores: for each split the (n, K) scores of A and of B.
        labels: columns of the fixed label list.
    """
    observed, swapped_Q = 0.0, np.zeros(swaps)
    for split, (a_nK, b_nK) in zip(splits, scores, strict=True):
        subjects, subject_n = split.subjects
        swap_GQ = rng.integers(2, size=(len(subjects), swaps), dtype=np.int8)
        for k in labels:
            known = ~np.isnan(split.test.truth_nK[:, k])
            ranks = np.concatenate([rankdata(a_nK[known, k]), rankdata(b_nK[known, k])])
            both = Ranking(np.tile(split.test.truth_nK[known, k], 2), ranks)
            who = subject_n[known]
            observed += _difference(both, np.zeros((len(who), 1)))[0]
            for first in range(0, swaps, BLOCK):
                block = slice(first, first + BLOCK)
                swapped_Q[block] += _difference(both, swap_GQ[who, block].astype(np.float64))
    # Sums in another order differ in the last digits: a swap of equal records must count as reaching.
    reaching = int((np.abs(swapped_Q) >= abs(observed) - 1e-9).sum())
    return (1 + reaching) / (swaps + 1)


def _difference(both: Ranking, swap_nQ: np.ndarray) -> np.ndarray:
    as_a = np.concatenate([1 - swap_nQ, swap_nQ])
    return both(as_a)[0] - both(1 - as_a)[0]
