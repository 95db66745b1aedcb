"""What every objective promises, over the whole registry: it falls on ten steps, and small batches are finite."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from einthoven.core import registry
from einthoven.core.batch import Batch, View
from einthoven.core.errors import TrainingError
from einthoven.core.facts import LabelSet
from einthoven.core.layout import Layout
from einthoven.encoders.resnet import Resnet
from einthoven.encoders.wave_unet import WaveUnet
from einthoven.objectives import Head, Objective

torch.set_num_threads(1)
LEADS, RATE, CODES = 2, 100.0, ("A", "B", "C")


BEATS = 0.1 + 0.6 * np.arange(3)[:, None] + np.array([0, 0.04, 0.08, 0.12, 0.16, 0.2, 0.28, 0.36, 0.42])
"""Three beats of nine marks in seconds."""
ENCODERS = {"waves": lambda: WaveUnet(LEADS, widths=(8, 12, 16), kernel=5)}
"""Those of objectives that not every encoder suits."""
LEAST = {"physioclr": 8}
"""Recordings below which an objective says that it cannot tell alike from unlike."""


def make(name: str) -> tuple[nn.Module, Objective]:
    torch.manual_seed(0)
    encoder = ENCODERS.get(name, lambda: Resnet(LEADS, width=8, kernel=3))()
    objective = registry.load("objectives", name)(encoder.width_out)
    facts = {need: fact(need, 64).numpy() for need in objective.needs}
    sets = {need: LabelSet(need, "test", CODES) for need in objective.needs if need.startswith("labels:")}
    objective.attach(encoder, Layout(leads=("I", "II"), rate=RATE, seconds=2))
    objective.prepare(facts, sets, {need: "" for need in objective.needs if need.startswith("value:")})
    return encoder, objective


def fact(need: str, rows: int) -> torch.Tensor:
    """Made-up facts of the kind that is needed, every fifth unknown."""
    draw = np.random.default_rng(rows)
    if need.startswith("labels:"):
        found = draw.integers(0, 2, (rows, len(CODES))).astype(np.float32)
    elif need.startswith("value:"):
        found = draw.normal(50, 10, rows).astype(np.float32)
    elif need.startswith("waves:"):
        found = np.tile(BEATS.astype(np.float32), (rows, LEADS, 1, 1))
    elif need.startswith("peaks:"):
        found = np.tile(np.rint(BEATS[:, [1, 4, 7]].T * RATE).astype(np.int64), (rows, 1, 1))
    else:
        found = draw.integers(0, 2, rows)
    found[::5] = -1 if found.dtype.kind == "i" else np.nan
    return torch.from_numpy(found)


def _draw_waves(signal: torch.Tensor) -> None:
    """Put the waves that the facts mark into a signal of noise: what is not there cannot be learnt."""
    for beat in (BEATS * RATE).round().astype(int):
        for (first, last), height in zip(beat[[[0, 2], [3, 5], [6, 8]]], (1, 5, 2)):
            signal[..., first : last + 1] += height


def batch(objective: Objective, rows: int, samples: int = 200) -> Batch:
    generator = torch.Generator().manual_seed(rows)
    signal = torch.randn(rows, LEADS, samples, generator=generator)
    if any(need.startswith("waves:") for need in objective.needs):
        _draw_waves(signal)
    valid = torch.ones_like(signal, dtype=torch.bool)
    valid[0, 0] = False
    noise = {name: 0.1 * torch.randn(signal.shape, generator=generator) for name in objective.views}
    views = {name: View(signal + noise[name], valid) for name in objective.views}
    ids = torch.arange(rows)
    return Batch(signal, valid, RATE, ids, ids, {need: fact(need, rows) for need in objective.needs}, views)


@pytest.fixture(params=registry.names("objectives"))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def test_it_falls_on_ten_steps(name: str):
    encoder, objective = make(name)
    optimiser = torch.optim.AdamW([*encoder.parameters(), *objective.parameters()], lr=3e-3)
    whole = batch(objective, 16)
    losses = []
    for step in range(10):
        loss, diagnostics = objective.loss(encoder, whole, step)
        assert loss.shape == ()
        assert all(value.numel() == 1 and not value.requires_grad for value in diagnostics.values())
        losses.append(float(loss.detach()))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        objective.after_step(encoder, step)
    assert losses[-1] < 0.9 * losses[0]


def test_it_is_finite_at_a_small_batch_or_says_that_it_is_too_small(name: str):
    encoder, objective = make(name)
    if name in LEAST:
        with pytest.raises(TrainingError, match="set \\[training\\] batch higher"):
            objective.loss(encoder, batch(objective, 2), 0)
    loss, _ = objective.loss(encoder, batch(objective, LEAST.get(name, 2)), 0)
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad is None or p.grad.isfinite().all() for p in [*encoder.parameters(), *objective.parameters()])


def test_the_same_batch_gives_the_same_loss(name: str):
    encoder, objective = make(name)
    whole = batch(objective, 8)
    assert float(objective.loss(encoder, whole, 3)[0]) == float(objective.loss(encoder, whole, 3)[0])


def test_everything_it_learns_is_in_its_state(name: str):
    encoder, objective = make(name)
    _, again = make(name)
    with torch.no_grad():
        for tensor in objective.state_dict().values():
            tensor.add_(0.01 if tensor.is_floating_point() else 1)
    again.load_state_dict(objective.state_dict())
    whole = batch(objective, 8)
    assert float(objective.loss(encoder, whole, 0)[0]) == float(again.loss(encoder, whole, 0)[0])


def test_finish_then_head_predicts_for_each_label_or_there_is_none(name: str):
    encoder, objective = make(name)
    encoder.eval()
    with torch.no_grad():
        objective.finish(encoder, [batch(objective, 16)])
        head = objective.head()
        if head is not None:
            assert isinstance(head, Head)
            scores = head(encoder(torch.randn(3, LEADS, 200), torch.ones(1, 1, 1, dtype=torch.bool), RATE).pooled)
            assert scores.shape == (3, len(head.labels))
            assert scores.isfinite().all()
