"""A one-dimensional U-Net that says, for each lead and sample, which wave it lies in and how far its limits are.

Shapes: B rows, L leads, T samples, D outputs. Leads share the weights and do not see each other, so any number of leads
will do. Each lead is divided by the median of its peaks over spans of 2 s, so gain and a few artefacts do not matter.
The stem halves the rate and the head doubles it again, because convolutions at the full rate cost most
(Ronneberger 2015, arXiv 1505.04597; Moskalenko 2020, arXiv 2001.04689).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from einthoven.core.batch import Encoding
from einthoven.core.errors import RecipeError
from einthoven.encoders._norm import norm

CLASSES = ("background", "P", "QRS", "T")
LIMITS = ("P_on", "P_off", "QRS_on", "QRS_off", "T_on", "T_off")
OUTPUTS = (*CLASSES, *LIMITS, "no_P")
"""Names of the numbers of a token, in order."""

REACH_SECONDS = 0.08
"""A limit's distance is given in this unit, positive where the limit is still to come."""

SPAN_SECONDS = 2.0


@dataclass(frozen=True, eq=False)
class _Waves:
    """logit (B, L, 4, T) of CLASSES; distance (B, L, 6, T) to the nearest of LIMITS in units of REACH_SECONDS; no_p
    (B, L), the logit that the lead shows no P wave."""

    logit: Tensor
    distance: Tensor
    no_p: Tensor


