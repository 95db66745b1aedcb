"""File formats: bytes to Record and back, one file a format.

Comes in: a path, and a Mapping with what the file does not state. Goes out: a Record with what the file states, or a
FormatError whose `reason` is a short word for tables.
Contract: a class with `suffixes`, `sniff(path, head)` (is this file mine, by content), `read(path, mapping)`,
`write(record, path)`, `describe(path)`; one whose recordings may consist of others also has `parts(path, head)`, one
whose files are known by their suffix says `by_name = True`. Files come from strangers: sizes are bounded before
anything is allocated, no pickle, no path out of the folder.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

from einthoven.core import registry
from einthoven.core.errors import FormatError, OutputError
from einthoven.core.record import Record
from einthoven.formats._mapping import Mapping

__all__ = ["Mapping", "describe", "find", "format_of", "read"]

_HEAD = 1 << 14


def read(path: str | Path, mapping: Mapping | None = None) -> Record:
    """Read one recording; its key is the file's stem.

    Args:
        path: the file; for WFDB the header, the signal file or the record's name.
        mapping: what the file does not state.

    Raises:
        FormatError: the file cannot be read, or does not state what we need.
        RecordError, LeadError: what it holds is no recording.
        ExtraError: its format needs an optional part of the installation.
    """
    path = _header_of(Path(path))
    return _formats()[_format_of(path)].read(path, mapping or Mapping())


def format_of(path: str | Path) -> str:
    """The name of the format that is responsible for a file, by content; those of the file's suffix are asked first.

    Raises:
        FormatError: `missing`, or `unsupported`.
    """
    return _format_of(_header_of(Path(path)))


def _format_of(path: Path) -> str:
    if not os.path.isfile(path) and path.exists():  # a pipe would wait for ever
        raise FormatError(path, "is no regular file", fix="name a recording", reason="missing")
    suffix = path.suffix.lower()
    if suffix in _by_name():
        return _by_name()[suffix]
    head = _head(path)
    for name, plugin in sorted(_formats().items(), key=lambda item: suffix not in item[1].suffixes):
        if plugin.sniff(path, head):
            return name
    raise FormatError(
        path, "is of no format that can be read", expected=", ".join(_formats()), got=f"{len(head)} bytes sniffed",
        fix="convert it to one of these", reason="unsupported",
    )  # fmt: skip


def describe(path: str | Path) -> str:
    """The dialect of a file within its format, in a few words."""
    path = _header_of(Path(path))
    return _formats()[_format_of(path)].describe(path)


def refuse_overwriting(source: str | Path, out: str | Path | None) -> None:
    """Refuse an output that would take the place of a recording that is read.

    Args:
        source: the recording, or a folder of them. out: where the output goes; None for nowhere.

    Raises:
        OutputError: it is the recording, or one of the folder's.
    """
    if out is None or not os.path.isfile(out):
        return
    source = Path(source)
    inputs = find(source) if source.is_dir() else [source]
    if any(os.path.exists(file) and os.path.samefile(file, out) for file in inputs):
        raise OutputError(
            out, "is a recording that is read here", expected="another file for the output",
            fix="name one that is not there yet", reason="input",
        )  # fmt: skip


def find(folder: str | Path) -> list[Path]:
    """The recordings in a folder tree, sorted, one path a recording; hidden files and folders are left alone.

    A file counts when its suffix belongs to a format which, after a look at its first bytes, takes it for its own: so a
    damaged recording is listed (and refused when it is read), and a table about recordings is not.
    """
    suffixes = {suffix: plugin for plugin in _formats().values() for suffix in plugin.suffixes}
    found: set[Path] = set()
    parts: set[Path] = set()
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            plugin = suffixes.get(os.path.splitext(name)[1].lower())
            if plugin is None or name.startswith("."):
                continue
            path = Path(place, name)
            if not os.path.isfile(path):  # a pipe, a socket, a link to nothing
                continue
            try:
                head = _head(path)
            except FormatError:
                head = b""
            if plugin.sniff(path, head):
                found.add(path)
                parts.update(plugin.parts(path, head) if hasattr(plugin, "parts") else ())
    return sorted(found - parts)


@cache
def _formats() -> dict[str, Any]:
    return {name: registry.load("formats", name)() for name in registry.names("formats")}


@cache
def _by_name() -> dict[str, str]:
    """Formats by those suffixes that say enough, so that there is no need to look into the file."""
    return {
        suffix: name for name, plugin in _formats().items() if getattr(plugin, "by_name", False)
        for suffix in plugin.suffixes
    }  # fmt: skip


def _header_of(path: Path) -> Path:
    """The header of a WFDB record that was named by its signal file or without suffix."""
    if path.suffix.lower() in ("", ".dat", ".mat") or not os.path.exists(path):
        for header in (path.with_suffix(".hea"), path.with_name(f"{path.name}.hea")):
            if header.is_file():
                return header
    return path


def _head(path: Path) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read(_HEAD)
    except OSError as error:
        raise FormatError(
            path, "cannot be read", got=error.strerror or error, fix="check the path", reason="missing"
        ) from error
