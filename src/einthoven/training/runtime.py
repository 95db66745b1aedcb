"""The only module that knows how many processes and which devices there are: Lightning Fabric behind a few calls.

One process, several that this command starts, or those of torchrun; each holds its share of every batch. Losses are
means over a process's own rows and gradients are averaged over processes, so that no factor of the number of processes
appears anywhere (see `gather`; tests/training/test_processes.py holds it there).
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from einthoven.core.errors import RecipeError


class Runtime:
    """Launch, set-up, backward, gather with gradient.

    device: of this process. rank, world: its place among how many.
    """

    def __init__(self, device: str, devices: int, precision: str) -> None:
        from lightning_fabric import Fabric

        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it announces what the recipe already says
        if device == "cuda" and not torch.cuda.is_available():
            raise RecipeError("[training] device", "there is no CUDA device", got="cuda", fix='set device = "auto"')
        accelerator = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        local = int(os.environ.get("LOCAL_WORLD_SIZE", devices))  # torchrun says how many it started here
        world = int(os.environ.get("WORLD_SIZE", local)) if "TORCHELASTIC_RUN_ID" in os.environ else local
        self._fabric = Fabric(
            accelerator=accelerator, devices=local, num_nodes=max(world // local, 1),
            strategy="ddp" if world > 1 else "auto",
            precision="bf16-mixed" if precision == "bfloat16" else "32-true",
        )  # fmt: skip
        self._fabric.launch()
        self.device, self.rank, self.world = self._fabric.device, self._fabric.global_rank, self._fabric.world_size

    def setup(self, module: nn.Module, optimiser: torch.optim.Optimizer) -> tuple[Any, Any]:
        """Module and optimiser, on the device and joined to those of the other processes."""
        return self._fabric.setup(module, optimiser)

    def backward(self, loss: Tensor) -> None:
        self._fabric.backward(loss)

    def accumulating(self, module: Any, more: bool) -> AbstractContextManager[Any]:
        """Within it gradients are not yet averaged over processes, if `more` passes of this step follow."""
        return self._fabric.no_backward_sync(module, enabled=more and self.world > 1)

    def clip(self, module: Any, optimiser: Any, longest: float) -> Tensor:
        """Shorten the gradient to at most `longest`; return its length before."""
        norm = self._fabric.clip_gradients(module, optimiser, max_norm=longest, error_if_nonfinite=False)
        assert isinstance(norm, Tensor)
        return norm

    def autocast(self) -> AbstractContextManager[Any]:
        """The precision of the forward pass, for code outside the module that was set up."""
        return self._fabric.autocast()

    def gather(self, tensor: Tensor) -> Tensor:
        """The (N, ...) tensors of all processes, (world x N, ...), in the order of the processes, with gradient.

        In the backward pass each process receives the sum of what all of them owe its tensor. With losses that are
        means over own rows, the average over processes is then the gradient of the joint batch.
        """
        if self.world == 1:
            return tensor
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # torch 2.13: the function inside Fabric will be renamed
            return self._fabric.all_gather(tensor, sync_grads=True).flatten(0, 1)  # type: ignore[union-attr]

    def mean(self, tensor: Tensor) -> Tensor:
        """The mean over processes, without gradient."""
        return tensor if self.world == 1 else self._fabric.all_reduce(tensor.detach().clone(), reduce_op="mean")  # type: ignore[return-value]

    def barrier(self) -> None:
        self._fabric.barrier()


def join(module: nn.Module, gather: Callable[[Tensor], Tensor] | None, rank: int) -> None:
    """Tell every part that looks beyond its own rows (norms, objectives) how to; None for alone."""
    for part in module.modules():
        if hasattr(part, "gather"):
            part.gather, part.rank = gather, rank  # type: ignore[assignment]
