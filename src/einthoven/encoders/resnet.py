"""A one-dimensional residual network: the ResNet-18 family of He et al. 2016 (arXiv 1512.03385), basic blocks.

Shapes: B rows, L leads, T samples, N tokens, D width. Leads are the input channels, so a network has the leads of its
layout; a missing lead is a channel of zeros. Convolutions are `Conv2d` of height 1 on channels-last memory, because
that is about 1.3 times as fast on processors as `Conv1d` (docs/decisions/010-batch-norm.md).
"""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from einthoven.core.batch import Encoding
from einthoven.core.errors import RecipeError
from einthoven.encoders._norm import Norm, norm

STEM_STRIDE = 4
"""The first convolution and the pooling after it each halve the rate."""


class Resnet(nn.Module):
    """Stem, then stages of basic blocks; each stage after the first halves the rate and doubles the width.

    With 4 stages of 2 blocks a token covers 32 samples (0.32 s at 100 Hz) and `width_out` is 8 x width: 1.6 million
    parameters at width 32 and kernel 5. `pooled` is the mean over the tokens that have a valid sample.

    Args:
        leads: number of leads of the layout.
        width: channels of the first stage.
        kernel: samples a convolution sees, odd.
        stages: stages of blocks.
        blocks: basic blocks a stage.
        dropout: share of channels' samples dropped between the two convolutions of a block.
        norm: `batch` keeps a recording's voltage, `group` makes the network blind to its gain
            (docs/decisions/010-batch-norm.md).

    Raises:
        RecipeError: the kernel is even (tokens would have no centre).
    """

    def __init__(
        self,
        leads: int,
        /,
        *,
        width: Annotated[int, Field(ge=1, le=4096)] = 64,
        kernel: Annotated[int, Field(ge=1, le=255)] = 5,
        stages: Annotated[int, Field(ge=1, le=8)] = 4,
        blocks: Annotated[int, Field(ge=1, le=64)] = 2,
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
        norm: Norm = "batch",
    ) -> None:
        super().__init__()
        if kernel % 2 == 0:
            raise RecipeError("resnet", "kernel must be odd", got=kernel, fix=f"take {kernel + 1}")
        self.width_out = width * 2 ** (stages - 1)
        self.stride = STEM_STRIDE * 2 ** (stages - 1)
        self.stem = _Step(leads, width, kernel, 2, norm)
        self.pool = nn.MaxPool2d((1, 3), stride=(1, 2), padding=(0, 1))
        widths = [width * 2**stage for stage in range(stages)]
        self.blocks = nn.Sequential(
            *(
                _Block(
                    widths[max(stage - (block == 0), 0)], widths[stage], kernel,
                    2 if stage and block == 0 else 1, dropout, norm,
                )
                for stage in range(stages)
                for block in range(blocks)
            )
        )  # fmt: skip
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, signal_BLT: Tensor, valid_BLT: Tensor, rate: float) -> Encoding:
        """Tokens and their mean.

        Args:
            signal_BLT: potentials in the layout's unit; what stands where it is not valid is ignored, NaN included.
            valid_BLT: bool, of the signal's shape or broadcastable to it.
            rate: samples per second.
        """
        # torch.where and not a product: NaN times 0 is NaN
        x = torch.where(valid_BLT, signal_BLT, 0.0)[:, :, None, :]
        x = x.contiguous(memory_format=torch.channels_last)
        x = self.blocks(self.pool(F.relu(self.stem(x), inplace=True)))
        tokens_BND = x.squeeze(2).transpose(1, 2).to(self.stem.conv.weight.dtype)  # out of bfloat16 before the mean
        valid_BN = self._token_valid(valid_BLT.expand(signal_BLT.shape))
        weight_BN1 = valid_BN[..., None].to(tokens_BND.dtype)
        pooled_BD = (tokens_BND * weight_BN1).sum(1) / weight_BN1.sum(1).clamp(min=1)
        place_N = torch.arange(valid_BN.shape[1], device=x.device)
        # strided layers are centred on their first sample (odd kernels, half of them padded): token n is at n * stride
        return Encoding(tokens_BND, valid_BN, place_N * self.stride / rate, torch.full_like(place_N, -1), pooled_BD)

    def _token_valid(self, valid_BLT: Tensor) -> Tensor:
        """(B, N): whether any lead has a valid sample within half a stride of the token's centre."""
        any_B1T = valid_BLT.any(dim=1, keepdim=True).float()
        return F.max_pool1d(any_B1T, self.stride + 1, self.stride, self.stride // 2).squeeze(1) > 0


class _Step(nn.Module):
    """A convolution along time and its normalisation."""

    def __init__(self, channels_in: int, channels: int, kernel: int, stride: int, kind: Norm) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels, (1, kernel), (1, stride), (0, kernel // 2), bias=False)
        self.norm = norm(kind, channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(x))


class _Block(nn.Module):
    """Two convolutions and a shortcut, which is projected where rate or width change."""

    def __init__(self, channels_in: int, channels: int, kernel: int, stride: int, dropout: float, kind: Norm) -> None:
        super().__init__()
        self.first = _Step(channels_in, channels, kernel, stride, kind)
        self.second = _Step(channels, channels, kernel, 1, kind)
        self.dropout = dropout
        same = stride == 1 and channels_in == channels
        self.shortcut = nn.Identity() if same else _Step(channels_in, channels, 1, stride, kind)

    def forward(self, x: Tensor) -> Tensor:
        y = F.dropout(F.relu(self.first(x), inplace=True), self.dropout, self.training)
        return F.relu(self.second(y) + self.shortcut(x), inplace=True)
