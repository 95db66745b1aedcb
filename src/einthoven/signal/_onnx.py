"""The wave network at work: an ONNX file, run without torch, over recordings of any length and rate.

It says for each lead and sample at 250 Hz which wave it lies in and how far the waves' limits are
(`encoders/wave_unet` has the order of its numbers, `_runs` makes waves of them). Letters: L leads, T samples as
recorded, N samples at 250 Hz, R rows.
"""

from __future__ import annotations

import json
import os
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from einthoven.core.layout import Layout
from einthoven.signal import processing

RATE = 250.0
TILE, TRIM = 2500, 250
"""The network sees ten seconds at a time; one at either end, where it lacks surroundings, is left to the next tile."""

MOST_PARTS = 1000
"""The largest denominator of a ratio of rates."""


def session(path: Path) -> Any:
    """An ONNX file on one thread of the processor, without onnxruntime's telemetry: nothing leaves the machine."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # only heard before the first import
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class Network:
    """A wave network from a folder that `einthoven export` wrote: `model.onnx` and `layout.json`."""

    def __init__(self, folder: Path) -> None:
        self.session = session(folder / "model.onnx")
        self.card = json.loads((folder / "layout.json").read_text(encoding="utf-8"))

    def __call__(self, tile_RN: np.ndarray, valid_RN: np.ndarray) -> np.ndarray:
        """(R, 2500) millivolts at 250 Hz and validity to (R, 2500, 11), by the convention it was exported with."""
        convention = np.full(len(tile_RN), self.card["convention"], np.int64)
        feed = {"signal": tile_RN[:, None], "valid": valid_RN[:, None], "convention": convention}
        return self.session.run(["tokens"], feed)[0]  # type: ignore[return-value]


@cache
def shipped() -> Network:
    """The network that comes with the package."""
    return Network(Path(__file__).parent / "wave_network" / "onnx")


def conditioned(signal_LT: np.ndarray, rate: float) -> np.ndarray:
    """Each lead at 250 Hz above 0.5 Hz as float32 (L, N); the signal has no gaps.

    A rate whose ratio to 250 is no simple fraction is taken for the nearest one that is: in half a minute the marks
    drift by less than a sample.
    """
    share = Fraction(RATE / rate).limit_denominator(MOST_PARTS)
    rate = RATE * share.denominator / share.numerator
    layout = Layout(leads=("any",), rate=RATE, seconds=signal_LT.shape[1] / rate, band=(0.5, 0.0))
    given = np.ascontiguousarray(signal_LT, np.float32)[:, None]
    signal, _ = processing.condition(given, np.ones((1, 1, 1), bool), rate, layout)
    return signal[:, 0].astype(np.float32)


def outputs(slow_LN: np.ndarray, network: Any) -> np.ndarray:
    """What the network says of every sample, (L, N, 11), tile by tile; a short recording is laid mirror to mirror."""
    leads, samples = slow_LN.shape
    if samples <= TILE:
        tile = np.pad(slow_LN, ((0, 0), (0, TILE - samples)), mode="reflect")
        return network(tile, np.ones(tile.shape, bool))[:, :samples]
    starts = [*range(0, samples - TILE, TILE - 2 * TRIM), samples - TILE]
    tiles = np.concatenate([slow_LN[:, s : s + TILE] for s in starts])
    told = network(tiles, np.ones(tiles.shape, bool)).reshape(len(starts), leads, TILE, -1)
    out = np.empty((leads, samples, told.shape[-1]), np.float32)
    for start, part in zip(starts, told):
        skip = TRIM if start else 0
        out[:, start + skip : start + TILE] = part[:, skip:]
    return out
