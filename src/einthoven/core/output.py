"""Writing so that nothing half-written can be taken for whole: a temporary name, then a rename.

A full disk, a missing permission or a name that is taken become one line (`OutputError`).
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from einthoven.core.errors import EinthovenError, OutputError

UNWRITABLE = {
    errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST,
    errno.ENAMETOOLONG, errno.EFBIG, errno.EIO,
}  # fmt: skip
"""What the file system says when a place cannot be written; every other `OSError` has another meaning."""

_TOLD = re.compile(r"\(os error (\d+)\)")  # Rust's libraries
_SHORT = re.compile(r"^\d+ requested and \d+ written$")  # NumPy's only word on a full disk


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
    except EinthovenError:
        raise
    except Exception as error:
        reason = why_unwritable(error, Path(place))
        if reason is None:
            raise
        raise OutputError(
            place, "cannot be written", got=reason, fix="choose another place or free some space", reason="output"
        ) from error


def why_unwritable(error: BaseException, place: Path | None = None) -> str | None:
    """What the file system said, if an exception means that something could not be written; None otherwise.

    polars and safetensors put the system's code into the text of exceptions of their own, and NumPy drops it. A path
    that does not exist counts where it is `place` itself, a folder above it or its scratch beside it (as in /proc).
    """
    text = " ".join(str(error).split())
    code = error.errno if isinstance(error, OSError) else None
    if code is None and (told := _TOLD.search(text)):
        code = int(told[1])
    if code is not None and code in UNWRITABLE:
        return os.strerror(code)
    if isinstance(error, OSError) and code is None and _SHORT.search(text):
        return os.strerror(errno.ENOSPC)
    if code == errno.ENOENT and place is not None and isinstance(error, OSError):
        named = Path(str(error.filename or text.rpartition(": ")[2]))
        if named in (place, *place.parents) or str(named).startswith(str(place.parent / f".{place.stem}")):
            return os.strerror(errno.ENOENT)
    return None
