"""SimCLR: two views of one recording attract, all others repel (Chen et al. 2020, arXiv 2002.05709).

Shapes: B recordings, D width of the encoder, P width of the projection.
"""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from einthoven.core.batch import Batch
from einthoven.objectives import Objective
from einthoven.objectives._contrast import nt_xent


class Simclr(Objective):
    """A projector of two layers and NT-Xent; the projector is dropped after pretraining.

    Args:
        width: of the encoder's pooled vector.
        temperature: divides the cosines (0.1: Chen et al., table 5, for normalised vectors).
        projection: width of the space in which views are compared.
    """

    views = ("a", "b")

    def __init__(
        self,
        width: int,
        /,
        *,
        temperature: Annotated[float, Field(gt=0, le=10)] = 0.1,
        projection: Annotated[int, Field(ge=2, le=65536)] = 128,
    ) -> None:
        super().__init__()
        self.temperature = temperature
        self.projector = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, projection))

    def loss(self, encoder: nn.Module, batch: Batch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """NT-Xent in nats; `cosine` is the mean over pairs, `spread` 1 for evenly spread vectors and 0 on collapse."""
        a, b = batch.view("a"), batch.view("b")
        # one pass for both views: half the kernel calls, and batch statistics over both
        signal = torch.cat([a.signal, b.signal])
        valid = torch.cat([a.valid.expand(a.signal.shape), b.valid.expand(b.signal.shape)])
        z_NP = self.projector(encoder(signal, valid, batch.rate).pooled)
        a_BP, b_BP = z_NP.chunk(2)
        loss = nt_xent(a_BP, b_BP, self.temperature, self.gather, self.rank)
        with torch.no_grad():
            unit_NP = F.normalize(z_NP.float(), dim=1)
            spread = unit_NP.std(0).mul(unit_NP.shape[1] ** 0.5).mean()
            return loss, {"cosine": F.cosine_similarity(a_BP, b_BP).mean(), "spread": spread}
