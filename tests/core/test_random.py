"""Random numbers are a function of (seed, step, stream), never of history."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from einthoven.core.random import generator, number

seeds = st.integers(-(2**63), 2**63)


@given(seeds, st.integers(0, 10**9), st.text(max_size=10))
def test_a_number_is_63_bits_and_the_same_whenever_it_is_asked_for(seed: int, step: int, stream: str):
    first = number(seed, step, stream)
    generator(seed, step, stream).normal(size=3)  # history in between
    assert 0 <= first < 2**63
    assert number(seed, step, stream) == first


def test_neighbouring_seeds_steps_and_streams_share_no_number():
    triples = [(seed, step, stream) for seed in range(20) for step in range(50) for stream in ("order", "boot")]
    assert len({number(*triple) for triple in triples}) == len(triples)


def test_another_process_draws_the_same():
    code = "from einthoven.core.random import generator; print(generator(3, 7, 'order').integers(0, 2**62, 4).tolist())"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == str(generator(3, 7, "order").integers(0, 2**62, 4).tolist())


def test_the_streams_of_successive_steps_are_uncorrelated_and_standard():
    drawn = np.stack([generator(0, step, "augment.noise").normal(size=2000) for step in range(20)])
    correlation = np.corrcoef(drawn) - np.eye(20)
    assert np.abs(correlation).max() < 5 / np.sqrt(2000)  # 5 standard errors of a correlation of 0
    assert abs(drawn.mean()) < 5 / np.sqrt(drawn.size)
    assert abs(drawn.std() - 1) < 5 / np.sqrt(2 * drawn.size)
