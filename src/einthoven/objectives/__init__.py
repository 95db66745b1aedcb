"""Objectives: what training minimises over an encoder.

Comes in: an encoder and batches with the facts and views that the objective asks for. Goes out: a scalar and named
diagnostics; at the end perhaps a head. Contract: `Objective` below; an objective does not know where data comes from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
from torch import Tensor, nn

from einthoven.core.batch import Batch
from einthoven.core.facts import LabelSet
from einthoven.objectives._head import Head

__all__ = ["Head", "Objective"]


class Objective(nn.Module):
    """Base of all objectives. Heads, queues, momentum targets and statistics are parameters and buffers.

    `needs` names facts (`labels:superclass`, `value:age`), `views` what the data path shall make (`a`, `b`).
    `gather` joins the (N, ...) tensors of all processes into (processes x N, ...) with gradient, in the order of the
    processes, None where there is one; `rank` is this one's place among them. The training loop sets both.
    """

    needs: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    gather: Callable[[Tensor], Tensor] | None
    rank: int

    def __init__(self) -> None:
        super().__init__()
        self.gather, self.rank = None, 0

    def prepare(
        self, facts: Mapping[str, np.ndarray], label_sets: Mapping[str, LabelSet], units: Mapping[str, str]
    ) -> None:
        """Fit what depends on the training rows alone (scalers, sizes of heads).

        Args:
            facts: by name in `needs`, one row a training recording, NaN or -1 for unknown.
            label_sets: the label set behind each `labels:NAME` in `needs`.
            units: the unit of each `value:NAME` in `needs`.
        """

    def loss(self, encoder: nn.Module, batch: Batch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """The scalar to minimise, as the mean over this process's rows, and named diagnostics without gradient."""
        raise NotImplementedError

    def after_step(self, encoder: nn.Module, step: int) -> None:
        """Called after each optimiser step (momentum targets, queues)."""

    def finish(self, encoder: nn.Module, batches: Iterable[Batch]) -> None:
        """Fit on the validation rows what predictions need (temperature, thresholds); evaluation mode, no gradient."""

    def head(self) -> Head | None:
        """What turns a pooled vector into predictions, if this objective trains such a thing."""
        return None
