"""Change the sampling rate of a recording without folding noise into the ECG band.

The spectrum is cut (or extended) and transformed back: an anti-alias filter that is flat to 90 % of the lower Nyquist
frequency and falls to 0 at it like a cosine, without delay. Plain striding is not offered, because it aliases mains and
muscle noise onto the QRS. Shapes: last axis time, T samples in, ceil(T * out / in) out.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from einthoven.core.errors import LayoutError
from einthoven.signal import spectrum
from einthoven.signal.filters import complete

Array = Any  # NumPy or torch


def resample(signal: Array, rate_in: float, rate_out: float) -> Array:
    """Return the same recording at another sampling rate.

    Args:
        signal: millivolts, last axis time, float32 or float64.
        rate_in: samples per second of the input, in hertz, above 0.
        rate_out: samples per second wanted, in hertz, above 0.

    Returns:
        The same dtype and kind of array with ceil(samples * rate_out / rate_in) samples. Sample 0 stays at time 0.

    Raises:
        LayoutError: a rate is not positive, or out / in is no fraction with denominator up to 1000.
        RecordError: the signal holds NaN.

    >>> resample(np.zeros((2, 1000)), rate_in=500, rate_out=250).shape
    (2, 500)
    """
    share = ratio(rate_in, rate_out)
    complete(signal, "resample")
    if share == 1:
        return signal
    laid = spectrum.ring(signal, round(spectrum.REACH_SECONDS * rate_in), multiple=share.denominator)
    length = laid.shape[-1]
    gain = antialias(spectrum.frequencies(length, rate_in, rate_out), rate_in, rate_out)
    return spectrum.weigh(laid, gain, int(length * share))[..., : samples_out(signal.shape[-1], share)]


def ratio(rate_in: float, rate_out: float) -> Fraction:
    """rate_out / rate_in as a fraction; raises as `resample` does."""
    if not (0 < rate_in < float("inf") and 0 < rate_out < float("inf")):
        raise LayoutError("resample", "rates must be above 0 Hz", got=f"{rate_in} and {rate_out}", reason="rate")
    share = Fraction(rate_out / rate_in).limit_denominator(1000)
    if abs(share * rate_in - rate_out) > 1e-6 * rate_out:
        raise LayoutError(
            "resample", f"{rate_out} Hz / {rate_in} Hz is no simple ratio",
            expected="a fraction with denominator up to 1000", fix="choose a rate near by, such as 100, 250 or 500 Hz",
            reason="rate",
        )  # fmt: skip
    return share


def samples_out(samples: int, share: Fraction) -> int:
    """How many samples come out of `samples`: all whose time lies before the end of the last one."""
    return -(-samples * share.numerator // share.denominator)


def antialias(frequencies: np.ndarray, rate_in: float, rate_out: float) -> np.ndarray:
    """Gain of the anti-alias filter at some frequencies (all 1 where the rate does not change)."""
    if rate_in == rate_out:
        return np.ones(len(frequencies))
    nyquist = min(rate_in, rate_out) / 2
    return 0.5 + 0.5 * np.cos(np.pi * np.clip((frequencies / nyquist - 0.9) / 0.1, 0, 1))
