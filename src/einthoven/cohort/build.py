"""Build a cohort: files of a source to shards and tables, in parallel, resumable, the same bytes every time.

The plan is cut into pieces; each is made by a worker and gets its name when whole (`pieces`). Signals go to the end of
the shards in the plan's order (`shards`), tables are merged at the end (`merge`), and the folder gets its name. Until
then everything lies in a hidden folder beside it, from which a killed build goes on (`workplace`).
"""

from __future__ import annotations

import hashlib
import inspect
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from typing import Any, cast

from joblib import Parallel, delayed
from pydantic_core import to_jsonable_python

from einthoven import __version__
from einthoven.cohort import pieces
from einthoven.cohort.merge import merge
from einthoven.cohort.pieces import Source
from einthoven.cohort.shards import Shards
from einthoven.cohort.store import SCHEMA_VERSION, Cohort
from einthoven.cohort.workplace import Workplace, discard, resumable, workplace
from einthoven.core.errors import OutputError, SourceError
from einthoven.core.output import writing
from einthoven.sources import Item

HEAD = 4096
"""Bytes at the beginning of a recording's file by which a changed file is noticed."""


def build(
    source: Source,
    path: str | Path,
    out: str | Path,
    *,
    workers: int = 2,
    piece: int = 256,
    shard_bytes: int = 1 << 30,
    limit: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Cohort:
    """Prepare the recordings of `source` in the folder `path` as the cohort `out`.

    Args:
        workers: processes; 1 works in this one.
        piece: recordings a piece. What a killed build loses is at most one piece a worker.
        shard_bytes: size at which the next shard begins.
        limit: take at most so many recordings, evenly from the plan (for a trial).
        progress: called with (recordings done, recordings in all).

    Returns:
        The cohort. One of the same source, settings and files that is there already is kept as it is.

    Raises:
        SourceError: the folder is not in the source's layout, or no recording of it can be used.
        OutputError: `out` holds something else, cannot be written, or another process is writing it.
        Interrupted: stopped by the user or by the system; the same call goes on where it was.
    """
    path, out = Path(path), Path(out).absolute()
    plan = source.plan(path)
    items = plan.items if limit is None else plan.items[:: max(1, -(-len(plan.items) // limit))]
    _unique(items)
    origin = {"source": describe(source), "limit": limit, "input": _input(items, path)}
    if (kept := _kept(out, origin)) is not None:
        return kept
    card = origin | {"counts": {"planned": len(items), "absent": plan.absent}, "notes": list(plan.notes)}
    if len(items) < len(plan.items):
        card["notes"].append(f"a trial: {len(items)} of {len(plan.items)} recordings")
    stamp = origin | {"piece": piece, "einthoven": __version__, "schema": SCHEMA_VERSION}
    with workplace(out, stamp) as place:
        made = _make(source, path, items, place, workers, piece, shard_bytes, progress)
        merge(made, place.cohort, card, plan.label_sets, shard_bytes)
        with writing(out):
            if out.exists():
                out.rmdir()  # it is empty, or this fails and it stays
            os.rename(place.cohort, out)
    return Cohort.open(out)


def describe(source: Source) -> dict[str, Any]:
    """Name, version, terms and settings of a source for the card.

    Its settings are its constructor's arguments. A file among them is named without its folder: what it says counts as
    input, and where it lies differs from machine to machine.
    """
    settings = {name: getattr(source, name) for name in inspect.signature(type(source)).parameters}
    settings = {
        name: os.path.basename(value) if isinstance(value, str | Path) and os.path.isfile(value) else value
        for name, value in settings.items()
    }
    several = {"families": found} if (found := getattr(source, "families", None)) else {}
    return several | {
        "name": type(source).__module__.rpartition(".")[2], "family": source.family, "version": source.version,
        "licence": source.licence, "citation": source.citation, "settings": to_jsonable_python(settings),
    }  # fmt: skip


def _make(
    source: Source, path: Path, items: Sequence[Item], place: Workplace, workers: int, size: int, shard_bytes: int,
    progress: Callable[[int, int], None] | None,
) -> list[Path]:  # fmt: skip
    """Make the pieces that are not there yet and bring all signals into the shards; the pieces in the plan's order."""
    starts = range(0, len(items), size)
    folders = [place.pieces / f"{number:06d}" for number in range(len(starts))]
    inside = list(takewhile(lambda folder: not pieces.waiting(folder), folders))
    known = [pieces.listed(folder) for folder in inside]
    shards = Shards(place.cohort / "signals", shard_bytes, [size for index in known for size in pieces.sizes(index)])
    queue = deque(folders[len(inside) :])
    todo = [(start, folder) for start, folder in zip(starts, folders) if not folder.exists()]
    done = len(items) - sum(min(size, len(items) - start) for start, _ in todo)

    def append() -> None:
        """Bring those in that are whole and next in the plan's order."""
        while queue and queue[0].exists():
            pieces.append(queue.popleft(), shards)

    def one_by_one() -> Iterator[int]:
        for start, folder in todo:
            append()
            yield pieces.make(source, path, items[start : start + size], folder, shards)
            queue.popleft()

    def by_workers() -> Iterator[int]:
        jobs = (delayed(pieces.make)(source, path, items[start : start + size], folder) for start, folder in todo)
        made = Parallel(min(workers, len(todo)), return_as="generator_unordered")(jobs)
        for count in cast(Iterator[int], made):
            yield count
            append()

    with resumable("prepare"):
        for count in one_by_one() if workers == 1 or len(todo) < 2 else by_workers():
            done += count
            if progress:
                progress(done, len(items))
        append()
        shards.close()
    return folders


def _unique(items: Sequence[Item]) -> None:
    seen: set[str] = set()
    for item in items:
        if item.key in seen:
            raise SourceError(
                item.path, f"two recordings are called {item.key}", expected="each key once",
                fix="name each file once in the table", reason="key",
            )  # fmt: skip
        seen.add(item.key)


def _input(items: Sequence[Item], path: Path) -> str:
    """Digest of what the tables say and of how each recording's files begin and how long they are.

    Reading all samples for it would cost as much as the build; a file that changes in place and keeps its length and
    its first bytes (with WFDB: its header) is not noticed.
    """
    state = hashlib.sha256()
    folders: dict[str, dict[str, list[tuple[str, int]]]] = {}
    for item in items:
        told = (item.key, item.subject, item.path, item.site, item.facts)
        state.update(repr(told).encode("utf-8", "surrogatepass"))
        if item.path:
            folder, name = os.path.split(os.path.join(path, item.path))
            if folder not in folders:
                folders = {folder: _sizes(folder)}  # one folder at a time: there may be very many
            state.update(repr(folders[folder].get(os.path.splitext(name)[0])).encode("utf-8", "surrogatepass"))
            state.update(_head(os.path.join(folder, name)))
    return state.hexdigest()


def _head(file: str) -> bytes:
    """The first bytes; none of what cannot be read, which is refused later. A pipe is not waited for."""
    with suppress(OSError):
        handle = os.open(file, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
        try:
            return os.read(handle, HEAD)
        finally:
            os.close(handle)
    return b""


def _sizes(folder: str) -> dict[str, list[tuple[str, int]]]:
    """Names and sizes of the files of a folder, by stem: a recording may be several files."""
    found: dict[str, list[tuple[str, int]]] = {}
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_file():
                found.setdefault(os.path.splitext(entry.name)[0], []).append((entry.name, entry.stat().st_size))
    return {stem: sorted(files) for stem, files in found.items()}


def _kept(out: Path, origin: dict[str, Any]) -> Cohort | None:
    """The cohort that is at `out` already, if it is this one; None where nothing is there."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return None
    if not (out / "card.json").is_file():
        raise OutputError(
            out, "is taken", expected="a new name or an empty folder", got="something that is no cohort",
            fix="choose another place", reason="exists",
        )  # fmt: skip
    cohort = Cohort.open(out)
    mine, theirs = _flat(origin), _flat({key: cohort.card.get(key) for key in origin})
    for what in {**mine, **theirs}:
        if mine.get(what) != theirs.get(what):
            files = what == "input"
            raise OutputError(
                out, "holds a cohort of other files" if files else f"holds a cohort of another {what}",
                expected="files and tables as they are now" if files else _said(mine.get(what)),
                got="files or tables that have changed since" if files else _said(theirs.get(what)),
                fix="choose another place, or remove that folder", reason="exists",
            )  # fmt: skip
    discard(out)
    return cohort


def _flat(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as one, with keys such as `source.settings.rate`."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def _said(value: Any) -> str:
    return "none" if value is None else str(value)
