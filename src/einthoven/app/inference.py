"""A file, a folder or a cohort through a checkpoint's encoder: one pooled vector a recording, refusals listed.

`embed` and `predict` stand on this. Recordings are read one by one and brought into the checkpoint's layout by the one
order of processing, a window at a time; windows of equal length go through the network together. So memory grows
neither with the folder nor with the hours of a recording. Shapes: N recordings, B windows, L leads, T samples, D width.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from einthoven import formats
from einthoven.app import models, shipped
from einthoven.app.findings import UNIT, amplitudes
from einthoven.app.models import Model
from einthoven.core.errors import DONE, FOUND, WRONG, EinthovenError, FormatError, LayoutError
from einthoven.core.layout import Layout
from einthoven.core.leads import ANY, pick
from einthoven.core.output import replaced_file
from einthoven.core.record import Record
from einthoven.formats import Mapping
from einthoven.signal import analysis, processing

if TYPE_CHECKING:
    import polars as pl

    from einthoven.cohort.store import Cohort

BLOCK = 64
"""Windows that are in memory together."""

ROW = {"file": str, "key": str, "rate": float, "seconds": float, "windows": int, "derived": str, "missing": str}
"""Columns that say what was done to a recording on its way into the layout."""
QUALITY = {"verdict": str, "causes": str, "reversal": str}
"""Columns that say how far the leads that the model takes can be trusted, as in the table of `measure`."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """What came of a path: a table row and a pooled vector for each recording, and a row for each refusal."""

    rows: list[dict[str, Any]]
    pooled_ND: np.ndarray
    refused: list[tuple[str, EinthovenError]]


def load(place: str | Path | None, verb: str) -> Model:
    """The model at a path or of a shipped name; without one the encoder that ships."""
    return models.load(shipped.default(verb) if place is None else place, verb)


def encode(path: str | Path, model: Model, mapping: Mapping | None = None, *, predict: bool = False) -> Encoded:
    """Encode what stands at a path.

    Args:
        path: a recording, a folder of recordings, or a cohort.
        mapping: what the files do not state (rate, unit, lead); not for cohorts.
        predict: what is encoded will be predicted from: recordings with under half of the layout's leads are refused,
            and rows have `QUALITY`, which takes some 11 ms for 10 s, five times the network's.

    Raises:
        FormatError and others: the path is one recording that cannot be used, or a folder without recordings.
    """
    from einthoven.cohort.store import Cohort

    path = Path(path)
    if (path / "card.json").is_file():
        return _encode(_of_cohort(Cohort.open(path)), model, predict)
    if path.is_dir():
        files = formats.find(path)
        if not files:
            raise FormatError(path, "holds no recording", expected="files of a known format", reason="empty",
                              fix=f"einthoven check {path}")  # fmt: skip
        # what is said for the files that state nothing does not contradict those that do
        lenient = replace(mapping, strict=False) if mapping else None
        return _encode(_of_files(files, path, lenient), model, predict)
    encoded = _encode([(path.name, formats.read(path, mapping))], model, predict)
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


def _encode(stream: Iterable[Read], model: Model, predict: bool = False) -> Encoded:
    rows: list[dict[str, Any]] = []
    sums: list[np.ndarray] = []
    refused: list[tuple[str, EinthovenError]] = []
    waiting: list[tuple[int, np.ndarray, np.ndarray]] = []

    def flush() -> None:
        by_length: dict[int, list[tuple[int, np.ndarray, np.ndarray]]] = defaultdict(list)
        for one in waiting:
            by_length[one[1].shape[-1]].append(one)
        for same in by_length.values():
            at, signal_LT, valid_LT = zip(*same)
            for i, pooled_D in zip(at, model.pooled(np.stack(signal_LT), np.stack(valid_LT)), strict=True):
                sums[i] += pooled_D
        waiting.clear()

    for name, record in stream:
        try:
            if isinstance(record, EinthovenError):
                raise record
            for k, (signal_LT, valid_LT) in enumerate(processing.stream(record, model.layout)):
                if k == 0:  # whatever speaks against a recording is said by now
                    _refuse_short(name, signal_LT.shape[-1], model)
                    row = _row(name, record, model.layout)
                    if predict:
                        _refuse_few_leads(name, row, model.layout)
                        row |= _quality(record, model)
                    rows.append(row)
                    sums.append(np.zeros(model.width))
                waiting.append((len(sums) - 1, signal_LT, valid_LT))
                if len(waiting) >= BLOCK:
                    flush()
        except EinthovenError as error:
            refused.append((name, error))
    flush()
    pooled = [(total / row["windows"]).astype(np.float32) for total, row in zip(sums, rows)]
    return Encoded(rows, np.stack(pooled) if pooled else np.zeros((0, model.width), np.float32), refused)


def _refuse_short(name: str, samples: int, model: Model) -> None:
    layout = model.layout
    if samples < layout.samples and not model.shorter:
        raise LayoutError(
            name, "is shorter than this export's window", expected=f"{layout.seconds:g} s at least",
            got=f"{samples / layout.rate:g} s", fix="take the checkpoint it was exported from", reason="short",
        )  # fmt: skip


def _refuse_few_leads(name: str, row: dict[str, Any], layout: Layout) -> None:
    lacking = row["missing"].split()
    if 2 * len(lacking) > len(layout.leads):
        raise LayoutError(
            name, f"lacks {len(lacking)} of the {len(layout.leads)} leads that the predictions rest on",
            expected="half of them at least", got=f"none of {' '.join(lacking)}",
            fix="take a checkpoint for the leads at hand; `embed` and `measure` work with any", reason="leads",
        )  # fmt: skip


def _row(name: str, record: Record, layout: Layout) -> dict[str, Any]:
    """What was done to one recording on its way into the layout."""
    status = pick(record.leads, layout.leads, name)[1]
    windows = len(processing.starts(record.samples, record.rate, layout))
    by_status = defaultdict(list)
    for lead, how in zip(record.leads if layout.leads == (ANY,) else layout.leads, status, strict=True):
        by_status[how].append(lead)
    return {
        "file": name, "key": record.key, "rate": record.rate, "seconds": round(record.seconds, 3), "windows": windows,
        "derived": " ".join(by_status["derived"]), "missing": " ".join(by_status["missing"]),
    }  # fmt: skip


def _quality(record: Record, model: Model) -> dict[str, Any]:
    """Of the leads that the model's are made of; the others may be as they are."""
    used = np.flatnonzero(pick(record.leads, model.layout.leads, record.key)[0].any(axis=0))
    leads = tuple(record.leads[i] for i in used)
    mine = replace(record, leads=leads, signal=record.signal[used])
    found, swapped = analysis.glance(mine)
    return {
        "verdict": found.verdict, "causes": "; ".join([*found.causes, *amplitudes(mine)]),
        "reversal": " ".join(filter(None, (swapped.limb, swapped.chest))),
    }  # fmt: skip


