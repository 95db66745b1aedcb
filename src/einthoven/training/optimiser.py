"""AdamW without decay on norms, biases and embeddings, and its learning rate as a function of the step."""

from __future__ import annotations

import math

import torch
from torch import nn


def rate(step: int, steps: int, warmup: int) -> float:
    """The share of the peak learning rate at a step (0 is the first): linear rise, then cosine to 0 after the last."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(steps - warmup, 1)))


def decayed(module: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Parameters with and without weight decay: matrices and filters have it, vectors, scalars and embeddings not."""
    with_decay: list[nn.Parameter] = []
    without: list[nn.Parameter] = []
    for part in module.modules():
        for parameter in part.parameters(recurse=False):
            plain = parameter.ndim < 2 or isinstance(part, nn.Embedding)
            (without if plain else with_decay).append(parameter)
    return with_decay, without


def adamw(
    encoder: nn.Module, objective: nn.Module, lr: float, body_lr: float | None, weight_decay: float
) -> torch.optim.AdamW:
    """The optimiser; each group's `peak` is its learning rate at the end of the warm-up."""
    groups = []
    for part, peak in ((encoder, lr if body_lr is None else body_lr), (objective, lr)):
        for parameters, decay in zip(decayed(part), (weight_decay, 0.0)):
            if parameters:
                groups.append({"params": parameters, "lr": peak, "peak": peak, "weight_decay": decay})
    return torch.optim.AdamW(groups, fused=True)


def set_rate(optimiser: torch.optim.Optimizer, share: float) -> None:
    """Set each group's learning rate to a share of its peak."""
    for group in optimiser.param_groups:
        group["lr"] = group["peak"] * share
