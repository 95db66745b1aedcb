"""Quantities of signal quality that people know, one number a recording: shown, and not trusted alone.

Fixed limits of these do not transfer between data sets (Rahman 2022), so the verdict is learned (`quality`). basSQI,
pSQI, kSQI: as in Zhao & Zhang 2018. Each is that of the median lead but `einthoven`. Letters: L leads, T samples,
K beats.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from einthoven.core.leads import LIMB, pick
from einthoven.signal.median import gather

LEAST_MV = 0.05
MUSCLE_HZ, QUIET, QRS_SECONDS = 35.0, (0.60, 0.75), 0.06
"""Muscle is heard above this, in this part of each RR interval, where T has ended and P has not begun; the QRS complex
reaches so far on either side of R."""


def indices(signal_LT: np.ndarray, rate: float, leads: Sequence[str]) -> dict[str, float]:
    """What can be computed of: mains_uv (root mean square of 50 or 60 Hz in microvolts, whichever is more), mains_ratio
    (its power over the neighbours'), baseline_mv (below 0.5 Hz, root mean square), bas_sqi, p_sqi, k_sqi, einthoven."""
    out: dict[str, float] = {}
    alive = np.flatnonzero(np.isfinite(signal_LT).all(axis=1) & (signal_LT.max(axis=1) > signal_LT.min(axis=1)))
    if len(alive) and signal_LT.shape[1] >= 2 * rate:
        x_LT = signal_LT[alive].astype(np.float64 if len(alive) == 1 else np.float32)
        x_LT = x_LT - x_LT.mean(axis=1, keepdims=True)
        power_LF = np.abs(np.fft.rfft(x_LT, axis=1)) ** 2
        width = rate / x_LT.shape[1]
        scale = 2 / x_LT.shape[1] ** 2  # mean square

        def band(low: float, high: float) -> np.ndarray:
            return power_LF[:, max(1, round(low / width)) : round(high / width) + 1].sum(axis=1)

        def ratio(a_L: np.ndarray, b_L: np.ndarray) -> float:
            return float(np.median(a_L / np.maximum(b_L, 1e-12)))

        out["baseline_mv"] = float(np.median(np.sqrt(scale * band(0.0, 0.5))))
        top = min(40.0, 0.45 * rate)
        out["bas_sqi"] = 1 - ratio(band(0.0, 1.0), band(0.0, top))
        out["p_sqi"] = ratio(band(5.0, 15.0), band(5.0, top))
        deviation = x_LT.std(axis=1)
        out["k_sqi"] = ratio((x_LT**4).mean(axis=1), deviation**4)
        mains = [hertz for hertz in (50.0, 60.0) if hertz + 10 < rate / 2]
        if mains:
            each = {hertz: band(hertz - 0.5, hertz + 0.5) for hertz in mains}
            hertz = max(mains, key=lambda one: float(np.median(each[one])))
            beside = (band(hertz - 10, hertz + 10) - band(hertz - 1, hertz + 1)) / 18
            out["mains_uv"] = float(1000 * np.median(np.sqrt(scale * each[hertz])))
            out["mains_ratio"] = ratio(each[hertz], beside)
    residual = einthoven(signal_LT, leads)
    return out if residual is None else out | {"einthoven": residual}


def einthoven(signal_LT: np.ndarray, leads: Sequence[str]) -> float | None:
    """How far the limb leads disagree with those that follow from two of them: root mean square of the worst residual
    over the largest lead's (at least 0.05 mV). None with fewer than three limb leads, or where samples are lost."""
    limb = [i for i, name in enumerate(leads) if name in LIMB]
    if len(limb) < 3:
        return None
    names = [leads[i] for i in limb]
    matrix, _ = pick(names[:2], names[2:], "limb")
    x_LT = signal_LT[limb]
    x_LT = x_LT - x_LT.mean(axis=1, keepdims=True)
    rest = x_LT[2:] - matrix.astype(np.float32) @ x_LT[:2]
    size = np.sqrt(np.square(x_LT).mean(axis=1))
    if not np.isfinite(size).all():
        return None
    return float(np.sqrt(np.square(rest).mean(axis=1)).max() / max(float(size.max()), LEAST_MV))


def muscle_snr(signal_LT: np.ndarray, rate: float, beat_K: np.ndarray) -> float | None:
    """Decibels: height of the QRS complex over six standard deviations (1.48 MAD) of what is above 35 Hz between T and
    P. None with fewer than three beats, below 100 Hz, or where samples are lost.

    Args:
        beat_K: R peaks in samples.
    """
    alive = np.flatnonzero(np.isfinite(signal_LT).all(axis=1) & (signal_LT.max(axis=1) > signal_LT.min(axis=1)))
    samples = signal_LT.shape[1]
    if not len(alive) or len(beat_K) < 3 or rate < 100:
        return None
    step = np.diff(beat_K)
    edge = np.zeros(samples + 1, np.int64)
    for share, sign in zip(QUIET, (1, -1)):
        np.add.at(edge, np.clip(np.rint(beat_K[:-1] + share * step).astype(int), 0, samples), sign)
    quiet = np.cumsum(edge)[:-1] > 0
    if not quiet.any():
        return None
    wave_LF = np.fft.rfft(signal_LT[alive], axis=1)
    wave_LF[:, : round(MUSCLE_HZ * samples / rate)] = 0
    rest_LT = np.fft.irfft(wave_LF, samples, axis=1)[:, quiet]
    deviation_L = 1.4826 * np.median(np.abs(rest_LT), axis=1)
    reach = round(QRS_SECONDS * rate)
    place = np.rint(beat_K).astype(int)
    inside = place[(place >= reach) & (place + reach < samples)]
    if not len(inside):
        return None
    height_KL = np.ptp(gather(signal_LT[alive], inside - reach, 2 * reach + 1), axis=2)
    height_L = np.median(height_KL, axis=0)
    return float(np.median(20 * np.log10(np.maximum(height_L, 1e-6) / np.maximum(6 * deviation_L, 1e-6))))