def refuse_table(path: str | Path, out: str | Path | None) -> None:
    """Say that a table cannot be written in that form or place, before the work is done."""
    if out is not None and Path(out).suffix not in (".parquet", ".csv"):
        got = Path(out).suffix or "no suffix"
        raise FormatError(out, "unknown kind of table", expected=".parquet or .csv", got=got, reason="suffix")
    formats.refuse_overwriting(path, out)


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


def code(frame: pl.DataFrame, refused: list[dict[str, str]], strict: bool) -> int:
    """Exit code: nothing could be used; something could not, and that matters; else done."""
    return WRONG if refused and not len(frame) else FOUND if refused and strict else DONE


def plain(refused: list[tuple[str, EinthovenError]]) -> list[dict[str, str]]:
    """Refusals as text, for tables and JSON."""
    return [{"file": name, "reason": error.reason, "message": str(error)} for name, error in refused]


def shape(row: dict[str, Any]) -> str:
    """How long a recording is, and that the numbers are a mean where it has several windows."""
    mean = f", mean of {row['windows']} windows" * (row["windows"] > 1)
    return f"{row['seconds']:g} s at {row['rate']:g} Hz{mean}"


def doubts(row: dict[str, Any]) -> list[str]:
    """What a person must know of one recording before its numbers: leads that are lacking, and a poor signal."""
    said = []
    if row["missing"]:
        said.append(f"  without {row['missing']}, which the model wants: read the numbers with that in mind")
    if row.get("causes"):
        doubt = ": the numbers may mean nothing" * _doubtful(row)
        said.append(f"  signal {row['verdict']} ({row['causes']}){doubt}")
    if row.get("reversal"):
        said.append(f"  cables swapped: {row['reversal']}? The numbers are those of the leads as they are named")
    return said


def _doubtful(row: dict[str, Any]) -> bool:
    return row["verdict"] == "poor" or "no beats" in row["causes"] or UNIT in row["causes"]


def counted(frame: pl.DataFrame, out: Path | None) -> list[str]:
    """How many of several recordings, or of those in a file, there is something to know of."""
    if out is None and len(frame) < 2:
        return []
    lines = []
    if lacking := int((frame["missing"] != "").sum()):
        lines.append(f"{lacking} of them without leads that the model wants, named in the column `missing`")
    if "verdict" in frame.columns and (doubtful := sum(map(_doubtful, frame.select(*QUALITY).to_dicts()))):
        lines.append(f"{doubtful} of them with a signal to be doubted, see the columns `verdict` and `causes`")
    return lines


def closing(
    rows: int, refused: list[dict[str, str]], out: Path | None, beside: Path | None, of_them: Sequence[str] = ()
) -> list[str]:
    """The last lines that a person sees."""
    lines = [f"{rows} recording" + "s" * (rows != 1) + (f" written to {out}" if out else ""), *of_them]
    if refused:
        where = f", listed in {beside}" if beside else ""
        lines.append(f"{len(refused)} refused{where}")
        lines += [f"  {row['reason']}: {row['message']}" for row in refused[:10]]
        if len(refused) > 10:
            lines.append(f"  and {len(refused) - 10} more")
    return lines
