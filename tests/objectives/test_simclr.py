"""SimCLR as an objective: one pass for both views, and diagnostics that tell collapse."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from einthoven.core.batch import Batch, View
from einthoven.core.errors import CohortError
from einthoven.encoders.resnet import Resnet
from einthoven.objectives._contrast import nt_xent
from einthoven.objectives.simclr import Simclr

torch.set_num_threads(1)


def batch(a: torch.Tensor, b: torch.Tensor) -> Batch:
    here = torch.ones(1, 1, 1, dtype=torch.bool)
    ids = torch.arange(len(a))
    return Batch(a, here, 100.0, ids, ids, views={"a": View(a, here), "b": View(b, here)})


def test_the_loss_is_nt_xent_of_the_projected_views():
    torch.manual_seed(0)
    encoder, objective = Resnet(2, width=4).eval(), Simclr(32, temperature=0.2, projection=16)
    a, b = torch.randn(2, 6, 2, 200)
    here = torch.ones(1, 1, 1, dtype=torch.bool)
    za, zb = (objective.projector(encoder(x, here, 100.0).pooled) for x in (a, b))
    torch.testing.assert_close(objective.loss(encoder, batch(a, b), 0)[0], nt_xent(za, zb, 0.2))


def test_spread_is_0_on_collapse_and_near_1_for_even_directions():
    objective = Simclr(64, projection=64)
    objective.projector = nn.Identity()

    class Fixed(nn.Module):
        def __init__(self, pooled: torch.Tensor):
            super().__init__()
            self.pooled = pooled

        def forward(self, signal, valid, rate):
            return self

    x = torch.zeros(256, 1, 10)
    generator = torch.Generator().manual_seed(0)
    even = objective.loss(Fixed(torch.randn(512, 64, generator=generator)), batch(x, x), 0)[1]
    collapsed = objective.loss(Fixed(torch.ones(512, 64)), batch(x, x), 0)[1]
    assert float(even["spread"]) == pytest.approx(1, abs=0.02)
    assert float(collapsed["spread"]) < 1e-3
    assert float(collapsed["cosine"]) == pytest.approx(1)


def test_a_batch_without_the_views_is_refused_by_name():
    x = torch.zeros(2, 1, 50)
    plain = Batch(x, torch.ones(1, 1, 1, dtype=torch.bool), 100.0, torch.arange(2), torch.arange(2))
    with pytest.raises(CohortError, match="lacks the view a"):
        Simclr(8).loss(Resnet(1, width=1), plain, 0)
