"""Cohort: open a prepared store and read from it. Shapes: B windows, T samples, L leads, K codes.

Signals lie in flat int16 shards, recordings end to end, samples x leads within a recording, so that a window is one
contiguous read; nothing is copied before it is asked for. `gather` is on the path of every training step.
"""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.lib.stride_tricks import as_strided

from einthoven.cohort import facts as tables
from einthoven.core.errors import CohortError, nearest
from einthoven.core.facts import Fact, LabelSet
from einthoven.core.leads import Lead
from einthoven.core.record import Record

SCHEMA_VERSION = 1
MISSING = -32768
"""What stands for a sample that the source did not have."""

INDEX = {
    "row": pl.Int64(), "key": pl.String(), "subject": pl.String(), "subject_id": pl.Int64(), "shard": pl.Int32(),
    "offset": pl.Int64(), "samples": pl.Int64(), "leads": pl.String(), "rate": pl.Float64(), "site": pl.String(),
    "sha256": pl.String(),
}  # fmt: skip
"""Columns of `index.parquet`: offset counts int16 numbers from the shard's first; leads are joined by spaces (a
space within a name is a no-break space there); sha256 is that of the int16 samples with leads in canonical order."""

REFUSED = {"key": pl.String(), "path": pl.String(), "reason": pl.String(), "message": pl.String()}


