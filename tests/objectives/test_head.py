"""The head computes what its arrays say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from einthoven.objectives import Head

ARRAYS = {
    "mean": np.array([1.0, -1.0]),
    "scale": np.array([2.0, 0.5]),
    "weight": np.array([[1.0, 0.0], [0.5, -1.0], [0.0, 2.0]]),
    "bias": np.array([0.1, 0.2, 0.3]),
    "temperature": np.array([1.0, 2.0, 4.0]),
    "thresholds": np.array([0.5, np.nan, 0.25]),
}


@pytest.mark.parametrize("kind", ["multilabel", "exclusive", "value"])
def test_standardise_multiply_divide_and_squash(kind):
    head = Head.of(ARRAYS, ("a", "b", "c"), kind, "mV")
    pooled = np.array([[3.0, 0.0], [0.0, 0.0]])
    logit = ((pooled - ARRAYS["mean"]) / ARRAYS["scale"]) @ ARRAYS["weight"].T + ARRAYS["bias"]
    logit = logit / ARRAYS["temperature"]
    want = {
        "multilabel": 1 / (1 + np.exp(-logit)),
        "exclusive": np.exp(logit) / np.exp(logit).sum(1, keepdims=True),
        "value": logit,
    }[kind]
    np.testing.assert_allclose(head(torch.from_numpy(pooled).float()).numpy(), want, rtol=1e-6)


def test_what_was_not_fitted_is_none_and_there_is_nothing_to_train():
    head = Head.of(ARRAYS, ("a", "b", "c"), "multilabel")
    assert head.thresholds == (0.5, None, 0.25)
    assert list(head.parameters()) == []
    bare = Head.of({"weight": ARRAYS["weight"], "bias": ARRAYS["bias"]}, ("a", "b", "c"), "multilabel")
    assert bare.thresholds is None
    assert bare.temperature.tolist() == [1, 1, 1]
