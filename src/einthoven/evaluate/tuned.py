"""Rows that train the encoder: fine-tuning (evaluation.md E4) and supervised training from scratch (E6).

Both are ordinary training runs with the `supervised` objective on the task's labels, so they stop, resume and are
logged like any other, and both use the layout, the encoder and the batch size of the checkpoint they stand beside.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from einthoven.cohort.store import Cohort
from einthoven.core import fingerprint
from einthoven.core.errors import TaskError
from einthoven.evaluate.tasks import Task
from einthoven.training.checkpoint import Checkpoint

EPOCHS, HEAD_RATE, BODY_RATE = 20, 1e-3, 1e-4
SCRATCH_TRAINING: dict[str, float] = {"lr": 1e-3, "weight_decay": 0.01}
SCRATCH_AUGMENT: dict[str, float] = {}
"""What the runs from scratch differ in, chosen on validation (recipes/supervised-ptbxl.toml, docs/log.md)."""
BATCH = 64
"""Where the checkpoint does not say with what batch it was trained."""


def trainable(task: Task) -> bool:
    """Whether a network can be trained on a task: one value or a whole label set, likelihoods as they are."""
    bare = task.name.rpartition("/")[2]
    return bare.startswith("value:") if task.kind == "value" else not ("@" in bare or ":" in bare)


def target(task: Task) -> str:
    """The fact that the supervised objective learns for a task."""
    bare = task.name.rpartition("/")[2]
    if not trainable(task):
        raise TaskError(
            task.name, "a network is trained on whole label sets or one value only", expected="SET or value:NAME",
            fix="use --probe linear", reason="task",
        )  # fmt: skip
    if task.kind == "value":
        return bare  # `value:NAME` is the fact's own name
    return f"labels:{'scp' if bare == 'all' else bare}"


def recipe(
    checkpoint: Checkpoint, cohort: Cohort, task: Task, *, split: str, labelled: float | int, draw: int, seed: int,
    steps: int, weights: Path | None,
) -> dict[str, Any]:  # fmt: skip
    """The recipe of one run: from the checkpoint's weights with a slow body, or from scratch when `weights` is None."""
    network = checkpoint.card["encoder"]
    training: dict[str, Any] = {
        "steps": steps, "batch": batch(checkpoint), "lr": HEAD_RATE, "warmup": min(100, steps // 10),
        "validate_every": max(steps // 20, 1),
    }  # fmt: skip
    training |= SCRATCH_TRAINING if weights is None else {"body_lr": BODY_RATE}
    augment = {"crop_seconds": checkpoint.recipe.get("augment", {}).get("crop_seconds", 0.0)}
    return {
        "name": "supervised" if weights is None else f"{checkpoint.card['name']}-tuned",
        "seed": seed,
        "data": {"cohort": str(cohort.path), "split": split, "labelled": labelled, "draw": draw},
        "layout": checkpoint.layout.to_dict(),
        # the network of the card: the checkpoint's own recipe may itself begin from weights
        "encoder": {"name": network["name"], **network["settings"]} | ({"weights": str(weights)} if weights else {}),
        "objective": {"name": "supervised", "target": target(task)},
        "augment": augment | (SCRATCH_AUGMENT if weights is None else {}),
        "training": training,
    }


def batch(checkpoint: Checkpoint) -> int:
    """Recordings a forward pass of the checkpoint's own training."""
    return checkpoint.recipe.get("training", {}).get("batch", BATCH)


def mark(recipe: dict[str, Any]) -> str:
    """Digest of what a run does, wherever its cohort and weights lie."""
    moved = {"data": "cohort", "encoder": "weights"}
    return fingerprint.of_json(recipe | {
        section: {key: value for key, value in recipe[section].items() if key != place}
        for section, place in moved.items()
    })  # fmt: skip
