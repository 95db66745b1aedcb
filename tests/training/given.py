"""A small cohort, recipes on it, and how to read what a run leaves behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from einthoven.cohort.store import Cohort
from einthoven.core.facts import Category, Label, LabelSet, Value
from einthoven.core.leads import STANDARD
from einthoven.core.record import Record
from tests.data.given import cohort_of, wavy

LEADS = ("I", "II", "V2")
OFF = {"wander": 0.0, "mains": 0.0, "noise": 0.0, "muscle": 0.0}
"""No augmentation."""


def cohort(folder: Path, subjects: int = 60, seconds: float = 5) -> Cohort:
    """One recording a person, of 12 leads; `tall` is whether lead II was made larger, `age` rises with the person."""
    records = []
    for i in range(subjects):
        signal = wavy(12, round(seconds * 100), seed=i)
        signal[1] *= 1 + 4 * (i % 2)
        facts = [
            Label("size", "tall", present=float(i % 2)),
            Label("size", "flat", present=float(not i % 2)),
            Value("age", 20.0 + i, "a"),
            Category("split", ("train", "train", "train", "validation", "test")[i % 5]),
        ]
        records.append(Record(f"r{i:03d}", STANDARD, signal.astype(np.float32), 100.0, f"p{i:03d}", tuple(facts)))
    return cohort_of(records, folder, [LabelSet("size", "test", ("flat", "tall"), closed=False)])


def recipe(cohort: Cohort, objective: str = "simclr", **training: Any) -> dict[str, Any]:
    """A few steps of a narrow network."""
    settings = {"steps": 6, "batch": 8, "warmup": 2, "validate_every": 3, "save_every": 2, "device": "cpu"}
    return {
        "name": "small",
        "seed": 3,
        "data": {"cohort": str(cohort.path)},
        "layout": {"leads": list(LEADS), "seconds": 4},
        "encoder": {"name": "resnet", "width": 4, "kernel": 3, "dropout": 0.2},
        "objective": {"name": objective, **({"target": "labels:size"} if objective == "supervised" else {})},
        "augment": {"crop_seconds": 3},
        "training": settings | training,
    }


def log(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def leftovers(run: Path) -> dict[str, bytes]:
    """Everything that must not depend on interruptions: both states' tensors, the weights, the log."""
    files = [*run.glob("state/*/tensors.safetensors"), *run.glob("*/*.safetensors"), run / "log.jsonl"]
    assert len(files) > 5
    return {str(file.relative_to(run)): file.read_bytes() for file in sorted(files)}
