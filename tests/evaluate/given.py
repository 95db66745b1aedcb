"""Made-up predictions: prediction tables of any size, and clustered binormal scores whose true AUROC is known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from scipy.special import ndtri

from einthoven.cohort.build import build
from einthoven.core.registry import load


def table(
    truth_NK: np.ndarray, score_NK: np.ndarray, subject_N: np.ndarray, part_N: np.ndarray, *, run: str = "arm#0",
    split: str = "official", labels: list[str] | None = None,
) -> pl.DataFrame:  # fmt: skip
    """The tidy prediction table of arrays; records are keyed by their number."""
    N, K = truth_NK.shape
    names = labels or [f"label{k}" for k in range(K)]
    frame = pl.DataFrame({
        "key": np.repeat([f"r{i:05d}" for i in range(N)], K), "subject": np.repeat(subject_N, K),
        "split": [split] * (N * K), "part": np.repeat(part_N, K), "label": names * N,
        "truth": truth_NK.ravel().astype(float), "score": score_NK.ravel().astype(float), "run": [run] * (N * K),
    })  # fmt: skip
    return frame.with_columns(pl.col("truth").fill_nan(None))


@dataclass(frozen=True)
class Records:
    """Records of many subjects: truth_N, score_AN of some arms, subject_N."""

    truth: np.ndarray
    scores: np.ndarray
    subject: np.ndarray

    def counts(self) -> tuple[int, int]:
        """Subjects with a positive, with a negative record."""
        return tuple(len(np.unique(self.subject[self.truth == value])) for value in (1, 0))


def binormal(
    rng: np.random.Generator, positives: int, auroc: float, *, negatives: int = 500, spread: float = 1.0,
    records: float = 1.15, share: float = 0.6, shared_noise: float = 0.8, arms: int = 1,
) -> Records:  # fmt: skip
    """Scores N(0, 1) of negative and N(mu, spread^2) of positive records, mu such that the AUROC is `auroc`.

    A subject has `records` on average; `share` of the variance is the subject's; a positive subject's further records
    are positive with probability .85; arms share `shared_noise` of their variance.
    """
    G = positives + negatives
    extra_G = rng.poisson(records - 1, size=G)
    subject = np.concatenate([np.arange(G), np.repeat(np.arange(G), extra_G)])
    first = np.arange(len(subject)) < G
    truth = (subject < positives) & (first | (rng.random(len(subject)) < 0.85))

    def noise() -> np.ndarray:
        return np.sqrt(share) * rng.normal(size=G)[subject] + np.sqrt(1 - share) * rng.normal(size=len(subject))

    common = noise()
    noise_AN = np.stack([np.sqrt(shared_noise) * common + np.sqrt(1 - shared_noise) * noise() for _ in range(arms)])
    mu = ndtri(auroc) * np.sqrt(1 + spread**2)
    return Records(truth.astype(float), noise_AN * np.where(truth, spread, 1.0) + mu * truth, subject)


def simulated(folder: Path, patients: int) -> Path:
    """A cohort of short simulated recordings."""
    build(load("sources", "simulated")(patients=patients, rate=100, seconds=3, seed=5), folder, folder, workers=1)
    return folder


def tiny(folder: Path, cohort: Path) -> Path:
    """The run of a narrow encoder, two steps long."""
    from einthoven.training import loop

    recipe = {
        "name": "tiny", "data": {"cohort": str(cohort)}, "layout": {"seconds": 3},
        "encoder": {"name": "resnet", "width": 4}, "objective": {"name": "simclr"},
        "training": {"steps": 2, "batch": 16, "validate_every": 0},
    }  # fmt: skip
    loop.train(recipe, folder)
    return folder
