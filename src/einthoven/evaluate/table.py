"""The prediction table as arrays: one Split a split, each with its train, validation and test rows.

The table is tidy (key, subject, split, part, label, truth, score, run), so anybody's predictions can enter. Shapes:
n test records sorted by key, K labels in the order of the table, S runs (seeds or draws) sorted by name, G subjects.
A column `seed` may say which runs are draws of few labels with one seed; they are averaged before anything else.
Unknown truth is NaN. What cannot be scored honestly is refused here: a person in two parts, a known truth without
score.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from einthoven.core.errors import TaskError, nearest

COLUMNS = ("key", "subject", "split", "part", "label", "truth", "score", "run")
SCHEMES = (("official",), ("half-a", "half-b"), tuple(f"fold-{fold}" for fold in range(5)))


@dataclass(frozen=True, eq=False)
class Rows:
    """One part of one split in one run: subject_n (any sortable type), truth_nK and score_nK (NaN = unknown)."""

    key_n: np.ndarray
    subject_n: np.ndarray
    truth_nK: np.ndarray
    score_nK: np.ndarray


@dataclass(frozen=True, eq=False)
class Split:
    """One split of the table. Test rows are the same in all runs; validation rows may differ (few-label draws)."""

    name: str
    train: Rows
    test: Rows
    score_SnK: np.ndarray
    validation: tuple[Rows, ...]

    @property
    def subjects(self) -> tuple[np.ndarray, np.ndarray]:
        """The G test subjects in order, and the number in it of each test record."""
        return np.unique(self.test.subject_n, return_inverse=True)


@dataclass(frozen=True, eq=False)
class Table:
    labels: tuple[str, ...]
    runs: tuple[str, ...]
    splits: tuple[Split, ...]
    flags: tuple[str, ...] = ()
    seeds: tuple[str | None, ...] = ()
    """The seed of each run; None: it shares its seed, if it has one, with no other run."""

    @property
    def split(self) -> str:
        return " ".join(split.name for split in self.splits)


def read(predictions: pl.DataFrame, where: str) -> Table:
    """Check a prediction table and turn it into arrays.

    Args:
        predictions: one arm on one task; `seed` may be absent or null, further columns are ignored.
        where: name of the task, for messages.

    Raises:
        TaskError: a missing column, an unknown split or two schemes of splits, a doubled row, runs that do not share
            test rows, a subject in two parts, a missing score.
    """
    for column in COLUMNS:
        if column not in predictions.columns:
            raise TaskError(
                where, f"the prediction table has no column '{column}'", fix=nearest(column, predictions.columns)
            )
    frame = predictions.select(
        "key", "subject", pl.col("split", "part", "label", "run").cast(pl.String),
        pl.col("truth", "score").cast(pl.Float64).fill_null(float("nan")),
        pl.col("seed").cast(pl.String) if "seed" in predictions.columns else pl.lit(None, pl.String).alias("seed"),
    )  # fmt: skip
    if frame.is_empty():
        raise TaskError(where, "the prediction table is empty")
    labels = tuple(frame["label"].unique(maintain_order=True).to_list())
    runs = tuple(sorted(frame.filter(pl.col("part") == "test")["run"].unique().to_list()))
    if not runs:
        raise TaskError(where, "the prediction table has no test rows")
    names, missing = _scheme(frame["split"].unique().to_list(), where)
    number = {label: k for k, label in enumerate(labels)}
    frame = frame.with_columns(pl.col("label").replace_strict(number, return_dtype=pl.Int64).alias("k"))
    if frame.select("split", "run", "key", "label").is_duplicated().any():
        raise TaskError(where, "a record has two rows for one label", fix="score one arm at a time", reason="doubled")
    pieces = {
        (str(split), str(part), str(run)): piece
        for (split, part, run), piece in frame.partition_by("split", "part", "run", as_dict=True).items()
    }
    splits = [_split(name, runs, pieces, len(labels), frame, where) for name in names]
    flags = (f"without {' '.join(missing)}",) if missing else ()
    of_run = dict(frame.group_by("run").agg(pl.col("seed").unique()).iter_rows())
    seeds = tuple(of_run[run][0] if len(of_run[run]) == 1 else None for run in runs)
    return Table(labels, runs, tuple(splits), flags, seeds)


def together(seeds: Sequence[str | None]) -> list[list[int]]:
    """Numbers of the runs of each seed, by their first; a run without one is alone."""
    found: dict[str | int, list[int]] = {}
    for run, seed in enumerate(seeds):
        found.setdefault(run if seed is None else seed, []).append(run)
    return list(found.values())


def aligned(a: Table, b: Table, where: str) -> Table:
    """`b` with its labels in the order of `a`.

    Raises:
        TaskError: the two arms were not tested on the same splits, labels, records, subjects and truth.
    """
    if set(a.labels) != set(b.labels) or a.split != b.split:
        raise TaskError(where, "the two arms have other labels or splits", expected=a.split, got=b.split)
    order = [b.labels.index(label) for label in a.labels]
    b = replace(b, labels=a.labels, splits=tuple(_reordered(split, order) for split in b.splits))
    for one, two in zip(a.splits, b.splits, strict=True):
        if not (
            np.array_equal(one.test.key_n, two.test.key_n)
            and np.array_equal(one.test.subject_n, two.test.subject_n)
            and np.array_equal(one.test.truth_nK, two.test.truth_nK, equal_nan=True)
        ):
            raise TaskError(where, f"{one.name}: the two arms have other test records, subjects or truth")
    return b


def _reordered(split: Split, order: list[int]) -> Split:
    def rows(part: Rows) -> Rows:
        return replace(part, truth_nK=part.truth_nK[:, order], score_nK=part.score_nK[:, order])

    return replace(
        split, train=rows(split.train), test=rows(split.test), score_SnK=split.score_SnK[:, :, order],
        validation=tuple(rows(part) for part in split.validation),
    )  # fmt: skip


def _scheme(found: list[str], where: str) -> tuple[tuple[str, ...], list[str]]:
    """The splits present, in order, and those of the same scheme that are not."""
    for scheme in SCHEMES:
        if set(found) <= set(scheme):
            return tuple(name for name in scheme if name in found), [name for name in scheme if name not in found]
    raise TaskError(
        where, "splits do not belong together", expected="official, or half-a half-b, or fold-0 to fold-4",
        got=" ".join(sorted(found)), fix="score one of them at a time", reason="split",
    )  # fmt: skip


def _split(
    name: str, runs: tuple[str, ...], pieces: dict[tuple[str, str, str], pl.DataFrame], K: int, frame: pl.DataFrame,
    where: str,
) -> Split:  # fmt: skip
    where = f"{where} {name}"
    _refuse_leaks(frame.filter(pl.col("split") == name), where)
    empty = frame.clear()
    tests = [_rows(pieces.get((name, "test", run), empty), K) for run in runs]
    first = tests[0]
    for run, test in zip(runs, tests, strict=True):
        if not np.array_equal(test.key_n, first.key_n) or not np.array_equal(test.truth_nK, first.truth_nK, True):
            raise TaskError(where, "runs have other test records or truth", got=f"{runs[0]} and {run}", reason="runs")
        if np.isnan(test.truth_nK).all():
            raise TaskError(where, "no test row has known truth", reason="labels")
        lost = int((~np.isnan(test.truth_nK) & ~np.isfinite(test.score_nK)).sum())
        if lost:
            raise TaskError(
                where, f"{lost} test rows of known truth have no finite score", got=run, fix="predict every test record"
            )
    train = frame.filter((pl.col("split") == name) & (pl.col("part") == "train")).unique(["key", "label"])
    return Split(
        name, _rows(train, K), first, np.stack([test.score_nK for test in tests]),
        tuple(_rows(pieces.get((name, "validation", run), empty), K) for run in runs),
    )  # fmt: skip


def _rows(piece: pl.DataFrame, K: int) -> Rows:
    people = piece.select("key", "subject").unique("key").sort("key")
    truth_nK, score_nK = (np.full((len(people), K), np.nan) for _ in range(2))
    row = piece["key"].rank("dense").to_numpy().astype(np.int64) - 1
    label = piece["k"].to_numpy()
    truth_nK[row, label], score_nK[row, label] = piece["truth"].to_numpy(), piece["score"].to_numpy()
    return Rows(people["key"].to_numpy(), people["subject"].to_numpy(), truth_nK, score_nK)


def _refuse_leaks(frame: pl.DataFrame, where: str) -> None:
    parts = frame.group_by("subject").agg(pl.col("part").n_unique())
    shared = parts.filter(pl.col("part") > 1)["subject"].sort().to_list()
    if shared:
        some = re.sub(r"[\[\]']", "", str(shared[:5]))
        raise TaskError(
            where, f"{len(shared)} subjects are in two parts", got=some, fix="split by subject", reason="leak"
        )
