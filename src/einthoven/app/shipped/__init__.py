"""Encoders that come with the package: a folder here is one, and its name is what `--checkpoint` takes.

Each is a checkpoint (`config.json`, `model.safetensors`: what `evaluate` and `pretrain` begin from, with torch) and its
export (`model.onnx`, `layout.json`, `test.npz`: what `embed` and `predict` run, without) in one folder, written by
`recipes/ship.py`. Contract: reading names and folders imports nothing heavy.
"""

from __future__ import annotations

from pathlib import Path

from einthoven.core.errors import CheckpointError, nearest

HERE = Path(__file__).parent


def names() -> list[str]:
    """Names of the shipped encoders, sorted."""
    return sorted(place.parent.name for place in HERE.glob("*/layout.json") if not place.parent.name.startswith("."))


def folder(place: str | Path) -> Path:
    """Where a checkpoint lies: a path that exists is itself, any other word is the name of a shipped encoder.

    Raises:
        CheckpointError: neither; the nearest shipped name is named.
    """
    path = Path(place)
    if path.exists():
        return path
    if str(place) in names():
        return HERE / str(place)
    raise CheckpointError(
        place, "is no checkpoint", expected="a checkpoint folder, a run folder or the name of a shipped encoder",
        got="nothing there", fix=nearest(str(place), names()) if names() else "name one of your own", reason="missing",
    )  # fmt: skip


def default(verb: str) -> str:
    """The name of the one encoder that ships.

    Raises:
        CheckpointError: none ships, or several: which one is not guessed.
    """
    there = names()
    if len(there) == 1:
        return there[0]
    what = "several encoders ship" if there else "no checkpoint given, and no encoder ships"
    fix = f"einthoven {verb} PATH --checkpoint {there[0] if there else 'FOLDER'}"
    raise CheckpointError(verb, what, got=", ".join(there), fix=fix, reason="checkpoint")
