"""`export`: a checkpoint as ONNX, so that it runs without torch; what it gives is compared before it counts.

The folder holds `model.onnx`, `layout.json` (what the model wants and gives) and `test.npz` (an input and the outputs
that torch gave for it). Inputs: `signal` (B, L, T) float32 in the layout's unit, `valid` (B, L, T) bool, and for an
encoder with conventions `convention` (B,) int64. Outputs: `tokens` (B, N, D), `pooled` (B, D), and `scores` (B, K) if
the checkpoint has a head. The number of rows is free, the window's length is the layout's.
"""

from __future__ import annotations

import importlib.util
import logging
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from einthoven.app import inference
from einthoven.core import fingerprint, random
from einthoven.core.errors import DONE, CheckpointError, ExtraError
from einthoven.core.output import replaced
from einthoven.signal import _onnx

MODEL, LAYOUT, TEST = "model.onnx", "layout.json", "test.npz"
TOLERANCE = 1e-4
"""Share of an output's largest number by which onnxruntime may differ from torch."""

ROWS = 3
OPSET = 18


@dataclass(frozen=True)
class Exported:
    """Where the model is, its size, and the largest difference from torch of each output as a share of its largest
    number."""

    out: str
    model: str
    bytes: int
    inputs: dict[str, list[int]]
    outputs: dict[str, list[int]]
    difference: dict[str, float]
    exit_code: int = DONE

    def to_dict(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if key != "exit_code"}

    def __str__(self) -> str:
        worst = max(self.difference.values())
        shapes = [f"  {name} {tuple(shape)}" for name, shape in (self.inputs | self.outputs).items()]
        first = f"{self.out}/{MODEL}: {self.bytes / 1e6:.1f} MB, within {worst:.1g} of torch on {self.out}/{TEST}"
        return "\n".join([first, *shapes])


def export(checkpoint: str | Path, *, out: str | Path) -> Exported:
    """Write a checkpoint as ONNX.

    Args:
        checkpoint: a checkpoint folder, or a run folder (its best checkpoint).
        out: the folder to be written; a former export there is replaced.

    Raises:
        CheckpointError: no checkpoint, `out` holds something else, or onnxruntime gives other numbers than torch.
        ExtraError: the extra [export] is missing.
    """
    out = Path(out)
    _refuse_other(out)
    for module in ("onnx", "onnxscript"):
        if importlib.util.find_spec(module) is None:
            raise ExtraError.of("export", "export")
    model = inference.load(checkpoint, "export")
    card: dict[str, Any] = {
        "layout": model.layout.to_dict(), "name": model.card["name"], "fingerprint": model.fingerprint,
        "encoder": model.card["encoder"], "head": model.card["head"],
    }  # fmt: skip
    if names := getattr(model.encoder, "conventions", None):
        card |= {"conventions": list(names), "convention": model.encoder.convention}
    given = _example(model.layout.samples, len(model.layout.leads), len(names or ()))
    with replaced(out) as scratch:
        want = _write(model, given, scratch / MODEL)
        got = _run(scratch / MODEL, given)
        far = {name: _difference(got[name], want[name]) for name in want}
        worst = max(far, key=lambda name: far[name])
        if not far[worst] <= TOLERANCE:  # NaN is far
            raise CheckpointError(
                out, f"onnxruntime gives other {worst} than torch", got=f"{far[worst]:.2g}",
                expected=f"within {TOLERANCE:g} of the largest number", fix="report it with the encoder's recipe",
                reason="parity",
            )  # fmt: skip
        inputs = {name: list(array.shape) for name, array in given.items()}
        outputs = {name: list(array.shape) for name, array in want.items()}
        card |= {"inputs": inputs, "outputs": outputs}
        (scratch / LAYOUT).write_text(fingerprint.to_json(card, indent=2) + "\n", encoding="utf-8")
        np.savez(scratch / TEST, **given, **want)  # type: ignore[arg-type]
        size = (scratch / MODEL).stat().st_size
    return Exported(str(out), card["name"], size, inputs, outputs, far)


def _example(samples: int, leads: int, conventions: int) -> dict[str, np.ndarray]:
    """Inputs with a missing lead (where there are several) and a gap."""
    draw = random.generator(0, 0, "export")
    valid = np.ones((ROWS, leads, samples), bool)
    valid[1, -1 if leads > 1 else slice(0, 0)] = False
    valid[2, :, samples // 2 : samples // 2 + samples // 10] = False
    signal = draw.normal(0, 0.3, valid.shape).astype(np.float32) * valid
    given = {"signal": signal, "valid": valid}
    return given | ({"convention": np.arange(ROWS) % conventions} if conventions else {})


def _write(model: Any, given: Mapping[str, np.ndarray], path: Path) -> dict[str, np.ndarray]:
    """Write the ONNX file; return what torch gives for the example."""
    import torch

    rate, head, encoder = model.layout.rate, model.head, model.encoder

    class Outputs(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.head = encoder, head

        def forward(self, signal: Any, valid: Any, convention: Any = None) -> tuple[Any, ...]:
            found = self.encoder(signal, valid, rate, *(() if convention is None else (convention,)))
            scores = (self.head(found.pooled),) if self.head is not None else ()
            return (found.tokens, found.pooled, *scores)

    whole = Outputs().eval()
    names = ["tokens", "pooled", *(["scores"] if head is not None else [])]
    example = tuple(torch.from_numpy(array) for array in given.values())
    batch = torch.export.Dim("batch", min=1, max=1 << 20)
    shapes = {name: {0: batch} for name in given}
    loud = logging.getLogger("torch.onnx").level
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            want = whole(*example)
            torch.onnx.export(
                whole, example, str(path), input_names=list(given), output_names=names, dynamo=True,
                opset_version=OPSET, dynamic_shapes=shapes, external_data=False, verbose=False,
            )  # fmt: skip
    finally:
        logging.getLogger("torch.onnx").setLevel(loud)
    _without_traces(path)
    return {name: tensor.numpy() for name, tensor in zip(names, want)}


def _without_traces(path: Path) -> None:
    """Take out what torch notes beside each node: the source's places on this machine, which are nobody's business."""
    import onnx

    model = onnx.load(str(path))
    for graph in (model.graph, *model.functions):
        graph.ClearField("metadata_props")
        for one in (*graph.node, *graph.value_info):
            one.ClearField("metadata_props")
            one.ClearField("doc_string")
    onnx.save(model, str(path))


def _run(path: Path, given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What onnxruntime gives, all rows together; the first alone must be the same."""
    session = _onnx.session(path)
    names = [output.name for output in session.get_outputs()]
    together = session.run(None, dict(given))
    alone = session.run(None, {name: array[:1] for name, array in given.items()})
    return {
        name: np.concatenate([np.asarray(row), np.asarray(rows)[1:]]) for name, row, rows in zip(names, alone, together)
    }


def _difference(got: np.ndarray, want: np.ndarray) -> float:
    return float(np.abs(got - want).max() / max(float(np.abs(want).max()), 1e-6))


def _refuse_other(out: Path) -> None:
    """Nothing but an export, or an empty folder, is ever replaced by one."""
    there = list(out.iterdir()) if out.is_dir() else [out] if out.exists() else []
    other = sorted(path.name for path in there if path.name not in (MODEL, LAYOUT, TEST))
    if other:
        raise CheckpointError(
            out, "holds something else than an export and is not replaced", got=", ".join(other[:3]),
            fix="choose another folder", reason="other",
        )  # fmt: skip
