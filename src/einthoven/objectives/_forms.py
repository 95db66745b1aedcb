"""Forms of a contrastive loss with several positives an anchor, all over the same sets (physioclr.md 3).

Shapes: B anchors, K keys (all blocks of the bank side by side). Positives come in groups; an anchor's loss is in nats.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

Form = Literal["mean", "sum", "group", "soft", "released"]
RELEASED_FILL = -1e4
"""What the released code puts where a key is not in the set."""


def anchor_losses(
    logit_BK: Tensor, groups: Sequence[Tensor], negative_BK: Tensor, form: Form, *, shares: Sequence[float] = (),
    weight_BK: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The loss of each anchor, (B,).

    Args:
        logit_BK: cosines over the temperature, float32 or float64.
        groups: positives, (B, K) bool each; together they are the positive set.
        negative_BK: the negative set. Keys in neither are ignored.
        form: `mean` over positives outside the logarithm (Khosla et al. 2020, arXiv 2004.11362, eq. 2), `sum` inside
            (eq. 3), `group` as `mean` within each group, then weighted, `soft` as `mean` with a weight each, `released`
            as in the published code, whose denominator lacks the positives: unbounded below.
        shares: weights of the groups. weight_BK: of positives, for `soft`.
    """
    positive_BK = torch.stack(list(groups)).any(0)
    if form == "released":
        return _masked_lse(logit_BK, negative_BK, RELEASED_FILL) - _masked_lse(logit_BK, positive_BK, RELEASED_FILL)
    everything_B1 = _masked_lse(logit_BK, positive_BK | negative_BK, -torch.inf)[:, None]
    share_BK = logit_BK - everything_B1  # log of the softmax over the set
    if form == "sum":
        return -_masked_lse(share_BK, positive_BK, -torch.inf)
    if form == "mean":
        return -_mean(share_BK, positive_BK.to(share_BK.dtype))
    if form == "soft":
        assert weight_BK is not None
        return -_mean(share_BK, torch.where(positive_BK, weight_BK, 0.0).to(share_BK.dtype))
    total_B = torch.zeros_like(everything_B1[:, 0])
    weights_B = torch.zeros_like(total_B)
    for share, group_BK in zip(shares, groups):
        there_B = group_BK.any(1).to(total_B.dtype) * share
        total_B = total_B - there_B * _mean(share_BK, group_BK.to(share_BK.dtype))
        weights_B = weights_B + there_B
    return total_B / weights_B.clamp(min=1e-12)


def _masked_lse(logit_BK: Tensor, mask_BK: Tensor, fill: float) -> Tensor:
    masked_BK = logit_BK.masked_fill(~mask_BK, fill)
    # an empty set has no logarithm of a sum; its anchor is left out by the caller, and must not make NaN gradients
    empty_B1 = ~mask_BK.any(1, keepdim=True) & (fill == -torch.inf)
    return masked_BK.masked_fill(empty_B1, 0.0).logsumexp(1)


def _mean(share_BK: Tensor, weight_BK: Tensor) -> Tensor:
    """Weighted mean over the keys of positive weight, 0 where there is none."""
    # zero times minus infinity is no number: keys outside the set may be anything
    weighted_BK = torch.where(weight_BK > 0, share_BK * weight_BK, 0.0)
    return weighted_BK.sum(1) / weight_BK.sum(1).clamp(min=1e-12)
