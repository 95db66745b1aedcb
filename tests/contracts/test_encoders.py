"""What every encoder promises, over the whole registry."""

from __future__ import annotations

import pytest
import torch

from einthoven.core import registry
from einthoven.core.batch import Encoding

torch.set_num_threads(1)
LEADS, RATE = 12, 100.0
ENCODERS = registry.names("encoders")


@pytest.fixture(params=ENCODERS)
def encoder(request: pytest.FixtureRequest):
    torch.manual_seed(0)
    return registry.load("encoders", request.param)(LEADS).eval()


def run(encoder, signal: torch.Tensor, valid: torch.Tensor | None = None) -> Encoding:
    with torch.no_grad():
        return encoder(signal, torch.ones_like(signal, dtype=torch.bool) if valid is None else valid, RATE)


@pytest.mark.parametrize("samples", [500, 1000, 777])
def test_shapes_are_those_of_an_encoding(encoder, samples: int):
    encoding = run(encoder, torch.randn(3, LEADS, samples))
    B, N, D = encoding.tokens.shape
    assert (3, encoder.width_out) == (B, D)
    assert encoding.token_valid.shape == (B, N)
    assert encoding.token_valid.dtype == torch.bool
    assert encoding.token_time.shape == encoding.token_lead.shape == (N,)
    assert encoding.pooled.shape == (B, D)
    assert float(encoding.token_time.min()) >= 0
    assert float(encoding.token_time.max()) <= samples / RATE
    assert set(encoding.token_lead.tolist()) <= {-1, *range(LEADS)}


def test_what_is_not_valid_has_no_influence(encoder):
    signal = torch.randn(2, LEADS, 500)
    valid = torch.ones_like(signal, dtype=torch.bool)
    valid[0, 3] = False  # a missing lead
    valid[1, :, 200:260] = False  # a gap in all leads
    want = run(encoder, signal, valid)
    for nonsense in (0.0, 1e6, float("nan")):
        got = run(encoder, torch.where(valid, signal, nonsense), valid)
        assert torch.equal(got.pooled, want.pooled)
        assert torch.equal(got.tokens[got.token_valid], want.tokens[want.token_valid])


def test_validity_may_be_broadcast(encoder):
    signal = torch.randn(2, LEADS, 500)
    want = run(encoder, signal)
    for shape in ((1, 1, 1), (2, 1, 1), (2, LEADS, 1)):
        assert torch.equal(run(encoder, signal, torch.ones(shape, dtype=torch.bool)).pooled, want.pooled)


def test_rows_do_not_depend_on_their_batch_in_evaluation(encoder):
    signal = torch.randn(5, LEADS, 500)
    together = run(encoder, signal).pooled
    alone = torch.cat([run(encoder, signal[i : i + 1]).pooled for i in range(5)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)  # float32, another order of sums


def test_evaluation_is_deterministic(encoder):
    signal = torch.randn(4, LEADS, 500)
    assert torch.equal(run(encoder, signal).pooled, run(encoder, signal).pooled)


def test_every_parameter_is_trained(encoder):
    encoder.train()
    signal = torch.randn(4, LEADS, 500)
    encoding = encoder(signal, torch.ones_like(signal, dtype=torch.bool), RATE)
    encoding.pooled.square().sum().backward()
    assert [name for name, p in encoder.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_a_state_loads_into_a_fresh_network_and_gives_the_same(encoder):
    again = type(encoder)(LEADS).eval()
    again.load_state_dict(encoder.state_dict())
    signal = torch.randn(2, LEADS, 500)
    assert torch.equal(run(again, signal).pooled, run(encoder, signal).pooled)


def test_bfloat16_stays_near_float32(encoder):
    signal = torch.randn(4, LEADS, 500)
    want = run(encoder, signal).pooled
    with torch.autocast("cpu", torch.bfloat16):
        got = run(encoder, signal).pooled
    assert got.dtype == torch.float32
    assert float((got - want).norm() / want.norm()) < 0.03  # 8 bits of mantissa, through some twenty layers


def test_it_exports(encoder):
    class Pooled(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = encoder

        def forward(self, signal, valid):
            return self.encoder(signal, valid, RATE).pooled

    signal = torch.randn(2, LEADS, 500)
    valid = torch.ones_like(signal, dtype=torch.bool)
    shapes = {"signal": {0: torch.export.Dim("batch")}, "valid": {0: torch.export.Dim("batch")}}
    exported = torch.export.export(Pooled(), (signal, valid), dynamic_shapes=shapes).module()
    more = torch.randn(3, LEADS, 500)
    torch.testing.assert_close(exported(more, torch.ones_like(more, dtype=torch.bool)), run(encoder, more).pooled)
