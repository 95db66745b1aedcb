"""A file, a folder or a cohort through a checkpoint's encoder: one pooled vector a recording, refusals listed.

`embed` and `predict` stand on this. Recordings are read and brought into the checkpoint's layout by the one order of
processing, a block at a time, and go through the network in batches of equal length, so memory does not grow with the
folder. Shapes: N recordings, W windows, L leads, T samples, D width.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from einthoven import formats
from einthoven.app import need_training
from einthoven.core.errors import EinthovenError, FormatError
from einthoven.core.layout import Layout
from einthoven.core.leads import ANY, pick
from einthoven.core.output import replaced_file
from einthoven.core.record import Record
from einthoven.formats import Mapping
from einthoven.signal import processing

if TYPE_CHECKING:
    import polars as pl

    from einthoven.cohort.store import Cohort
    from einthoven.training.checkpoint import Checkpoint

BLOCK = 64
"""Recordings that are in memory together."""

ROW = {"file": str, "key": str, "rate": float, "seconds": float, "windows": int, "derived": str, "missing": str}
"""Columns that say what was done to a recording on its way into the layout."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """What came of a path: a table row and a pooled vector for each recording, and a row for each refusal."""

    rows: list[dict[str, Any]]
    pooled_ND: np.ndarray
    refused: list[tuple[str, EinthovenError]]


def load(place: str | Path | None, verb: str) -> Checkpoint:
    """The checkpoint, or the one command that brings what is missing to use it."""
    if place is None:
        raise FormatError(
            verb, "no checkpoint given", fix=f"einthoven {verb} PATH --checkpoint FOLDER", reason="checkpoint"
        )
    need_training(verb)
    from einthoven.training import checkpoint

    return checkpoint.load(Path(place))


def encode(path: str | Path, checkpoint: Checkpoint, mapping: Mapping | None = None) -> Encoded:
    """Encode what stands at a path.

    Args:
        path: a recording, a folder of recordings, or a cohort.
        mapping: what the files do not state (rate, unit, lead); not for cohorts.

    Raises:
        FormatError and others: the path is one recording that cannot be used, or a folder without recordings.
    """
    from einthoven.cohort.store import Cohort

    path = Path(path)
    if (path / "card.json").is_file():
        return _encode_blocks(_of_cohort(Cohort.open(path)), checkpoint)
    if path.is_dir():
        files = formats.find(path)
        if not files:
            raise FormatError(path, "holds no recording", expected="files of a known format", reason="empty",
                              fix=f"einthoven check {path}")  # fmt: skip
        # what is said for the files that state nothing does not contradict those that do
        lenient = replace(mapping, strict=False) if mapping else None
        return _encode_blocks(_of_files(files, path, lenient), checkpoint)
    encoded = _encode_blocks([(path.name, formats.read(path, mapping))], checkpoint)
    if encoded.refused:
        raise encoded.refused[0][1]
    return encoded


Read = tuple[str, "Record | EinthovenError"]


def _of_files(files: Sequence[Path], folder: Path, mapping: Mapping | None) -> Iterator[Read]:
    for file in files:
        name = file.relative_to(folder).as_posix()
        try:
            yield name, formats.read(file, mapping)
        except EinthovenError as error:
            yield name, error


def _of_cohort(cohort: Cohort) -> Iterator[Read]:
    for row in range(len(cohort.index)):
        record = cohort.record(row)
        yield record.key, record


def _encode_blocks(stream: Any, checkpoint: Checkpoint) -> Encoded:
    rows: list[dict[str, Any]] = []
    pooled: list[np.ndarray] = []
    refused: list[tuple[str, EinthovenError]] = []
    block: list[tuple[dict[str, Any], np.ndarray, np.ndarray]] = []

    def flush() -> None:
        rows.extend(row for row, _, _ in block)
        pooled.extend(_pool([(signal, valid) for _, signal, valid in block], checkpoint))
        block.clear()

    for name, record in stream:
        try:
            if isinstance(record, EinthovenError):
                raise record
            signal_WLT, valid_WLT, _ = processing.windows(record, checkpoint.layout)
            block.append((_row(name, record, checkpoint.layout, len(signal_WLT)), signal_WLT, valid_WLT))
        except EinthovenError as error:
            refused.append((name, error))
        if len(block) >= BLOCK:
            flush()
    flush()
    width = checkpoint.encoder.width_out
    return Encoded(rows, np.stack(pooled) if pooled else np.zeros((0, width), np.float32), refused)


def _row(name: str, record: Record, layout: Layout, windows: int) -> dict[str, Any]:
    """What was done to one recording on its way into the layout."""
    status = pick(record.leads, layout.leads, name)[1]
    by_status = defaultdict(list)
    for lead, how in zip(record.leads if layout.leads == (ANY,) else layout.leads, status, strict=True):
        by_status[how].append(lead)
    return {
        "file": name, "key": record.key, "rate": record.rate, "seconds": round(record.seconds, 3), "windows": windows,
        "derived": " ".join(by_status["derived"]), "missing": " ".join(by_status["missing"]),
    }  # fmt: skip


def _pool(windows: list[tuple[np.ndarray, np.ndarray]], checkpoint: Checkpoint) -> list[np.ndarray]:
    """Mean over each recording's windows of the pooled vector; windows of one length share batches."""
    from einthoven.training.embedding import embed_windows

    by_length: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for i, (signal_WLT, _) in enumerate(windows):
        by_length[signal_WLT.shape[2]] += [(i, w) for w in range(len(signal_WLT))]
    sums = [np.zeros(checkpoint.encoder.width_out) for _ in windows]
    for places in by_length.values():
        for start in range(0, len(places), BLOCK):
            batch = places[start : start + BLOCK]
            signal_BLT = np.stack([windows[i][0][w] for i, w in batch])
            valid_BLT = np.stack([windows[i][1][w] for i, w in batch])
            for (i, _), pooled_D in zip(batch, embed_windows(checkpoint, signal_BLT, valid_BLT), strict=True):
                sums[i] += pooled_D
    return [(total / len(windows[i][0])).astype(np.float32) for i, total in enumerate(sums)]


