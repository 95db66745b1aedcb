"""The classical engine: limits of waves from the median beat of each kind of beat.

In a median beat a wave's limits are looked for where its smoothed slopes have fallen to shares of their steepest, in
all leads together and in each by itself; a fixed mixture of these crossings is the limit (`_limits.py`). Single beats
take the limits over, moved by as much as their own P and T waves stand, in all leads, from where the median beat has
them. Smoothed slopes are those of the wavelet delineators (Martinez 2004), with a Gaussian for the spline. Letters:
L leads, T samples, K beats, C kinds, W samples about R.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from einthoven.signal import _atria, _fitted, _kinds, _templates
from einthoven.signal import _landmarks as look
from einthoven.signal import _limits as limits
from einthoven.signal._fitted import Fitted
from einthoven.signal.marks import Beats, Delineation

NAME = "classical-3"
P, QRS, T = 0, 1, 2
ON, PEAK, OFF = 0, 1, 2

T_REACH, T_FOLLOW = 0.040, 0.3
"""Seconds that a beat's T may stand from where the median beat has it, and how far its limits go along: noise moves it
too."""
P_LEAST, P_MOST, P_LIKE = 0.30, 3.0, 0.0
"""Sizes of a beat's P wave in units of the usual, and its least cosine with it."""
P_EARLIEST = 0.36
"""Seconds before the QRS complex; earlier there is no P of it."""
WIDE_SECONDS, WIDER_SECONDS, EARLY = 0.120, 0.025, 0.9
"""A wide QRS complex; by how much a ventricular one is wider than the conducted ones; and its RR interval in units of
theirs at most."""
LIVE_MV = 0.02
"""A lead that moves less than this shows nothing."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What is seen of the beats of a window, before it is asked whether the atria beat at all.

    beats: with labels by what their kinds look like. ventricular: places of QRS complex and T in the median beats of
    `stack`, atrial: of P in the usual beat of `atria`. lead (K, L, 3, 3), whole (K, 3, 3): limits in samples of the
    window, NaN where a beat has no such wave; size (K, 3) of each beat's waves in units of the usual.
    """

    beats: Beats
    stack: _templates.Stack
    ventricular: limits.Places
    atria: _atria.Atria
    atrial: limits.Places
    lead: np.ndarray
    whole: np.ndarray
    size: np.ndarray


def delineate(signal_LT: np.ndarray, rate: float, beats: Beats, fitted: Fitted | None = None) -> Delineation:
    """Limits of the waves of these beats, in a recording or a window of one without gaps.

    Args:
        signal_LT: millivolts, (leads, samples) float32, no NaN.
        beats: R peaks in samples of `signal_LT`.
        fitted: numbers instead of those that are shipped.
    """
    fitted = fitted or _fitted.read()
    seen = see(signal_LT, rate, beats, fitted.limits)
    lead, whole = seen.lead, seen.whole
    no_p = "af" if _atria.log_odds(seen.atria.features, fitted.atria) > 0 else ""
    if no_p:
        lead[:, :, P], whole[:, P] = np.nan, np.nan
    confidence = np.isfinite(whole[..., PEAK]) * seen.beats.confidence[:, None] * np.clip(seen.size, 0, 1)
    return Delineation(seen.beats, lead, whole, confidence, no_p, NAME)


def see(signal_LT: np.ndarray, rate: float, beats: Beats, fitted: Mapping[str, np.ndarray]) -> Seen:
    """What `delineate` decides by; `fitted` is `Fitted.limits`."""
    if (beats.label == "paced").any():
        signal_LT = _kinds.without_spikes(signal_LT, rate)
    slow, slow_rate, origin = _templates.working(signal_LT, rate)
    live_L = np.ptp(slow, axis=1) > LIVE_MV
    at = (beats.sample - origin) * (slow_rate / rate)
    stack = _templates.stack(slow, slow_rate, at, beats.label, live_L.astype(float))
    shape = len(at), len(slow)
    lead, whole, size = np.full((*shape, 3, 3), np.nan), np.full((len(at), 3, 3), np.nan), np.ones((len(at), 3))
    places = limits.ventricular(stack.template, stack.before, slow_rate, stack.room, stack.lead_in)
    qrs_C = np.zeros(len(stack.count))
    for wave in (QRS, T):
        lead_C, whole_C = limits.limits(places, wave, stack.before, slow_rate, fitted)
        if wave == QRS:
            qrs_C = whole_C[:, OFF] - whole_C[:, ON]
        lead[:, :, wave], whole[:, wave] = lead_C[stack.kind], whole_C[stack.kind]
    beats = _labelled(beats, stack, qrs_C / slow_rate)
    by, size[:, T] = _follow(stack, limits.rough(places, OFF), places.peak_C[T])
    lead[:, :, T] += T_FOLLOW * by[:, None, None]
    whole[:, T] += T_FOLLOW * by[:, None]

    atria = _atria_of(stack, limits.rough(places, ON)[stack.kind], whole[:, T, OFF], beats)
    atrial = limits.atrial(atria.template, atria.peak, slow_rate)
    lead_C, whole_C = limits.limits(atrial, P, stack.before, slow_rate, fitted)
    lead[:, :, P] = lead_C + atria.shift[:, None, None]
    whole[:, P] = whole_C + atria.shift[:, None]
    size[:, P] = atria.size
    absent = (atria.size < P_LEAST) | (atria.size > P_MOST) | (atria.like < P_LIKE) | (beats.label == "V")
    lead[absent, :, P], whole[absent, P] = np.nan, np.nan
    lead[:, ~live_L] = np.nan
    lead += at[:, None, None, None]
    whole += at[:, None, None]
    last = signal_LT.shape[1] - 1
    lead = _inside(lead * (rate / slow_rate) + origin, last)
    whole = _inside(whole * (rate / slow_rate) + origin, last)
    return Seen(beats, stack, places, atria, atrial, lead, whole, size)


def _labelled(beats: Beats, stack: _templates.Stack, qrs_C: np.ndarray) -> Beats:
    """The beats with labels by the QRS duration (seconds) of their kind.

    The narrowest kind that has a quarter of the beats is the conducted one; a kind that is wide, wider than that and
    comes early is ventricular, and what was taken for ventricular but looks like the conducted kind is not.
    """
    own = np.flatnonzero(stack.count >= max(2, 0.25 * len(beats)))
    usual = own[qrs_C[own].argmin()] if len(own) else 0
    wide_C = qrs_C >= WIDE_SECONDS
    early_C = stack.lead_in < EARLY * stack.lead_in[usual]
    ventricular_C = wide_C & (qrs_C > qrs_C[usual] + WIDER_SECONDS) & early_C
    found = np.where((stack.kind == usual) & (beats.label == "V"), "N", beats.label)
    found = np.where(ventricular_C[stack.kind] & (found != "paced"), "V", found)
    conducted = (found == "N") | (found == "wide")
    label = np.where(conducted, np.where(wide_C[stack.kind], "wide", "N"), found)
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
    usable = beats.label != "V"
    return _atria.find(held, start, on_K, usable, rate, _atrial_intervals(stack.at / rate, usable))


def _atrial_intervals(time_K: np.ndarray, usable_K: np.ndarray) -> np.ndarray:
    """Seconds between the beats that are not ventricular; an interval with a ventricular beat in it counts as two."""
    rows = np.flatnonzero(usable_K)
    return np.diff(time_K[rows]) / np.diff(rows)


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
