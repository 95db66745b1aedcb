"""The door to beats and waves: one function that delineates a recording of any length.

Long recordings are worked on in windows, so memory does not grow with their length beyond the marks themselves.
Letters: L leads, T samples, K beats.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from einthoven.signal import beats as rhythm
from einthoven.signal import network
from einthoven.signal.marks import Beats, Delineation

ENGINE = network.NAME
"""Name and version of what finds the waves; it changes when their limits do."""

PLACES = ((-0.24, -0.05), (-0.06, 0.06), (0.08, 0.40))
"""Seconds about R in which P, QRS and T usually are; where samples are missing there, a wave may be overlooked."""

Engine = Callable[[np.ndarray, float, Beats], Delineation]
"""Finds the waves of a window without gaps: `network.delineate` or `classical.delineate`."""


def delineate(
    signal_LT: np.ndarray, rate: float, beats: Beats | None = None, engine: Engine = network.delineate
) -> Delineation:
    """P wave, QRS complex and T wave of every beat.

    Args:
        signal_LT: millivolts, (leads, samples); NaN where there is no sample.
        rate: samples a second.
        beats: found before by `beats.find`; None finds them.
        engine: what finds the waves of each window.
    """
    if beats is None:
        beats = rhythm.find(signal_LT, rate)
    count = signal_LT.shape[0]
    if not len(beats):
        empty = np.zeros((0, count, 3, 3))
        return Delineation(beats, empty, empty[:, 0], np.zeros((0, 3)), "no_beats", ENGINE)
    samples = signal_LT.shape[1]
    core, margin = round(rhythm.WINDOW_SECONDS * rate), round(rhythm.MARGIN_SECONDS * rate)
    if samples <= core + 2 * margin:
        return _window(signal_LT, rate, beats, engine)
    parts = []
    for start in range(0, samples, core):
        first, last = max(0, start - margin), min(samples, start + core + margin)
        mine = np.flatnonzero((beats.sample >= first) & (beats.sample < last))
        if not len(mine):
            continue
        part = _window(signal_LT[:, first:last], rate, _rows(beats, mine, first), engine)
        keep = np.flatnonzero((beats.sample[mine] >= start) & (beats.sample[mine] < start + core))
        parts.append((part, keep, first))
    return _joined(parts)


def _rows(beats: Beats, rows: np.ndarray, first: int) -> Beats:
    return Beats(beats.sample[rows] - first, beats.label[rows], beats.confidence[rows])


def _window(signal_LT: np.ndarray, rate: float, beats: Beats, engine: Engine) -> Delineation:
    signal, missing = rhythm.bridged(signal_LT, rate)
    found = engine(signal, rate, beats)
    if missing is None:
        return found
    return _without_gaps(found, missing, rate)


def _without_gaps(found: Delineation, missing: np.ndarray, rate: float) -> Delineation:
    """Without the waves of a lead that reach into its gaps, and those that no lead is left to show.

    Where samples are missing in the place of most P waves, nothing is said about the atria.
    """
    lead, last = found.lead.copy(), missing.shape[1] - 1
    so_far = np.concatenate([np.zeros((len(missing), 1), int), np.cumsum(missing, axis=1)], axis=1)
    known = np.isfinite(lead[..., 0])
    first = np.where(known, np.floor(lead[..., 0]), 0).astype(int).clip(0, last)
    stop = np.where(known, np.ceil(lead[..., 2]) + 1, 0).astype(int).clip(0, last + 1)
    row = np.arange(len(missing))[:, None]
    torn = np.greater(so_far[row, stop], so_far[row, first])
    lead[torn & known] = np.nan
    place = np.rint(found.beats.sample[:, None, None] + np.array(PLACES) * rate).astype(int)  # (K, 3, 2)
    first, stop = (place[:, None, :, i].clip(0, last + 1) for i in range(2))
    torn = np.isnan(lead[..., 1]) & np.greater(so_far[row, stop], so_far[row, first])
    unseen = torn[..., 0].all(axis=1).mean() > 0.5
    shown = np.logical_or.reduce(np.isfinite(lead[..., 1]), axis=1)
    whole = np.where(shown[..., None], found.whole, np.nan)
    no_p = "" if unseen and found.no_p == "af" else found.no_p
    confidence = np.where(shown, found.confidence, 0.0)
    return replace(found, lead=lead, whole=whole, confidence=confidence, no_p=no_p, torn=torn)


def _joined(parts: list[tuple[Delineation, np.ndarray, int]]) -> Delineation:
    beats = Beats(
        np.concatenate([part.beats.sample[keep] + first for part, keep, first in parts]),
        np.concatenate([part.beats.label[keep] for part, keep, _ in parts]),
        np.concatenate([part.beats.confidence[keep] for part, keep, _ in parts]),
    )
    reasons = {part.no_p for part, keep, _ in parts if len(keep)}
    gaps = any(part.torn is not None for part, _, _ in parts)
    torn = [part.torn if part.torn is not None else np.zeros(part.lead.shape[:3], bool) for part, _, _ in parts]
    return Delineation(
        beats,
        np.concatenate([part.lead[keep] + first for part, keep, first in parts]),
        np.concatenate([part.whole[keep] + first for part, keep, first in parts]),
        np.concatenate([part.confidence[keep] for part, keep, _ in parts]),
        reasons.pop() if len(reasons) == 1 else "",
        parts[0][0].engine,
        np.concatenate([each[keep] for each, (_, keep, _) in zip(torn, parts)]) if gaps else None,
    )
