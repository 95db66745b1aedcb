"""`load.12x1000`, `load.1x5000`: recordings to two augmented views, against a file at a time in wfdb, scipy and numpy.

Both sides band-pass 0.67-40 Hz (order 5, both ways) and disturb alike: a shift, white noise, wander and mains hum at
the electrodes, leads and a stretch of time taken away. Ours begins at the int16 cohort, the baseline at its WFDB files.
The baseline designs its filter where it applies it, as the filter functions of published data set classes do.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench._run import Bench, Pair
from einthoven import simulate
from einthoven.cohort.build import build
from einthoven.core.layout import Layout
from einthoven.core.leads import STANDARD
from einthoven.core.registry import load

if TYPE_CHECKING:
    from einthoven.data.loader import Loader

RECORDINGS, BATCH = 512, 256  # a batch of contrastive pretraining
WANDER_TONES = 5  # of the baseline; ours cuts wander of the same band and SD from the bank
BAND, ORDER = (0.67, 40.0), 5
SHIFT_SECONDS, NOISE_MV, WANDER_MV, MAINS_MV, LEAD_MASK, TIME_MASK = 0.5, 0.05, 0.1, 0.05, 0.1, 0.2


def benches() -> list[Bench]:
    return [
        Bench("load.12x1000", 15, "s/recording", lambda scratch: _pair(scratch, STANDARD, 100.0)),
        Bench("load.1x5000", 30, "s/recording", lambda scratch: _pair(scratch, ("II",), 500.0)),
    ]


def _pair(scratch: Path, leads: tuple[str, ...], rate: float) -> Pair:
    import wfdb
    from scipy.signal import butter, sosfiltfilt

    folder = scratch / "files"
    writer = load("formats", "wfdb")()
    folder.mkdir()
    for i in range(RECORDINGS):
        writer.write(simulate.record(seed=i, rate=rate, leads=leads), folder / f"r{i:03d}.hea")
    loader = _loader(folder, scratch / "cohort", leads, rate)
    paths = sorted(str(file.with_suffix("")) for file in folder.glob("*.hea"))
    draw = np.random.default_rng(0)

    def filtered(signal_TL: np.ndarray) -> np.ndarray:
        sos = butter(ORDER, BAND, "bandpass", fs=rate, output="sos")
        return sosfiltfilt(sos, signal_TL, axis=0)

    def one_by_one() -> list[tuple[np.ndarray, np.ndarray]]:
        views = []
        for path in paths:
            record: Any = wfdb.rdrecord(path)
            ecg = filtered(record.p_signal).T.astype(np.float32)
            views += [_view(ecg, rate, draw), _view(ecg, rate, draw)]
        return views

    def ours() -> list[tuple[np.ndarray, np.ndarray]]:
        views = []
        for step in range(RECORDINGS // BATCH):
            batch = loader.batch(step)
            views += [(view.signal.numpy(), view.valid.numpy()) for view in batch.views.values()]
        return views

    _same_statistics(ours(), one_by_one(), rate)
    return Pair(ours, RECORDINGS, one_by_one, RECORDINGS)


def _loader(folder: Path, place: Path, leads: tuple[str, ...], rate: float) -> Loader:
    from einthoven.cohort import windows
    from einthoven.data.augment import Augment
    from einthoven.data.loader import Loader

    cohort = build(load("sources", "folder")(), folder, place, workers=1)
    layout = Layout(leads=leads, rate=rate, seconds=10, band=BAND, order=ORDER)
    augment = Augment(
        wander=WANDER_MV, mains=MAINS_MV, noise=NOISE_MV, muscle=0.0, shift_seconds=SHIFT_SECONDS,
        lead_mask=LEAD_MASK, time_mask=TIME_MASK,
    )  # fmt: skip
    index = windows.index(cohort, np.arange(len(cohort)), layout)
    return Loader(cohort, layout, index, batch=BATCH, seed=0, views=("a", "b"), augment=augment)


def _view(ecg_LT: np.ndarray, rate: float, draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One augmented view of one recording, written as one writes it for a data set class."""
    from einthoven.data.interference import MAINS_HERTZ, WANDER_HERTZ, wiring

    L, T = ecg_LT.shape
    view, valid = np.zeros_like(ecg_LT), np.zeros((L, T), bool)
    by = int(draw.integers(-int(SHIFT_SECONDS * rate), int(SHIFT_SECONDS * rate) + 1))
    view[:, max(by, 0) : T + min(by, 0)] = ecg_LT[:, max(-by, 0) : T - max(by, 0)]
    valid[:, max(by, 0) : T + min(by, 0)] = True

    wires = wiring(_LEADS[L])
    E = wires.shape[1]
    picked_up = draw.normal(0, draw.uniform(0, NOISE_MV), (E, T))
    t = np.arange(T) / rate
    strength = draw.uniform(0, WANDER_MV)
    for hertz in draw.uniform(*WANDER_HERTZ, WANDER_TONES):
        height, phase = draw.rayleigh(strength / WANDER_TONES**0.5, (E, 1)), draw.uniform(0, 2 * np.pi, (E, 1))
        picked_up += height * np.sin(2 * np.pi * hertz * t + phase)
    lines = [hertz for hertz in MAINS_HERTZ if hertz < rate / 2]
    if lines:
        height, phase = draw.uniform(0, MAINS_MV) * 2**0.5, draw.uniform(0, 2 * np.pi, (E, 1))
        picked_up += height * np.sin(2 * np.pi * draw.choice(lines) * t + phase)
    view += wires @ picked_up

    lost = draw.random(L) < LEAD_MASK
    if not lost.all():
        valid[lost] = False
    length = draw.uniform(0, TIME_MASK * T)
    start = draw.uniform(0, T - length)
    valid[:, int(start) : int(start + length)] = False
    view[~valid] = 0
    return view, valid


_LEADS = {len(leads): leads for leads in (STANDARD, ("II",))}


def _same_statistics(
    ours: list[tuple[np.ndarray, np.ndarray]], baseline: list[tuple[np.ndarray, np.ndarray]], rate: float
) -> None:
    """Assert that both sides keep as much and put as much into each band: wander, ECG, mains, and noise above."""
    sides = []
    for views in (ours, baseline):
        signal = np.concatenate([view.reshape(-1, *view.shape[-2:]) for view, _ in views]).astype(np.float64)
        valid = np.concatenate([valid.reshape(-1, *valid.shape[-2:]) for _, valid in views])
        power, hertz = np.abs(np.fft.rfft(signal)) ** 2, np.fft.rfftfreq(signal.shape[-1], 1 / rate)
        bands = [(low, high) for low, high in ((0.1, 0.6), (2, 20), (45, 65), (70, 250)) if low < rate / 2]
        heights = [power[..., (hertz >= low) & (hertz < high)].mean() ** 0.5 for low, high in bands]
        sides.append([valid.mean(), valid.any(-1).mean(), *heights])
    # 512 views, each with a strength of its own, tell an amplitude to 3 %
    np.testing.assert_allclose(sides[0], sides[1], rtol=0.1)
