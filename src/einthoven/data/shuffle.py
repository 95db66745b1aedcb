"""Heartbeat shuffle: the beats of a window in another order, cut where no wave is (PhysioCLR, arXiv 2509.08116).

All cuts of a recording lie at one delay after R: the middle of the time that comes after every T wave and before every
next P wave. So each piece carries its RR interval and all its waves with it, and medians of RR, PR, QRS and QT stay.
What comes before the first cut and after the last stays in place. Where the order of the beats is the diagnosis
(ectopy, block, sinus arrhythmia, pacing) nothing is shuffled. Shapes: B windows, L leads, T samples, J cuts, N
recordings, M beats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from torch import Tensor

from einthoven.cohort.store import Cohort
from einthoven.data.moments import Moments, marks
from einthoven.data.targets import fact_arrays

WAVES = "physiology.waves.global"
LEAST_GAP_SECONDS = 0.1
"""The time between the last T offset and the first next P onset, over all beats, must be at least this."""
MOST_RR_CV = 0.08
"""With P waves, a rhythm less regular than this is sinus arrhythmia or block: its order is told."""
MOST_PR_SPREAD_SECONDS = 0.06
"""A PR interval that varies by more is no constant conduction."""
SEAM_SECONDS = 0.04
"""A step at a seam is levelled over so long."""


@dataclass(frozen=True, kw_only=True)
class Shuffle:
    """How the view `shuffled` is made.

    p: chance of each window. guard: only recordings in which order tells nothing. min_beats: least beats in a window.
    anywhere: cut at random places instead, the same pieces in length and number (a control).
    """

    p: float = 0.5
    guard: bool = True
    min_beats: int = 4
    anywhere: bool = False


class Cuts:
    """Where the recordings of a cohort may be cut.

    Attributes:
        reasons: by why a recording may not be shuffled, (N,) bool; a recording may if none holds.

    Raises:
        CohortError: the cohort has no waves of `derive physiology`.
    """

    def __init__(self, cohort: Cohort, shuffle: Shuffle) -> None:
        self.shuffle = shuffle
        table = marks(cohort, WAVES)
        row_M = table["row"].to_numpy()
        rate_M = cohort.index["rate"].to_numpy()[row_M]
        second = {
            name: np.where(table[name].to_numpy() >= 0, table[name].to_numpy() / rate_M, np.nan)
            for name in ("qrs_peak", "qrs_on", "p_on", "t_off")
        }
        delay_N, gap_N = _delay(row_M, second, len(cohort))
        self.reasons = {"no_gap": ~(gap_N >= LEAST_GAP_SECONDS)}
        if shuffle.guard:
            self.reasons |= _guarded(cohort, row_M, second, table["label"].to_numpy())
        self.eligible = ~np.any(list(self.reasons.values()), axis=0)
        self._delay_N = np.nan_to_num(delay_N)
        known_M = ~np.isnan(second["qrs_peak"])
        self._beats = Moments(row_M[known_M], second["qrs_peak"][known_M])

    def of(self, row_B: np.ndarray, start_B: np.ndarray, samples: int, rate: float) -> np.ndarray:
        """Cuts in stretches from `start` (seconds) on, as samples at `rate`, int64 (B, J), -1 behind the last.

        None where the recording may not be shuffled or the stretch has fewer than `min_beats` beats.
        """
        # rounded by itself: R + delay would round now up, now down, and change RR by a sample
        delay_B1 = np.rint(self._delay_N[row_B] * rate).astype(np.int64)[:, None]
        seconds_BJ = self._beats.within(row_B, start_B, start_B + samples / rate)
        cut_BJ = np.rint(np.nan_to_num(seconds_BJ) * rate).astype(np.int64) + delay_B1
        cut_BJ[np.isnan(seconds_BJ) | (cut_BJ >= samples)] = -1
        enough_B = (cut_BJ >= 0).sum(axis=1) >= self.shuffle.min_beats
        cut_BJ[~(enough_B & self.eligible[row_B])] = -1
        return cut_BJ


def reorder(
    signal_BLT: Tensor, valid_BLT: Tensor, cut_BJ: np.ndarray, rate: float, draw: np.random.Generator, anywhere: bool
) -> tuple[Tensor, Tensor, np.ndarray]:
    """The pieces between cuts in a random order, all leads together, seams levelled.

    Args:
        signal_BLT, valid_BLT: windows and what is there; they stay as they are.
        cut_BJ: first samples of pieces, ascending, -1 behind the last; the last cut ends the last piece.
        rate: samples per second. draw: of the order. anywhere: move all cuts together to a random place first.

    Returns:
        The windows in their new order, their validity, and (B,) whether anything moved.
    """
    T = signal_BLT.shape[-1]
    if anywhere:
        cut_BJ = _moved(cut_BJ, T, draw)
    source_BT, seam_BJ = _sources(cut_BJ, T, draw)
    moved_B = (source_BT != np.arange(T)).any(axis=1)
    source = torch.from_numpy(source_BT)[:, None].to(signal_BLT.device)
    signal = signal_BLT.take_along_dim(source, dim=-1)
    valid = valid_BLT
    if valid_BLT.stride(-1) != 0:
        valid = valid_BLT.take_along_dim(source, dim=-1)
    _level(signal, source_BT, seam_BJ, max(round(SEAM_SECONDS / 2 * rate), 1))
    return torch.where(valid, signal, 0.0), valid, moved_B


def _delay(row_M: np.ndarray, second: Mapping[str, np.ndarray], count: int) -> tuple[np.ndarray, np.ndarray]:
    """Seconds after R of each recording's cuts, and the length of the time without waves around them, (N,); NaN where
    a recording has fewer than two beats or no T wave."""
    r_M = second["qrs_peak"]
    next_M = np.where(np.isnan(second["p_on"]), second["qrs_on"], second["p_on"])
    follows_M = np.append(row_M[1:] == row_M[:-1], False)
    until_M = np.where(follows_M, np.append(next_M[1:], np.nan) - r_M, np.nan)
    late_N, early_N = np.full(count, -np.inf), np.full(count, np.inf)
    after_M = second["t_off"] - r_M
    np.maximum.at(late_N, row_M[~np.isnan(after_M)], after_M[~np.isnan(after_M)])
    np.minimum.at(early_N, row_M[~np.isnan(until_M)], until_M[~np.isnan(until_M)])
    known_N = np.isfinite(late_N) & np.isfinite(early_N)
    late_N, early_N = np.where(known_N, late_N, np.nan), np.where(known_N, early_N, np.nan)
    return (late_N + early_N) / 2, early_N - late_N


def _guarded(
    cohort: Cohort, row_M: np.ndarray, second: Mapping[str, np.ndarray], label_M: np.ndarray
) -> dict[str, np.ndarray]:
    """Why the order of a recording's beats may be its diagnosis, (N,) each."""
    N = len(cohort)
    without_p_N = _said(cohort, "no_p", "af")
    first_M = np.append(True, row_M[1:] != row_M[:-1])
    last_M = np.append(row_M[1:] != row_M[:-1], True)
    dropped_N = np.zeros(N, bool)
    dropped_N[row_M[np.isnan(second["p_on"]) & ~first_M & ~last_M]] = True  # the ends cut beats in two
    pr_M = second["qrs_on"] - second["p_on"]
    known_M = ~np.isnan(pr_M)
    shortest_N, longest_N = np.full(N, np.inf), np.full(N, -np.inf)
    np.minimum.at(shortest_N, row_M[known_M], pr_M[known_M])
    np.maximum.at(longest_N, row_M[known_M], pr_M[known_M])
    uneven_N = longest_N - shortest_N > MOST_PR_SPREAD_SECONDS
    ectopic_N = np.zeros(N, bool)
    ectopic_N[row_M[np.isin(label_M, ("V", "S"))]] = True
    for name in ("ectopy_share", "ectopy_share_wide"):
        ectopic_N |= _value(cohort, name) > 0
    paced_N = _value(cohort, "pacing") > 0
    paced_N[row_M[label_M == "paced"]] = True
    irregular_N = ~(_value(cohort, "rr_cv") <= MOST_RR_CV)
    return {
        "ectopy": ectopic_N,
        "conduction": ~without_p_N & (dropped_N | uneven_N),
        # a regular rhythm without P waves is flutter, junctional or unknown: only fibrillation has no order
        "irregular": irregular_N != without_p_N,
        "paced": paced_N,
        "quality": _said(cohort, "quality", "poor"),
    }


