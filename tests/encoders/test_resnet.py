"""The residual network: size, tokens, and what it must not see."""

from __future__ import annotations

import pytest
import torch

from einthoven.core.errors import RecipeError
from einthoven.encoders.resnet import Resnet

torch.set_num_threads(1)


def encode(encoder: Resnet, signal: torch.Tensor, valid: torch.Tensor | None = None):
    valid = torch.ones_like(signal, dtype=torch.bool) if valid is None else valid
    with torch.no_grad():
        return encoder.eval()(signal, valid, 100.0)


def test_width_32_and_kernel_5_have_the_parameters_of_resnet_18_in_one_dimension():
    encoder = Resnet(12, width=32, kernel=5)

    def convolution(i: int, o: int, k: int) -> int:
        return i * o * k + 2 * o  # filters and the scale and shift of its norm

    want = convolution(12, 32, 5) + 4 * convolution(32, 32, 5)
    for o in (64, 128, 256):
        want += convolution(o // 2, o, 5) + 3 * convolution(o, o, 5) + convolution(o // 2, o, 1)
    assert sum(p.numel() for p in encoder.parameters()) == want == 1_575_488
    assert encoder.width_out == 256


def test_the_network_equals_the_same_one_built_of_conv1d_layers():
    """A slow obvious version: He et al. 2016, figure 5 left, with torch's one-dimensional layers."""
    torch.manual_seed(0)
    encoder = Resnet(3, width=8, kernel=3, stages=2, blocks=1).double()
    for part in encoder.modules():
        if hasattr(part, "running_mean"):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
            torch.nn.init.normal_(part.weight)
            torch.nn.init.normal_(part.bias)
    signal = torch.randn(2, 3, 100, dtype=torch.float64)

    def step(x, layer, stride):
        kernel = layer.conv.weight[:, :, 0]
        x = torch.nn.functional.conv1d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2)
        norm = layer.norm
        x = (x - norm.running_mean[:, None]) / (norm.running_var[:, None] + 1e-5).sqrt()
        return x * norm.weight[:, None] + norm.bias[:, None]

    x = torch.nn.functional.max_pool1d(step(signal, encoder.stem, 2).relu(), 3, 2, 1)
    for stride, block in zip((1, 2), encoder.blocks):
        y = step(step(x, block.first, stride).relu(), block.second, 1)
        x = (y + (step(x, block.shortcut, stride) if stride == 2 else x)).relu()
    torch.testing.assert_close(encode(encoder, signal).pooled, x.mean(-1), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("samples", [1, 31, 32, 33, 500, 1000])
def test_there_is_a_token_for_each_stride_begun(samples: int):
    encoding = encode(Resnet(2, width=4, stages=3, blocks=1), torch.randn(1, 2, samples))
    assert encoding.tokens.shape == (1, -(-samples // 16), 16)
    assert encoding.token_valid.shape == (1, -(-samples // 16))


def test_a_token_is_centred_where_its_time_says():
    """Without padding at the edges, moving an impulse past a token's centre moves its response symmetrically."""
    torch.manual_seed(1)
    encoder = Resnet(1, width=4, stages=1, blocks=1)
    for part in encoder.modules():  # symmetric filters have no direction of their own
        if isinstance(part, torch.nn.Conv2d):
            part.weight.data = (part.weight.data + part.weight.data.flip(-1)) / 2
    token, stride = 25, 4
    time = float(encode(encoder, torch.zeros(1, 1, 200)).token_time[token])
    centre = round(time * 100)
    assert centre == token * stride

    def response(place: int) -> torch.Tensor:
        signal = torch.zeros(1, 1, 200)
        signal[..., place] = 1
        return encode(encoder, signal).tokens[0, token]

    for far in range(1, 8):
        torch.testing.assert_close(response(centre - far), response(centre + far))


def test_pooling_is_the_mean_of_valid_tokens_only():
    encoder = Resnet(2, width=4, stages=2)
    signal = torch.randn(3, 2, 160)
    valid = torch.ones(3, 2, 160, dtype=torch.bool)
    valid[1, :, 80:] = False
    valid[2] = False
    encoding = encode(encoder, signal, valid)
    assert encoding.token_valid.sum(1).tolist() == [20, 11, 0]  # a token sees half a stride (4 samples) to each side
    torch.testing.assert_close(encoding.pooled[1], encoding.tokens[1, :11].mean(0))
    assert encoding.pooled[2].abs().max() == 0


def test_batch_norm_keeps_a_recordings_gain_and_group_norm_erases_it():
    """Why `batch` is the default: in a network without biases group norm divides every gain out."""
    signal = torch.randn(2, 12, 500)
    cosine = {}
    for norm in ("batch", "group"):
        torch.manual_seed(0)
        encoder = Resnet(12, width=8, norm=norm)
        a, b = encode(encoder, signal).pooled, encode(encoder, 2 * signal).pooled
        cosine[norm] = float((a - b).norm() / a.norm())
    assert cosine["group"] < 1e-3  # only the epsilon of the norm remembers the size
    assert cosine["batch"] > 0.3


def test_dropout_acts_in_training_only():
    encoder = Resnet(2, width=4, dropout=0.5)
    signal, valid = torch.randn(2, 2, 200), torch.ones(1, 1, 1, dtype=torch.bool)
    assert torch.equal(encode(encoder, signal).pooled, encode(encoder, signal).pooled)
    encoder.train()
    torch.manual_seed(0)
    a, b = (encoder(signal, valid, 100.0).pooled for _ in range(2))
    assert not torch.equal(a, b)


def test_an_even_kernel_is_refused():
    with pytest.raises(RecipeError, match="kernel must be odd, got 4; take 5"):
        Resnet(12, kernel=4)
