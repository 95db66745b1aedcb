"""What a recording goes through: a checkpoint with torch, or the folder that `export` wrote, with onnxruntime alone.

Both kinds are used alike (`Model`), give the same numbers and bear the same fingerprint. Of a folder that is both, as
the shipped ones are, the export is taken: it needs no torch. Shapes: B windows, L leads, T samples, N recordings,
D width, K labels.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from einthoven.app import need_training, shipped
from einthoven.core import recipe
from einthoven.core.errors import CheckpointError, EinthovenError
from einthoven.core.layout import Layout
from einthoven.signal import _onnx

if TYPE_CHECKING:
    from einthoven.training.checkpoint import Checkpoint

SCHEMA = 1
MODEL, HEAD, LAYOUT, TEST = "model.onnx", "head.onnx", "layout.json", "test.npz"
TOLERANCE = 1e-4
"""Share of an output's largest number by which onnxruntime may differ from torch, and one machine from another."""

_LARGEST_CARD = 1 << 24
_KEYS = ("layout", "name", "fingerprint", "encoder", "head", "shorter", "outputs")


@dataclass(frozen=True)
class Labels:
    """What the scores are: kind (`multilabel`, `exclusive`, `one_vs_rest`, `value`), names, unit of values, and the
    thresholds where some were fitted."""

    kind: str
    labels: tuple[str, ...]
    unit: str
    thresholds: tuple[float | None, ...] | None


class Model(Protocol):
    """layout: what it wants. width: numbers of a pooled vector. labels: None where it has no head. shorter: whether it
    takes windows that are shorter than the layout's."""

    @property
    def layout(self) -> Layout: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def width(self) -> int: ...

    @property
    def labels(self) -> Labels | None: ...

    @property
    def shorter(self) -> bool: ...

    def pooled(self, signal_BLT: np.ndarray, valid_BLT: np.ndarray) -> np.ndarray:
        """Windows in the layout to vectors, (B, D) float32."""
        ...

    def scores(self, pooled_ND: np.ndarray) -> np.ndarray:
        """Vectors, each the mean over a recording's windows, to probabilities or values, (N, K) float64."""
        ...


def load(place: str | Path, verb: str) -> Model:
    """The model at a path or of a shipped name; it has proved itself by its stored input and output.

    Raises:
        CheckpointError: there is none, or it is damaged. ExtraError: it needs torch, which is missing.
    """
    path = shipped.folder(place)
    if path.suffix == ".onnx" and path.is_file():
        raise CheckpointError(
            path, "is a file", expected="the folder that einthoven export wrote", fix=f"--checkpoint {path.parent}",
            reason="file",
        )  # fmt: skip
    return Exported(path) if (path / MODEL).is_file() else Trained(checkpoint(path, verb))


def checkpoint(place: str | Path, verb: str) -> Checkpoint:
    """The checkpoint itself, for what needs torch, or the one command that brings what is missing to use it."""
    path = shipped.folder(place)
    need_training(verb)
    from einthoven.training import checkpoint

    return checkpoint.load(path)


class Trained:
    """A checkpoint, run by torch."""

    shorter = True

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint, head = checkpoint, checkpoint.head
        self.layout, self.width = checkpoint.layout, int(checkpoint.encoder.width_out)
        self.fingerprint = checkpoint.fingerprint
        self.labels = _labels(head.describe()) if head else None

    def pooled(self, signal_BLT: np.ndarray, valid_BLT: np.ndarray) -> np.ndarray:
        from einthoven.training.embedding import embed_windows

        return embed_windows(self.checkpoint, signal_BLT, valid_BLT)

    def scores(self, pooled_ND: np.ndarray) -> np.ndarray:
        import torch

        assert self.checkpoint.head is not None
        with torch.no_grad():
            return self.checkpoint.head(torch.from_numpy(pooled_ND)).double().numpy()