def _value(cohort: Cohort, name: str) -> np.ndarray:
    """A measurement, (N,), NaN where it is not measured."""
    return fact_arrays(cohort, (need := f"value:physiology.{name}",))[need]


def _said(cohort: Cohort, name: str, word: str) -> np.ndarray:
    """Whether the engine said that word, (N,)."""
    out = np.zeros(len(cohort), bool)
    table = cohort.facts("category").filter((pl.col("name") == f"physiology.{name}") & (pl.col("value") == word))
    out[table["row"].to_numpy()] = True
    return out


def _moved(cut_BJ: np.ndarray, T: int, draw: np.random.Generator) -> np.ndarray:
    """All cuts of a window moved by one random number of samples, so that they stay within it."""
    there_BJ = cut_BJ >= 0
    last_B1 = cut_BJ.max(axis=1, keepdims=True, initial=0)
    room_B1 = T - (last_B1 - cut_BJ[:, :1])
    to_B1 = (draw.random((len(cut_BJ), 1)) * room_B1).astype(np.int64)
    return np.where(there_BJ, cut_BJ - cut_BJ[:, :1] + to_B1, -1)


def _sources(cut_BJ: np.ndarray, T: int, draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Which sample stands at each place, (B, T), and where pieces begin and the last one ends, (B, J), T for none."""
    B, J = cut_BJ.shape
    time_BT = np.broadcast_to(np.arange(T), (B, T))
    if J < 3:
        return time_BT, np.full((B, J), T)
    pieces_B1 = (cut_BJ >= 0).sum(axis=1, keepdims=True) - 1
    place_BP = np.broadcast_to(np.arange(J - 1), (B, J - 1))
    real_BP = place_BP < pieces_B1
    order_BP = np.argsort(np.where(real_BP, draw.random((B, J - 1)), 2.0), axis=1, kind="stable")
    length_BP = np.where(real_BP, np.diff(cut_BJ, axis=1), 0)
    lengths_BP = np.take_along_axis(length_BP, order_BP, axis=1)
    begin_B1 = np.where(pieces_B1 > 0, cut_BJ[:, :1], T)
    end_BP = begin_B1 + np.cumsum(lengths_BP, axis=1)
    slot_BT = (time_BT[:, :, None] >= end_BP[:, None, :]).sum(axis=2)
    inside_BT = (time_BT >= begin_B1) & (slot_BT < pieces_B1)
    slot_BT = np.where(inside_BT, slot_BT, 0)
    shift_BP = np.take_along_axis(cut_BJ, order_BP, axis=1) - (end_BP - lengths_BP)
    source_BT = np.where(inside_BT, time_BT + np.take_along_axis(shift_BP, slot_BT, axis=1), time_BT)
    seam_BJ = np.concatenate([begin_B1, np.where(real_BP, end_BP, T)], axis=1)
    return source_BT, seam_BJ


def _level(signal_BLT: Tensor, source_BT: np.ndarray, seam_BJ: np.ndarray, half: int) -> None:
    """Take the step at each seam away by a linear ramp over `half` samples on either side, in place."""
    T = signal_BLT.shape[-1]
    at_BJ = np.clip(seam_BJ, 1, T - 1)
    before_BJ = np.take_along_axis(source_BT, at_BJ - 1, axis=1)
    torn_BJ = (seam_BJ > 0) & (seam_BJ < T) & (np.take_along_axis(source_BT, at_BJ, axis=1) != before_BJ + 1)
    if not torn_BJ.any():
        return
    offset_H = np.arange(-half, half)
    ramp_H = (half - np.abs(offset_H + 0.5)) / half * np.where(offset_H < 0, 0.5, -0.5)
    place_BJH = at_BJ[:, :, None] + offset_H
    weight_BJH = ramp_H * (torn_BJ[:, :, None] & (place_BJH >= 0) & (place_BJH < T))
    device = signal_BLT.device
    at = torch.from_numpy(at_BJ)[:, None].to(device)
    step_BLJ = signal_BLT.take_along_dim(at, -1) - signal_BLT.take_along_dim(at - 1, -1)
    weight = torch.from_numpy(weight_BJH.astype(np.float32))[:, None].to(device, signal_BLT.dtype)
    place = torch.from_numpy(np.clip(place_BJH, 0, T - 1).reshape(len(at_BJ), 1, -1)).to(device)
    added_BLH = (step_BLJ[..., None] * weight).flatten(2)
    signal_BLT.scatter_add_(-1, place.expand(-1, signal_BLT.shape[1], -1), added_BLH)
