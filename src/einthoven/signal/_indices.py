"""Quantities of signal quality that people know, one number a recording: shown, and not trusted alone.

Fixed limits of these do not transfer between data sets (Rahman 2022), so the verdict is learned (`quality`). basSQI,
pSQI, kSQI: as in Zhao & Zhang 2018. Each is that of the median lead but `einthoven`. Letters: L leads, T samples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from einthoven.core.leads import LIMB, pick

LEAST_MV = 0.05


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