class Exported:
    """An export, run by onnxruntime. difference: how far it is from its stored output, as a share of the largest
    number."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.card = _card(folder / LAYOUT)
        try:
            self.layout = Layout(**recipe.check(Layout, self.card["layout"], f"{folder / LAYOUT} layout"))
            self.labels = _labels(self.card["head"]) if self.card["head"] else None
            self.width = int(self.card["outputs"]["pooled"][1])
            self.fingerprint, self.shorter = str(self.card["fingerprint"]), bool(self.card["shorter"])
            self._convention = int(self.card["convention"]) if "convention" in self.card else None
        except (EinthovenError, TypeError, KeyError, ValueError, IndexError) as error:
            raise CheckpointError(folder / LAYOUT, "describes no model", got=error, reason="card") from error
        self._model = session(folder / MODEL)
        self._head = session(folder / HEAD) if self.labels else None
        self.difference = self._prove()

    def pooled(self, signal_BLT: np.ndarray, valid_BLT: np.ndarray) -> np.ndarray:
        return self._run(signal_BLT, valid_BLT, None)

    def scores(self, pooled_ND: np.ndarray) -> np.ndarray:
        assert self._head is not None
        return np.asarray(self._head.run(["scores"], {"pooled": pooled_ND})[0], np.float64)

    def _run(self, signal_BLT: np.ndarray, valid_BLT: np.ndarray, convention_B: np.ndarray | None) -> np.ndarray:
        feed = {"signal": np.asarray(signal_BLT, np.float32), "valid": np.asarray(valid_BLT, bool)}
        if self._convention is not None:
            own = np.full(len(signal_BLT), self._convention, np.int64)
            feed["convention"] = own if convention_B is None else convention_B
        return np.asarray(self._model.run(["pooled"], feed)[0])

    def _prove(self) -> float:
        path = self.folder / TEST
        try:
            with np.load(path, allow_pickle=False) as file:
                stored = dict(file)
            got = {"pooled": self._run(stored["signal"], stored["valid"], stored.get("convention"))}
            if self.labels:
                got["scores"] = self.scores(got["pooled"])
            far = {name: difference(found, stored[name]) for name, found in got.items()}
            fits = stored["signal"].shape[1:] == (len(self.layout.leads), self.layout.samples)
            fits = fits and got["pooled"].shape[1] == self.width
            fits = fits and (not self.labels or got["scores"].shape[1] == len(self.labels.labels))
        except FileNotFoundError as error:
            raise CheckpointError(path, "is missing", fix="copy the whole folder", reason="missing") from error
        except Exception as error:  # onnxruntime's have no class in common; a damaged file gives several others
            raise CheckpointError(
                self.folder, "cannot be tried on its test vector", got=_first(error), fix="copy or export it again",
                reason="damaged",
            ) from error  # fmt: skip
        worst = max(far, key=lambda name: far[name])
        if not fits or not far[worst] <= TOLERANCE:  # NaN is far
            raise CheckpointError(
                self.folder, f"does not give its stored {worst} for its stored input",
                expected=f"within {TOLERANCE:g} of the largest number", got=f"{far[worst]:.2g}" if fits else "others",
                fix="its files do not belong together; copy the whole folder again", reason="proof",
            )  # fmt: skip
        return far[worst]


def session(path: Path) -> Any:
    """An ONNX file ready to run: one thread of the processor, no telemetry."""
    if not path.is_file():
        raise CheckpointError(path, "is missing", fix="copy the whole folder, or export it again", reason="missing")
    try:
        return _onnx.session(path)
    except Exception as error:  # onnxruntime's have no class in common
        raise CheckpointError(
            path, "is no ONNX file that runs here", got=_first(error), fix="copy or export it again", reason="damaged"
        ) from error


def difference(got: np.ndarray, want: np.ndarray) -> float:
    """The largest difference as a share of the largest number that was wanted."""
    return float(np.abs(got - want).max() / max(float(np.abs(want).max()), 1e-6))


def _card(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST_CARD:
            raise CheckpointError(path, "is too large for a card", reason="card")
        card = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(path, "cannot be read", got=error, fix="copy the whole folder", reason="card") from error
    if not isinstance(card, dict) or card.get("schema") != SCHEMA or any(key not in card for key in _KEYS):
        raise CheckpointError(
            path, "is of another version", expected=f"schema {SCHEMA} with {', '.join(_KEYS)}",
            fix="einthoven export writes it again", reason="schema",
        )  # fmt: skip
    return card


def _labels(entry: Mapping[str, Any]) -> Labels:
    thresholds = entry["thresholds"]
    names = tuple(str(name) for name in entry["labels"])
    found = Labels(str(entry["kind"]), names, str(entry["unit"]), None if thresholds is None else tuple(thresholds))
    if found.thresholds is not None and len(found.thresholds) != len(names):
        raise ValueError(f"{len(found.thresholds)} thresholds of {len(names)} labels")
    return found


def _first(error: BaseException) -> str:
    """The beginning of a message that may be pages."""
    return " ".join(str(error).split())[:160] or type(error).__name__
