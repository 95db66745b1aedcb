"""The wave network at work: an ONNX file, run without torch, over recordings of any length and rate.

It says for each lead and sample at 250 Hz which wave it lies in and how far the waves' limits are
(`encoders/wave_unet` has the order of its numbers, `_runs` makes waves of them). Letters: L leads, T samples as
recorded, N samples at 250 Hz, R rows.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from einthoven.core.layout import Layout
from einthoven.signal import gaps, processing

RATE = 250.0
TILE, TRIM = 2500, 250
"""The network sees ten seconds at a time; one at either end, where it lacks surroundings, is left to the next tile."""


class Network:
    """A wave network from a folder that `einthoven export` wrote: `model.onnx` and `layout.json`.

    Args:
        folder: where the files are.
        convention: whose marks it shall give; None for the one it was exported with.
        threads: of onnxruntime.
    """

    def __init__(self, folder: str | Path, convention: str | None = None, threads: int = 1) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = threads
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            str(Path(folder) / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self.card = json.loads((Path(folder) / "layout.json").read_text(encoding="utf-8"))
        names = self.card.get("conventions", [])
        self.convention = names.index(convention) if convention else self.card.get("convention", 0)

    def __call__(self, tile_RN: np.ndarray, valid_RN: np.ndarray) -> np.ndarray:
        """(R, 2500) millivolts at 250 Hz and validity to (R, 2500, 11)."""
        feed: dict[str, Any] = {"signal": tile_RN[:, None], "valid": valid_RN[:, None]}
        if "conventions" in self.card:
            feed["convention"] = np.full(len(tile_RN), self.convention, np.int64)
        return self._session.run(["tokens"], feed)[0]  # type: ignore[return-value]


@cache
def shipped() -> Network:
    """The network that comes with the package."""
    return Network(Path(__file__).parent / "wave_network" / "onnx")


def conditioned(signal_LT: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Each lead at 250 Hz above 0.5 Hz as float32, and where it has samples."""
    layout = Layout(leads=("any",), rate=RATE, seconds=signal_LT.shape[1] / rate, band=(0.5, 0.0))
    filled, valid = gaps.fill(np.asarray(signal_LT, np.float32)[:, None])
    signal, valid = processing.condition(filled, valid, rate, layout)
    return signal[:, 0].astype(np.float32), np.broadcast_to(valid, signal.shape)[:, 0]


def outputs(slow_LN: np.ndarray, valid_LN: np.ndarray, network: Any) -> np.ndarray:
    """What the network says of every sample, (L, N, 11), tile by tile."""
    leads, samples = slow_LN.shape
    if samples <= TILE:
        short = ((0, 0), (0, TILE - samples))
        return network(np.pad(slow_LN, short), np.pad(valid_LN, short))[:, :samples]
    starts = [*range(0, samples - TILE, TILE - 2 * TRIM), samples - TILE]
    tiles = np.concatenate([slow_LN[:, s : s + TILE] for s in starts])
    told = network(tiles, np.concatenate([valid_LN[:, s : s + TILE] for s in starts]))
    told = told.reshape(len(starts), leads, TILE, -1)
    out = np.empty((leads, samples, told.shape[-1]), np.float32)
    for start, part in zip(starts, told):
        skip = TRIM if start else 0
        out[:, start + skip : start + TILE] = part[:, skip:]
    return out
