"""The one order of processing, used by training, evaluation and serving alike.

    pick leads by name -> missing to 0, validity off -> resample -> band-pass -> cut to the window -> (augment) -> scale

Resampling and band-pass are one pass through the FFT over the window and up to 2 s of the recording's own samples on
either side (odd reflection where it ends), so a window of an hour costs what a strip costs and gives the same numbers.
Shapes: L leads, T samples, W windows; arrays are NumPy or torch, millivolts, last axis time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from einthoven.core import leads as lead_names
from einthoven.core.errors import LayoutError
from einthoven.core.layout import Layout
from einthoven.core.record import Record
from einthoven.signal import gaps, spectrum
from einthoven.signal.filters import bandpass_gain
from einthoven.signal.resampling import antialias, ratio, samples_out

Array = Any  # NumPy or torch

FLAT_MV = 1e-3
"""A standard deviation below the store's microvolt is no signal: `scale` does not blow rounding up to size 1."""


def pick(signal: Array, leads: Sequence[str], layout: Layout) -> tuple[Array, tuple[lead_names.Status, ...]]:
    """Put leads in the layout's order; (..., leads, T) in, (..., L, T) out, NaN for leads that cannot be had.

    Returns:
        The signal, and for each lead of the layout `measured`, `derived` (from two limb leads) or `missing`.

    Raises:
        LeadError: the layout takes one lead of any name and there are several.
    """
    matrix, status = lead_names.pick(leads, layout.leads)
    if matrix.shape[0] == matrix.shape[1] and (matrix == np.eye(len(matrix))).all():
        return signal, status
    xp = array_namespace(signal)
    rows = []
    for weights in matrix:
        used = np.flatnonzero(weights)
        # only the leads that take part: 0 x NaN of another lead would be NaN
        terms = [signal[..., i, :] if weights[i] == 1 else float(weights[i]) * signal[..., i, :] for i in used]
        rows.append(sum(terms[1:], terms[0]) if terms else xp.full_like(signal[..., 0, :], xp.nan))
    return xp.stack(rows, axis=-2), status


def condition(
    signal: Array, valid: Array, rate: float, layout: Layout, before: int = 0, after: int = 0
) -> tuple[Array, Array]:
    """Resample, filter and cut one window, or a batch of windows that have the same surroundings.

    Args:
        signal: millivolts at `rate`, (..., L, before + T + after), leads in the layout's order, 0 where not valid.
        valid: boolean, broadcastable to it; gaps are bridged for the filter and 0 again afterwards.
        before, after: how many of the samples are surroundings from the recording itself (see `context`).

    Returns:
        Signal (..., L, U) in millivolts at the layout's rate, 0 where not valid, and its validity, same shape.
        U is `layout.samples`, or less if the window is shorter.
    """
    xp = array_namespace(signal)
    window = signal.shape[-1] - before - after
    share = ratio(rate, layout.rate)
    samples = min(samples_out(window, share), layout.samples)
    whole = bool(xp.all(valid))
    if share == 1 and layout.band is None:
        out = signal[..., before : before + samples]
    else:
        reach = round(spectrum.REACH_SECONDS * rate)
        laid = spectrum.ring(gaps.bridge(signal, valid), reach, before, after, share.denominator)
        gain = _gain(laid.shape[-1], rate, layout.rate, layout.band, layout.order)
        out = spectrum.weigh(laid, gain, int(laid.shape[-1] * share))[..., :samples]
    if whole:
        return out, xp.broadcast_to(xp.ones_like(out[..., :1], dtype=xp.bool), out.shape)
    valid = xp.broadcast_to(valid, signal.shape)[..., before : before + window]
    if share != 1:
        # an output sample counts if both input samples that it lies between do
        place = np.arange(samples) * share.denominator / share.numerator
        low, high = np.floor(place).astype(np.int64), np.minimum(np.ceil(place).astype(np.int64), window - 1)
        device = getattr(signal, "device", None)
        valid = xp.take(valid, xp.asarray(low, device=device), axis=-1) & xp.take(
            valid, xp.asarray(high, device=device), axis=-1
        )
    valid = valid[..., :samples]
    return xp.where(valid, out, xp.zeros_like(out)), valid


