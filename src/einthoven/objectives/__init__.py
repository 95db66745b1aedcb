"""Objectives: what training minimises over an encoder.

Comes in: an encoder and batches with the facts and views that the objective asks for. Goes out: a scalar and named
diagnostics; at the end perhaps a head. Contract: `Objective` below; an objective does not know where data comes from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from torch import Tensor, nn

from einthoven.core.batch import Batch
from einthoven.core.facts import LabelSet
from einthoven.core.layout import Layout
from einthoven.data.shuffle import Shuffle
from einthoven.objectives._head import Head

__all__ = ["Head", "Objective"]


class Objective(nn.Module):
    """Base of all objectives. Heads, queues, momentum targets and statistics are parameters and buffers.

    `needs` names facts (`labels:superclass`, `value:age`), `views` what the data path shall make (`a`, `b`), `shuffle`
    how it makes the view `shuffled`. `neighbours` companions are drawn with each recording; with `kin` they are other
    recordings of the same person, where there are. With `permuted` recordings wear each other's facts, the same pairing
    in all epochs: a control.
    `gather` joins the (N, ...) tensors of all processes into (processes x N, ...) with gradient, in the order of the
    processes, None where there is one; `rank` is this one's place among them. The training loop sets both.
    """

    needs: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    shuffle: Shuffle | None = None
    neighbours: int = 0
    kin: bool = False
    permuted: bool = False
    gather: Callable[[Tensor], Tensor] | None
    rank: int

    def __init__(self) -> None:
        super().__init__()
        self.gather, self.rank = None, 0

    def attach(self, encoder: nn.Module, layout: Layout) -> None:
        """Make the parts that depend on the encoder's tokens or the layout's leads, before anything is fitted."""

    def prepare(
        self, facts: Mapping[str, np.ndarray], label_sets: Mapping[str, LabelSet], units: Mapping[str, str]
    ) -> None:
        """Fit what depends on the training rows alone (scalers, sizes of heads).

        Args:
            facts: by name in `needs`, one row a training recording, NaN or -1 for unknown.
            label_sets: the label set behind each `labels:NAME` in `needs`.
            units: the unit of each `value:NAME` in `needs`.
        """

    def companions(self, facts: Mapping[str, np.ndarray]) -> np.ndarray | None:
        """Which training recordings may stand beside each in a batch: (rows, C) places among the rows of `facts`, -1
        for none; None where the objective draws nobody together."""
        return None

    def statistics(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What a checkpoint keeps of what was fitted: tensors by name, and words for its card."""
        return {}, {}

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
