"""NT-Xent at 1,024 pairs, forward and backward, against the boolean-gather form that public SimCLR code uses.

The baseline is written as in sthalles/SimCLR (`simclr.py: info_nce_loss`, MIT) and its many copies: the similarity
matrix, the diagonal and the positives taken out by boolean masks, both joined again, cross-entropy. Its gradient is
checked to be ours. Memory is the peak of what the loss allocates, in N x N float32 matrices (N = 2,048 rows).
"""

from __future__ import annotations

from pathlib import Path

from bench._run import Bench, Pair

PAIRS, WIDTH, TEMPERATURE = 1024, 128, 0.1
MATRICES = 3
"""The limit on memory: so many N x N float32 matrices above the inputs."""


def benches() -> list[Bench]:
    return [
        Bench("nce.1024", goal=3, unit="s/step", make=_speed),
        Bench("nce.memory", goal=1, unit="N x N float32 matrices", value=_memory),
    ]


def _speed(scratch: Path) -> Pair:
    import torch

    from einthoven.objectives._contrast import nt_xent

    torch.set_num_threads(1)
    a_BD, b_BD = torch.randn(2, PAIRS, WIDTH, generator=torch.Generator().manual_seed(0)).requires_grad_().unbind()

    def ours() -> torch.Tensor:
        loss = nt_xent(a_BD, b_BD, TEMPERATURE)
        return torch.autograd.grad(loss, (a_BD, b_BD))[0]

    def baseline() -> torch.Tensor:
        logits, labels = info_nce_loss(torch.cat([a_BD, b_BD]))
        loss = torch.nn.functional.cross_entropy(logits, labels)
        return torch.autograd.grad(loss, (a_BD, b_BD))[0]

    torch.testing.assert_close(ours(), baseline(), rtol=1e-3, atol=1e-8)
    return Pair(ours, 1, baseline, 1)


def info_nce_loss(features):  # as published: the names and the order of steps are its authors'
    import torch
    import torch.nn.functional as F

    batch_size = len(features) // 2
    labels = torch.cat([torch.arange(batch_size) for i in range(2)], dim=0)
    labels = (labels.unsqueeze(0) == labels.unsqueeze(1)).float()
    features = F.normalize(features, dim=1)
    similarity_matrix = torch.matmul(features, features.T)
    # discard the main diagonal from both: labels and similarities matrix
    mask = torch.eye(labels.shape[0], dtype=torch.bool)
    labels = labels[~mask].view(labels.shape[0], -1)
    similarity_matrix = similarity_matrix[~mask].view(similarity_matrix.shape[0], -1)
    positives = similarity_matrix[labels.bool()].view(labels.shape[0], -1)
    negatives = similarity_matrix[~labels.bool()].view(similarity_matrix.shape[0], -1)
    logits = torch.cat([positives, negatives], dim=1)
    labels = torch.zeros(logits.shape[0], dtype=torch.long)
    return logits / TEMPERATURE, labels


def _memory(scratch: Path) -> tuple[float, float]:
    return peak_matrices(), float(MATRICES)


def peak_matrices() -> float:
    """Peak of the allocations of one forward and backward pass above its inputs, in N x N float32 matrices."""
    import torch

    from einthoven.objectives._contrast import nt_xent

    a_BD, b_BD = torch.randn(2, PAIRS, WIDTH).requires_grad_().unbind()
    with torch.profiler.profile(profile_memory=True) as profile:
        torch.autograd.grad(nt_xent(a_BD, b_BD, TEMPERATURE), (a_BD, b_BD))
    held = peak = 0
    for event in profile.profiler.kineto_results.events():  # type: ignore[union-attr]
        if event.name() == "[memory]":
            held += event.nbytes()  # type: ignore[attr-defined]  # missing in torch's stubs
            peak = max(peak, held)
    return peak / ((2 * PAIRS) ** 2 * 4)
