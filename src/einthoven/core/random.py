"""Randomness as a function of (seed, step, stream), never of history.

So a resumed run draws what the uninterrupted one drew, and two workers never repeat each other. A stream is a word that
names the purpose (`"order"`, `"augment.noise"`, `"boot"`).
"""

from __future__ import annotations

import hashlib

import numpy as np


def number(seed: int, step: int | str, stream: str) -> int:
    """63 random bits for (seed, step, stream): the seed of any other generator, torch's among them."""
    digest = hashlib.blake2b(f"{seed}|{step}|{stream}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def generator(seed: int, step: int | str, stream: str) -> np.random.Generator:
    """A NumPy generator (Philox, counter-based) for (seed, step, stream)."""
    return np.random.Generator(np.random.Philox(number(seed, step, stream)))
