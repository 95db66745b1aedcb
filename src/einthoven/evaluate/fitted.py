"""What fills a cell: a fitted row that gives scores for all recordings, facts about itself, and perhaps a head.

`Prior`, `Probe` and `Network` are used alike (`Fitted`); `Untrained` makes the random encoders. Shapes: N rows of the
cohort, M validation rows, D features, K labels.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from einthoven.cohort.store import Cohort
from einthoven.core import fingerprint, random
from einthoven.core.errors import TaskError
from einthoven.evaluate import cells, probes, references
from einthoven.evaluate.metrics import thresholds
from einthoven.evaluate.tasks import Task
from einthoven.objectives._spread import effective_rank
from einthoven.training import checkpoint as checkpoints
from einthoven.training import loop
from einthoven.training.checkpoint import Checkpoint
from einthoven.training.embedding import embed_cohort, estimate_statistics


class Fitted(Protocol):
    """scores: (N, K) float64. facts: what the cell says of it. head: arrays for `Head.of`, empty if it has none."""

    def scores(self) -> np.ndarray: ...

    def facts(self) -> dict[str, Any]: ...

    def head(self, validation: np.ndarray) -> dict[str, np.ndarray]: ...


class Prior:
    """The constant training prevalence."""

    def __init__(self, task: Task, rows: dict[str, np.ndarray]) -> None:
        self.task, self.rows = task, rows

    def scores(self) -> np.ndarray:
        return references.prior(self.task, self.rows["train"])

    def facts(self) -> dict[str, Any]:
        return {}

    def head(self, validation: np.ndarray) -> dict[str, np.ndarray]:
        return {}


class Probe:
    """A linear probe on features of all rows."""

    def __init__(self, task: Task, features_ND: np.ndarray, rows: dict[str, np.ndarray]) -> None:
        self.task, self.features_ND = task, features_ND
        train, validation = rows["train"], rows["validation"]
        self.train = train
        self.linear = probes.fit(
            features_ND[train], task.truth_NK[train], features_ND[validation], task.truth_NK[validation], task.kind,
            task.labels,
        )  # fmt: skip
        self.rank = float(effective_rank(torch.from_numpy(features_ND[train]).double()))

    def scores(self) -> np.ndarray:
        return self.linear.scores(self.features_ND)

    def facts(self) -> dict[str, Any]:
        unfitted = [self.task.labels[k] for k in self.linear.untrained]
        return {
            "penalty": self.linear.penalty, "flags": list(self.linear.flags), "unfitted": unfitted,
            "effective_rank": round(self.rank, 2), "width": self.features_ND.shape[1],
        }  # fmt: skip

    def head(self, validation: np.ndarray) -> dict[str, np.ndarray]:
        arrays = {
            "mean": self.linear.mean_D, "scale": self.linear.scale_D, "weight": self.linear.weight_KD,
            "bias": self.linear.bias_K,
        }  # fmt: skip
        if self.task.kind == "multilabel":
            truth_MK, score_MK = self.task.truth_NK[validation], self.scores()[validation]
            arrays["thresholds"] = thresholds(truth_MK, score_MK, references.prevalence(self.task.truth_NK[self.train]))
        return {key: np.ascontiguousarray(value, dtype=np.float64) for key, value in arrays.items()}


class Network:
    """The encoder and head of a training run, which goes on or is done if it is there; `which` of its checkpoints."""

    def __init__(self, recipe: dict[str, Any], which: str, *, task: Task, cohort: Cohort, out: Path) -> None:
        self.task, self.cohort = task, cohort
        self.run = Path("runs", f"{re.sub(r'[^A-Za-z0-9]+', '-', recipe['name'])}-{fingerprint.of_json(recipe)[:12]}")
        loop.train(recipe, out / self.run)
        self.run /= which
        self.checkpoint = checkpoints.load(out / self.run)

    def scores(self) -> np.ndarray:
        import torch

        head = self.checkpoint.head
        if head is None or head.labels != self.task.labels:
            raise TaskError(self.task.name, "the run learnt other labels", got=head and head.labels)
        with torch.no_grad():
            pooled_ND = torch.from_numpy(embed_cohort(self.checkpoint, self.cohort))
            return head(pooled_ND).double().numpy()

    def facts(self) -> dict[str, Any]:
        return {"card": summary(self.checkpoint), "run": self.run.as_posix()}

    def head(self, validation: np.ndarray) -> dict[str, np.ndarray]:
        return {}


class Untrained:
    """The architecture of a checkpoint with fresh weights; norm statistics are those of the rows `train`, if given."""

    def __init__(self, like: Checkpoint, seed: int, cohort: Cohort, train: np.ndarray | None) -> None:
        self.like, self.seed, self.cohort, self.train = like, seed, cohort, train

    @property
    def has_statistics(self) -> bool:
        """Whether the network holds running statistics that can be estimated."""
        return any("running" in name for name, _ in self.like.encoder.named_buffers())

    @property
    def mark(self) -> str:
        """Digest of what decides its outputs, known before it is made."""
        rows = None if self.train is None else fingerprint.of_array(self.train)
        of = {"method": cells.METHOD, "like": architecture(self.like), "seed": self.seed, "rows": rows}
        return fingerprint.of_json(of)

    def make(self) -> Checkpoint:
        fresh = checkpoints.untrained(self.like, random.number(self.seed, 0, "random encoder"))
        if self.train is not None:
            estimate_statistics(fresh, self.cohort, self.train)
        return fresh


def architecture(arm: Checkpoint) -> str:
    return fingerprint.of_json({"encoder": arm.card["encoder"], "layout": arm.layout.to_dict()})


def architectures(arms: Sequence[Checkpoint]) -> list[Checkpoint]:
    """One checkpoint of each architecture."""
    return list({architecture(arm): arm for arm in reversed(arms)}.values())[::-1]


def summary(arm: Checkpoint) -> dict[str, Any]:
    """What a table says of an arm: parameters, steps, batch, data, device."""
    keys = ("name", "parameters", "data", "earlier", "device", "seconds")
    card = {key: arm.card[key] for key in keys if key in arm.card}
    return card | {"training": arm.recipe.get("training", {}), "fingerprint": arm.fingerprint}
