"""Resamples of subjects: one matrix of counts a task, the same for every arm, label and seed.

Shapes: G test subjects, n records, R resamples. A resample draws G subjects with replacement, so its counts are
Multinomial(G; 1/G, ..); a record weighs as often as its subject was drawn, and all records of a subject stay together.
Several splits (halves, folds) are drawn each on its own. Column 0 is the sample itself, weights 1: the same code gives
the figure and its resamples. Resampling by record is not offered: it is wrong where subjects have several records.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from einthoven.core.random import generator
from einthoven.evaluate.table import Table

BLOCK_BYTES = 64 << 20
"""Size of one block of record weights; a test part of 2,000 records and 1,000 resamples is one block."""


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """Counts of the subjects of each split, (G, 1 + R) int16, and how many resamples were drawn anew."""

    counts: tuple[np.ndarray, ...]
    subject_of_record: tuple[np.ndarray, ...]
    redrawn: int

    @property
    def columns(self) -> int:
        """1 + R."""
        return self.counts[0].shape[1]

    def weights(self, split: int) -> Iterator[tuple[slice, np.ndarray]]:
        """Blocks of columns and the float64 weights of the records in them, (n, columns of the block)."""
        counts_GC, of_record_n = self.counts[split], self.subject_of_record[split]
        width = max(32, BLOCK_BYTES // (8 * max(len(of_record_n), 1)))
        for first in range(0, self.columns, width):
            columns = slice(first, min(first + width, self.columns))
            yield columns, counts_GC[of_record_n, columns].astype(np.float64)


def draw(table: Table, listed: Sequence[bool], *, task_name: str, seed: int, resamples: int) -> Bootstrap:
    """The matrix of a task, from the stream (seed, task, "boot").

    A resample in which a listed label lacks a positive or a negative subject is drawn anew, for all arms and labels
    alike; this depends on truth only. Labels that are not listed may be undefined in a resample and are NaN there.

    Args:
        listed: for each label of the table whether it is in the fixed list.
    """
    rng = generator(seed, task_name, "boot")
    counts, of_record, redrawn = [], [], 0
    for split in table.splits:
        subjects, subject_n = split.subjects
        has_QG = _classes(split.test.truth_nK[:, np.asarray(listed, dtype=bool)], subject_n, len(subjects))
        drawn_GR = multinomial(rng, len(subjects), resamples)
        while len(bad := np.flatnonzero((has_QG @ drawn_GR == 0).any(axis=0))):
            drawn_GR[:, bad] = multinomial(rng, len(subjects), len(bad))
            redrawn += len(bad)
        counts.append(np.concatenate([np.ones((len(subjects), 1), np.int16), drawn_GR], axis=1))
        of_record.append(subject_n)
    return Bootstrap(tuple(counts), tuple(of_record), redrawn)


def multinomial(rng: np.random.Generator, G: int, R: int) -> np.ndarray:
    """Counts of G draws out of G, (G, R): the law of `rng.multinomial`, in a tenth of its time."""
    counts_GR = np.empty((G, R), dtype=np.int16)
    width = max(1, BLOCK_BYTES // (8 * G))
    for first in range(0, R, width):
        columns = min(width, R - first)
        drawn = rng.integers(G, size=(columns, G)) + np.arange(columns)[:, None] * G
        counts_GR[:, first : first + columns] = np.bincount(drawn.ravel(), minlength=columns * G).reshape(columns, G).T
    return counts_GR


def _classes(truth_nQ: np.ndarray, subject_n: np.ndarray, G: int) -> np.ndarray:
    """Which subjects have a positive, and which a negative, of each label: (2 Q, G) float32."""
    has_2QG = np.zeros((2, truth_nQ.shape[1], G), dtype=np.float32)
    for value in (0, 1):
        record, label = np.nonzero(truth_nQ == value)
        has_2QG[value, label, subject_n[record]] = 1
    return has_2QG.reshape(-1, G)
