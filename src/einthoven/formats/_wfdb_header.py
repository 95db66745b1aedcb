"""The text of a WFDB header (`.hea`): record line, signal lines or segment lines, comments.

Follows header(5) of the WFDB Applications Guide. Lenient where published files are (CR LF, blank lines, a record name
that ends in `.mat`), strict where a mistake would change amplitudes, and never outside the header's own folder.
Rule for bytes: a header is UTF-8 (ASCII is); anything else is refused, because names and units would be guesses.
"""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from einthoven.core.errors import FormatError

_MOST_BYTES = 1 << 22
_MOST_CHANNELS = 1 << 12
_LONGEST_NAME = 200
_STORAGE = re.compile(r"^([0-9]{1,6})(?:x([0-9]{1,9}))?(?::([0-9]{1,12}))?(?:\+([0-9]{1,15}))?$")
_GAIN = re.compile(
    r"^([-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?)(?:\(([-+]?[0-9]{1,12})\))?(?:/(\S+))?$"
)
_LEADS_ELSEWHERE = frozenset("/\\:\0")
_COUNT = re.compile(r"^[0-9]{1,6}$")
_WHOLE = re.compile(r"^[-+]?[0-9]{1,18}$")
_RATE = re.compile(r"^([0-9.]+(?:[eE][-+]?[0-9]{1,3})?)(?:/\S*)?$")


class Channel(NamedTuple):
    """One signal line. gain 0: not stated. frame: samples of this channel in one frame of the record."""

    file: str
    format: int
    frame: int
    skew: int
    offset: int
    gain: float
    baseline: int
    unit: str
    initial: int
    checksum: int | None
    name: str


@dataclass(frozen=True, slots=True)
class Header:
    """What a header states. rate: frames per second, None: not stated. frames: 0: not stated."""

    rate: float | None
    frames: int
    channels: tuple[Channel, ...]
    segments: tuple[tuple[str, int], ...]
    comments: tuple[str, ...]


def read(path: Path) -> Header:
    """Parse a header file.

    Raises:
        FormatError: `missing`, `size`, `encoding`, `header` (malformed) or `path` (names a file outside its folder).
    """
    try:
        with open(path, "rb") as stream:
            size = os.fstat(stream.fileno()).st_size  # asking for 4 MiB would allocate them each time
            data = stream.read(min(size, _MOST_BYTES) + 1)
    except OSError as error:
        raise FormatError(
            path, "cannot be read", got=error.strerror or error, fix="check the path", reason="missing"
        ) from error
    if len(data) > _MOST_BYTES:
        raise FormatError(
            path, "is too long for a header", expected=f"at most {_MOST_BYTES} bytes", fix="is this a .hea file?",
            reason="size",
        )  # fmt: skip
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(
            path, "header is not UTF-8", got=f"byte {data[error.start]:#04x} at {error.start}",
            fix="convert it, for example iconv -f latin1 -t utf-8", reason="encoding",
        ) from error  # fmt: skip
    return parse(text, path)


def parse(text: str, where: Path) -> Header:
    """Parse the text of a header; `where` is for messages."""
    lines: list[str] = []
    comments: list[str] = []
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("#"):
            comments.append(line[1:].strip())
        elif line:
            lines.append(line)
    if not lines:
        raise _wrong(where, "holds no record line", "a line such as `100 2 360 650000`", "nothing")
    name, *rest = lines[0].split()
    count = rest.pop(0) if rest else ""
    segments = name.rpartition("/")[2] if "/" in name else ""
    if not (_COUNT.match(count) and int(count) <= _MOST_CHANNELS):
        raise _wrong(where, "number of signals is unusable", f"a whole number up to {_MOST_CHANNELS}", count or "none")
    rate, frames = _rate(rest, where), _count(rest[1], where, "number of samples") if len(rest) > 1 else 0
    if segments:
        wanted = _count(segments, where, "number of segments")
        parts = tuple(_segment(line, where) for line in lines[1 : wanted + 1])
        if len(parts) < wanted or not parts:
            raise _wrong(where, "lacks segment lines", f"{wanted} segments", len(parts))
        return Header(rate, frames, (), parts, tuple(comments))
    wanted = int(count)
    channels = tuple(_channel(line, where) for line in lines[1 : wanted + 1])
    if len(channels) < wanted:
        raise _wrong(where, "lacks signal lines", f"{wanted} signals", len(channels))
    return Header(rate, frames, channels, (), tuple(comments))


