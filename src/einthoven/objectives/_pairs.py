"""Which pairs of recordings are positive, negative or neither, by the likeness of their physiology.

Shapes: N recordings of the gathered batch, F features. All pairs are ordered and of different rows of the batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Rule = Literal["quantile", "cosine", "knn", "kernel"]
LEAST_SHARED = 0.6
"""A pair that shares fewer of its dimensions is neither positive nor negative."""
KERNEL = 0.1
"""exp(-(1 - S) / this) weights a positive of the rule `kernel`."""


@dataclass(frozen=True)
class Pairs:
    """Likeness (N, N); positive, negative (N, N) bool; weight of a positive (N, N)."""

    likeness: Tensor
    positive: Tensor
    negative: Tensor
    weight: Tensor


def masked_cosine(f_NF: Tensor, m_NF: Tensor, other_MF: Tensor, known_MF: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine over the dimensions that both know, 0 where that is none, and the share that both know, (N, M) each.

    Dimensions that nobody knows count for no share.
    """
    m, known = m_NF.to(f_NF.dtype), known_MF.to(f_NF.dtype)
    f, other = f_NF * m, other_MF * known
    dot_NM = f @ other.T
    power_NM = (f.square() @ known.T) * (m @ other.square().T)
    cosine_NM = torch.where(power_NM > 0, dot_NM / power_NM.clamp(min=1e-30).sqrt(), 0.0)
    told = (m_NF.any(0) | known_MF.any(0)).sum().clamp(min=1)
    return cosine_NM.clamp(-1, 1), m @ known.T / told


def pairs(
    f_NF: Tensor, m_NF: Tensor, row_N: Tensor, subject_N: Tensor, *, rule: Rule, delta: float, q: float, k: int,
    neutral: tuple[float, ...], same_patient: bool,
) -> Pairs:  # fmt: skip
    """Deal the pairs of a batch.

    Args:
        f_NF, m_NF: features, and which of them are known.
        row_N, subject_N: recording and person of each.
        rule: `quantile` takes the top share `q` of the comparable pairs, `cosine` those from `delta` on, `knn` the `k`
            nearest of each, `kernel` those above the neutral zone, weighted.
        neutral: quantiles of likeness between which a pair is neither; empty: what is not positive is negative.
        same_patient: pairs of one person are positive; else neither.
    """
    likeness_NN, shared_NN = masked_cosine(f_NF, m_NF, f_NF, m_NF)
    same_NN = subject_N[:, None] == subject_N
    comparable_NN = (shared_NN >= LEAST_SHARED) & ~same_NN & (row_N[:, None] != row_N)
    found = likeness_NN[comparable_NN]
    if not len(found):
        none_NN = torch.zeros_like(comparable_NN)
        return Pairs(likeness_NN, none_NN, none_NN, likeness_NN.clamp(min=0))
    if rule == "cosine":
        positive_NN = likeness_NN >= delta
    elif rule == "knn":
        ranked_NN = likeness_NN.masked_fill(~comparable_NN, -torch.inf)
        nearest_Nk = ranked_NN.topk(min(k, len(f_NF)), dim=1).indices
        positive_NN = torch.zeros_like(comparable_NN).scatter_(1, nearest_Nk, True)
    else:
        upper = 1 - q if rule == "quantile" else (neutral[1] if neutral else 0.0)
        positive_NN = likeness_NN >= _quantile(found, upper)
    positive_NN &= comparable_NN
    negative_NN = comparable_NN & ~positive_NN
    if neutral:
        negative_NN &= likeness_NN < _quantile(found, neutral[0])
    if same_patient:
        positive_NN |= same_NN & (row_N[:, None] != row_N)
    weight_NN = torch.exp(-(1 - likeness_NN) / KERNEL) if rule == "kernel" else likeness_NN.clamp(min=0)
    if same_patient:
        weight_NN = torch.where(same_NN, 1.0, weight_NN)  # unlike as they may be
    return Pairs(likeness_NN, positive_NN, negative_NN, weight_NN)


def _quantile(found: Tensor, share: float) -> Tensor:
    """As `torch.quantile`, which takes no more than 2^24 numbers."""
    place = share * (len(found) - 1)
    low = int(place)
    ordered = found.sort().values
    return torch.lerp(ordered[low], ordered[min(low + 1, len(found) - 1)], place - low)


def everyone(row_N: Tensor, subject_N: Tensor, *, same_patient: bool) -> Pairs:
    """Pairs without physiology: all of other persons are negative, other recordings of one person positive or not."""
    same_NN = subject_N[:, None] == subject_N
    positive_NN = same_NN & (row_N[:, None] != row_N) if same_patient else torch.zeros_like(same_NN)
    return Pairs(same_NN.float(), positive_NN, ~same_NN, positive_NN.float())


def at_random(dealt: Pairs, generator: torch.Generator) -> Pairs:
    """As many positives an anchor, drawn at random among all its positive and negative partners (a control)."""
    open_NN = dealt.positive | dealt.negative
    key_NN = torch.rand(open_NN.shape, generator=generator).to(open_NN.device).masked_fill(~open_NN, 2.0)
    rank_NN = key_NN.argsort(1).argsort(1)
    positive_NN = open_NN & (rank_NN < dealt.positive.sum(1, keepdim=True))
    return Pairs(dealt.likeness, positive_NN, open_NN & ~positive_NN, torch.ones_like(dealt.weight))
