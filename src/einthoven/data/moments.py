"""Moments (beats, peaks, cuts) of many recordings, found by recording and stretch without a loop.

Letters: M moments, B stretches, K the most moments in one of them.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from einthoven.cohort import derive
from einthoven.cohort.store import Cohort
from einthoven.core.errors import CohortError, nearest

PEAKS = ("p_peak", "qrs_peak", "t_peak")
"""The kinds of `peaks:NAME`, in order."""


class Moments:
    """Seconds from each recording's start.

    Args:
        row_M: the recording of each, ascending. seconds_M: ascending within a recording.
    """

    def __init__(self, row_M: np.ndarray, seconds_M: np.ndarray) -> None:
        self._seconds_M = seconds_M
        # recordings laid end to end on one time axis, far enough apart that none reaches into the next
        self._far = float(seconds_M.max(initial=0.0)) + 1.0
        self._key_M = row_M * self._far + seconds_M

    def within(self, row_B: np.ndarray, start_B: np.ndarray, stop_B: np.ndarray) -> np.ndarray:
        """Seconds from `start` of the moments in [start, stop) of each recording, (B, K), NaN behind the last."""
        base_B = row_B * self._far
        limit = (np.clip(edge_B, 0, self._far - 0.5) + base_B for edge_B in (start_B, stop_B))
        first_B, last_B = (np.searchsorted(self._key_M, edge_B) for edge_B in limit)
        place_BK = first_B[:, None] + np.arange(int((last_B - first_B).max(initial=0)))
        inside_BK = place_BK < last_B[:, None]
        found_BK = self._seconds_M[np.where(inside_BK, place_BK, 0)] if len(self._seconds_M) else place_BK * np.nan
        return np.where(inside_BK, found_BK - start_B[:, None], np.nan)


class Peaks:
    """The peaks of P, QRS and T of one name of marks, those of all leads together where the name has such.

    Raises:
        CohortError: the cohort has no marks of that name.
    """

    def __init__(self, cohort: Cohort, name: str) -> None:
        table = marks(cohort, name)
        row_M, rate_M = table["row"].to_numpy(), cohort.index["rate"].to_numpy()[table["row"].to_numpy()]
        self._kinds = []
        for kind in PEAKS:
            sample_M = table[kind].to_numpy()
            seen_M = sample_M >= 0
            order = np.lexsort((sample_M[seen_M], row_M[seen_M]))
            self._kinds.append(Moments(row_M[seen_M][order], (sample_M[seen_M] / rate_M[seen_M])[order]))

    def of(self, row_B: np.ndarray, start_B: np.ndarray, samples: int, rate: float) -> np.ndarray:
        """Sample numbers at `rate` from `start` (seconds), int64 (B, 3, K), -1 behind the last."""
        found = [kind.within(row_B, start_B, start_B + samples / rate) for kind in self._kinds]
        out = np.full((len(row_B), len(PEAKS), max(1, *(each.shape[1] for each in found))), -1, np.int64)
        for i, seconds_BK in enumerate(found):
            sample_BK = np.rint(np.nan_to_num(seconds_BK, nan=-1.0) * rate).astype(np.int64)
            out[:, i, : sample_BK.shape[1]] = np.where(np.isnan(seconds_BK), -1, np.minimum(sample_BK, samples - 1))
        return out


def marks(cohort: Cohort, name: str) -> pl.DataFrame:
    """The rows of one name of marks.

    Raises:
        CohortError: the cohort has none of that name.
    """
    if name.startswith(f"{derive.PHYSIOLOGY}."):
        derive.need(cohort)
    table = cohort.facts("waves").filter(pl.col("name") == name)
    if not len(table):
        raise CohortError(
            cohort.path, f"no waves called '{name}'", fix=nearest(name, cohort.names("waves")), reason="fact"
        )
    return table