class Cohort:
    """A prepared store of recordings.

    path: its folder. card: what `card.json` says. index: one row a recording (`INDEX`). refused: the files left out and
    why. label_sets: by name. fingerprint: digest of signals, index and facts, the same on every machine.
    """

    def __init__(self, path: Path, card: dict[str, Any], index: pl.DataFrame, refused: pl.DataFrame) -> None:
        self.path, self.card, self.index, self.refused = path, card, index, refused
        self.fingerprint: str = card["fingerprint"]
        self.label_sets = {
            name: LabelSet(name, entry["system"], tuple(entry["codes"]), entry["closed"], entry["exclusive"])
            for name, entry in card["label_sets"].items()
        }
        self._shard = index["shard"].to_numpy()
        self._offset = index["offset"].to_numpy()
        self._samples = index["samples"].to_numpy()
        self._width = index["leads"].str.count_matches(" ").to_numpy().astype(np.int64) + 1
        self._facts: dict[str, pl.DataFrame] = {}

    @classmethod
    def open(cls, path: str | Path) -> Cohort:
        """Open the cohort in a folder; no signal is read.

        Raises:
            CohortError: no cohort, another schema version, or files that do not fit the card.
        """
        path = Path(path)
        card = _card(path)
        index = _parquet(path / "index.parquet", INDEX)
        cohort = cls(path, card, index, _parquet(path / "refused.parquet", REFUSED))
        if len(index) != card["counts"]["records"] or not np.array_equal(index["row"], np.arange(len(index))):
            raise CohortError(
                path / "index.parquet", "does not fit the card", expected=f"{card['counts']['records']} rows",
                got=len(index), fix="prepare the cohort again", reason="damaged",
            )  # fmt: skip
        for shard in np.unique(cohort._shard).tolist():
            mine = cohort._shard == shard
            end = int((cohort._offset + cohort._samples * cohort._width)[mine].max())
            if int(cohort._offset[mine].min()) < 0 or end > len(cohort._flat(shard)):
                raise CohortError(
                    cohort._shard_path(shard), "is cut short", expected=f"{end} samples", got=len(cohort._flat(shard)),
                    fix="prepare the cohort again", reason="damaged",
                )  # fmt: skip
        return cohort

    def __len__(self) -> int:
        return len(self.index)

    def __repr__(self) -> str:
        return f"Cohort({str(self.path)!r}: {len(self)} recordings of {self.card['counts']['subjects']} subjects)"

    def __reduce__(self) -> tuple[Any, ...]:
        return (Cohort.open, (self.path,))  # a worker maps the files itself

    # Signals

    def leads(self, row: int) -> tuple[Lead, ...]:
        """Names of the leads of one recording, in the order of its samples."""
        return tuple(Lead(name) for name in self.index["leads"][int(row)].split(" "))

    def signal(self, row: int) -> np.ndarray:
        """One recording as stored: int16 microvolts (samples, leads), a read-only view; -32768 is missing."""
        start, width = self._offset[row], self._width[row]
        return self._flat(self._shard[row])[start : start + self._samples[row] * width].reshape(-1, width)

    def record(self, row: int) -> Record:
        """One recording as a Record: millivolts, NaN where missing, with all its facts."""
        stored = self.signal(row)
        signal = stored.T.astype(np.float32) / np.float32(1000)
        signal[stored.T == MISSING] = np.nan
        entry = self.index.row(int(row), named=True)
        found: list[Fact] = []
        for kind in tables.SCHEMAS:
            table = self.facts(kind)
            first, last = np.searchsorted(table["row"].to_numpy(), [row, row + 1]).tolist()
            if last > first:
                found += tables.of_row(kind, table[first:last])
        return Record(
            entry["key"], self.leads(row), signal, entry["rate"], entry["subject"], tuple(found), entry["site"]
        )

    def gather(self, rows: np.ndarray, starts: np.ndarray, samples: int) -> np.ndarray:
        """Windows of several recordings in one array.

        Args:
            rows: recordings (B,), all with the same lead list and rate (the caller groups them).
            starts: first sample of each window (B,) in the recording's own samples; it may be negative.
            samples: length of the windows; they may reach beyond the recording's ends.

        Returns:
            int16 microvolts (B, samples, L); -32768 where missing or outside the recording.

        Raises:
            CohortError: the recordings differ in their number of leads.
        """
        rows, starts = np.asarray(rows), np.asarray(starts)
        if len(rows) == 0:
            raise CohortError(self.path, "no window to gather", expected="at least one row", reason="empty")
        width = int(self._width[rows[0]])
        if not (self._width[rows] == width).all():
            raise CohortError(
                self.path, "windows differ in their leads", expected=f"{width} leads in each",
                got=np.unique(self._width[rows]).tolist(), fix="gather recordings of one lead list at a time",
            )  # fmt: skip
        first = self._offset[rows] + starts * width
        shards = self._shard[rows]
        if (shards == shards[0]).all():
            out = _windows(self._flat(shards[0]), first, samples * width)
        else:
            out = np.empty((len(rows), samples * width), np.int16)
            for shard in np.unique(shards).tolist():
                mine = shards == shard
                out[mine] = _windows(self._flat(shard), first[mine], samples * width)
        out = out.reshape(len(rows), samples, width)
        over = starts + samples - self._samples[rows]
        if starts.min() < 0 or over.max() > 0:
            # the read ran into the neighbour in the shard
            time = np.arange(samples)
            out[(time < -starts[:, None]) | (time >= samples - over[:, None])] = MISSING
        return out

    def _shard_path(self, shard: int) -> Path:
        return self.path / "signals" / f"{shard:05d}.npy"

    def _flat(self, shard: int) -> np.ndarray:
        maps = self._maps
        if shard not in maps:
            maps[shard] = _shard(self._shard_path(shard))
        return maps[shard]

    @cached_property
    def _maps(self) -> dict[int, np.ndarray]:
        return {}

    # Facts

    def facts(self, kind: str) -> pl.DataFrame:
        """All facts of a kind as a tidy table, ordered by `row`; empty where the cohort has none.

        Args:
            kind: labels, value, category, text, events, outcome, table or waves.
        """
        if kind not in tables.SCHEMAS:
            raise CohortError(self.path, f"no facts of kind '{kind}'", fix=nearest(kind, tables.SCHEMAS), reason="fact")
        if kind not in self._facts:
            path = self.path / "facts" / f"{kind}.parquet"
            schema = tables.SCHEMAS[kind]
            self._facts[kind] = _parquet(path, schema) if path.exists() else pl.DataFrame(schema=schema)
        return self._facts[kind]

    def names(self, kind: str) -> list[str]:
        """The names of the facts of a kind, sorted."""
        return self.facts(kind)["name"].unique().sort().to_list()

    def labels(self, name: str, likelihood: float | None = None) -> tuple[tuple[str, ...], np.ndarray]:
        """The truth of one label set.

        Args:
            name: of the label set.
            likelihood: least likelihood in percent for a code to count; None counts every code that is stated,
                whatever its likelihood. A code without likelihood counts always.

        Returns:
            codes (K) in column order, and float32 (rows, K): 1 present, 0 absent, NaN unknown. In a closed set a
            recording with any code is complete and one without stands outside, all NaN; in an open set only what is
            stated is known.

        Raises:
            CohortError: there is no such label set.
        """
        if name not in self.label_sets:
            raise CohortError(
                self.path, f"no label set called '{name}'", fix=nearest(name, self.label_sets), reason="fact"
            )
        chosen = self.label_sets[name]
        table = self.facts("labels").filter(pl.col("name") == name)
        if likelihood is not None:
            table = table.filter((pl.col("likelihood") >= likelihood).fill_null(True))
        truth = np.full((len(self), len(chosen.codes)), np.nan, np.float32)
        rows = table["row"].to_numpy()
        if chosen.closed:
            truth[rows] = 0
        place = pl.DataFrame(
            {"code": chosen.codes, "column": range(len(chosen.codes))}, {"code": pl.String(), "column": pl.Int64()}
        )
        columns = table.select("code").join(place, on="code", how="left", maintain_order="left")["column"].to_numpy()
        truth[rows, columns] = table["present"].to_numpy()
        return chosen.codes, truth

    def values(self, name: str) -> np.ndarray:
        """The numbers of that name, float64 (rows,), NaN where unknown; the first where a recording has several."""
        table = self._named("value", name)
        out = np.full(len(self), np.nan)
        out[table["row"].to_numpy()] = table["value"].to_numpy()
        return out

    def categories(self, name: str) -> list[str | None]:
        """The words of that name, one a row, None where unknown; the first where a recording has several."""
        table = self._named("category", name)
        out: list[str | None] = [None] * len(self)
        for row, word in zip(table["row"].to_list(), table["value"].to_list()):
            out[row] = word
        return out

    def _named(self, kind: str, name: str) -> pl.DataFrame:
        table = self.facts(kind).filter(pl.col("name") == name)
        if not len(table):
            raise CohortError(
                self.path, f"no {kind} called '{name}'", fix=nearest(name, self.names(kind)), reason="fact"
            )
        return table.unique("row", keep="first", maintain_order=True)


