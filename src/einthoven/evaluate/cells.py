"""Cell: one arm on one task, split, probe and label fraction; its predictions are one Parquet file.

DIR/cells/NAME/ holds `predictions.parquet` and `cell.json` (what was run, its fingerprint, flags). A cell that is there
with the same fingerprint is not computed again, so an interrupted evaluation goes on where it was, and one folder
collects any number of arms. Shapes: N rows of the cohort, K labels.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from safetensors.numpy import save_file

from einthoven.cohort.store import Cohort
from einthoven.core import fingerprint
from einthoven.core.errors import TaskError
from einthoven.core.output import replaced
from einthoven.evaluate.tasks import Task

METHOD = 1
"""Raised when the same inputs give other predictions, so that cells of an older method are computed again."""

COLUMNS = {
    "key": pl.String, "subject": pl.Int64, "split": pl.String, "part": pl.String, "label": pl.String,
    "truth": pl.Float64, "score": pl.Float64, "run": pl.String,
}  # fmt: skip
"""The prediction table: truth 1, 0, a number or null; score a probability or a value."""

SAID = ("arm", "role", "task", "kind", "split", "probe", "labelled", "features")
"""What a cell made elsewhere has to say of itself."""


@dataclass(frozen=True)
class Cell:
    """What one cell is. `role` is `arm` or `reference`; `draw` is the draw of labelled subjects."""

    arm: str
    role: str
    seed: int
    task: str
    kind: str
    split: str
    probe: str
    labelled: str
    draw: int
    features: str
    fingerprint: str
    facts: dict[str, Any] = field(default_factory=dict)
    """Filled by the run: penalty, flags, effective rank, counts, seconds, and the checkpoint's own card."""

    @property
    def name(self) -> str:
        """Folder name: readable, and unique for the setting."""
        words = (self.task, self.split, self.probe, self.features, self.labelled, *self.run.split("#"))
        return "--".join(re.sub(r"[^A-Za-z0-9.+@]+", "-", word) for word in words)

    @property
    def run(self) -> str:
        """Arm and what pairs it with other arms: the seed, or the draw of labelled subjects, which no other seed of
        the arm has (evaluation.md D4)."""
        return f"{self.arm}#{self.seed if self.labelled == '1.0' else self.draw}"


@dataclass(frozen=True, eq=False)
class Result:
    """What a cell's computation gives: the prediction table, the cell's `facts`, and the fitted head's arrays."""

    predictions: pl.DataFrame
    facts: dict[str, Any]
    head: dict[str, np.ndarray] = field(default_factory=dict)


def run(folder: Path, cell: Cell, compute: Callable[[], Result]) -> Path:
    """The folder of a cell, computed unless it is there with the same fingerprint."""
    place = folder / "cells" / cell.name
    known = place / "cell.json"
    if known.exists() and fingerprint.read_json(known)["fingerprint"] == cell.fingerprint:
        return place
    result = compute()
    with replaced(place) as scratch:
        result.predictions.write_parquet(scratch / "predictions.parquet")
        if result.head:
            save_file(result.head, scratch / "head.safetensors")
        text = fingerprint.to_json(asdict(cell) | {"facts": result.facts}, indent=1)
        (scratch / "cell.json").write_text(text + "\n", encoding="utf-8")
    return place


def read(place: Path) -> dict[str, Any]:
    """`cell.json` of a cell's folder, ours or made elsewhere.

    Raises:
        TaskError: it cannot be read or does not say what it is.
    """
    try:
        cell = fingerprint.read_json(place / "cell.json")
    except (OSError, ValueError) as error:
        raise TaskError(
            place / "cell.json", "cannot be read", got=error, fix="remove the folder", reason="cell"
        ) from error
    missing = [name for name in SAID if not isinstance(cell, dict) or name not in cell]
    if missing:
        raise TaskError(
            place / "cell.json", "lacks keys", expected=", ".join(SAID), got=f"no {missing[0]}", reason="cell"
        )
    return cell


def predictions(
    cohort: Cohort, task: Task, parts_N: np.ndarray, used_N: np.ndarray, cell: Cell, score_NK: np.ndarray
) -> pl.DataFrame:
    """The prediction table of a cell.

    Args:
        parts_N: part of each row, "" outside the split.
        used_N: mask of rows whose prediction counts: all of train and test, the labelled ones of validation.
        score_NK: (N, K) float64.
    """
    keep = np.flatnonzero((parts_N != "") & task.known & used_N)
    rows, K = cohort.index[keep.tolist()], len(task.labels)
    frame = pl.DataFrame({
        "key": np.repeat(rows["key"].to_numpy(), K),
        "subject": np.repeat(rows["subject_id"].to_numpy(), K),
        "split": [cell.split] * (len(keep) * K),
        "part": np.repeat(parts_N[keep], K),
        "label": np.tile(np.array(task.labels, dtype=object), len(keep)),
        "truth": task.truth_NK[keep].ravel(),
        "score": score_NK[keep].ravel(),
        "run": [cell.run] * (len(keep) * K),
    }, schema_overrides=COLUMNS)  # fmt: skip
    return frame.with_columns(pl.col("truth").fill_nan(None))
