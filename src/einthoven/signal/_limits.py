"""Limits of the waves in median beats: candidates, and the mixture of them that cardiologists come nearest to.

A candidate is where a smoothed slope has fallen to a share of its steepest; the root of the summed squares over the
leads gives one for all leads, each lead its own, and the leads' median and outer quartile two more. What a lead's limit
is made of these is fitted by ridge regression. Letters: C kinds of beat, L leads, W samples about R, F candidates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from einthoven.signal import _landmarks as look
from einthoven.signal._fusion import outermost

P, QRS, T = 0, 1, 2
NAMES = ("p", "qrs", "t")
ON, PEAK, OFF = 0, 1, 2

HOLD = 0.008
"""Seconds before the QRS complex from which its own slope is left out of the P wave."""
SHARES = (0.10, 0.20, 0.35, 0.60)
WIDTHS = {QRS: (0.006, 0.011), P: (0.010, 0.018), T: (0.018, 0.036)}
"""Standard deviations in seconds of the smoothing."""
MOST_MS = {P: 40.0, QRS: 40.0, T: 60.0}
PEAK_MS = 160.0
"""A candidate counts as no farther than this from the candidates' median, a peak likewise."""
QRS_REACH = (0.10, 0.12)
"""Seconds before and after R within which the QRS complex has its steep parts."""
REACH = {P: 0.10, T: 0.16}
"""Seconds on either side of a wave's peak within which its steepest slope is."""
APART = {P: 0.040, T: 0.060}
"""Seconds by which a lead's peak may be from that of all leads."""
P_BEND, T_BEND = 0.028, 0.050
"""Seconds, standard deviation of the smoothing whose bend shows the wave."""
T_USUAL, T_SPREAD = 0.28, 0.35
"""T's peak is usually so many seconds after R, times the root of the RR interval in seconds; and how strict that is."""
SLOPE_SHARE = 0.2
"""What the end of a slope counts, against a summit."""


@dataclass(frozen=True, eq=False)
class Places:
    """Where waves are, before their limits are made: by wave, peaks of all leads (C,) and of each lead (C, L) in
    samples, sizes (C, L) in mV, and by wave and side the candidates (C, L, F)."""

    peak_C: dict[int, np.ndarray]
    peak_CL: dict[int, np.ndarray]
    size_CL: dict[int, np.ndarray]
    candidates: dict[tuple[int, int], np.ndarray]

    @classmethod
    def none(cls) -> Places:
        return cls({}, {}, {}, {})


