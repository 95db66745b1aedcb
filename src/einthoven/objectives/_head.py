"""Head: a fitted linear layer from the pooled vector to probabilities or values, as a checkpoint keeps it.

Shapes: B rows, D width, K labels. Everything is a buffer: a head is used, not trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

Kind = Literal["multilabel", "exclusive", "one_vs_rest", "value"]
KINDS: tuple[str, ...] = get_args(Kind)
ARRAYS = ("mean", "scale", "weight", "bias", "temperature")


class Head(nn.Module):
    """Standardise, multiply, divide by the temperature; then sigmoid, softmax or nothing, by `kind`.

    Of labels that exclude each other `exclusive` was trained as one choice (softmax), `one_vs_rest` as a logistic
    regression for each, as a linear probe does: its probabilities need not add up to 1, and the highest is the class.
    labels: K names. thresholds: K numbers, None where none could be fitted, or None for all: a score at or above its
    threshold is positive. unit: of the values of a `value` head.
    """

    mean: Tensor
    scale: Tensor
    weight: Tensor
    bias: Tensor
    temperature: Tensor

    def __init__(
        self, width: int, labels: Sequence[str], kind: Kind, *, thresholds: Sequence[float | None] | None = None,
        unit: str = "",
    ) -> None:  # fmt: skip
        super().__init__()
        self.labels, self.kind, self.unit = tuple(labels), kind, unit
        self.thresholds = tuple(thresholds) if thresholds is not None else None
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.register_buffer("weight", torch.zeros(len(self.labels), width))
        self.register_buffer("bias", torch.zeros(len(self.labels)))
        self.register_buffer("temperature", torch.ones(len(self.labels)))

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray], labels: Sequence[str], kind: Kind, unit: str = "") -> Head:
        """A head from fitted arrays: `weight` (K, D), `bias` (K), and where there are, `mean` and `scale` (D),
        `temperature` (K) and `thresholds` (K, NaN for none)."""
        thresholds = (
            [None if np.isnan(t) else float(t) for t in arrays["thresholds"]] if "thresholds" in arrays else None
        )
        head = cls(arrays["weight"].shape[1], labels, kind, thresholds=thresholds, unit=unit)
        for name in ARRAYS:
            if name in arrays:
                getattr(head, name).copy_(torch.from_numpy(np.asarray(arrays[name], np.float32)))
        return head

    def logits(self, pooled_BD: Tensor) -> Tensor:
        """(B, K), divided by the temperature; the values themselves for `value`."""
        return ((pooled_BD - self.mean) / self.scale @ self.weight.T + self.bias) / self.temperature

    def forward(self, pooled_BD: Tensor) -> Tensor:
        """Probabilities, or values in `unit`, (B, K)."""
        logit_BK = self.logits(pooled_BD)
        if self.kind == "value":
            return logit_BK
        return logit_BK.softmax(1) if self.kind == "exclusive" else logit_BK.sigmoid()

    def describe(self) -> dict[str, Any]:
        """What a checkpoint's card says of it."""
        return {
            "kind": self.kind, "labels": list(self.labels), "unit": self.unit,
            "thresholds": list(self.thresholds) if self.thresholds is not None else None,
        }  # fmt: skip
