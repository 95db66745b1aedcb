"""Add facts to a cohort without touching its signals: beats, waves and measurements of every recording.

Recordings are worked on in pieces of fixed size; each is made by a worker and gets its name when it is whole, so a
killed run goes on where it was, and the facts are the same to the byte on any number of workers. At the end the tables
are written anew, those of an earlier run replaced, and the card says by which engine. The cohort's own fingerprint, of
what was prepared, stays.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
from joblib import Parallel, delayed

from einthoven import __version__
from einthoven.cohort import facts as tables
from einthoven.cohort.merge import ROWS
from einthoven.cohort.pieces import save
from einthoven.cohort.store import MISSING, Cohort
from einthoven.cohort.workplace import discard, resumable, workplace
from einthoven.core import fingerprint
from einthoven.core.errors import CohortError
from einthoven.core.facts import WAVE_COLUMNS, Category, Fact, Value, Waves
from einthoven.core.output import replaced_file, writing
from einthoven.core.record import Record
from einthoven.signal import waves
from einthoven.signal._quantities import ONE_NUMBER
from einthoven.signal.analysis import Analysis, analyse

PHYSIOLOGY = "physiology"
PIECE = 256
KINDS = ("value", "category", "waves")


def derive(
    cohort: Cohort, *, workers: int = 2, piece: int = PIECE, progress: Callable[[int, int], None] | None = None
) -> dict[str, Any]:
    """Add the facts `physiology.*` to a cohort.

    Args:
        workers: processes; 1 works in this one. piece: recordings a piece.
        progress: called with (recordings done, recordings in all).

    Returns:
        What the card says about them: engine, settings, counts, fingerprint. Facts of this engine that are there
        already are kept as they are.

    Raises:
        OutputError: the cohort's folder cannot be written, or another process is deriving.
        Interrupted: stopped; the same call goes on where it was.
    """
    place = cohort.path.absolute() / PHYSIOLOGY
    if (kept := current(cohort)) is not None:
        discard(place)
        return kept
    stamp = {
        "derive": PHYSIOLOGY, "engine": waves.ENGINE, "einthoven": __version__, "cohort": cohort.fingerprint,
        "piece": piece,
    }  # fmt: skip
    with workplace(place, stamp) as work:
        folders = _pieces(cohort, work.pieces, workers, piece, progress)
        entry = _entry(folders)
        with writing(cohort.path):
            scratch = work.cohort / "new"
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir()
            (cohort.path / "facts").mkdir(exist_ok=True)
            for kind in KINDS:
                _merge(cohort, kind, folders, piece, scratch / f"{kind}.parquet")
            for file in sorted(scratch.iterdir()):
                os.replace(file, cohort.path / "facts" / file.name)
        card = cohort.card | {"derived": cohort.card.get("derived", {}) | {PHYSIOLOGY: entry}}
        with replaced_file(cohort.path / "card.json") as new:
            new.write_text(fingerprint.to_json(card, indent=1) + "\n", encoding="utf-8")
    return entry


def current(cohort: Cohort) -> dict[str, Any] | None:
    """What the card says, if the facts are those of this engine and version; else None."""
    entry = cohort.card.get("derived", {}).get(PHYSIOLOGY)
    mine = {"engine": waves.ENGINE, "settings": _settings()}
    return entry if entry and {key: entry.get(key) for key in mine} == mine else None


def need(cohort: Cohort) -> dict[str, Any]:
    """What the card says of the measurements.

    Raises:
        CohortError: there are none, or members of a joined cohort were measured by different engines.
    """
    entry = cohort.card.get("derived", {}).get(PHYSIOLOGY)
    if entry is None:
        raise CohortError(
            cohort.path, "has no measurements", got="none derived", fix=f"einthoven derive {PHYSIOLOGY} {cohort.path}",
            reason="fact",
        )  # fmt: skip
    if len(engines := entry["engine"].split(" + ")) > 1:
        raise CohortError(
            cohort.path, "is joined from cohorts that different engines measured", got=", ".join(engines),
            expected="one engine", fix=f"einthoven derive {PHYSIOLOGY} on each", reason="engine",
        )  # fmt: skip
    return entry


def facts_of(found: Analysis) -> list[Fact]:
    """The facts that one analysis makes: values that were measured, reasons for those that were not, quality, waves."""
    out: list[Fact] = []
    for name, measured in found.measurements.items():
        if measured.reason or measured.value is None:
            out.append(Category(f"{PHYSIOLOGY}.missing.{name}", measured.reason))
        elif isinstance(measured.value, str):
            out.append(Category(f"{PHYSIOLOGY}.{name}", measured.value))
        else:
            out.append(Value(f"{PHYSIOLOGY}.{name}", measured.value, measured.unit))
    quality = found.quality
    out.append(Category(f"{PHYSIOLOGY}.quality", quality.verdict))
    scores = {"score": quality.score, **quality.scores}
    scores |= {f"lead_{lead}": float(grade) for lead, grade in zip(found.leads, quality.lead)}
    out += [Value(f"{PHYSIOLOGY}.quality.{name}", round(float(score), 6)) for name, score in scores.items()]
    said = {"no_p": found.found.no_p, "reversal.limb": found.reversal.limb, "reversal.chest": found.reversal.chest}
    out += [Category(f"{PHYSIOLOGY}.{name}", word) for name, word in said.items() if word]
    return out + _waves(found)


def _waves(found: Analysis) -> list[Fact]:
    marks = found.found
    count, leads = len(marks.beats), len(found.leads)
    if not count:
        return []
    out: list[Fact] = []
    for name, names, points in (
        (f"{PHYSIOLOGY}.waves", tuple(map(str, found.leads)), marks.lead.reshape(-1, 9)),
        (f"{PHYSIOLOGY}.waves.global", ("",), marks.whole.reshape(-1, 9)),
    ):
        whole = np.where(np.isfinite(points), np.clip(np.rint(points), 0, found.samples - 1), -1).astype(np.int32)
        each = leads if name.endswith("waves") else 1
        columns: dict[str, np.ndarray] = {
            "lead": np.tile(np.array(names), count), "beat": np.repeat(np.arange(count, dtype=np.int32), each),
            "label": np.repeat(marks.beats.label, each),
        }  # fmt: skip
        out.append(Waves(name, columns | {column: whole[:, i].copy() for i, column in enumerate(WAVE_COLUMNS)}))
    return out


def bare(cohort: Cohort, row: int) -> Record:
    """A recording without its facts, which measuring does not look at."""
    stored = cohort.signal(row)
    signal = stored.T.astype(np.float32) / np.float32(1000)
    signal[stored.T == MISSING] = np.nan
    return Record(cohort.index["key"][row], cohort.leads(row), signal, cohort.index["rate"][row])


# Pieces


def _pieces(
    cohort: Cohort, place: Path, workers: int, size: int, progress: Callable[[int, int], None] | None
) -> list[Path]:
    """The folder of every piece, in order, all whole."""
    starts = range(0, len(cohort), size)
    folders = [place / f"{number:06d}" for number in range(len(starts))]
    todo = [(start, folder) for start, folder in zip(starts, folders) if not folder.exists()]
    done = len(cohort) - sum(min(size, len(cohort) - start) for start, _ in todo)
    with resumable("derive"):
        if workers == 1 or len(todo) < 2:
            made: Iterator[int] = (_make(cohort, start, size, folder) for start, folder in todo)
        else:
            jobs = (delayed(_make)(cohort, start, size, folder) for start, folder in todo)
            made = cast(Iterator[int], Parallel(min(workers, len(todo)), return_as="generator_unordered")(jobs))
        for count in made:
            done += count
            if progress:
                progress(done, len(cohort))
    return folders


def _make(cohort: Cohort, start: int, size: int, place: Path) -> int:
    """Measure the recordings of one piece."""
    rows = range(start, min(start + size, len(cohort)))
    found = tables.Tables()
    counts: Counter[str] = Counter()
    for row in rows:
        analysis = analyse(bare(cohort, row))
        found.add(row, facts_of(analysis))
        counts["records"] += 1
        counts["beats"] += len(analysis.found.beats)
        counts[f"quality.{analysis.quality.verdict}"] += 1
        counts.update(f"measured.{name}" for name in ONE_NUMBER if not analysis.measurements[name].reason)
    with writing(place):
        scratch = Path(tempfile.mkdtemp(prefix=f"{place.name}-", suffix=".tmp", dir=place.parent))
    try:
        for kind, table in found.frames().items():
            save(table, scratch / f"{kind}.parquet")
        with writing(place):
            (scratch / "counts.json").write_text(fingerprint.to_json(dict(counts)), encoding="utf-8")
            if not place.exists():  # else a worker that outlived a killed run has made the same piece meanwhile
                os.rename(scratch, place)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return len(rows)


# Together


def _settings() -> dict[str, Any]:
    return {"einthoven": __version__}


def _entry(folders: list[Path]) -> dict[str, Any]:
    """What the card says: the fingerprint is that of the pieces' tables."""
    counts: Counter[str] = Counter()
    digests = []
    for folder in folders:
        counts.update(fingerprint.read_json(folder / "counts.json"))
        digests.append([fingerprint.of_file(file) for file in sorted(folder.glob("*.parquet"))])
    return {
        "engine": waves.ENGINE, "settings": _settings(), "counts": dict(sorted(counts.items())),
        "fingerprint": fingerprint.of_json(digests),
    }  # fmt: skip