class WaveUnet(nn.Module):
    """Two convolutions a level on the way down, one on the way up, batch norm; 406 thousand parameters as it stands.

    The onset of a smooth wave is a convention: who placed the marks is an input, by which the last features are scaled
    and shifted. A token is one sample of one lead with the numbers of OUTPUTS, `pooled` their mean.

    Args:
        leads: number of leads of the layout.
        widths: channels of each level; each level halves the rate.
        kernel: samples that a convolution sees, odd.
        dropout: share of channels dropped at the lowest level.
        conventions: whose marks it learns from.
        convention: whose marks a plain forward pass gives.

    Raises:
        RecipeError: the kernel is even, or the convention none of those it learns.
    """

    def __init__(
        self,
        leads: int,
        /,
        *,
        widths: tuple[int, ...] = (16, 32, 48, 64, 96),
        kernel: Annotated[int, Field(ge=3, le=63)] = 9,
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0,
        conventions: tuple[str, ...] = ("ludb", "qtdb", "exact"),
        convention: str = "ludb",
    ) -> None:
        super().__init__()
        if kernel % 2 == 0:
            raise RecipeError("wave_unet", "kernel must be odd", got=kernel, fix=f"take {kernel + 1}")
        if convention not in conventions:
            raise RecipeError(
                "wave_unet", "convention is none of those it learns", expected=conventions, got=convention
            )
        widths = tuple(widths)
        self.width_out = len(OUTPUTS)
        self.conventions, self.convention = tuple(conventions), tuple(conventions).index(convention)
        self.stem = _Step(1, widths[0], kernel, 2)
        self.first = _Step(widths[0], widths[0], kernel)
        self.down = nn.ModuleList(
            nn.Sequential(_Step(a, b, kernel, 2), _Step(b, b, kernel)) for a, b in pairwise(widths)
        )
        self.up = nn.ModuleList(_Up(b, a, kernel) for a, b in reversed(list(pairwise(widths))))
        self.dropout = nn.Dropout2d(dropout)
        self.fold = nn.Conv2d(widths[0], 2 * widths[0], 1)
        self.scale = nn.Parameter(torch.randn(len(conventions), widths[0]) * 0.02)
        self.shift = nn.Parameter(torch.randn(len(conventions), widths[0]) * 0.02)
        self.head = nn.Conv2d(widths[0], len(CLASSES) + len(LIMITS), (1, 5), padding=(0, 2))
        self.lacks_p = nn.Linear(widths[-1], 1)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(
        self, signal_BLT: Tensor, valid_BLT: Tensor, rate: float, convention_B: Tensor | None = None
    ) -> Encoding:
        """A token for each lead and sample, one lead after the other.

        Args:
            signal_BLT: potentials; what stands where it is not valid is ignored, NaN included.
            valid_BLT: bool, of the signal's shape or broadcastable to it.
            rate: samples per second.
            convention_B: whose marks each row shall get, by its place among the conventions; the encoder's own without.
        """
        B, L, T = signal_BLT.shape
        found = self.waves(signal_BLT, valid_BLT, rate, convention_B)
        parts = (found.logit, found.distance, found.no_p[..., None, None].expand(B, L, 1, T))
        tokens_BND = torch.cat(parts, dim=2).transpose(2, 3).reshape(B, L * T, self.width_out)
        valid_BN = valid_BLT.expand(B, L, T).reshape(B, L * T)
        weight_BN1 = valid_BN[..., None].to(tokens_BND.dtype)
        pooled_BD = (tokens_BND * weight_BN1).sum(1) / weight_BN1.sum(1).clamp(min=1)
        time_N = torch.arange(T, device=signal_BLT.device).repeat(L) / rate
        lead_N = torch.arange(L, device=signal_BLT.device).repeat_interleave(T)
        return Encoding(tokens_BND, valid_BN, time_N, lead_N, pooled_BD)

    def waves(self, signal_BLT: Tensor, valid_BLT: Tensor, rate: float, convention_B: Tensor | None = None) -> _Waves:
        """What each sample of each lead is, by the marks of the row's convention (the encoder's own without one)."""
        B, L, T = signal_BLT.shape
        # torch.where and not a product: NaN times 0 is NaN
        x = torch.where(valid_BLT, signal_BLT, 0.0).reshape(B * L, T)
        x = _robust(x, round(SPAN_SECONDS * rate))[:, None, None, :].contiguous(memory_format=torch.channels_last)
        x = self.first(self.stem(x))
        skips = []
        for down in self.down:
            skips.append(x)
            x = down(x)
        x = self.dropout(x)
        no_p = self.lacks_p(x.mean(dim=(2, 3))).reshape(B, L).float()
        for up, skip in zip(self.up, reversed(skips)):
            x = up(x, skip)
        x = self.fold(x)  # (B L, 2 C, 1, T / 2) to (B L, C, 1, T): two samples from each place
        x = x.unflatten(1, (-1, 2)).permute(0, 1, 3, 4, 2).flatten(3)[..., :T]
        if convention_B is None:
            scale, shift = self.scale[self.convention, :, None, None], self.shift[self.convention, :, None, None]
        else:
            row = convention_B.repeat_interleave(L)
            scale, shift = self.scale[row][:, :, None, None], self.shift[row][:, :, None, None]
        x = F.relu(x * (1 + scale) + shift)
        x = self.head(x).reshape(B, L, -1, T).float()
        return _Waves(x[:, :, : len(CLASSES)], x[:, :, len(CLASSES) :], no_p)


def _robust(x_RT: Tensor, span: int) -> Tensor:
    """Each row divided by the median of its largest values over spans; the largest of all where half is empty."""
    peaks_RS = F.max_pool1d(x_RT.abs()[:, None], span, span, ceil_mode=True)[:, 0]
    ordered_RS = peaks_RS.sort(dim=-1, descending=True).values
    middle_R1 = ordered_RS[:, ordered_RS.shape[1] // 2, None]
    size_R1 = torch.where(middle_R1 > 1e-3, middle_R1, ordered_RS[:, :1])
    return (x_RT / size_R1.clamp(min=1e-3)).clamp(-4, 4)


class _Step(nn.Module):
    """A convolution along time, its normalisation and ReLU."""

    def __init__(self, channels_in: int, channels: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels, (1, kernel), (1, stride), (0, kernel // 2), bias=False)
        self.norm = norm("batch", channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(x)), inplace=True)


class _Up(nn.Module):
    """Doubles the rate and joins what the same level had on the way down."""

    def __init__(self, channels_in: int, channels: int, kernel: int) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(channels_in, channels, 1)
        self.step = _Step(2 * channels, channels, kernel)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = F.interpolate(self.narrow(x), scale_factor=(1.0, 2.0), mode="nearest")[..., : skip.shape[-1]]
        return self.step(torch.cat([x, skip], dim=1))
