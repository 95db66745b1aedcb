"""Temperatures and thresholds against slow searches and against the evaluation's own."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax

from einthoven.objectives._calibration import f1_thresholds, temperatures


def draw(seed: int, rows: int, labels: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    logit = generator.normal(-1, 2, (rows, labels))
    truth = (generator.random((rows, labels)) < expit(logit / 1.7)).astype(float)
    truth[generator.random(truth.shape) < 0.1] = np.nan
    return truth, logit


def cheapest(cost) -> float:
    """The temperature of the least cost, by a search of SciPy's."""
    return minimize_scalar(cost, bounds=(0.05, 20), method="bounded").x


def test_label_temperatures_maximise_the_likelihood():
    truth, logit = draw(0, 300, 3)
    for k, got in enumerate(temperatures(truth, logit, exclusive=False)):
        known = ~np.isnan(truth[:, k])
        n = known.sum()
        t, x = (truth[known, k] * n + 1) / (n + 2), logit[known, k]
        assert got == pytest.approx(cheapest(lambda T, x=x, t=t: np.sum(np.logaddexp(0, x / T) - t * x / T)), rel=1e-3)


def test_the_exclusive_temperature_maximises_the_likelihood_of_the_choices():
    generator = np.random.default_rng(1)
    logit = generator.normal(0, 2, (400, 4))
    choice = [generator.choice(4, p=np.exp(log_softmax(row / 2.5))) for row in logit]
    truth = np.eye(4)[choice]
    truth[:20] = np.nan
    got = temperatures(truth, logit, exclusive=True)
    assert np.unique(got).size == 1
    truth = (truth * 380 + 1) / 384
    assert got[0] == pytest.approx(cheapest(lambda T: -np.nansum(truth * log_softmax(logit / T, axis=1))), rel=1e-3)


def test_a_few_separated_rows_do_not_make_certainty():
    truth, logit = np.array([[1], [1], [0], [0]], float), np.array([[2], [1], [-1], [-2]], float)
    got = temperatures(truth, logit, exclusive=False)[0]
    assert expit(2 / got) < 0.95  # unsoftened, the likelihood rises without end
    both = temperatures(np.hstack([truth, 1 - truth]), np.hstack([logit, -logit]), exclusive=True)[0]
    assert both == pytest.approx(2 * got, rel=1e-6)  # a choice of two is one label with the difference of the logits


def test_a_label_with_one_class_keeps_temperature_1():
    truth = np.array([[1, 0, np.nan], [1, 0, np.nan]], float)
    assert temperatures(truth, np.ones((2, 3)), exclusive=False).tolist() == [1, 1, 1]


def test_thresholds_have_the_highest_f1_and_of_equals_the_higher_score():
    truth = np.array([[1], [1], [0], [0], [1], [0]], float)
    score = np.array([[0.9], [0.8], [0.7], [0.6], [0.5], [0.1]])
    # the slow search over all scores decides
    f1 = {t: 2 * truth[score >= t].sum() / ((score >= t).sum() + 3) for t in score[:, 0]}
    best = max(f1.values())
    assert f1_thresholds(truth, score, np.array([0.5])) == [max(t for t in f1 if f1[t] == best)] == [0.8]
    tie = np.array([[1], [0], [0], [1]], float)  # 2/3 at 0.9 and again at 0.6
    assert f1_thresholds(tie, np.array([[0.9], [0.8], [0.7], [0.6]]), np.array([0.5])) == [0.9]


def test_thresholds_without_positives_or_without_truth():
    truth = np.array([[0, np.nan]] * 5)
    score = np.linspace(0, 1, 5)[:, None].repeat(2, 1)
    assert f1_thresholds(truth, score, np.array([0.25, 0.25])) == [0.75, None]


def test_thresholds_are_those_of_the_evaluation():
    """Two implementations by two people of the rule of evaluation.md C."""
    metrics = pytest.importorskip("einthoven.evaluate.metrics")
    truth, logit = draw(2, 200, 5)
    score = np.round(expit(logit), 2)  # with ties
    assert f1_thresholds(truth, score, np.full(5, 0.3)) == metrics.thresholds(truth, score).tolist()
