"""Pooled vectors of windows and of whole cohorts. Shapes: W windows, L leads, T samples, R recordings, D width."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from einthoven.cohort import windows
from einthoven.cohort.store import Cohort
from einthoven.core.batch import Batch
from einthoven.core.layout import Layout
from einthoven.data.loader import Loader
from einthoven.training.checkpoint import Checkpoint

BATCH = 64


def embed_windows(checkpoint: Checkpoint, signal_WLT: np.ndarray, valid_WLT: np.ndarray) -> np.ndarray:
    """Windows already in the checkpoint's layout, (W, D) float32."""
    device = _device()
    encoder = checkpoint.encoder.to(device)
    out = []
    with torch.inference_mode():
        for start in range(0, len(signal_WLT), BATCH):
            signal = torch.from_numpy(np.ascontiguousarray(signal_WLT[start : start + BATCH], np.float32)).to(device)
            valid = torch.from_numpy(np.ascontiguousarray(valid_WLT[start : start + BATCH])).to(device)
            out.append(encoder(signal, valid, checkpoint.layout.rate).pooled.float().cpu().numpy())
    return np.concatenate(out) if out else np.zeros((0, checkpoint.encoder.width_out), np.float32)


def embed_cohort(checkpoint: Checkpoint, cohort: Cohort, rows: np.ndarray | None = None) -> np.ndarray:
    """One vector a recording, the mean over its windows, (R, D) float32, in the order of `rows` (None for all).

    A recording that has none of the layout's leads has no window: its vector is NaN.
    """
    rows = np.arange(len(cohort)) if rows is None else np.asarray(rows)
    device = _device()
    encoder = checkpoint.encoder.to(device)
    sum_RD = np.zeros((len(cohort), checkpoint.encoder.width_out))
    count_R = np.zeros(len(cohort))
    with torch.inference_mode():
        for batch in batches(checkpoint.layout, cohort, rows, BATCH, device):
            pooled = encoder(batch.signal, batch.valid, batch.rate).pooled.double().cpu().numpy()
            at = batch.row.cpu().numpy()
            np.add.at(sum_RD, at, pooled)
            np.add.at(count_R, at, 1)
    with np.errstate(invalid="ignore"):  # 0 / 0 where there is no window
        return (sum_RD[rows] / count_R[rows, None]).astype(np.float32)


def estimate_statistics(checkpoint: Checkpoint, cohort: Cohort, rows: np.ndarray) -> None:
    """Set running statistics of normalisation layers to their mean over batches of recordings; no weight is trained."""
    norms = [part for part in checkpoint.encoder.modules() if hasattr(part, "running_mean")]
    kept = [part.momentum for part in norms]
    with torch.no_grad():
        for i, batch in enumerate(batches(checkpoint.layout, cohort, rows, BATCH)):
            for part in norms:
                part.train()
                part.momentum = 1 / (i + 1)  # the running mean of all batches so far
            checkpoint.encoder(batch.signal, batch.valid, batch.rate)
    for part, momentum in zip(norms, kept):
        part.eval()
        part.momentum = momentum


def batches(
    layout: Layout, cohort: Cohort, rows: np.ndarray, batch: int, device: str = "cpu", facts: tuple[str, ...] = ()
) -> Iterator[Batch]:
    """All windows of the recordings in order, without augmentation."""
    index = windows.index(cohort, rows, layout)
    return Loader(cohort, layout, index, batch=1, seed=0, facts=facts, device=device).sequential(batch)


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"
