"""Writing so that nothing half-written can be taken for whole: a temporary name, then a rename.

A full disk, a missing permission or a name that is taken become one line (`OutputError`).
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from einthoven.core.errors import OutputError

UNWRITABLE = {
    errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST,
    errno.ENAMETOOLONG, errno.EFBIG, errno.EIO,
}  # fmt: skip
"""What the file system says when a place cannot be written; every other `OSError` has another meaning."""


@contextmanager
def replaced(place: str | Path) -> Iterator[Path]:
    """A scratch folder beside `place` that takes its name, over what was there, when the block ends well."""
    place = Path(place)
    with writing(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
        scratch.chmod(0o755)
        try:
            yield scratch
            if place.exists():
                old = scratch.with_name(scratch.name + ".old")
                os.rename(place, old)
                os.rename(scratch, place)
                shutil.rmtree(old)
            else:
                os.rename(scratch, place)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def replaced_file(place: str | Path) -> Iterator[Path]:
    """A scratch file beside `place`, of the same suffix, that takes its name when the block ends well."""
    place = Path(place)
    with writing(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        scratch = place.with_name(f".{place.stem}-{os.getpid()}{place.suffix}")
        try:
            yield scratch
            os.replace(scratch, place)
        finally:
            scratch.unlink(missing_ok=True)


@contextmanager
def writing(place: str | Path) -> Iterator[None]:
    """Turn an error of the file system while writing `place` into `OutputError`; a missing input stays what it is."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        raise OutputError(
            place, "cannot be written", got=error.strerror or error, fix="choose another place or free some space",
            reason="output",
        ) from error  # fmt: skip
