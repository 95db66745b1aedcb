"""NT-Xent in blocks against the formula of the paper, and what it costs in memory."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from bench.nce import peak_matrices
from einthoven.objectives import _contrast
from einthoven.objectives._contrast import contrast, nt_xent

torch.set_num_threads(1)


def pairs(count: int, width: int = 8, seed: int = 0) -> tuple[Tensor, Tensor]:
    a, b = torch.randn(2, count, width, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return a.requires_grad_(), b.requires_grad_()


def slow_nt_xent(a_BD: Tensor, b_BD: Tensor, temperature: float) -> Tensor:
    """Equation 1 of Chen et al. 2020, term by term."""
    z = [row / row.norm() for row in torch.cat([a_BD, b_BD])]
    terms = []
    for i in range(len(z)):
        j = (i + len(a_BD)) % len(z)
        others = sum((z[i] @ z[k] / temperature).exp() for k in range(len(z)) if k != i)
        terms.append(-((z[i] @ z[j] / temperature).exp() / others).log())
    return torch.stack(terms).mean()


@pytest.mark.parametrize("block", [1, 7, 2**19])
@pytest.mark.parametrize("count", [1, 2, 5, 16])
def test_value_and_gradient_are_those_of_the_formula_whatever_the_block(count: int, block: int, monkeypatch):
    monkeypatch.setattr(_contrast, "BLOCK", block)
    a, b = pairs(count)
    want = slow_nt_xent(a, b, 0.3)
    want_grad = torch.autograd.grad(want, (a, b))
    got = nt_xent(a, b, 0.3)
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)
    for ours, theirs in zip(torch.autograd.grad(got, (a, b)), want_grad):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-13)


def test_orthogonal_pairs_have_the_closed_form():
    """With z_a = z_b and all recordings orthogonal: log(1 + (2B - 2) exp(-1 / T))."""
    B, T = 6, 0.2
    eye = torch.eye(B, dtype=torch.float64)
    want = math.log(1 + (2 * B - 2) * math.exp(-1 / T))
    assert float(nt_xent(eye, eye, T)) == pytest.approx(want, rel=1e-12)


def test_views_may_be_exchanged_and_recordings_reordered():
    a, b = pairs(9)
    want = nt_xent(a, b, 0.1)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(nt_xent(b, a, 0.1), want, rtol=1e-12, atol=0)
    torch.testing.assert_close(nt_xent(a[order], b[order], 0.1), want, rtol=1e-12, atol=0)


def test_two_gathered_halves_equal_the_joint_batch():
    """Gathering written out for two processes: each has its own anchors and the keys of both."""
    a, b = pairs(8)
    want = nt_xent(a, b, 0.1)
    want_grad = torch.autograd.grad(want, (a, b))
    normal = torch.nn.functional.normalize
    keys = torch.cat([normal(torch.cat(half), dim=1) for half in zip(a.split(4), b.split(4))])
    losses = [nt_xent(x, y, 0.1, lambda own: keys, rank) for rank, (x, y) in enumerate(zip(a.split(4), b.split(4)))]
    got = (losses[0] + losses[1]) / 2
    torch.testing.assert_close(got, want, rtol=1e-12, atol=0)
    for ours, theirs in zip(torch.autograd.grad(got, (a, b)), want_grad):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-13)


def test_gradients_pass_the_numeric_check_for_anchors_and_keys_apart():
    anchor = torch.randn(3, 4, dtype=torch.float64).requires_grad_()
    key = torch.randn(5, 4, dtype=torch.float64).requires_grad_()
    positive, own = torch.tensor([1, 0, 4]), torch.tensor([0, 1, 2])
    assert torch.autograd.gradcheck(lambda a, k: contrast(a, k, positive, own, 0.5), (anchor, key))


def test_a_cold_temperature_neither_overflows_nor_underflows():
    a, b = (x.detach().float().requires_grad_() for x in pairs(16))
    loss = nt_xent(a, b, 1e-3)  # logits up to 1,000: exp(1000) is no float32
    torch.testing.assert_close(loss.double(), nt_xent(a.double(), b.double(), 1e-3), rtol=1e-4, atol=0)
    assert all(grad.isfinite().all() for grad in torch.autograd.grad(loss, (a, b)))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
def test_lower_precision_stays_near_float64(dtype: torch.dtype, tolerance: float):
    a, b = pairs(64, 32)
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        got = nt_xent(a.to(dtype), b.to(dtype), 0.1).detach()
    assert got.dtype == torch.float32
    assert float(got) == pytest.approx(float(nt_xent(a, b, 0.1).detach()), rel=tolerance)


def test_forward_and_backward_allocate_less_than_one_matrix_of_all_logits():
    assert peak_matrices() < 1  # the promise is three; blocks of 2 MiB need much less at 1,024 pairs
