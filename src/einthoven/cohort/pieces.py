"""One piece of a build: read some recordings, quantise them, and put them down where the rest of the build finds them.

A piece is a folder that gets its name when it is whole (`index.parquet`, `refused.parquet`, a table a kind of facts,
and `signals.bin` until that is in the shards). What it holds depends on its items alone, so it may be made by any
worker, in any order, again.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
import polars as pl

from einthoven.cohort.facts import Tables
from einthoven.cohort.shards import Shards
from einthoven.cohort.store import MISSING, REFUSED
from einthoven.core.errors import EinthovenError, OutputError
from einthoven.core.leads import Lead, order
from einthoven.core.output import writing
from einthoven.core.record import Record
from einthoven.sources import Item, Plan

COLUMNS = {
    "key": pl.String(), "stated": pl.String(), "samples": pl.Int64(), "leads": pl.String(), "rate": pl.Float64(),
    "site": pl.String(), "sha256": pl.String(), "constant": pl.Boolean(),
}  # fmt: skip
"""Index of a piece; `stated`: the subject that the source states, else null; `constant`: no lead ever changes."""


class Source(Protocol):
    """What a build needs of a data set (the contract of `einthoven.sources`)."""

    family: str
    licence: str
    citation: str
    version: str

    def plan(self, path: Path, /) -> Plan: ...

    def read(self, path: Path, items: Sequence[Item], /) -> Iterator[Record | EinthovenError]: ...


def make(source: Source, path: Path, items: Sequence[Item], place: Path, shards: Shards | None = None) -> int:
    """Build the piece of these items and return how many they are.

    Args:
        shards: where signals go at once, when all pieces before this one are in them.

    Raises:
        OutputError: the disk is full or the folder cannot be written.
    """
    with writing(place):
        scratch = Path(tempfile.mkdtemp(prefix=f"{place.name}-", suffix=".tmp", dir=place.parent))
    try:
        if shards is None:
            with _written(scratch / "signals.bin") as stream:

                def write(samples: memoryview) -> None:
                    with writing(place):
                        stream.write(samples)

                _fill(source, path, items, scratch, write)
        else:
            _fill(source, path, items, scratch, shards.write)
            shards.flush()
        if not place.exists():  # else a worker that outlived a killed run has made the same piece meanwhile
            with writing(place):
                os.rename(scratch, place)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return len(items)


def waiting(place: Path) -> bool:
    """Whether a piece's signals are not in the shards yet."""
    return not place.exists() or (place / "signals.bin").exists()


def append(place: Path, shards: Shards) -> None:
    """Move the signals of a piece to the end of the shards."""
    with open(place / "signals.bin", "rb") as stream:
        for size in sizes(listed(place)):
            samples = stream.read(2 * size)
            if len(samples) < 2 * size:
                raise _damaged(place)
            shards.write(samples)
    shards.flush()
    with writing(place):
        (place / "signals.bin").unlink()


def listed(place: Path) -> pl.DataFrame:
    """The index of a piece (`COLUMNS`)."""
    try:
        return pl.read_parquet(place / "index.parquet")
    except (OSError, pl.exceptions.PolarsError) as error:
        raise _damaged(place) from error


def _damaged(place: Path) -> OutputError:
    """No kill does this, but a failure of power: the name was on the disk before the content."""
    return OutputError(
        place, "is not as it was written", fix=f"remove {place.parent.parent} and begin anew", reason="damaged"
    )


def sizes(index: pl.DataFrame) -> list[int]:
    """How many numbers each recording has."""
    return (index["samples"] * (index["leads"].str.count_matches(" ") + 1)).to_list()


def _fill(
    source: Source, path: Path, items: Sequence[Item], folder: Path, write: Callable[[memoryview], Any]
) -> None:  # fmt: skip
    index: list[tuple[str, str | None, int, str, float, str, str, bool]] = []
    refused: list[tuple[str, str, str, str]] = []
    facts = Tables()
    for item, record in zip(items, source.read(path, items), strict=True):
        try:
            if isinstance(record, EinthovenError):
                raise record
            stored = microvolts(record)
        except EinthovenError as error:
            # without the folder, so that a cohort does not depend on where its files lay
            refused.append((item.key, item.path, error.reason, str(error).replace(f"{path}{os.sep}", "")))
            continue
        facts.add(len(index), record.facts)
        index.append((
            item.key, record.subject if item.subject is None else item.subject, len(stored), _joined(record.leads),
            record.rate, record.site or item.site, identity(stored, record.leads), constant(stored),
        ))  # fmt: skip
        write(stored.data)
    save(pl.DataFrame(index, COLUMNS, orient="row"), folder / "index.parquet")
    save(pl.DataFrame(refused, REFUSED, orient="row"), folder / "refused.parquet")
    for kind, table in facts.frames().items():
        save(table, folder / f"{kind}.parquet")


def microvolts(record: Record) -> np.ndarray:
    """The recording as it is stored: int16 microvolts (samples, leads), rounded half to even, NaN as -32768."""
    scaled = record.signal * np.float32(1000)
    np.rint(scaled, out=scaled)
    if np.isnan(scaled.min()):
        scaled[np.isnan(scaled)] = MISSING
    return scaled.astype(np.int16).T.copy()


def identity(stored: np.ndarray, leads: tuple[Lead, ...]) -> str:
    """SHA-256 of the int16 samples with leads in canonical order: equal for the same recording under other names."""
    place = _place(leads)
    return hashlib.sha256((stored if place is None else np.ascontiguousarray(stored[:, place])).data).hexdigest()


def constant(stored: np.ndarray) -> bool:
    """Whether no lead ever changes: nothing was connected, and such recordings of different people are alike."""
    # nearly always three samples tell that a recording is not constant; gaps are no change
    few = stored[[0, len(stored) // 2, -1]]
    if (few != MISSING).all() and (few != few[0]).any():
        return False
    present = stored != MISSING
    low = np.where(present, stored, 32767).min(axis=0)
    return bool((low >= stored.max(axis=0)).all())


@lru_cache(maxsize=64)
def _place(leads: tuple[Lead, ...]) -> list[int] | None:
    """Positions that sort the leads canonically, None where they are so."""
    place = order(leads)
    return None if place == sorted(place) else place


@lru_cache(maxsize=64)
def _joined(leads: tuple[Lead, ...]) -> str:
    return " ".join(lead.replace(" ", "\u00a0") for lead in leads)


def save(table: pl.DataFrame, path: Path) -> None:
    """Write a table."""
    content = io.BytesIO()  # polars would report a full disk as an error of its own
    table.write_parquet(content, compression="zstd", statistics=False)
    with _written(path) as stream, writing(path):
        stream.write(content.getbuffer())


@contextmanager
def _written(path: Path) -> Iterator[BinaryIO]:
    """A file to write to; errors within the block that are not of writing are not taken for such."""
    with writing(path):
        stream = open(path, "wb")  # noqa: SIM115
    try:
        yield stream
    finally:
        with writing(path):
            stream.close()
