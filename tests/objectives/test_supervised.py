"""Supervised training: unknown is left out and counted, and predictions come out in the units that went in."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from einthoven.core.batch import Batch
from einthoven.core.errors import RecipeError
from einthoven.core.facts import LabelSet
from einthoven.objectives.supervised import Supervised

torch.set_num_threads(1)
NAN = float("nan")


class Given(nn.Module):
    """An encoder whose pooled vector is the first sample of each lead."""

    def forward(self, signal, valid, rate):
        self.pooled = signal[:, :, 0]
        return self


def batch(pooled: torch.Tensor, target: str, truth: torch.Tensor, row: torch.Tensor | None = None) -> Batch:
    row = torch.arange(len(pooled)) if row is None else row
    here = torch.ones(1, 1, 1, dtype=torch.bool)
    return Batch(pooled[:, :, None], here, 100.0, row, row, facts={target: truth})


def prepared(target: str, truth: torch.Tensor, exclusive: bool = False, width: int = 4, **settings) -> Supervised:
    torch.manual_seed(0)
    objective = Supervised(width, target=target, **settings)
    name = target.partition(":")[2]
    sets = {}
    if target.startswith("labels:"):
        codes = tuple("ABCDEFG"[: truth.shape[1]])
        sets = {target: LabelSet(name, "test", codes, exclusive=exclusive)}
    objective.prepare({target: truth.numpy()}, sets, {target: "years"})
    return objective


def test_multilabel_loss_is_the_mean_cross_entropy_over_known_entries():
    truth = torch.tensor([[1, 0, NAN], [NAN, NAN, NAN], [0, 1, 1]])
    objective = prepared("labels:x", truth)
    pooled = torch.randn(3, 4)
    loss, noted = objective.loss(Given(), batch(pooled, "labels:x", truth), 0)
    p = objective.linear(pooled).sigmoid()
    known = [(0, 0), (0, 1), (2, 0), (2, 1), (2, 2)]
    want = -sum((p[i, k] if truth[i, k] else 1 - p[i, k]).log() for i, k in known) / 5
    torch.testing.assert_close(loss, want)
    assert int(noted["unknown"]) == 4


def test_exclusive_loss_is_the_mean_cross_entropy_of_the_choice_over_known_rows():
    truth = torch.tensor([[0, 1, 0], [NAN, NAN, NAN], [1, 0, 0]])
    objective = prepared("labels:x", truth, exclusive=True)
    pooled = torch.randn(3, 4)
    loss, noted = objective.loss(Given(), batch(pooled, "labels:x", truth), 0)
    p = objective.linear(pooled).softmax(1)
    torch.testing.assert_close(loss, -(p[0, 1].log() + p[2, 0].log()) / 2)
    assert int(noted["unknown"]) == 1


@pytest.mark.parametrize("distance", ["huber", "l1"])
def test_a_value_is_standardised_by_the_training_rows(distance: str):
    truth = torch.tensor([40.0, 60.0, NAN, 80.0])
    objective = prepared("value:age", truth, distance=distance)
    pooled = torch.randn(4, 4)
    loss, noted = objective.loss(Given(), batch(pooled, "value:age", truth), 0)
    far = [
        float(objective.linear(pooled[i]).detach()) - (float(truth[i]) - 60) / np.std([40, 60, 80]) for i in (0, 1, 3)
    ]
    cost = [abs(d) if distance == "l1" else d * d / 2 if abs(d) <= 1 else abs(d) - 0.5 for d in far]
    assert float(loss.detach()) == pytest.approx(np.mean(cost), rel=1e-5)
    assert int(noted["unknown"]) == 1


@pytest.mark.parametrize(("target", "shape"), [("labels:x", (3, 2)), ("value:age", (3,))])
def test_a_batch_of_unknowns_costs_nothing_and_moves_nothing(target: str, shape: tuple[int, ...]):
    known = torch.ones(shape)
    objective = prepared(target, known)
    loss, _ = objective.loss(Given(), batch(torch.randn(3, 4), target, torch.full(shape, NAN)), 0)
    loss.backward()
    assert float(loss.detach()) == 0
    assert not objective.linear.weight.grad.any()


def test_halves_with_unequal_unknowns_average_to_the_joint_batch():
    truth = torch.tensor([[1, 0], [NAN, NAN], [0, NAN], [1, 1]])
    pooled = torch.randn(4, 4)
    objective = prepared("labels:x", truth)
    want = objective.loss(Given(), batch(pooled, "labels:x", truth), 0)[0]
    objective.gather = lambda own: torch.tensor([2.0, 3.0])  # known entries in either half
    halves = [objective.loss(Given(), batch(pooled[i], "labels:x", truth[i]), 0)[0] for i in ([0, 1], [2, 3])]
    torch.testing.assert_close(sum(halves) / 2, want)


def test_the_head_of_a_value_predicts_in_its_unit():
    objective = prepared("value:age", torch.tensor([40.0, 60.0, 80.0]))
    pooled = torch.randn(5, 4)
    head = objective.head()
    spread = float(np.std([40, 60, 80]))
    torch.testing.assert_close(head(pooled), objective.linear(pooled) * spread + 60)
    assert (head.kind, head.labels, head.unit) == ("value", ("age",), "years")


def test_finish_averages_the_windows_of_a_recording_and_calibrates_the_head():
    """Logits of twice the true log-odds need a temperature of 2, whatever the windows of a recording vary by."""
    generator = torch.Generator().manual_seed(0)
    n = 4000
    log_odds = torch.randn(n, generator=generator) * 1.5
    truth = (torch.rand(n, generator=generator) < log_odds.sigmoid()).float()[:, None]
    objective = prepared("labels:x", truth, width=1)
    with torch.no_grad():
        objective.linear.weight.fill_(2)
        objective.linear.bias.zero_()
    wiggle = torch.randn(n, generator=generator) * 3
    windows = torch.cat([log_odds + wiggle, log_odds - wiggle])[:, None]
    row = torch.arange(n).repeat(2)
    whole = batch(windows, "labels:x", truth.repeat(2, 1), row)
    parts = [batch(windows[i], "labels:x", truth.repeat(2, 1)[i], row[i]) for i in torch.arange(2 * n).split(700)]
    objective.finish(Given(), parts)
    head = objective.head()
    assert float(head.temperature) == pytest.approx(2, rel=0.1)  # 4,000 draws
    objective.finish(Given(), [whole])
    torch.testing.assert_close(objective.head().temperature, head.temperature)
    score = head(log_odds[:, None])[:, 0]
    called = score.double() >= head.thresholds[0]
    f1 = [2 * (truth[:, 0][score >= t]).sum() / ((score >= t).sum() + truth.sum()) for t in torch.linspace(0, 1, 101)]
    assert float(2 * truth[called].sum() / (called.sum() + truth.sum())) >= float(max(f1)) - 1e-6


@pytest.mark.parametrize("target", ["superclass", "text:report", "labels:", ""])
def test_a_target_of_another_form_is_refused(target: str):
    with pytest.raises(RecipeError, match="expected labels:SET or value:NAME"):
        Supervised(4, target=target)


def test_a_target_that_no_training_row_knows_is_refused():
    with pytest.raises(RecipeError, match="no training row knows labels:x"):
        prepared("labels:x", torch.full((5, 2), NAN))
