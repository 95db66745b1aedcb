"""Zero-phase band-pass whose gain is exactly |H|^2 of a digital Butterworth filter.

That is what `scipy.signal.sosfiltfilt` approximates by running forward and backward; one multiplication of the spectrum
gives it without transients inside the recording, batchwise, on a CPU or GPU (Butterworth: Oppenheim & Schafer, ch. 7).
A mean or a moving-average baseline is not offered: neither has a stated gain.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import array_namespace

from einthoven.core.errors import LayoutError, RecordError
from einthoven.signal import spectrum

Array = Any  # NumPy or torch


def bandpass_gain(frequencies: np.ndarray, rate: float, band: tuple[float, float], order: int) -> np.ndarray:
    """Gain of the zero-phase filter at some frequencies.

    G(f) = 1 / (1 + x^(2 order)), where with W = tan(pi f / rate) (bilinear transform) and W1, W2 the same of the edges
    x = (W^2 - W1 W2) / (W (W2 - W1)) for a band, W1 / W for a high-pass and W / W2 for a low-pass. At an edge G = 1/2.

    Args:
        frequencies: hertz, from 0 to rate / 2.
        band: lower and upper edge in hertz, 0 for an open end: `(0.5, 0)` is a high-pass, `(0, 40)` a low-pass.
        order: order of the Butterworth prototype, as in `scipy.signal.butter`.

    Raises:
        LayoutError: the edges do not fit the rate, or the order is below 1.

    >>> bandpass_gain(np.array([0.0, 0.5, 1.0, 20.0, 60.0]), 500, (0.67, 40), 5).round(6)
    array([0.      , 0.047412, 0.985394, 0.999514, 0.011807])
    """
    low, high = band
    if not (0 <= low < rate / 2 and 0 <= high < rate / 2 and (high > low or (high == 0 < low))) or order < 1:
        raise LayoutError(
            "filter", "band is unusable", expected=f"0 <= low < high < {rate / 2} Hz (0 for an open end), order >= 1",
            got=f"{low} to {high} Hz, order {order}", fix="change the edges or the rate", reason="band",
        )  # fmt: skip
    with np.errstate(divide="ignore", over="ignore"):  # infinite x is gain 0
        w, w1, w2 = (np.tan(np.pi * np.asarray(f, np.float64) / rate) for f in (frequencies, low, high))
        x = (w**2 - w1 * w2) / (w * (w2 - w1)) if low and high else w1 / w if low else w / w2
        return 1 / (1 + x ** (2 * order))


def bandpass(signal: Array, rate: float, band: tuple[float, float], order: int) -> Array:
    """Filter without delay; `band` and `order` as in `bandpass_gain`.

    The ends are extended by 2 s of odd reflection (or all samples but one, if there are fewer), so the first and last
    second or so of a strip rest on a guess, as with any filter.

    Args:
        signal: millivolts, last axis time, NumPy or torch, float32 or float64.

    Returns:
        The same shape, dtype and kind of array.

    Raises:
        RecordError: the signal holds NaN; LayoutError: see `bandpass_gain`.
    """
    complete(signal, "filter")
    laid = spectrum.ring(signal, round(spectrum.REACH_SECONDS * rate))
    length = laid.shape[-1]
    gain = bandpass_gain(spectrum.frequencies(length, rate), rate, band, order)
    return spectrum.weigh(laid, gain, length)[..., : signal.shape[-1]]


def complete(signal: Array, where: str) -> None:
    """Refuse a signal with NaN: one lost sample would spread over all."""
    xp = array_namespace(signal)
    if xp.any(xp.isnan(signal)):
        raise RecordError(where, "the signal holds NaN", fix="call signal.gaps.fill and bridge first", reason="nan")
