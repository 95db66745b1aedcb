"""Normalisation layers for convolutional encoders. Shapes: B rows, C channels, T samples; tensors are (B, C, 1, T).

Our own batch norm, because torch's synchronised one needs CUDA: statistics are gathered over processes with gradient,
so that two processes with half a batch each equal one with the whole, on any device. Group norm needs no gathering, but
makes an encoder blind to a recording's gain (docs/decisions/010-batch-norm.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Norm = Literal["batch", "group"]
GROUPS = 8


def norm(kind: Norm, channels: int) -> nn.Module:
    """The normalisation layer of that kind; group norm has 8 groups, or as many as divide the channels."""
    if kind == "batch":
        return _BatchNorm(channels)
    return nn.GroupNorm(next(groups for groups in range(GROUPS, 0, -1) if channels % groups == 0), channels)


class _BatchNorm(nn.Module):
    """Normalise each channel over rows and samples; running statistics are used in evaluation mode.

    `gather` joins a (1, ...) tensor of each process into (processes, ...) with gradient; the training loop sets it.
    Every process holds equally many rows (the sampler sees to it).
    """

    def __init__(self, channels: int, momentum: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__()
        self.momentum, self.eps = momentum, eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.running_mean: Tensor
        self.running_var: Tensor
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.gather: Callable[[Tensor], Tensor] | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.training and self.gather is not None:
            return self._joint(x, self.gather)
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, self.training, self.momentum, self.eps
        )

    def _joint(self, x: Tensor, gather: Callable[[Tensor], Tensor]) -> Tensor:
        """The same with the statistics of all processes, in the precision of the parameters."""
        var_C, mean_C = torch.var_mean(x.to(self.weight.dtype), dim=(0, 2, 3), correction=0)
        stats_P2C = gather(torch.stack([mean_C, var_C])[None])
        mean_C = stats_P2C[:, 0].mean(0)
        # the variance of the union is the mean variance plus the variance of the means (equal counts)
        var_C = stats_P2C[:, 1].mean(0) + (stats_P2C[:, 0] - mean_C).square().mean(0)
        with torch.no_grad():
            count = len(stats_P2C) * x.numel() / x.shape[1]
            self.running_mean.lerp_(mean_C, self.momentum)
            self.running_var.lerp_(var_C * count / (count - 1), self.momentum)
        scale_C = self.weight * torch.rsqrt(var_C + self.eps)
        shift_C = self.bias - mean_C * scale_C
        return (x * scale_C[:, None, None] + shift_C[:, None, None]).to(x.dtype)
