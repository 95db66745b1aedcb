"""A head in a checkpoint: what it is stands in the card, its numbers are tensors."""

from __future__ import annotations

from typing import Any

from einthoven.core.errors import CheckpointError
from einthoven.objectives import Head
from einthoven.objectives._head import KINDS

FIELDS = {"kind", "labels", "thresholds", "unit"}


def from_card(entry: Any, width: int, where: Any) -> Head:
    """The head that a card describes, its tensors not yet filled in.

    Raises:
        CheckpointError: the entry is not what `Head.describe` writes.
    """
    good = (
        isinstance(entry, dict)
        and set(entry) == FIELDS
        and entry["kind"] in KINDS
        and isinstance(entry["labels"], list)
        and len(entry["labels"]) > 0
        and all(isinstance(label, str) for label in entry["labels"])
        and isinstance(entry["unit"], str)
        and _thresholds_fit(entry["thresholds"], len(entry["labels"]))
    )
    if not good:
        raise CheckpointError(where, "the card's head is unusable", expected=", ".join(sorted(FIELDS)), reason="card")
    return Head(width, entry["labels"], entry["kind"], thresholds=entry["thresholds"], unit=entry["unit"])


def _thresholds_fit(thresholds: Any, labels: int) -> bool:
    if thresholds is None:
        return True
    number = (int, float, type(None))
    return isinstance(thresholds, list) and len(thresholds) == labels and all(isinstance(t, number) for t in thresholds)