def plain_name(name: str, where: Path) -> str:
    """The file name, if it is one: a header may name nothing outside its own folder."""
    if name in (".", "..") or not _LEADS_ELSEWHERE.isdisjoint(name):
        raise FormatError(
            where, "names a file outside its folder", expected="a plain file name", got=name,
            fix="do not read files of this origin; move the signal file beside the header if it is yours",
            reason="path",
        )  # fmt: skip
    return name


def _channel(line: str, where: Path) -> Channel:
    field = line.split(None, 8)
    if len(field) < 2:
        raise _wrong(where, "signal line is too short", "file and format", line[:60])
    storage = _storage(field[1])
    if storage is None:
        raise _wrong(where, "format field is unusable", "such as 16, 212x4, 16:3 or 16+24", field[1][:60])
    form, frame, skew, offset = storage
    scale = _gain(field[2]) if len(field) > 2 else (0.0, None, "")
    if scale is None:
        raise _wrong(where, "gain field is unusable", "such as 200, 200/mV or 200(1024)/mV", field[2][:60])
    gain, baseline, unit = scale
    zero = _whole(field[4], where, "ADC zero") if len(field) > 4 else 0
    return Channel(
        file=plain_name(field[0], where), format=form, frame=frame, skew=skew, offset=offset, gain=gain,
        baseline=zero if baseline is None else baseline, unit=unit,
        initial=_whole(field[5], where, "initial value") if len(field) > 5 else zero,
        checksum=_whole(field[6], where, "checksum") if len(field) > 6 else None,
        name=field[8][:_LONGEST_NAME].strip() if len(field) > 8 else "",
    )  # fmt: skip


def _segment(line: str, where: Path) -> tuple[str, int]:
    field = line.split()
    if len(field) < 2:
        raise _wrong(where, "segment line is too short", "name and number of samples", line[:60])
    return plain_name(field[0], where), _count(field[1], where, "length of a segment")


# The lines of one header, and of all headers of a data set, mostly repeat these two fields.
@lru_cache(maxsize=1024)
def _storage(text: str) -> tuple[int, int, int, int] | None:
    """Format, samples a frame, skew and bytes to skip of such as `16x2:3+24`; None when it is none."""
    match = _STORAGE.match(text)
    if not match or (match[2] and int(match[2]) == 0):
        return None
    return int(match[1]), int(match[2] or 1), int(match[3] or 0), int(match[4] or 0)


@lru_cache(maxsize=1024)
def _gain(text: str) -> tuple[float, int | None, str] | None:
    """Gain, baseline and unit of such as `200(1024)/mV`; None when it is none."""
    match = _GAIN.match(text)
    if not match or not math.isfinite(float(match[1])):
        return None
    return float(match[1]), None if match[2] is None else int(match[2]), match[3] or ""


def _rate(rest: list[str], where: Path) -> float | None:
    if not rest:
        return None
    match = _RATE.match(rest[0])
    try:
        rate = float(match[1]) if match else 0.0
    except ValueError:
        rate = 0.0
    if not 0 < rate < float("inf"):
        raise _wrong(where, "rate is unusable", "above 0 Hz", rest[0][:60])
    return rate


def _whole(text: str, where: Path, what: str) -> int:
    if not _WHOLE.match(text):
        raise _wrong(where, f"{what} is no whole number", "digits", text[:60])
    return int(text)


def _count(text: str, where: Path, what: str) -> int:
    if (number := _whole(text, where, what)) < 0:
        raise _wrong(where, f"{what} is negative", "0 or more", text)
    return number


def _wrong(where: Path, what: str, expected: str, got: object) -> FormatError:
    return FormatError(
        where, f"header: {what}", expected=expected, got=got, fix="compare with https://wfdb.io/spec/header-files.html",
        reason="header",
    )  # fmt: skip