def _windows(flat: np.ndarray, first: np.ndarray, length: int) -> np.ndarray:
    """Runs of `length` numbers that begin at `first`, (B, length); what lies outside the shard is missing."""
    last = len(flat) - length
    if last >= 0:
        # Rows of this view overlap and each is contiguous, so that taking some of them is one memory copy a window.
        runs = as_strided(flat, (last + 1, length), (flat.itemsize, flat.itemsize), writeable=False)
        out = runs[np.clip(first, 0, last)]
    else:
        out = np.empty((len(first), length), flat.dtype)
    for i in np.flatnonzero((first < 0) | (first > last)):  # only at the shard's two ends
        begin, end = max(first[i], 0), min(first[i] + length, len(flat))
        out[i] = MISSING
        out[i, max(-first[i], 0) : max(-first[i], 0) + max(end - begin, 0)] = flat[begin:end] if end > begin else []
    return out


def _card(path: Path) -> dict[str, Any]:
    place = path / "card.json"
    try:
        card = json.loads(place.read_text("utf-8"))
        version = card["schema"]
    except FileNotFoundError as error:
        raise CohortError(
            path, "is no cohort", expected="a folder with card.json",
            fix="make one: einthoven prepare SOURCE PATH COHORT", reason="missing",
        ) from error  # fmt: skip
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise CohortError(
            place, "is no card of a cohort", got=error, fix="prepare it again", reason="damaged"
        ) from error
    if version != SCHEMA_VERSION:
        raise CohortError(
            path, "is of another schema version", expected=SCHEMA_VERSION, got=version,
            fix="prepare it again with this einthoven, or install the one that made it", reason="schema",
        )  # fmt: skip
    return card


def _parquet(path: Path, schema: dict[str, Any]) -> pl.DataFrame:
    try:
        table = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise CohortError(
            path, "cannot be read", got=error, fix="prepare the cohort again", reason="damaged"
        ) from error
    if dict(table.schema) != schema:
        raise CohortError(
            path, "has other columns", expected=", ".join(schema), got=", ".join(table.columns),
            fix="prepare the cohort again", reason="damaged",
        )  # fmt: skip
    return table


def _shard(path: Path) -> np.ndarray:
    try:
        flat = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise CohortError(
            path, "cannot be read", got=error, fix="prepare the cohort again", reason="damaged"
        ) from error
    if flat.ndim != 1 or flat.dtype != np.dtype("<i2"):
        raise CohortError(
            path, "is no shard", expected="flat int16", got=f"{flat.dtype} {flat.shape}", reason="damaged"
        )
    return np.asarray(flat)
