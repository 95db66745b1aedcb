"""Supervised training: labels or a value straight from the pooled vector.

Shapes: B rows, D width, K labels. A row whose fact is unknown takes no part and is counted. Labels of one set are
binary problems of their own, or one choice where the set is exclusive; a value is standardised by the training rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from einthoven.core.batch import Batch
from einthoven.core.errors import RecipeError
from einthoven.core.facts import LabelSet
from einthoven.objectives import Head, Objective
from einthoven.objectives._calibration import f1_thresholds, temperatures


class Supervised(Objective):
    """One linear layer on the pooled vector.

    Args:
        width: of the encoder's pooled vector.
        target: `labels:SET` or `value:NAME`.
        distance: what a value's error costs, in training standard deviations: `huber` is quadratic within 1 and linear
            beyond, `l1` linear.

    Raises:
        RecipeError: the target names neither labels nor a value, or the training rows know nothing of it.
    """

    mean: Tensor
    spread: Tensor
    prevalence_K: Tensor

    def __init__(
        self, width: int, /, *, target: str = "labels:superclass", distance: Literal["huber", "l1"] = "huber"
    ) -> None:
        super().__init__()
        sort, _, self.name = target.partition(":")
        if sort not in ("labels", "value") or not self.name:
            raise RecipeError("supervised", "target is unusable", expected="labels:SET or value:NAME", got=target)
        self.needs = (target,)
        self.target, self.distance, self.width, self.unit = target, distance, width, ""
        self.kind: Literal["multilabel", "exclusive", "value"] = "value" if sort == "value" else "multilabel"
        self.labels: tuple[str, ...] = (self.name,)
        self.thresholds: list[float | None] | None = None
        self.temperature: np.ndarray | None = None

    def prepare(
        self, facts: Mapping[str, np.ndarray], label_sets: Mapping[str, LabelSet], units: Mapping[str, str]
    ) -> None:
        """Size the layer by the label set; learn prevalence, or mean and standard deviation, from the training rows."""
        known = np.asarray(facts[self.target], np.float64).reshape(len(facts[self.target]), -1)
        if not np.isfinite(known).any():
            raise RecipeError(
                "supervised", f"no training row knows {self.target}", expected="at least one", got=f"{len(known)} rows",
                fix="check the split and the label set", reason="facts",
            )  # fmt: skip
        if self.kind == "value":
            self.unit = units.get(self.target, "")
        else:
            label_set = label_sets[self.target]
            self.labels, self.kind = label_set.codes, "exclusive" if label_set.exclusive else "multilabel"
        prevalence_K = np.nansum(known, axis=0) / np.maximum(np.isfinite(known).sum(axis=0), 1)
        self.register_buffer("prevalence_K", torch.from_numpy(prevalence_K))
        self.register_buffer("mean", torch.tensor(float(np.nanmean(known)) if self.kind == "value" else 0.0))
        self.register_buffer("spread", torch.tensor(float(np.nanstd(known)) or 1.0 if self.kind == "value" else 1.0))
        self.linear = nn.Linear(self.width, len(self.labels))

    def loss(self, encoder: nn.Module, batch: Batch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Mean over known rows (and labels) of cross-entropy in nats, or of the distance; `unknown` counts the rest."""
        logit_BK = self.linear(encoder(batch.signal, batch.valid, batch.rate).pooled).to(self.linear.weight.dtype)
        truth_BK = batch.fact(self.target).reshape(len(batch), -1).to(logit_BK.dtype)
        known_BK = ~truth_BK.isnan()
        truth_BK = truth_BK.nan_to_num()
        if self.kind == "exclusive":
            known_BK = known_BK.all(1, keepdim=True)
            cost_BK = F.cross_entropy(logit_BK, truth_BK, reduction="none")[:, None]
        elif self.kind == "multilabel":
            cost_BK = F.binary_cross_entropy_with_logits(logit_BK, truth_BK, reduction="none")
        else:
            distance = F.huber_loss if self.distance == "huber" else F.l1_loss
            cost_BK = distance(logit_BK, (truth_BK - self.mean) / self.spread, reduction="none")
        count_1 = known_BK.sum()[None].to(cost_BK.dtype)
        # the mean count of all processes: then the mean of their losses is that of the joint batch
        count = (self.gather(count_1) if self.gather else count_1).mean().clamp(min=1)
        unknown = (~known_BK).sum()
        return torch.where(known_BK, cost_BK, 0.0).sum() / count, {"unknown": unknown}

    def finish(self, encoder: nn.Module, batches: Iterable[Batch]) -> None:
        """Temperatures and thresholds from the validation recordings (mean over each one's windows, as in use)."""
        if self.kind == "value":
            return
        pooled, truth, row = [], [], []
        for batch in batches:
            pooled.append(encoder(batch.signal, batch.valid, batch.rate).pooled.double().cpu().numpy())
            truth.append(batch.fact(self.target).double().cpu().numpy())
            row.append(batch.row.cpu().numpy())
        _, first_R, place_N, count_R = np.unique(
            np.concatenate(row), return_index=True, return_inverse=True, return_counts=True
        )
        pooled_RD = np.zeros((len(first_R), self.width))
        np.add.at(pooled_RD, place_N, np.concatenate(pooled))
        pooled_RD = torch.from_numpy((pooled_RD / count_R[:, None]).astype(np.float32))
        truth_RK = np.concatenate(truth)[first_R]
        self.temperature, self.thresholds = None, None
        exclusive = self.kind == "exclusive"
        self.temperature = temperatures(truth_RK, self.head().logits(pooled_RD).double().numpy(), exclusive)
        if not exclusive:
            self.thresholds = f1_thresholds(
                truth_RK, self.head()(pooled_RD).double().numpy(), self.prevalence_K.cpu().numpy()
            )

    def head(self) -> Head:
        """The layer as a head; a value's scaling is undone in its weights."""
        scale, shift = self.spread.cpu(), self.mean.cpu()
        arrays = {
            "weight": (self.linear.weight.detach().cpu() * scale).numpy(),
            "bias": (self.linear.bias.detach().cpu() * scale + shift).numpy(),
        }
        if self.temperature is not None:
            arrays["temperature"] = self.temperature
        head = Head.of(arrays, self.labels, self.kind, self.unit)
        head.thresholds = tuple(self.thresholds) if self.thresholds is not None else None
        return head
