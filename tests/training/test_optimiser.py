"""The learning rate over a run, and who is decayed."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from einthoven.encoders.resnet import Resnet
from einthoven.training.optimiser import adamw, decayed, rate, set_rate


def test_the_rate_rises_linearly_to_1_and_falls_by_a_cosine_to_nearly_0():
    rates = [rate(step, 100, 10) for step in range(100)]
    assert rates[:10] == [pytest.approx((i + 1) / 10) for i in range(10)]
    assert rates[10] == 1
    assert rates[55] == pytest.approx(0.5)  # half way between 10 and 100
    assert rates[99] == pytest.approx(0.5 * (1 + math.cos(math.pi * 89 / 90)))
    assert rate(0, 5, 0) == 1


def test_a_warm_up_longer_than_the_run_only_rises():
    assert [rate(step, 3, 10) for step in range(3)] == [0.1, 0.2, 0.3]


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_norms_biases_and_embeddings_are_not_decayed(norm):
    model = nn.ModuleList([Resnet(2, width=4, norm=norm), nn.Linear(3, 4), nn.Embedding(5, 6), nn.LayerNorm(7)])
    with_decay, without = decayed(model)
    assert len(with_decay) + len(without) == len(list(model.parameters()))
    names = {id(p): n for n, p in model.named_parameters()}
    assert {names[id(p)].split(".")[-2] for p in with_decay} == {"conv", "1"}  # filters, and the linear layer's matrix
    assert all(names[id(p)].endswith("weight") for p in with_decay)
    assert "2.weight" in {names[id(p)] for p in without}


def test_body_and_head_have_their_own_peaks_and_share_the_schedule():
    optimiser = adamw(nn.Linear(2, 2), nn.Linear(2, 2), lr=1e-3, body_lr=1e-4, weight_decay=0.1)
    set_rate(optimiser, 0.5)
    assert [(g["lr"], g["weight_decay"]) for g in optimiser.param_groups] == [
        (5e-5, 0.1), (5e-5, 0.0), (5e-4, 0.1), (5e-4, 0.0),
    ]  # fmt: skip


def test_a_step_is_that_of_the_paper():
    """Loshchilov and Hutter 2019, algorithm 2, by hand for two steps of one weight."""
    layer = nn.Linear(1, 1, bias=False).double()
    nn.init.constant_(layer.weight, 2.0)
    optimiser = adamw(layer, nn.Module(), lr=0.1, body_lr=None, weight_decay=0.01)
    w, m, v = 2.0, 0.0, 0.0
    for t, grad in ((1, 3.0), (2, -1.0)):
        layer.weight.grad = torch.full_like(layer.weight, grad)
        optimiser.step()
        m, v = 0.9 * m + 0.1 * grad, 0.999 * v + 0.001 * grad**2
        w = w - 0.1 * 0.01 * w - 0.1 * (m / (1 - 0.9**t)) / (math.sqrt(v / (1 - 0.999**t)) + 1e-8)
        assert float(layer.weight.detach()) == pytest.approx(w, rel=1e-12)
