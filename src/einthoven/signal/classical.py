"""The classical engine: limits of waves from the median beat of each kind of beat.

In the median beat a wave begins and ends where its smoothed slope has fallen to a share of its steepest; all leads
together (root of the summed squares) and each lead by itself. Single beats take these limits over, moved by as much as
their own P and T waves are, in all leads, from where the median beat has them. Smoothed slopes are those of the wavelet
delineators (Martinez 2004) with a Gaussian for the spline. Letters: L leads, T samples, K beats, C kinds, W samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from einthoven.signal import _landmarks as look
from einthoven.signal import _templates
from einthoven.signal.marks import Beats, Delineation

P, QRS, T = 0, 1, 2
ON, PEAK, OFF = 0, 1, 2

QRS_SMOOTH, QRS_ON_SHARE, QRS_OFF_SHARE = 0.010, 0.12, 0.15
P_SMOOTH, P_BEND, P_SHARE = 0.012, 0.028, 0.25
T_SMOOTH, T_BEND, T_SHARE = 0.024, 0.056, 0.40


@dataclass(frozen=True, eq=False)
class Limits:
    """lead (C, L, 3, 3) and whole (C, 3, 3) in samples from R at the working rate."""

    lead: np.ndarray
    whole: np.ndarray


def delineate(signal_LT: np.ndarray, rate: float, beats: Beats) -> Delineation:
    """Limits of the waves of these beats, in a recording or a window of one without gaps.

    Args:
        signal_LT: millivolts, (leads, samples) float32, no NaN.
        beats: R peaks in samples of `signal_LT`.
    """
    slow, slow_rate, stride = _templates.working(signal_LT, rate)
    weight_L = (np.ptp(slow, axis=1) > 0.02).astype(float)
    at = (beats.sample + 0.5) / stride - 0.5
    stack = _templates.stack(slow, slow_rate, at, beats.label, weight_L)
    limits = _limits(stack)
    lead = limits.lead[stack.kind] + at[:, None, None, None]
    whole = limits.whole[stack.kind] + at[:, None, None]
    lead[:, weight_L == 0] = np.nan
    back = lambda slow_sample: (slow_sample + 0.5) * stride - 0.5  # noqa: E731
    last = signal_LT.shape[1] - 1
    lead, whole = _inside(back(lead), last), _inside(back(whole), last)
    confidence = np.isfinite(whole[..., PEAK]).astype(float) * beats.confidence[:, None]
    return Delineation(beats, lead, whole, confidence, "", "classical")


def _inside(marks: np.ndarray, last: int) -> np.ndarray:
    """Without waves that an end of the recording cuts."""
    whole = (marks[..., ON] >= 0) & (marks[..., OFF] <= last)
    return np.where(whole[..., None], marks, np.nan)


def _limits(stack: _templates.Stack) -> Limits:
    rate, middle = stack.rate, stack.before
    count, leads, width = stack.template.shape
    template = stack.template.astype(np.float64)
    lead, whole = np.full((count, leads, 3, 3), np.nan), np.full((count, 3, 3), np.nan)

    (slope,) = look.smoothed(template, [look.gaussian(QRS_SMOOTH * rate, 1)])
    steep = np.sqrt(np.square(slope).sum(axis=1))
    first, last = middle - round(0.10 * rate), middle + round(0.12 * rate)
    core = steep[:, first:last]
    most = core.max(axis=1)
    high = core > 0.3 * most[:, None]
    left, right = first + high.argmax(axis=1), last - 1 - high[:, ::-1].argmax(axis=1)
    on = look.crossing(steep, left, QRS_ON_SHARE * most, -1)
    off = look.crossing(steep, right, QRS_OFF_SHARE * most, 1)
    whole[:, QRS] = np.stack([on, np.full(count, middle), off], axis=1)

    flat = np.abs(template - np.take_along_axis(template, np.round(on).astype(int)[:, None, None], axis=2))
    peak = look.highest(flat.reshape(-1, width), np.repeat(np.round(on).astype(int), leads), np.repeat(off, leads))
    lead[:, :, QRS, ON], lead[:, :, QRS, OFF] = on[:, None], off[:, None]
    lead[:, :, QRS, PEAK] = peak.reshape(count, leads)

    before = look.held(template, on - 0.008 * rate, 1)
    start = np.maximum(on - 0.26 * rate, middle - 0.62 * stack.lead_in * rate).clip(0)
    _wave(before, rate, start, on - 0.016 * rate, (P_SMOOTH, P_BEND, P_SHARE, 0.04, 0.10), lead[:, :, P], whole[:, P])
    after = look.held(template, off + 0.012 * rate, -1)
    stop = np.minimum(middle + (stack.room - 0.1) * rate, middle + 0.62 * rate)
    _wave(after, rate, off + 0.06 * rate, stop, (T_SMOOTH, T_BEND, T_SHARE, 0.06, 0.16), lead[:, :, T], whole[:, T])

    return Limits(lead - middle, whole - middle)


def _wave(
    signal: np.ndarray,
    rate: float,
    start: np.ndarray,
    stop: np.ndarray,
    settings: tuple[float, float, float, float, float],
    lead: np.ndarray,
    whole: np.ndarray,
) -> None:
    """Enter the limits of the one wave between `start` and `stop` (C,) into lead (C, L, 3) and whole (C, 3)."""
    smooth, bend_width, share, apart, reach = settings
    count, leads, width = signal.shape
    bend, slope = look.smoothed(signal, [look.gaussian(bend_width * rate, 2), look.gaussian(smooth * rate, 1)])
    peak = look.highest(np.sqrt(np.square(bend).sum(axis=1)), start, stop)
    steep = np.sqrt(np.square(slope).sum(axis=1))
    whole[:, PEAK] = peak
    row_peak = np.repeat(peak, leads)
    lead[..., PEAK] = look.highest(
        np.abs(bend).reshape(-1, width), row_peak - apart * rate, row_peak + apart * rate
    ).reshape(count, leads)
    for target, height, top in ((whole, steep, peak), (lead, np.abs(slope), None)):
        flat = height.reshape(-1, width)
        top = row_peak if top is None else top
        left = look.highest(flat, top - reach * rate, top)
        right = look.highest(flat, top, top + reach * rate)
        row = np.arange(len(flat))
        on = look.crossing(flat, left, share * flat[row, left], -1)
        off = look.crossing(flat, right, share * flat[row, right], 1)
        target[..., ON], target[..., OFF] = on.reshape(target.shape[:-1]), off.reshape(target.shape[:-1])
