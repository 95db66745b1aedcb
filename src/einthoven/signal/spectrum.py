"""One FFT in, one gain, one FFT out: the kernel under filtering and resampling.

The samples are laid on a ring that begins with the window's own sample 0, so a real gain shifts nothing, at any rate:

    window | samples after it, or their odd reflection | straight line | odd reflection or samples before it |

The line brings the ring to a length the FFT likes and joins both ends without a step. Shapes: last axis time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import array_namespace
from scipy.fft import next_fast_len

Array = Any  # NumPy or torch
REACH_SECONDS = 2.0
"""How far a filter looks beyond the window."""


def ring(signal: Array, reach: int, before: int = 0, after: int = 0, multiple: int = 1) -> Array:
    """Lay a window and its surroundings on a ring.

    Args:
        signal: window with `before` samples of the recording's own ahead of it and `after` behind.
        reach: samples wanted on each side of the window; what the recording does not have is its odd reflection (point
            mirror about the last sample), at most all samples but that one.
        multiple: the ring's length is a multiple of this, and otherwise a product of 2, 3 and 5.
    """
    xp = array_namespace(signal)
    samples = signal.shape[-1]
    left, right = (min(max(reach - own, 0), samples - 1) for own in (before, after))
    head, tail = signal[..., :1], signal[..., -1:]
    pieces = [signal[..., before:]]
    if right:
        pieces.append(2 * tail - xp.flip(signal[..., -right - 1 : -1], axis=-1))
    lead_in = [2 * head - xp.flip(signal[..., 1 : left + 1], axis=-1)] if left else []
    if before:
        lead_in.append(signal[..., :before])
    length = samples + left + right
    room = multiple * int(next_fast_len(-(-length // multiple), real=True) or 0) - length
    if room:
        start = pieces[-1][..., -1:]
        end = lead_in[0][..., :1] if lead_in else head
        step = xp.arange(1, room + 1, dtype=signal.dtype, device=getattr(signal, "device", None)) / (room + 1)
        pieces.append(start + (end - start) * step)
    return xp.concat([*pieces, *lead_in], axis=-1)


def weigh(ringed: Array, gain: np.ndarray, samples: int) -> Array:
    """Multiply the spectrum of a ring by a real gain and come back with `samples` samples on the ring.

    `gain` stands at the FFT's frequencies from 0 upwards; what it does not reach is dropped. A ring that comes back
    shorter or longer is the same signal at another rate, amplitudes kept.
    """
    xp = array_namespace(ringed)
    scaled = gain * (samples / ringed.shape[-1])
    factor = xp.asarray(scaled.astype(str(ringed.dtype).removeprefix("torch.")), device=getattr(ringed, "device", None))
    spectrum = xp.fft.rfft(ringed)[..., : factor.shape[0]]
    spectrum *= factor
    return xp.fft.irfft(spectrum, n=samples)


def frequencies(ring_length: int, rate_in: float, rate_out: float | None = None) -> np.ndarray:
    """Hertz of the ring's spectrum from 0 to half of the lower rate."""
    found = np.fft.rfftfreq(ring_length, 1 / rate_in)
    return found[found <= min(rate_in, rate_out or rate_in) / 2 * (1 + 1e-12)]
