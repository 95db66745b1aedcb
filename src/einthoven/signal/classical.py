"""The classical engine: limits of waves from the median beat of each kind of beat.

In a median beat a wave's limits are looked for where its smoothed slopes have fallen to shares of their steepest, in
all leads together and in each by itself; a fixed mixture of these crossings is the limit (`_limits.py`). Single beats
take the limits over, moved by as much as their own P and T waves stand, in all leads, from where the median beat has
them. Smoothed slopes are those of the wavelet delineators (Martinez 2004), with a Gaussian for the spline. Letters:
L leads, T samples, K beats, C kinds, W samples about R.
"""

from __future__ import annotations

import numpy as np

from einthoven.signal import _atria, _templates
from einthoven.signal import _landmarks as look
from einthoven.signal import _limits as limits
from einthoven.signal.marks import Beats, Delineation

P, QRS, T = 0, 1, 2
ON, PEAK, OFF = 0, 1, 2

T_REACH, T_FOLLOW = 0.040, 0.3
"""Seconds that a beat's T may stand from where the median beat has it, and how far its limits go along: noise moves it
too."""
P_LEAST, P_MOST, P_LIKE = 0.30, 3.0, 0.0
"""Sizes of a beat's P wave in units of the usual, and its least cosine with it."""
P_EARLIEST = 0.36
"""Seconds before the QRS complex; earlier there is no P of it."""
WIDE_SECONDS = 0.120
LIVE_MV = 0.02
"""A lead that moves less than this shows nothing."""


def delineate(signal_LT: np.ndarray, rate: float, beats: Beats) -> Delineation:
    """Limits of the waves of these beats, in a recording or a window of one without gaps.

    Args:
        signal_LT: millivolts, (leads, samples) float32, no NaN.
        beats: R peaks in samples of `signal_LT`.
    """
    slow, slow_rate, origin = _templates.working(signal_LT, rate)
    live_L = np.ptp(slow, axis=1) > LIVE_MV
    at = (beats.sample - origin) * (slow_rate / rate)
    stack = _templates.stack(slow, slow_rate, at, beats.label, live_L.astype(float))
    shape = len(at), len(slow)
    lead, whole, size = np.full((*shape, 3, 3), np.nan), np.full((len(at), 3, 3), np.nan), np.ones((len(at), 3))
    places = limits.ventricular(stack.template, stack.before, slow_rate, stack.room, stack.lead_in)
    for wave in (QRS, T):
        lead_C, whole_C = limits.limits(places, wave, stack.before, slow_rate)
        lead[:, :, wave], whole[:, wave] = lead_C[stack.kind], whole_C[stack.kind]
    beats = _labelled(beats, stack, (whole[:, QRS, OFF] - whole[:, QRS, ON]) / slow_rate)
    by, size[:, T] = _follow(stack, limits.rough(places, OFF), places.peak_C[T])
    lead[:, :, T] += T_FOLLOW * by[:, None, None]
    whole[:, T] += T_FOLLOW * by[:, None]

    atria = _atria_of(stack, limits.rough(places, ON)[stack.kind], whole[:, T, OFF], beats)
    places = limits.atrial(atria.template, atria.peak, slow_rate)
    lead_C, whole_C = limits.limits(places, P, stack.before, slow_rate)
    lead[:, :, P] = lead_C + atria.shift[:, None, None]
    whole[:, P] = whole_C + atria.shift[:, None]
    size[:, P] = atria.size
    no_p = "af" if _atria.without_p(atria.features) > 0 else ""
    absent = (atria.size < P_LEAST) | (atria.size > P_MOST) | (atria.like < P_LIKE) | (beats.label == "V") | bool(no_p)
    lead[absent, :, P], whole[absent, P] = np.nan, np.nan
    lead[:, ~live_L] = np.nan
    lead += at[:, None, None, None]
    whole += at[:, None, None]
    last = signal_LT.shape[1] - 1
    lead = _inside(lead * (rate / slow_rate) + origin, last)
    whole = _inside(whole * (rate / slow_rate) + origin, last)
    confidence = np.isfinite(whole[..., PEAK]) * beats.confidence[:, None] * np.clip(size, 0, 1)
    return Delineation(beats, lead, whole, confidence, no_p, "classical")


def _labelled(beats: Beats, stack: _templates.Stack, qrs_K: np.ndarray) -> Beats:
    """The beats with `N` and `wide` by the duration of the QRS complex in seconds; most beats are not `V`."""
    usual = (stack.kind == 0) & (stack.count[0] > 0.5 * len(beats))
    label = np.where((beats.label == "V") & usual, "N", beats.label)
    conducted = (label == "N") | (label == "wide")
    label = np.where(conducted, np.where(qrs_K >= WIDE_SECONDS, "wide", "N"), label)
    return Beats(beats.sample, label, beats.confidence)


def _inside(marks: np.ndarray, last: int) -> np.ndarray:
    """Without waves that an end of the recording cuts."""
    whole = (marks[..., ON] >= 0) & (marks[..., OFF] <= last)
    return np.where(whole[..., None], marks, np.nan)


def _atria_of(stack: _templates.Stack, on_K: np.ndarray, t_off_K: np.ndarray, beats: Beats) -> _atria.Atria:
    """P waves of all beats; on_K: onsets of the QRS complexes in the stack, t_off_K: ends of T in samples from R."""
    rate = stack.rate
    width = stack.before + 1
    held = look.held(stack.beat[:, :, :width], np.minimum(on_K - limits.HOLD * rate, width - 2), 1)
    apart = np.diff(stack.at)
    after_t = np.append(0, t_off_K[:-1] - apart) + stack.before
    start = np.maximum(on_K - P_EARLIEST * rate, np.nan_to_num(after_t, nan=0.0))
    start = np.clip(np.minimum(start, on_K - 0.15 * rate), 0, None).round()
    return _atria.find(held, start, on_K, beats.label != "V", rate, apart / rate)


def _follow(stack: _templates.Stack, off_C: np.ndarray, peak_C: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far (K,) each beat's T wave stands from where its kind's median beat has it, and its size (K,)."""
    rate = stack.rate
    by, size = np.zeros(len(stack.beat)), np.ones(len(stack.beat))
    kernel = [look.gaussian(limits.T_BEND * rate, 2)]
    for kind, (off, peak) in enumerate(zip(off_C, peak_C.astype(int).tolist())):
        mine = np.flatnonzero(stack.kind == kind)
        every = np.concatenate([stack.template[kind : kind + 1], stack.beat[mine]])
        (bend,) = look.smoothed(look.held(every, np.full(len(every), off + 0.012 * rate), -1), kernel)
        mix = bend[0][:, peak] / max(float(np.linalg.norm(bend[0][:, peak])), 1e-9)
        mixed = mix @ bend
        by[mine], size[mine] = look.shift(mixed[1:], mixed[0], peak, round(T_REACH * rate))
    return by, size