def _merge(cohort: Cohort, kind: str, folders: list[Path], size: int, place: Path) -> None:
    """Write the table of a kind with the new facts behind the old ones of each recording, a piece at a time."""
    old = cohort.path / "facts" / f"{kind}.parquet"
    schema = tables.SCHEMAS[kind]
    base = pl.scan_parquet(old) if old.exists() else pl.DataFrame(schema=schema).lazy()
    row = base.select("row").collect()["row"].to_numpy()
    parts = []
    for number, folder in enumerate(folders):
        first, last = np.searchsorted(row, [number * size, (number + 1) * size]).tolist()
        mine = base.slice(first, last - first).filter(~pl.col("name").str.starts_with(f"{PHYSIOLOGY}.")).collect()
        new = pl.read_parquet(folder / f"{kind}.parquet") if (folder / f"{kind}.parquet").exists() else mine.clear()
        if len(mine) + len(new):
            part = pl.concat([mine, new]).sort("row", maintain_order=True)
            if dict(part.schema) != schema:
                raise CohortError(old, "has other columns", expected=", ".join(schema), reason="damaged")
            save(part, place.with_name(f"{kind}-{number:06d}"))
            parts.append(pl.scan_parquet(place.with_name(f"{kind}-{number:06d}")))
    if not parts:
        return
    pl.concat(parts).sink_parquet(place, compression="zstd", statistics=False, row_group_size=ROWS, maintain_order=True)
    for number in range(len(folders)):
        place.with_name(f"{kind}-{number:06d}").unlink(missing_ok=True)
