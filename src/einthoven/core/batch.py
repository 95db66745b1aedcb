"""Batch and Encoding: what a model gets and gives. Shapes: B rows, L leads, T samples, N tokens, D width.

The tensors are torch's; this module does not import torch, so that the nouns can be read without it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from einthoven.core.errors import CohortError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class View:
    """One rendering of the batch's windows: signal (B, L, T) and validity (B, L, T)."""

    signal: Tensor
    valid: Tensor


@dataclass(frozen=True, eq=False)
class Batch:
    """Windows of one length and what is known about them.

    signal: (B, L, T) float32 in the layout's unit; 0 where not valid.
    valid: (B, L, T) bool, or broadcastable to it.
    rate: samples per second. row: recording, subject: person, (B,) int64.
    facts: by `kind:name`, (B, ...) float32 with NaN, or int64 with -1, for unknown.
    views: by name, made by the data path as the objective's `views` asks.
    """

    signal: Tensor
    valid: Tensor
    rate: float
    row: Tensor
    subject: Tensor
    facts: dict[str, Tensor] = field(default_factory=dict)
    views: dict[str, View] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.signal)

    def fact(self, name: str) -> Tensor:
        """The fact of that name, or an error that says what the batch holds."""
        if name not in self.facts:
            raise CohortError("batch", f"lacks the fact {name}", got=sorted(self.facts), fix="name it in the data path")
        return self.facts[name]

    def view(self, name: str) -> View:
        """The view of that name, or an error that says what the batch holds."""
        if name not in self.views:
            raise CohortError("batch", f"lacks the view {name}", got=sorted(self.views), fix="ask for it in `views`")
        return self.views[name]

    def to(self, device: str) -> Batch:
        """The same batch on another device."""
        return replace(
            self,
            signal=self.signal.to(device), valid=self.valid.to(device), row=self.row.to(device),
            subject=self.subject.to(device), facts={k: v.to(device) for k, v in self.facts.items()},
            views={k: View(v.signal.to(device), v.valid.to(device)) for k, v in self.views.items()},
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Encoding:
    """What an encoder gives.

    tokens (B, N, D); token_valid (B, N) bool; token_time (N,) seconds of each token's centre from the window's start;
    token_lead (N,) index of the lead or -1 for all; pooled (B, D).
    """

    tokens: Tensor
    token_valid: Tensor
    token_time: Tensor
    token_lead: Tensor
    pooled: Tensor
