"""Contrastive losses computed row block by row block: no N x N matrix is ever whole in memory.

Shapes: N anchors, M keys, D width. Loss and gradient are made in one pass over blocks of logits that fit the cache, so
that a training step needs three matrix products and no boolean gathers. Published code masks the full matrix with
booleans and copies it several times (`bench/nce.py` measures both).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

BLOCK = 2**19
"""Logits of a block: 2 MiB in float32, the second-level cache of one core."""


def contrast(anchor_ND: Tensor, key_MD: Tensor, positive_N: Tensor, self_N: Tensor, temperature: float) -> Tensor:
    """Mean over anchors of -log softmax over the keys at the positive, in nats; a key of the anchor itself is left out.

    Args:
        anchor_ND, key_MD: the vectors, normalised by the caller if cosines are wanted; float32 or float64 (lower
            precisions are computed in float32).
        positive_N: the key that belongs to each anchor.
        self_N: the key that is the anchor itself.
        temperature: divides the dot products.
    """
    if anchor_ND.dtype not in (torch.float32, torch.float64):
        anchor_ND, key_MD = anchor_ND.float(), key_MD.float()
    with torch.autocast(anchor_ND.device.type, enabled=False):
        return _Contrast.apply(anchor_ND, key_MD, positive_N, self_N, temperature)


def nt_xent(
    a_BD: Tensor, b_BD: Tensor, temperature: float, gather: Callable[[Tensor], Tensor] | None = None, rank: int = 0
) -> Tensor:
    """NT-Xent of SimCLR (Chen et al. 2020, arXiv 2002.05709, eq. 1), in nats.

    Each of the 2B vectors is an anchor; its other view is the positive, all other vectors are negatives. With several
    processes the keys are those of all of them and the anchors this process's own, so that the mean over processes is
    the loss of the joint batch.

    Args:
        a_BD, b_BD: the two views; row i of both is the same recording. They are normalised here.
        gather: joins the (N, D) tensors of the processes into (processes x N, D) with gradient.
        rank: the place of this process among them.
    """
    anchor_ND = F.normalize(torch.cat([a_BD, b_BD]), dim=1)
    key_MD = gather(anchor_ND) if gather else anchor_ND
    count = len(anchor_ND)
    place_N = torch.arange(count, device=anchor_ND.device)
    first = rank * count
    return contrast(anchor_ND, key_MD, first + (place_N + count // 2) % count, first + place_N, temperature)


class _Contrast(torch.autograd.Function):
    """The gradient is linear in the incoming scalar: it is made in the forward pass, while the logits are in cache."""

    @staticmethod
    def forward(
        ctx: Any, anchor_ND: Tensor, key_MD: Tensor, positive_N: Tensor, self_N: Tensor, temperature: float
    ) -> Tensor:
        scaled_MD = key_MD / temperature
        wanted = any(ctx.needs_input_grad[:2])
        anchor_grad_ND = torch.empty_like(anchor_ND) if wanted else None
        key_grad_MD = torch.zeros_like(key_MD) if wanted else None
        total = anchor_ND.new_zeros(())
        rows = max(BLOCK // len(key_MD), 1)
        for block_bD, positive_b, self_b, start in zip(
            anchor_ND.split(rows), positive_N.split(rows), self_N.split(rows), range(0, len(anchor_ND), rows)
        ):
            logit_bM = block_bD @ scaled_MD.T
            row_b = torch.arange(len(block_bD), device=anchor_ND.device)
            logit_bM[row_b, self_b] = -torch.inf
            positive_logit_b = logit_bM[row_b, positive_b]
            top_b1 = logit_bM.amax(1, keepdim=True)
            share_bM = logit_bM.sub_(top_b1).exp_()
            sum_b1 = share_bM.sum(1, keepdim=True)
            total += (top_b1 + sum_b1.log()).sum() - positive_logit_b.sum()
            if anchor_grad_ND is not None and key_grad_MD is not None:
                share_bM.div_(sum_b1)
                share_bM[row_b, positive_b] -= 1  # d loss / d logit = softmax - positive
                torch.mm(share_bM, scaled_MD, out=anchor_grad_ND[start : start + len(block_bD)])
                key_grad_MD.addmm_(share_bM.T, block_bD)
        if anchor_grad_ND is not None and key_grad_MD is not None:
            ctx.save_for_backward(anchor_grad_ND.div_(len(anchor_ND)), key_grad_MD.div_(len(anchor_ND) * temperature))
        return total / len(anchor_ND)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None, None]:  # type: ignore[override]
        anchor_grad_ND, key_grad_MD = ctx.saved_tensors
        return grad * anchor_grad_ND, grad * key_grad_MD, None, None, None
