"""Where a cohort is built until it is whole: a hidden folder beside its place, locked, stamped, gone on with.

`.NAME.partial` holds `stamp.json` (of which source, settings, files and program the pieces are), the pieces, and the
cohort as it grows. A killed build leaves it; the same command goes on in it; another stamp starts anew.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from einthoven.core import fingerprint
from einthoven.core.errors import Interrupted, OutputError, SourceError
from einthoven.core.output import writing


@dataclass(frozen=True)
class Workplace:
    """pieces: those made so far, each whole. cohort: what becomes the cohort; only `signals` outlives a kill."""

    pieces: Path
    cohort: Path


@contextmanager
def workplace(out: Path, stamp: dict[str, Any]) -> Iterator[Workplace]:
    """The place to build `out` in. It is removed when the block ends well, and kept when it is interrupted.

    Raises:
        OutputError: it cannot be written, another process works in it, or the name is taken by something else.
    """
    folder = _folder(out)
    with writing(out):
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "stamp.json").exists() and {entry.name for entry in folder.iterdir()} - {"lock", "stamp.new"}:
            raise OutputError(
                folder, "is needed to build in but holds something else", fix="move it away", reason="exists"
            )
        lock = open(folder / "lock", "w")  # noqa: SIM115
    try:
        _acquire(lock, out)
        with writing(out):
            place = _cleared(folder, stamp)
        yield place
    except SourceError:  # nothing to go on with: the same files would be refused again
        lock.close()
        _remove(folder)
        raise
    finally:
        lock.close()
    _remove(folder)


@contextmanager
def resumable(verb: str) -> Iterator[None]:
    """Work in pieces: an interruption or a lost worker becomes the error that says that the same command goes on.

    Raises:
        Interrupted: stopped, or the system ended a worker.
    """
    try:
        yield
    except KeyboardInterrupt as error:
        raise Interrupted(verb, "stopped", fix="the same command goes on where it was", reason="stopped") from error
    except BrokenProcessPool as error:
        raise Interrupted(
            verb, "the system ended a worker", got="not enough memory, perhaps",
            fix="the same command with fewer workers goes on where it was", reason="killed",
        ) from error  # fmt: skip


def discard(out: Path) -> None:
    """Remove what a build left that was killed between giving `out` its name and cleaning up."""
    if (_folder(out) / "stamp.json").exists():
        _remove(_folder(out))


def _folder(out: Path) -> Path:
    return out.with_name(f".{out.name}.partial")


def _remove(folder: Path) -> None:
    """Remove the workplace, its stamp last: without it nobody would know that the folder is ours."""
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
    if any(entry.is_dir() for entry in folder.iterdir()):
        return  # a worker that outlived a killed build is just at work in there; the next build cleans up
    for name in ("lock", "stamp.new", "stamp.json"):
        (folder / name).unlink(missing_ok=True)
    folder.rmdir()


def _cleared(folder: Path, stamp: dict[str, Any]) -> Workplace:
    """Keep the pieces of this stamp; drop those of another and whatever was not finished."""
    # The stamp is part of the name, so that a worker which outlived a killed build cannot add to another one's pieces.
    digest = fingerprint.of_json(stamp)[:16]
    place = Workplace(folder / f"pieces-{digest}", folder / f"cohort-{digest}")
    # Without the cohort (it has got its name already, and was removed) the pieces lack their signals.
    keep = (place.pieces, place.cohort) if place.cohort.exists() else ()
    for entry in folder.iterdir():
        if entry.is_dir() and entry not in keep:
            shutil.rmtree(entry)
    (folder / "stamp.new").write_text(fingerprint.to_json(stamp, indent=1), "utf-8")
    os.replace(folder / "stamp.new", folder / "stamp.json")
    place.pieces.mkdir(exist_ok=True)
    place.cohort.mkdir(exist_ok=True)
    for unfinished in (*place.pieces.glob("*.tmp"), place.cohort / "facts"):
        shutil.rmtree(unfinished, ignore_errors=True)
    return place


def _acquire(lock: IO[str], out: Path) -> None:
    """Hold the lock until the file is closed or the process ends, however it ends."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise OutputError(
            out, "is being written by another process, or cannot be locked", got=error.strerror or error,
            fix="wait for it, or choose another place", reason="busy",
        ) from error  # fmt: skip
