"""Rows that train the encoder: fine-tuning (evaluation.md E4) and supervised training from scratch (E6).

Both are ordinary training runs with the `supervised` objective on the task's labels, so they stop, resume and are
logged like any other, and both use the layout, the encoder and the batch size of the checkpoint they stand beside.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from einthoven.cohort.store import Cohort
from einthoven.core.errors import TaskError
from einthoven.evaluate.tasks import Task
from einthoven.training.checkpoint import Checkpoint

EPOCHS, HEAD_RATE, BODY_RATE = 20, 1e-3, 1e-4


def target(task: Task) -> str:
    """The fact that the supervised objective learns for a task."""
    bare = task.name.rpartition("/")[2]
    if task.kind == "value":
        return bare  # `value:NAME` is the fact's own name
    if "@" in bare or ":" in bare:
        raise TaskError(
            task.name, "a network is trained on whole label sets only", expected="SET", fix="use --probe linear",
            reason="task",
        )  # fmt: skip
    return f"labels:{'scp' if bare == 'all' else bare}"


def recipe(
    checkpoint: Checkpoint, cohort: Cohort, task: Task, *, split: str, labelled: float | int, draw: int, seed: int,
    steps: int, weights: Path | None,
) -> dict[str, Any]:  # fmt: skip
    """The recipe of one run: from the checkpoint's weights with a slow body, or from scratch when `weights` is None."""
    old = checkpoint.card["recipe"]
    training: dict[str, Any] = {
        "steps": steps, "batch": old["training"]["batch"], "lr": HEAD_RATE, "warmup": min(100, steps // 10),
        "validate_every": max(steps // 20, 1),
    }  # fmt: skip
    if weights is not None:
        training["body_lr"] = BODY_RATE
    return {
        "name": "supervised" if weights is None else f"{checkpoint.card['name']}-tuned",
        "seed": seed,
        "data": {"cohort": str(cohort.path), "split": split, "labelled": labelled, "draw": draw},
        "layout": checkpoint.layout.to_dict(),
        "encoder": dict(old["encoder"]) | ({"weights": str(weights)} if weights else {}),
        "objective": {"name": "supervised", "target": target(task)},
        "augment": {key: old["augment"][key] for key in ("crop_seconds",) if key in old.get("augment", {})},
        "training": training,
    }
