"""Waves that were drawn by hand, from annotations to a fact: `( peak )` around each wave, either end may be missing.

The symbols are those of WFDB: `p` and `t` are peaks of waves, `u` is none of ours, any beat stands for a QRS complex.
K waves, R rows.
"""

from __future__ import annotations

import numpy as np

from einthoven.core.facts import WAVE_COLUMNS, Waves
from einthoven.formats._wfdb_annotations import BEATS, Annotations

SAME_BEAT_S = 0.15
"""QRS peaks of several leads that follow each other closer than this are one beat."""

_P, _QRS, _T = range(3)


def waves(name: str, by_lead: dict[str, Annotations], rate: float) -> Waves:
    """One row a beat and lead, in order of time and, within a beat, of the leads; -1 where an end is not marked.

    A P wave goes with the next QRS complex of its lead and a T wave with the last one, unless another wave of its kind
    is nearer to it; then it has a row of its own, with beat -1 and an empty label. Beats are counted over all leads.

    Args:
        by_lead: the annotations of each lead by its canonical name, `""` for marks of all leads together.
        rate: samples per second.
    """
    parts = [_rows(marks) for marks in by_lead.values()]
    points_RC = np.concatenate([points for points, _ in parts] or [np.empty((0, 9), np.int64)])
    label_R = np.concatenate([label for _, label in parts] or [np.empty(0, object)])
    lead_R = np.repeat(np.arange(len(parts)), [len(label) for _, label in parts])
    beat_R = _beats(points_RC[:, 4], SAME_BEAT_S * rate)
    at_R = np.where(points_RC < 0, np.iinfo(np.int64).max, points_RC).min(axis=1, initial=np.iinfo(np.int64).max)
    first = np.full(beat_R.max(initial=-1) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, beat_R[beat_R >= 0], at_R[beat_R >= 0])
    when_R = np.where(beat_R >= 0, first[beat_R] if len(first) else 0, at_R)
    order = np.lexsort((lead_R, when_R))
    names = np.array([str(lead) for lead in by_lead] or [""], dtype=object)
    columns = {"lead": names[lead_R[order]], "beat": beat_R[order].astype(np.int32), "label": label_R[order]}
    for i, column in enumerate(WAVE_COLUMNS):
        columns[column] = points_RC[order, i].astype(np.int32)
    return Waves(name, columns)


def _rows(marks: Annotations) -> tuple[np.ndarray, np.ndarray]:
    """Points (R, 9) in the order of WAVE_COLUMNS and labels (R,) of one lead."""
    symbol = marks.symbol
    qrs = np.isin(symbol, list(BEATS))
    kind = np.select([symbol == "p", qrs, symbol == "t"], [_P, _QRS, _T], -1)
    peak = np.flatnonzero(kind >= 0)
    kind, sample = kind[peak], marks.sample
    opens = np.concatenate([[False], symbol[:-1] == "("])[peak] if len(symbol) else np.empty(0, bool)
    closes = np.concatenate([symbol[1:] == ")", [False]])[peak] if len(symbol) else np.empty(0, bool)
    points_KC = np.stack(
        [np.where(opens, sample[peak - 1], -1), sample[peak], np.where(closes, sample[(peak + 1) % len(sample)], -1)], 1
    ) if len(peak) else np.empty((0, 3), np.int64)  # fmt: skip
    # row of each wave: QRS complexes first, then the waves that belong to none
    place = np.flatnonzero(kind == _QRS)
    row = np.full(len(kind), -1)
    row[place] = np.arange(len(place))
    if len(place):
        for wave, step in ((_P, 1), (_T, -1)):
            mine = np.flatnonzero(kind == wave)
            beat = np.searchsorted(place, mine) - (step < 0)
            good = (beat >= 0) & (beat < len(place))
            mine, beat = mine[good], beat[good]
            nearest = np.append(beat[1:] != beat[:-1], True) if step > 0 else np.append(True, beat[1:] != beat[:-1])
            row[mine[nearest[: len(mine)]]] = beat[nearest[: len(mine)]]
    alone = np.flatnonzero(row < 0)
    row[alone] = len(place) + np.arange(len(alone))
    points_RC = np.full((len(place) + len(alone), 9), -1, np.int64)
    points_RC.reshape(-1, 3, 3)[row, kind] = points_KC
    label = np.concatenate([symbol[peak[place]], np.full(len(alone), "", object)])
    return points_RC, label


def _beats(peak_R: np.ndarray, apart: float) -> np.ndarray:
    """Number of the beat of each row, by its QRS peak; -1 where there is none."""
    beat_R = np.full(len(peak_R), -1)
    rows = np.flatnonzero(peak_R >= 0)
    order = rows[np.argsort(peak_R[rows], kind="stable")]
    if len(order):
        beat_R[order] = np.concatenate([[0], np.cumsum(np.diff(peak_R[order]) > apart)])
    return beat_R
