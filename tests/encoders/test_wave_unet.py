"""The wave network: leads apart, gain of no matter, conventions, size."""

from __future__ import annotations

import pytest
import torch

from einthoven.core.errors import RecipeError
from einthoven.encoders.wave_unet import OUTPUTS, WaveUnet

torch.set_num_threads(1)
RATE = 250.0
YES = torch.ones(1, 1, 1, dtype=torch.bool)


@pytest.fixture
def network() -> WaveUnet:
    torch.manual_seed(0)
    return WaveUnet(3).eval()


def signal(rows: int = 2, leads: int = 3, samples: int = 1001) -> torch.Tensor:
    return torch.randn(rows, leads, samples, generator=torch.Generator().manual_seed(1))


def test_it_has_under_half_a_million_weights(network: WaveUnet):
    assert sum(p.numel() for p in network.parameters()) < 500_000


@torch.no_grad()
def test_a_lead_does_not_see_the_others(network: WaveUnet):
    x = signal()
    together = network.waves(x, YES, RATE)
    alone = network.waves(x[:, 1:2], YES, RATE)
    torch.testing.assert_close(together.logit[:, 1:2], alone.logit, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(together.no_p[:, 1:2], alone.no_p, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_gain_does_not_matter(network: WaveUnet):
    x = signal()
    for gain in (0.1, 7.0):
        torch.testing.assert_close(network.waves(gain * x, YES, RATE).logit, network.waves(x, YES, RATE).logit,
                                   rtol=1e-3, atol=1e-3)  # fmt: skip


@torch.no_grad()
def test_one_artefact_leaves_the_rest_of_the_lead_in_its_size(network: WaveUnet):
    x = signal(1, 1, 2500)
    spoilt = x.clone()
    spoilt[..., 2300:2320] = 500.0
    far = slice(0, 1000)  # further than the network sees
    clean, other = (network.waves(s, YES, RATE).logit[..., far] for s in (x, spoilt))
    assert float((clean - other).abs().max()) < 0.1 * float(clean.std())


@torch.no_grad()
def test_conventions_differ_and_a_plain_pass_takes_the_one_that_is_named():
    torch.manual_seed(0)
    network = WaveUnet(1, conventions=("a", "b"), convention="b").eval()
    x = signal(2, 1)
    both = network.waves(x, YES, RATE, torch.tensor([0, 1])).logit
    plain = network.waves(x, YES, RATE).logit
    torch.testing.assert_close(both[1], plain[1])
    assert not torch.allclose(both[0], plain[0])


@torch.no_grad()
def test_a_token_is_a_sample_of_a_lead_with_its_outputs(network: WaveUnet):
    x = signal()
    encoding, found = network(x, YES, RATE), network.waves(x, YES, RATE)
    at = int(((encoding.token_lead == 2) & (encoding.token_time == 500 / RATE)).nonzero())
    assert encoding.tokens.shape == (2, 3 * 1001, len(OUTPUTS))
    want = torch.cat([found.logit[0, 2, :, 500], found.distance[0, 2, :, 500], found.no_p[0, 2, None]])
    torch.testing.assert_close(encoding.tokens[0, at], want)


def test_a_convention_that_is_not_learnt_is_refused():
    with pytest.raises(RecipeError, match="convention"):
        WaveUnet(1, conventions=("a",), convention="b")
    with pytest.raises(RecipeError, match="odd"):
        WaveUnet(1, kernel=8)
