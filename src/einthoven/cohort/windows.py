"""Windows: which pieces of which recordings a model sees. An index, not a copy; one window is three numbers.

The cuts are those of `signal.processing.starts`, so training, evaluation and serving see the same windows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from einthoven.cohort.store import Cohort
from einthoven.core import leads
from einthoven.core.errors import LayoutError
from einthoven.core.layout import Layout
from einthoven.signal import processing


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows in the order of the rows that they were made for; three int64 arrays of one length.

    row: recording. start: first sample in the recording's own samples. lead: which of the recording's leads a layout of
    `any` lead takes, else -1. left_out: recordings that have none of the leads that the layout wants.
    """

    row: np.ndarray
    start: np.ndarray
    lead: np.ndarray
    left_out: np.ndarray

    def __len__(self) -> int:
        return len(self.row)


def index(cohort: Cohort, rows: np.ndarray, layout: Layout, stride_seconds: float | None = None) -> Windows:
    """All windows of some recordings for a layout.

    Args:
        rows: recordings, in the order wanted.
        stride_seconds: from one window to the next, default a window's length; the last one is flush with the end. A
            recording shorter than the layout is one window of its own length. For a layout of `any` lead each lead of a
            recording gives its own windows.

    Raises:
        LayoutError: none of the recordings has a lead that the layout wants.
    """
    rows = np.asarray(rows, np.int64)
    # few kinds of recordings make up a cohort: leads and cuts are worked out once a kind
    table = cohort.index[rows].select("leads", "rate", "samples")
    kinds = table.unique(maintain_order=True).with_row_index("kind")
    kind = table.join(kinds, on=["leads", "rate", "samples"], how="left", maintain_order="left")["kind"].to_numpy()
    starts, lead = [], []
    for names, rate, samples in kinds.select("leads", "rate", "samples").iter_rows():
        taken = _leads(names.split(" "), layout)
        cut = processing.starts(samples, rate, layout, stride_seconds)
        starts.append(np.tile(cut, len(taken)))
        lead.append(np.repeat(taken, len(cut)))
    count = np.array([len(each) for each in starts], np.int64)
    if len(rows) and not count.any():
        raise LayoutError(
            cohort.path, "no recording has a lead that the layout wants", expected=" ".join(layout.leads),
            got="; ".join(sorted(set(kinds["leads"]))[:5]), fix="use a layout with these leads", reason="lead",
        )  # fmt: skip
    first = np.cumsum(count) - count  # of each kind in the kinds laid end to end
    each = count[kind]
    place = np.repeat(first[kind], each) + np.arange(each.sum()) - np.repeat(np.cumsum(each) - each, each)
    return Windows(
        np.repeat(rows, each), _joined(starts)[place], _joined(lead)[place], left_out=rows[each == 0]
    )  # fmt: skip


def _leads(names: list[str], layout: Layout) -> list[int]:
    """Which leads give windows of their own; -1 for all together."""
    if layout.leads == (leads.ANY,):
        return list(range(len(names)))
    return [] if set(leads.pick(names, layout.leads)[1]) == {"missing"} else [-1]


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts or [np.zeros(0, np.int64)]).astype(np.int64)
