"""Do the atria beat before the ventricles? Where each beat's P wave is, and whether the recording has P waves at all.

Sinus rhythm shows the same small wave alone before most QRS complexes, mostly at the same distance; in fibrillation and
flutter what stands there differs from beat to beat, or is one of many, and the intervals are irregular. A logistic
regression weighs this, and what goes with what: intervals may be irregular where all P waves are alike. P is looked for
in one mixture of leads, the one that shows it best in all beats. Letters: L leads, K beats, W samples up to a little
after R, V samples about a P wave, F features.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from einthoven.signal import _landmarks as look

BEND = 0.028
"""Seconds, standard deviation of the smoothing whose bend shows P."""
USUAL, SPREAD = 0.12, 0.10
"""Seconds from P's peak to the QRS complex, and how strict that is."""
LAST = 0.040
"""Seconds before the QRS complex before which P's peak is."""
LOCKED = 0.012
"""Seconds of scatter (1.48 MAD) about the median distance to the QRS complex up to which it counts as constant."""
FOLLOW = 0.3
"""How far P goes along with its own peak, which noise moves too, where the distance is constant."""
AROUND = 0.070
"""Seconds on either side of its peak in which P waves are compared."""
SLOPE_SHARE = 0.15
FEWEST = 3
"""Beats; with fewer nothing is said about the recording."""
FARTHEST = 3.0
"""Spreads from its mean beyond which a feature says no more."""
FEATURES = (
    "alike", "mode2", "rate", "coherence_irregular", "coherence", "regular", "irregular", "aligned",
    "aligned_irregular", "alone", "scatter",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Atria:
    """peak: index of the usual P in the window; shift (K,) samples by which each beat's P stands from it; size (K,) of
    each in units of the usual, like (K,) its cosine with the usual over all leads; template (L, W) the usual beat up to
    its QRS complex; features (FEATURES,), None with too few beats."""

    peak: int
    shift: np.ndarray
    size: np.ndarray
    like: np.ndarray
    template: np.ndarray
    features: np.ndarray | None


def find(
    held: np.ndarray, start_K: np.ndarray, on_K: np.ndarray, usable_K: np.ndarray, rate: float, rr: np.ndarray
) -> Atria:
    """P waves of all beats.

    Args:
        held: (K, L, W) beats, each with its QRS complex replaced by the value where it begins.
        start_K, on_K: first sample at which P may be, and onset of the QRS complex.
        usable_K: beats that may have a P wave (not ventricular).
        rr: seconds between all beats.
    """
    usable = np.flatnonzero(usable_K) if usable_K.any() else np.arange(len(held))
    time = np.arange(held.shape[2])
    before = (on_K[:, None] - time) / rate
    allowed = (time >= start_K[:, None]) & (before >= LAST)
    usual = np.exp(-0.5 * np.square((before - USUAL) / SPREAD)) * allowed
    (bend,) = look.smoothed(held, [look.gaussian(BEND * rate, 2)])
    pick = _summit(np.sqrt(np.square(bend).sum(axis=1)), usual)
    mix = _mixture(bend[usable, :, pick[usable]])
    mixed = np.einsum("l,klw->kw", mix, bend)
    row = np.arange(len(held))
    if np.median(mixed[usable, pick[usable]]) < 0:
        mixed = -mixed
    pick = _summit(np.maximum(mixed, 0), usual)
    typical = np.median(before[usable, pick[usable]])
    near = 0.4 + 0.6 * np.exp(-0.5 * np.square((before - typical) / 0.04))
    pick = _summit(np.maximum(mixed, 0), usual * near)
    distance = before[row, pick]
    typical = float(np.median(distance[usable]))
    scatter = 1.48 * float(np.median(np.abs(distance[usable] - typical)))
    locked = np.clip(np.round(on_K - typical * rate), 0, held.shape[2] - 1).astype(int)
    if scatter <= LOCKED:
        pick = np.where(np.abs(pick - locked) <= 0.03 * rate, pick, locked)
    peak = int(np.median(pick[usable]))
    shift = pick - peak
    template = np.median((held if scatter <= LOCKED else _moved(held, shift))[usable], axis=0)
    template = look.held(template[None], np.median(start_K[usable])[None], -1)[0]  # no T of the beat before
    piece = _level(_about(held, pick, AROUND * rate))
    middle = np.median(piece[usable], axis=0)
    like = _cosine(piece.reshape(len(piece), -1), middle.ravel())
    size = mixed[row, pick] / max(float(np.median(mixed[usable, pick[usable]])), 1e-9)
    features = None
    if len(usable) >= FEWEST and len(rr) >= FEWEST:
        here = slice(max(int(np.median(start_K)), 0), max(int(np.median(on_K) - 0.012 * rate), 8))
        whole = _level(held[usable][:, :, here].astype(np.float64))
        apart = (np.abs(time - pick[:, None]) > AROUND * rate) & allowed
        features = _features(whole, piece[usable], (mixed, apart, pick), usable, rr, scatter)
    return Atria(peak, shift * (FOLLOW if scatter <= LOCKED else 1.0), size, like, template, features)


def log_odds(features: np.ndarray | None, fitted: Mapping[str, np.ndarray]) -> float:
    """Of a recording without P waves, less the threshold: above 0 it has none; -inf where nothing is said.

    Args:
        fitted: as `Fitted.atria`; the weights of the products may be left out.
    """
    if features is None:
        return -np.inf
    weight = fitted["weight"]
    return float(weighed(features, fitted["mean"], fitted["spread"])[: len(weight)] @ weight + fitted["bias"][0])


def weighed(features: np.ndarray, mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """What is weighed (..., F + F (F + 1) / 2): the FEATURES (..., F) in units of their spread, and their products."""
    size = np.clip((features - mean) / spread, -FARTHEST, FARTHEST)
    one, other = np.triu_indices(size.shape[-1])
    return np.concatenate([size, size[..., one] * size[..., other]], axis=-1)


def _features(
    whole: np.ndarray,
    piece: np.ndarray,
    seen: tuple[np.ndarray, np.ndarray, np.ndarray],
    usable: np.ndarray,
    rr: np.ndarray,
    scatter: float,
) -> np.ndarray:
    """FEATURES from the window before each QRS complex (N, L, V), the pieces about each P (N, L, V'), and the mixture
    of leads with where it is apart from P and allowed."""
    count = len(whole)
    power_KL = np.square(whole).sum(axis=2)
    shared_L = (np.square(whole.sum(axis=0)).sum(axis=1) - power_KL.sum(axis=0)) / (count - 1)
    coherence_L = shared_L / np.maximum(power_KL.sum(axis=0), 1e-12)
    coherence = np.sort(coherence_L)[-min(3, len(coherence_L)) :].mean()
    alike = np.percentile(_leave_one_out(whole.reshape(count, -1)), 20)
    aligned = np.percentile(_leave_one_out(piece.reshape(count, -1)), 20)
    mixed, apart, pick = seen
    size = mixed[usable, pick[usable]]
    other = np.where(apart[usable], np.abs(mixed[usable]), 0).max(axis=1)
    alone = np.log((np.median(other) + 1e-4) / (max(float(np.median(size)), 0) + 1e-4))
    usual = np.median(rr)
    change = np.median(np.abs(np.diff(rr))) / usual
    mode = (np.abs(rr[:, None] - rr) < 0.06 * rr).mean(axis=0).max()
    irregular = float(np.clip(np.log(change + 0.01) + 2.3, -2, 1.5))
    return np.array([
        alike, mode**2, np.log(60 / usual), coherence * irregular, coherence, min(irregular, 0), max(irregular, 0),
        aligned, aligned * irregular, float(np.clip(alone, -3, 1)), np.log(scatter + 0.004),
    ])  # fmt: skip


def _summit(height: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Index (K,) of each row's highest summit, each weighed; the slope of a wave outside counts less."""
    top = np.zeros(height.shape, bool)
    top[:, 1:-1] = (height[:, 1:-1] >= height[:, :-2]) & (height[:, 1:-1] >= height[:, 2:])
    return (np.where(top, height, SLOPE_SHARE * height) * weight).argmax(axis=1)


def _mixture(vector_KL: np.ndarray) -> np.ndarray:
    """The direction (L,) that most of the vectors have, either sign."""
    unit = vector_KL / np.maximum(np.linalg.norm(vector_KL, axis=1, keepdims=True), 1e-9)
    return np.linalg.eigh(unit.T.astype(np.float64) @ unit)[1][:, -1]


def _moved(beat: np.ndarray, shift_K: np.ndarray) -> np.ndarray:
    """Each beat (K, L, W) moved back by its whole number of samples, ends held."""
    if not shift_K.any():
        return beat
    width = beat.shape[2]
    index = np.clip(np.arange(width) + shift_K[:, None], 0, width - 1).astype(int)
    return np.take_along_axis(beat, index[:, None, :], axis=2)


def _about(beat: np.ndarray, pick_K: np.ndarray, reach: float) -> np.ndarray:
    """(K, L, V) samples within `reach` of each pick, ends held."""
    offset = np.arange(-round(reach), round(reach) + 1)
    index = np.clip(pick_K[:, None] + offset, 0, beat.shape[2] - 1)
    return np.take_along_axis(beat, index[:, None, :], axis=2).astype(np.float64)


def _level(piece: np.ndarray) -> np.ndarray:
    """Without each row's straight line."""
    time = np.linspace(-1, 1, piece.shape[-1])
    basis = np.linalg.qr(np.stack([np.ones_like(time), time], axis=1))[0]
    return piece - (piece @ basis) @ basis.T


def _cosine(row_KV: np.ndarray, other: np.ndarray) -> np.ndarray:
    norm = np.linalg.norm(row_KV, axis=1) * np.linalg.norm(other, axis=-1)
    return (row_KV * other).sum(axis=1) / np.maximum(norm, 1e-12)


def _leave_one_out(row_KV: np.ndarray) -> np.ndarray:
    """Cosine (K,) of each row with the sum of the others."""
    return _cosine(row_KV, row_KV.sum(axis=0) - row_KV)