def limits(
    places: Places, wave: int, middle: int, rate: float, fitted: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """One wave's onset, peak and offset in each lead (C, L, 3) and in all (C, 3), samples from `middle`.

    Args:
        fitted: `Fitted.limits`, by the names of `name`.
    """
    ms = 1000 / rate
    peak_C, peak_CL = (places.peak_C[wave] - middle) * ms, (places.peak_CL[wave] - middle) * ms
    lead, whole = np.full((*peak_CL.shape, 3), np.nan), np.full((*peak_C.shape, 3), np.nan)
    lead[..., PEAK], whole[..., PEAK] = peak_CL, peak_C
    for side in (ON, OFF):
        base, parts = design((places.candidates[wave, side] - middle) * ms, peak_C, peak_CL, wave)
        weight = fitted[name(wave, side)]
        lead[..., side] = base + weight[0] + parts @ weight[1:]
        whole[..., side] = outermost(lead[..., side], places.size_CL[wave], wave, side == ON)
    return lead / ms, whole / ms


def name(wave: int, side: int) -> str:
    """What a limit is called: `p_on`, `p_off`, `qrs_on` ..."""
    return f"{NAMES[wave]}_{'on' if side == ON else 'off'}"


def design(candidate: np.ndarray, peak_C: np.ndarray, peak_CL: np.ndarray, wave: int) -> tuple[np.ndarray, np.ndarray]:
    """The median (C, L) of the candidates (C, L, F), and what is weighed (C, L, F or, with the peaks (C,) and (C, L),
    F + 2): how far each candidate and peak is from it; all in milliseconds."""
    base = np.median(candidate, axis=-1)
    parts = np.clip(candidate - base[..., None], -MOST_MS[wave], MOST_MS[wave])
    if wave == QRS:
        return base, parts
    peaks = np.stack([np.broadcast_to(peak_C[:, None], base.shape), peak_CL], axis=-1) - base[..., None]
    return base, np.concatenate([parts, np.clip(peaks, -PEAK_MS, PEAK_MS)], axis=-1)


def ventricular(template: np.ndarray, middle: int, rate: float, room: np.ndarray, lead_in: np.ndarray) -> Places:
    """Candidates for QRS complex and T wave of median beats (C, L, W) with R at `middle`.

    Args:
        room, lead_in: (C,) seconds to the beats after and before.
    """
    template = template.astype(np.float64)
    count, leads, width = template.shape
    out = Places.none()
    slopes = look.smoothed(template, [look.gaussian(w * rate, 1) for w in WIDTHS[QRS]])
    first, last = middle - round(QRS_REACH[0] * rate), middle + round(QRS_REACH[1] * rate)
    sides = [_qrs_side(slope, first, last) for slope in slopes]
    for side in (ON, OFF):
        out.candidates[QRS, side] = np.concatenate([s[side] for s in sides], axis=2)
    on, off = rough(out, ON), rough(out, OFF)

    (fine,) = look.smoothed(template, [look.gaussian(0.004 * rate, 0)])
    flat = np.abs(fine - np.take_along_axis(fine, np.round(on).astype(int)[:, None, None], axis=2))
    peak = look.highest(flat.reshape(-1, width), np.repeat(np.round(on), leads), np.repeat(np.round(off), leads))
    out.peak_C[QRS], out.peak_CL[QRS] = np.full(count, float(middle)), peak.reshape(count, leads)
    out.size_CL[QRS] = np.take_along_axis(flat, out.peak_CL[QRS][..., None], axis=2)[..., 0]

    rr = np.clip(np.minimum(room, lead_in), 0.25, 1.5)
    time = np.arange(width)
    after = look.held(template, off + 0.012 * rate, -1)
    stop = np.minimum(middle + (np.minimum(room, 3.0) - 0.1) * rate, middle + 0.66 * rate)
    expected = T_USUAL * np.sqrt(rr)[:, None] + np.maximum(off - on - 0.1 * rate, 0)[:, None] / rate
    usual = np.exp(-0.5 * (((time - middle) / rate / expected - 1) / T_SPREAD) ** 2)
    (bend,) = look.smoothed(after, [look.gaussian(T_BEND * rate, 2)])
    size = np.sqrt(np.square(bend).sum(axis=1)) * usual
    top = np.zeros(size.shape, bool)
    top[:, 1:-1] = (size[:, 1:-1] >= size[:, :-2]) & (size[:, 1:-1] >= size[:, 2:])
    peak = look.highest(np.where(top, size, SLOPE_SHARE * size), off + 0.05 * rate, stop)
    _wave(after, bend, peak, rate, T, out)
    return out


def atrial(template: np.ndarray, peak: int, rate: float) -> Places:
    """Candidates for the P wave with its peak at `peak` of the usual beat (L, W) up to its QRS complex."""
    template = template[None].astype(np.float64)
    out = Places.none()
    (bend,) = look.smoothed(template, [look.gaussian(P_BEND * rate, 2)])
    _wave(template, bend, np.array([peak]), rate, P, out)
    return out


def rough(places: Places, side: int) -> np.ndarray:
    """Onset or offset (C,) of the QRS complex in all leads, as a single crossing has it."""
    return places.candidates[QRS, side][:, 0, 4 * len(SHARES)]


def _qrs_side(slope: np.ndarray, first: int, last: int) -> dict[int, np.ndarray]:
    """Candidates (C, L, F) for onset and offset of the QRS complex from one smoothing's slope (C, L, W)."""
    out = {}
    own, all_leads = np.abs(slope), np.sqrt(np.square(slope).sum(axis=1))
    for side, step in ((ON, -1), (OFF, 1)):
        rows = []
        for height in (all_leads, own):
            core = height[..., first:last]
            most = core.max(axis=-1)
            high = core > 0.3 * most[..., None]
            edge = first + high.argmax(axis=-1) if step < 0 else last - 1 - high[..., ::-1].argmax(axis=-1)
            rows.append(_crossings(height, edge, most, step))
        out[side] = _arranged(rows[0], rows[1], step)
    return out


def _wave(signal: np.ndarray, bend: np.ndarray, peak: np.ndarray, rate: float, wave: int, into: Places) -> None:
    """Enter each lead's peak near that of all leads, `peak` (C,), and the candidates on either side."""
    count, leads, width = signal.shape
    slopes = look.smoothed(signal, [look.gaussian(w * rate, 1) for w in WIDTHS[wave]])
    row, apart = np.repeat(peak, leads), APART[wave] * rate
    size = np.abs(bend).reshape(-1, width)
    own_peak = look.highest(size, row - apart, row + apart + 1)
    into.peak_C[wave], into.peak_CL[wave] = peak.astype(float), own_peak.reshape(count, leads).astype(float)
    into.size_CL[wave] = size[np.arange(len(own_peak)), own_peak].reshape(count, leads)
    reach = REACH[wave] * rate
    for side, step in ((ON, -1), (OFF, 1)):
        parts = []
        for slope in slopes:
            rows: list[np.ndarray] = []
            for height, top in ((np.sqrt(np.square(slope).sum(axis=1)), peak), (np.abs(slope), own_peak)):
                flat = height.reshape(-1, width)
                first, last = (top - reach, top + 1) if step < 0 else (top, top + reach)
                steepest = look.highest(flat, first, last)
                most = flat[np.arange(len(flat)), steepest]
                shape = height.shape[:-1]
                rows.append(_crossings(height, steepest.reshape(shape), most.reshape(shape), step))
            parts.append(_arranged(rows[0], rows[1], step))
        into.candidates[wave, side] = np.concatenate(parts, axis=2)


def _crossings(height: np.ndarray, start: np.ndarray, most: np.ndarray, step: int) -> np.ndarray:
    """(..., shares) places where `height` (..., W) has fallen to each share of `most`, walking from `start`."""
    flat = height.reshape(-1, height.shape[-1])
    places = [look.crossing(flat, start.reshape(-1), share * most.reshape(-1), step) for share in SHARES]
    return np.stack(places, axis=-1).reshape(*start.shape, len(SHARES))


def _arranged(whole: np.ndarray, own: np.ndarray, step: int) -> np.ndarray:
    """(C, L, 4 shares): of all leads, each lead's, the leads' median, and their outer quartile."""
    count, leads, shares = own.shape
    spread = np.percentile(own, [50, 25 if step < 0 else 75], axis=1)
    parts = [whole[:, None], own, spread[0][:, None], spread[1][:, None]]
    return np.concatenate([np.broadcast_to(part, (count, leads, shares)) for part in parts], axis=2)
