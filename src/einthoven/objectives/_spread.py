"""How many directions vectors take. Shapes: N vectors, D width."""

from __future__ import annotations

import torch
from torch import Tensor


def effective_rank(vector_ND: Tensor) -> Tensor:
    """exp of the entropy of the singular values of the centred vectors as shares (Roy and Vetterli 2007); 0 where all
    vectors are the same."""
    value_D = torch.linalg.svdvals(vector_ND - vector_ND.mean(0))
    share_D = value_D / value_D.sum().clamp(min=1e-30)
    return torch.exp(-torch.special.xlogy(share_D, share_D).sum()) * (value_D.sum() > 0)