def refuse_suffix(out: str | Path | None) -> None:
    """Say that a table cannot be written in that form, before the work is done."""
    if out is not None and Path(out).suffix not in (".parquet", ".csv"):
        got = Path(out).suffix or "no suffix"
        raise FormatError(out, "unknown kind of table", expected=".parquet or .csv", got=got, reason="suffix")


def write_table(frame: pl.DataFrame, refused: list[tuple[str, EinthovenError]], out: str | Path) -> Path | None:
    """Write a table as Parquet or CSV by its suffix, refusals beside it as `NAME.refused.csv`; return the latter.

    Where nothing was refused, a list of refusals that an earlier table of this name left is removed.
    """
    import polars as pl

    out = Path(out)
    beside = out.with_name(out.stem + ".refused.csv")
    with replaced_file(out) as scratch:
        frame.write_parquet(scratch) if out.suffix == ".parquet" else frame.write_csv(scratch)
    if not refused:
        beside.unlink(missing_ok=True)
        return None
    with replaced_file(beside) as scratch:
        pl.DataFrame(plain(refused)).write_csv(scratch)
    return beside


def plain(refused: list[tuple[str, EinthovenError]]) -> list[dict[str, str]]:
    """Refusals as text, for tables and JSON."""
    return [{"file": name, "reason": error.reason, "message": str(error)} for name, error in refused]


def closing(encoded_rows: int, refused: list[dict[str, str]], out: Path | None, beside: Path | None) -> list[str]:
    """The last lines that a person sees."""
    lines = [f"{encoded_rows} recordings" + (f" written to {out}" if out else "")]
    if refused:
        where = f", listed in {beside}" if beside else ""
        lines.append(f"{len(refused)} refused{where}")
        lines += [f"  {row['reason']}: {row['message']}" for row in refused[:10]]
        if len(refused) > 10:
            lines.append(f"  and {len(refused) - 10} more")
    return lines
