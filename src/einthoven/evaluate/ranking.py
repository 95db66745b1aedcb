"""AUROC and average precision under many record weights at once: one sort a label, no loop over resamples.

Shapes: n records, N scored pairs of a label (or of all labels, for the micro average), R columns of weights, k distinct
scores of positives. Weighted AUROC is the sum over positives of (weight of the negatives below + half of those level)
times the positive's weight, divided by both total weights. Negatives matter only through how much weight lies between
two neighbouring scores of positives, so a sparse 0/1 matrix times the weights gives all that is needed. The usual loop
over `roc_auc_score(sample_weight=...)` sorts anew for each resample and is several hundred times slower.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array


class Ranking:
    """The order of one label's scores, prepared once and applied to any number of weightings."""

    def __init__(
        self, truth_N: np.ndarray, score_N: np.ndarray, row_N: np.ndarray | None = None, records: int | None = None
    ) -> None:
        """Sort.

        Args:
            truth_N: 1 or True for positives.
            score_N: finite; equal scores are ties.
            row_N: the record (row of the weights) of each pair; default: pair i is record i.
            records: number of rows of the weights; default N.
        """
        positive_N = np.asarray(truth_N, dtype=bool)
        score_N = np.asarray(score_N, dtype=np.float64)
        row_N = np.arange(len(score_N)) if row_N is None else row_N
        level_k, level_of_positive = np.unique(score_N[positive_N], return_inverse=True)
        negative_score, negative_row = score_N[~positive_N], row_N[~positive_N]
        # A negative in gap i lies at or above level i - 1 and below level i: gaps 0..i together are what level i beats.
        gap_of_negative = np.searchsorted(level_k, negative_score, side="right")
        above_left = np.searchsorted(level_k, negative_score, side="left") < gap_of_negative
        self._tied_levels, tie_of_negative = np.unique(gap_of_negative[above_left] - 1, return_inverse=True)
        self._levels = k = len(level_k)
        sum_of_entry = np.concatenate([gap_of_negative, k + 1 + level_of_positive, 2 * k + 1 + tie_of_negative])
        row_of_entry = np.concatenate([negative_row, row_N[positive_N], negative_row[above_left]])
        shape = (2 * k + 1 + len(self._tied_levels), len(score_N) if records is None else records)
        self._sums = csr_array((np.ones(len(sum_of_entry)), (sum_of_entry, row_of_entry)), shape=shape)

    def __call__(self, weight_nR: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """AUROC and average precision for each column of weights.

        Args:
            weight_nR: float64, >= 0, shape (records, R).

        Returns:
            auroc_R: NaN where the positives or the negatives have no weight.
            ap_R: sum over thresholds of (recall step) x precision, no interpolation; NaN where the positives have no
                weight.
        """
        k = self._levels
        sums_SR = self._sums @ weight_nR
        below_kR = np.cumsum(sums_SR[: k + 1], axis=0)
        negative_R, below_kR = below_kR[-1], below_kR[:-1]
        positive_kR, tied_tR = sums_SR[k + 1 : 2 * k + 1], sums_SR[2 * k + 1 :]
        found_kR = np.cumsum(positive_kR[::-1], axis=0)[::-1]  # weight of the positives at or above the level
        positive_R = found_kR[0].copy() if k else np.zeros_like(negative_R)
        with np.errstate(invalid="ignore", divide="ignore"):
            wins_R = np.einsum("kr,kr->r", positive_kR, below_kR)
            wins_R += 0.5 * np.einsum("tr,tr->r", positive_kR[self._tied_levels], tied_tR)
            auroc_R = wins_R / (positive_R * negative_R)
            called_kR = found_kR + (negative_R - below_kR)
            found_kR /= np.maximum(called_kR, np.finfo(np.float64).tiny, out=called_kR)  # now the precision
            ap_R = np.einsum("kr,kr->r", positive_kR, found_kR) / positive_R
        return auroc_R, ap_R
