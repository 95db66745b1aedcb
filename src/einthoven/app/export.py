"""`export`: a checkpoint as ONNX, so that it runs without torch; what it gives is compared before it counts.

The folder holds `model.onnx`, `layout.json` (what the model wants and gives) and `test.npz` (an input and the outputs
that torch gave for it), and is itself a checkpoint for `embed` and `predict`. Inputs: `signal` (B, L, T) float32 in the
layout's unit, `valid` (B, L, T) bool, and for an encoder with conventions `convention` (B,) int64. Outputs: `tokens`
(B, N, D), `pooled` (B, D), and `scores` (B, K) if the checkpoint has a head; `head.onnx` gives scores for vectors that
are means over windows. The number of rows is free; T is the layout's, or less where the card says `shorter`.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from einthoven.app import models
from einthoven.app.models import HEAD, LAYOUT, MODEL, SCHEMA, TEST, TOLERANCE, difference
from einthoven.core import fingerprint, random
from einthoven.core.errors import DONE, CheckpointError, ExtraError
from einthoven.core.output import replaced

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
        checkpoint: a checkpoint folder, a run folder (its best checkpoint) or a shipped name.
        out: the folder to be written; a former export there is replaced.

    Raises:
        CheckpointError: no checkpoint, `out` holds something else, or onnxruntime gives other numbers than torch.
        ExtraError: the extra [export] is missing.
    """
    out = Path(out)
    _refuse_other(out)
    if importlib.util.find_spec("onnx") is None:
        raise ExtraError.of("export", "export")
    model = models.checkpoint(checkpoint, "export")
    card: dict[str, Any] = {
        "schema": SCHEMA,
        "layout": model.layout.to_dict(), "name": model.card["name"], "fingerprint": model.fingerprint,
        "encoder": model.card["encoder"], "head": model.card["head"],
    }  # fmt: skip
    if names := getattr(model.encoder, "conventions", None):
        card |= {"conventions": list(names), "convention": model.encoder.convention}
    given = _example(model.layout.samples, len(model.layout.leads), len(names or ()))
    with replaced(out) as scratch:
        whole = _whole(model)
        want = _write(whole, given, scratch / MODEL)
        got = _run(scratch / MODEL, given)
        if model.head is not None:
            _write(model.head, {"pooled": want["pooled"]}, scratch / HEAD)
            got["scores"] = _run(scratch / HEAD, {"pooled": got["pooled"]})["scores"]
        far = {name: difference(got[name], want[name]) for name in want}
        worst = max(far, key=lambda name: far[name])
        if not far[worst] <= TOLERANCE:  # NaN is far
            raise CheckpointError(
                out, f"onnxruntime gives other {worst} than torch", got=f"{far[worst]:.2g}",
                expected=f"within {TOLERANCE:g} of the largest number", fix="report it with the encoder's recipe",
                reason="parity",
            )  # fmt: skip
        inputs = {name: list(array.shape) for name, array in given.items()}
        outputs = {name: list(array.shape) for name, array in want.items()}
        card |= {"inputs": inputs, "outputs": outputs, "shorter": _shorter(whole, given, scratch / MODEL)}
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


def _whole(model: Any) -> Any:
    """Encoder and head as one module of arrays."""
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

    return Outputs().eval()


def _write(module: Any, given: Mapping[str, np.ndarray], path: Path) -> dict[str, np.ndarray]:
    """Write the ONNX file; return what torch gives for the example.

    By tracing: torch's newer exporter proves that a length is free, and fixes it where it cannot, so a recording of
    9.9 s would have no model.
    """
    import torch

    want = _torch(module, given)
    free = {"signal": {0: "batch", 2: "time"}, "valid": {0: "batch", 2: "time"}, "tokens": {0: "batch", 1: "token"}}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, tuple(map(torch.from_numpy, given.values())), str(path), input_names=list(given),
            output_names=list(want), dynamo=False, opset_version=OPSET,
            dynamic_axes={name: free.get(name, {0: "batch"}) for name in [*given, *want]},
        )  # fmt: skip
    _without_traces(path)
    return want


def _torch(module: Any, given: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    import torch

    with torch.no_grad():
        found = module(*map(torch.from_numpy, given.values()))
    found = found if isinstance(found, tuple) else (found,)
    names = ("tokens", "pooled", "scores") if "signal" in given else ("scores",)
    return {name: tensor.numpy() for name, tensor in zip(names, found)}


def _shorter(module: Any, given: Mapping[str, np.ndarray], path: Path) -> bool:
    """Whether windows of other lengths give what torch gives for them: odd and even, down to a fifth."""
    for samples in {given["signal"].shape[-1] * share // 10 for share in (2, 5, 7, 9)}:
        cut = {name: array[..., :samples] if array.ndim == 3 else array for name, array in given.items()}
        want = _torch(module, cut)
        try:
            got = _run(path, cut)
        except Exception:  # onnxruntime's have no class in common
            return False
        if not all(difference(got[name], want[name]) <= TOLERANCE for name in want):
            return False
    return True


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
    session = models.session(path)
    names = [output.name for output in session.get_outputs()]
    together = session.run(None, dict(given))
    alone = session.run(None, {name: array[:1] for name, array in given.items()})
    return {
        name: np.concatenate([np.asarray(row), np.asarray(rows)[1:]]) for name, row, rows in zip(names, alone, together)
    }


def _refuse_other(out: Path) -> None:
    """Nothing but an export, or an empty folder, is ever replaced by one."""
    there = list(out.iterdir()) if out.is_dir() else [out] if out.exists() else []
    other = sorted(path.name for path in there if path.name not in (MODEL, HEAD, LAYOUT, TEST))
    if other:
        raise CheckpointError(
            out, "holds something else than an export and is not replaced", got=", ".join(other[:3]),
            fix="choose another folder", reason="other",
        )  # fmt: skip
