"""Marks of waves cut to windows: `waves:NAME` of a batch is (B, L, K, 9) float32.

Seconds from the window's start in the order of `core.facts.WAVE_COLUMNS`, which may lie outside the window for a beat
that its edge cuts; NaN where a wave is not there. A lead without marks is all NaN. Marks of lead `""` are every lead's.
Letters: R marked rows of a recording, B windows, L leads, K beats.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from einthoven.cohort.store import Cohort
from einthoven.cohort.windows import Windows
from einthoven.core.facts import WAVE_COLUMNS
from einthoven.core.layout import Layout
from einthoven.core.leads import ANY
from einthoven.data.moments import marks as marks_of
from einthoven.signal import processing


class Marks:
    """The marks of one name in a cohort.

    Raises:
        CohortError: the cohort has none of that name.
    """

    def __init__(self, cohort: Cohort, name: str) -> None:
        table = marks_of(cohort, name)
        self.cohort = cohort
        row = table["row"].to_numpy()
        self._first = np.searchsorted(row, np.arange(len(cohort) + 1))
        self._lead = table["lead"].to_numpy()
        sample = table.select(WAVE_COLUMNS).to_numpy().astype(np.float64)
        rate = cohort.index["rate"].to_numpy()[row]
        self._seconds_R9 = np.where(sample < 0, np.nan, sample / rate[:, None])
        self._rate = cohort.index["rate"].to_numpy()

    def marked(self) -> np.ndarray:
        """(rows,) float32: how many rows of marks a recording has, NaN without any."""
        count = np.diff(self._first).astype(np.float32)
        return np.where(count > 0, count, np.nan).astype(np.float32)

    def of(self, rows: np.ndarray, starts: np.ndarray, leads: np.ndarray, layout: Layout, seconds: float) -> np.ndarray:
        """The marks of windows (B,): `leads` is which of the recording's leads a layout of any lead takes."""
        found = []
        for row, start, lead in zip(rows.tolist(), starts.tolist(), leads.tolist()):
            part = slice(self._first[row], self._first[row + 1])
            marks_R9 = self._seconds_R9[part] - start / self._rate[row]
            inside_R = ((marks_R9 >= 0) & (marks_R9 < seconds)).any(axis=1)
            names = [str(self.cohort.leads(row)[lead])] if layout.leads == (ANY,) else layout.leads
            whose_R = self._lead[part]
            found.append([marks_R9[inside_R & ((whose_R == str(name)) | (whose_R == ""))] for name in names])
        most = max((len(marks) for window in found for marks in window), default=0)
        out = np.full((len(found), len(layout.leads), max(most, 1), 9), np.nan, np.float32)
        for b, window in enumerate(found):
            for i, marks in enumerate(window):
                out[b, i, : len(marks)] = marks
        return out

    def in_windows(self, windows: Windows, layout: Layout) -> np.ndarray:
        """(windows,) whether any mark of the recording lies within."""
        out = np.zeros(len(windows), bool)
        for row in np.unique(windows.row):
            mine = np.flatnonzero(windows.row == row)
            marks = np.sort(self._seconds_R9[self._first[row] : self._first[row + 1]], axis=None) * self._rate[row]
            marks = marks[np.isfinite(marks)]
            start = windows.start[mine]
            stop = start + processing.window_length(float(self._rate[row]), layout)
            out[mine] = np.searchsorted(marks, start) < np.searchsorted(marks, stop)
        return out


def worth_seeing(cohort: Cohort, windows: Windows, needs: Sequence[str], layout: Layout) -> Windows:
    """The windows that hold a mark, where marks are all that is needed; of long recordings most are marked in part."""
    names = [need.partition(":")[2] for need in needs if need.startswith("waves:")]
    if not names or len(names) < len(needs):
        return windows
    keep = np.any([Marks(cohort, name).in_windows(windows, layout) for name in names], axis=0)
    return Windows(windows.row[keep], windows.start[keep], windows.lead[keep], windows.left_out)
