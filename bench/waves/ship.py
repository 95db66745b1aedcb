"""A network of `train.py` as a checkpoint and as ONNX: `python -m bench.waves.ship WEIGHTS/final OUT`.

The one that is shipped: OUT is src/einthoven/signal/wave_network.

OUT/checkpoint is an ordinary checkpoint folder, OUT/onnx what `einthoven export` makes of it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

from einthoven.app.export import Exported, export
from einthoven.core.layout import Layout
from einthoven.encoders.wave_unet import WaveUnet
from einthoven.training import checkpoint

LAYOUT = Layout(("any",), rate=250, seconds=10, band=(0.5, 0.0))


def ship(weights: Path, out: Path) -> Exported:
    about = json.loads((weights / "train.json").read_text(encoding="utf-8"))
    settings = {"widths": about["args"]["widths"], "kernel": about["args"]["kernel"]}
    network = WaveUnet(1, widths=tuple(settings["widths"]), kernel=settings["kernel"])
    network.load_state_dict(load_file(weights / "encoder.safetensors"))
    learnt = "LUDB and the QT Database without its excerpts of MIT-BIH"
    asked = {name: value for name, value in about["args"].items() if name not in ("windows", "out")}  # local paths
    card = {
        "name": "waves", "step": about["steps"],
        "training": {
            "program": "bench/waves/train.py", "steps": about["steps"], "args": asked, "device": about["device"],
            "marks": learnt + (", and true waves of simulated recordings" if about["args"]["simulated"] else ""),
        },
    }  # fmt: skip
    checkpoint.save(
        out / "checkpoint", encoder=network.eval(), encoder_name="wave_unet", encoder_settings=settings, layout=LAYOUT,
        card=card,
    )  # fmt: skip
    return export(out / "checkpoint", out=out / "onnx")


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(ship(Path(sys.argv[1]), Path(sys.argv[2])))