def scale(signal: Array, valid: Array, layout: Layout) -> Array:
    """Bring millivolts (..., L, T) to the layout's unit; 0 where not valid.

    `per_lead` and `per_record` are (signal - mean) / SD over valid samples, population SD, at least 0.001 mV.
    """
    if layout.scale == "none":
        return signal
    if layout.scale == "fixed":
        return signal / layout.divisor
    xp = array_namespace(signal)
    axes = -1 if layout.scale == "per_lead" else (-2, -1)
    weight = xp.astype(xp.broadcast_to(valid, signal.shape), signal.dtype)
    count = xp.clip(xp.sum(weight, axis=axes, keepdims=True), min=1.0)
    centred = (signal - xp.sum(signal * weight, axis=axes, keepdims=True) / count) * weight
    deviation = xp.sqrt(xp.sum(centred * centred, axis=axes, keepdims=True) / count)
    return centred / xp.clip(deviation, min=FLAT_MV)


def window_length(rate: float, layout: Layout) -> int:
    """Samples at `rate` that make one window of the layout."""
    share = ratio(rate, layout.rate)
    return -(-layout.samples * share.denominator // share.numerator)


def starts(samples: int, rate: float, layout: Layout, stride_seconds: float | None = None) -> np.ndarray:
    """First samples (at `rate`) of the windows of a recording.

    A window every `stride_seconds` (default: a window's length) and a last one flush with the end; a recording shorter
    than the layout is one window of its own length.
    """
    if stride_seconds is not None and not stride_seconds > 0:
        raise LayoutError("windows", "the stride must be above 0 s", got=stride_seconds, reason="stride")
    length = window_length(rate, layout)
    stride = length if stride_seconds is None else max(1, round(stride_seconds * rate))
    last = max(samples - length, 0)
    found = np.arange(0, last + 1, stride, dtype=np.int64)
    return found if found[-1] == last else np.append(found, last)


def context(
    start: int | np.ndarray, samples: int | np.ndarray, rate: float, layout: Layout
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Samples of the window at `start` in a recording of `samples`, and those before and after it to read along.

    They are T, `before` and `after` of `condition`: up to 2 s on either side, as far as the recording goes. Arrays are
    many windows at the same rate.
    """
    window = np.minimum(window_length(rate, layout), samples - start)
    reach = round(spectrum.REACH_SECONDS * rate)
    return window, np.minimum(reach, start), np.minimum(reach, samples - start - window)


def windows(
    record: Record, layout: Layout, stride_seconds: float | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All windows of one recording, through the whole order without augmentation.

    Returns:
        signal (W, L, T) float32 in the layout's unit, valid (W, L, T) bool, and start (W,) in seconds. A recording that
        is shorter than the layout gives one window of its own length.

    Raises:
        LayoutError, LeadError: as `stream`.
    """
    signals, valids = zip(*stream(record, layout, stride_seconds))
    first = starts(record.samples, record.rate, layout, stride_seconds)
    return np.stack(signals), np.stack(valids), first / record.rate


def stream(
    record: Record, layout: Layout, stride_seconds: float | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The same windows one by one, signal and validity (L, T), so that those of hours are never held together.

    Raises:
        LayoutError: no lead of the layout can be had (`lead`), or no lead at hand ever changes (`flat`).
        LeadError: the layout takes one lead of any name and there are several.
    """
    matrix, status = lead_names.pick(record.leads, layout.leads, record.key)
    if set(status) == {"missing"}:
        raise LayoutError(
            record.key, "has none of the leads that the layout wants", expected=" ".join(layout.leads),
            got=" ".join(record.leads), reason="lead",
            fix="name a nameless channel, for example --lead II, or use a model for these leads",
        )  # fmt: skip
    used = record.signal[np.any(matrix, axis=0)]
    if not np.any(np.fmax.reduce(used, axis=-1) > np.fmin.reduce(used, axis=-1)):
        raise LayoutError(
            record.key, "is flat: no lead ever changes", expected="a signal", got="a constant or no sample",
            fix="leave this recording out", reason="flat",
        )  # fmt: skip
    first = starts(record.samples, record.rate, layout, stride_seconds)
    for start, *sizes in zip(first, *context(first, record.samples, record.rate, layout)):
        window, before, after = map(int, sizes)
        near = record.signal[:, start - before : start + window + after]
        filled, valid = gaps.fill(pick(near, record.leads, layout)[0])
        signal, valid = condition(filled, valid, record.rate, layout, before, after)
        yield scale(signal, valid, layout), valid


@lru_cache(maxsize=64)
def _gain(length: int, rate: float, rate_out: float, band: tuple[float, float] | None, order: int) -> np.ndarray:
    """Anti-alias filter and band-pass at the frequencies of a ring: the filter is designed at the layout's rate."""
    hertz = spectrum.frequencies(length, rate, rate_out)
    return antialias(hertz, rate, rate_out) * (bandpass_gain(hertz, rate_out, band, order) if band else 1.0)
