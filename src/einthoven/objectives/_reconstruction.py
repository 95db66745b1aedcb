"""Errors of a reconstructed signal, over what is there. Shapes: B rows, L leads, T samples, K beats; 3 kinds of waves.

`gather` joins tensors of all processes: sums and counts are those of the joint batch, so that the mean over processes
is its loss.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

WINDOW_SECONDS = 0.06
"""A peak's window reaches so far on either side."""
Gather = Callable[[Tensor], Tensor]


def power(signal_BLT: Tensor, valid_BLT: Tensor, gather: Gather) -> Tensor:
    """Mean square of the valid samples, not below 1e-6."""
    with torch.no_grad():
        sums_2 = torch.stack([(signal_BLT.square() * valid_BLT).sum(), valid_BLT.sum().to(signal_BLT.dtype)])
        square, count = gather(sums_2[None]).sum(0)
        return (square / count.clamp(min=1)).clamp(min=1e-6)


def squared_error(found_BLT: Tensor, target_BLT: Tensor, valid_BLT: Tensor, gather: Gather) -> Tensor:
    """Mean squared error of the valid samples."""
    valid = valid_BLT.to(found_BLT.dtype)
    count = gather(valid.sum()[None]).mean().clamp(min=1e-12)
    return ((found_BLT - target_BLT).square() * valid).sum() / count


def peak_error(found_BLT: Tensor, target_BLT: Tensor, valid_BLT: Tensor, windows_B3T: Tensor, gather: Gather) -> Tensor:
    """The mean squared error around the peaks of each kind of wave, then the mean over the kinds that there are: T's
    length does not weigh more than P's."""
    error_BLT = (found_BLT - target_BLT).square() * valid_BLT
    windows = windows_B3T.to(error_BLT.dtype)
    sum_3 = torch.einsum("blt,bkt->k", error_BLT, windows)
    count_3 = torch.einsum("blt,bkt->k", valid_BLT.to(error_BLT.dtype), windows)
    count_3 = gather(count_3[None]).mean(0)
    there_3 = (count_3 > 0).to(error_BLT.dtype)
    return (sum_3 / count_3.clamp(min=1e-12) * there_3).sum() / there_3.sum().clamp(min=1)


def peak_windows(peak_B3K: Tensor, samples: int, rate: float) -> Tensor:
    """Whether a sample is near a peak of each kind, (B, 3, T) bool. Peaks are sample numbers, -1 for none."""
    time_T = torch.arange(samples, device=peak_B3K.device)
    near = (time_T - peak_B3K[..., None]).abs() <= round(WINDOW_SECONDS * rate)
    return (near & (peak_B3K >= 0)[..., None]).any(2)


def amplitudes(signal_BLT: Tensor, valid_BLT: Tensor, peak_B3K: Tensor) -> tuple[Tensor, Tensor]:
    """The mean height of each kind of peak in each lead, (B, L, 3), and whether it is known."""
    L = signal_BLT.shape[1]
    at_B1k = peak_B3K.clamp(min=0).flatten(1)[:, None].expand(-1, L, -1)
    there_BLk = valid_BLT.gather(2, at_B1k) & (peak_B3K >= 0).flatten(1)[:, None]
    shape = (len(signal_BLT), L, *peak_B3K.shape[1:])
    there_BL3K = there_BLk.view(shape)
    height_BL3K = signal_BLT.gather(2, at_B1k).view(shape) * there_BL3K
    count_BL3 = there_BL3K.sum(-1)
    return height_BL3K.sum(-1) / count_BL3.clamp(min=1), count_BL3 > 0
