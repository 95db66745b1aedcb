"""How many directions vectors take. Shapes: N vectors, D width."""

from __future__ import annotations

import torch
from torch import Tensor


def effective_rank(vector_ND: Tensor) -> Tensor:
    """exp of the entropy of the singular values of the centred vectors as shares (Roy and Vetterli 2007)."""
    value_D = torch.linalg.svdvals((vector_ND - vector_ND.mean(0)).float())
    share_D = value_D / value_D.sum().clamp(min=1e-12)
    return torch.exp(-(share_D * torch.log(share_D.clamp(min=1e-12))).sum())
