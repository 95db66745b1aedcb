"""Our batch norm against torch's, and its joint form against one large batch."""

from __future__ import annotations

import pytest
import torch

from einthoven.encoders._norm import norm

torch.set_num_threads(1)


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(len(shape)))


def test_training_and_evaluation_equal_torch_batch_norm():
    ours, theirs = norm("batch", 6).double(), torch.nn.BatchNorm2d(6).double()
    x = draw(4, 6, 1, 50) * 3 + 1
    for _ in range(3):
        torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


def test_halves_with_gathered_statistics_equal_the_joint_batch_in_value_gradient_and_running_statistics():
    """The gather of two processes written out: each half sees the stacked statistics of both."""
    x = draw(8, 5, 1, 30)
    x[:4] = 2 * x[:4] + 3  # halves of different mean and spread
    weight = draw(8, 5, 1, 30)

    whole = norm("batch", 5).double()
    x_whole = x.clone().requires_grad_()
    want = whole(x_whole)
    (want * weight).sum().backward()

    halves = [norm("batch", 5).double() for _ in range(2)]
    x_half = x.clone().requires_grad_()
    parts = x_half.split(4)
    stats = torch.stack([torch.stack(torch.var_mean(part, dim=(0, 2, 3), correction=0)[::-1]) for part in parts])
    for half in halves:
        half.gather = lambda own: stats
    got = torch.cat([half(part) for half, part in zip(halves, parts)])
    (got * weight).sum().backward()

    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(x_half.grad, x_whole.grad, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(halves[0].running_mean, whole.running_mean)
    torch.testing.assert_close(halves[1].running_var, whole.running_var)


@pytest.mark.parametrize(("channels", "groups"), [(64, 8), (12, 6), (7, 7), (11, 1)])
def test_group_norm_takes_as_many_groups_up_to_8_as_divide_the_channels(channels: int, groups: int):
    assert norm("group", channels).num_groups == groups
