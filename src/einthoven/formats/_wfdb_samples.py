"""The samples of a single-segment WFDB record, vectorised: bytes to whole numbers as stored.

Covers all formats of signal(5) but FLAC, several files a record, bytes to skip, several samples a frame, and skew. No
array is made before the file was found to be as long as its header says. C channels, T frames.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np

from einthoven.core.errors import FormatError
from einthoven.formats._mapping import MOST_VALUES
from einthoven.formats._wfdb_header import Channel, Header

_BYTES = {
    8: (0, 1), 16: (0, 2), 24: (0, 3), 32: (0, 4), 61: (0, 2), 80: (0, 1), 160: (0, 2), 212: (0, 2, 3),
    310: (0, 2, 4, 4), 311: (0, 2, 3, 4),
}  # fmt: skip
"""Bytes that 0, 1, ... samples take, up to a whole group."""

INVALID = {
    16: -(1 << 15), 24: -(1 << 23), 32: -(1 << 31), 61: -(1 << 15), 80: -(1 << 7), 160: -(1 << 15), 212: -(1 << 11),
    310: -(1 << 9), 311: -(1 << 9), 508: -(1 << 7), 516: -(1 << 15), 524: -(1 << 23),
}  # fmt: skip
"""The value that says "no sample here": the lowest of each format. Format 8 has none."""


def read(header: Header, where: Path) -> list[np.ndarray]:
    """Stored samples of each channel, (frames * channel.frame,) whole numbers, skew undone.

    Raises:
        FormatError: `missing`, `truncated`, `checksum`, `empty`, `size`, `unsupported` or `header`.
    """
    samples: list[np.ndarray] = []
    frames, seen = header.frames, set()
    for (name, form, offset), group in groupby(header.channels, lambda c: (c.file, c.format, c.offset)):
        channels = list(group)
        if name == "~":
            raise FormatError(
                where, "describes signals without samples", expected="a recording", got="file ~ (a layout header)",
                fix="read the record that it belongs to", reason="empty",
            )  # fmt: skip
        if form not in _BYTES:
            raise FormatError(
                where, f"signals are stored in an unknown format {form}", expected=f"one of {sorted(INVALID)}",
                fix="convert the record, for example with wfdb's xform", reason="unsupported",
            )  # fmt: skip
        if name in seen:  # the samples of one file are interleaved, so it can only be read as a whole
            raise FormatError(
                where, f"signals of {name} are scattered or differ in format", expected="one group of lines a file",
                got=f"format {form}+{offset} again", fix="mend the header", reason="header",
            )  # fmt: skip
        seen.add(name)
        data, found = _bytes(where.parent / name, where, form, offset, sum(c.frame for c in channels), frames)
        if frames and found != frames:
            raise FormatError(
                where, "signal files differ in length", expected=f"{frames} samples", got=f"{found} in {name}",
                fix="state the number of samples in the header", reason="truncated",
            )  # fmt: skip
        frames = found
        rows = _rows(data, form, channels, frames)
        _verify(rows, channels, where)
        samples += [_unskew(row, channel) if channel.skew else row for row, channel in zip(rows, channels)]
    if not samples:
        raise FormatError(where, "holds no signal", expected="at least one", got="0 signals", reason="empty")
    return samples


def _bytes(path: Path, where: Path, form: int, offset: int, width: int, frames: int) -> tuple[bytes, int]:
    """The stored bytes and the number of frames; the number is the file's when the header states none (0)."""
    try:
        with open(path, "rb", buffering=0) as stream:
            there = os.fstat(stream.fileno()).st_size - offset
            if not frames:
                frames = _samples_in(max(there, 0), form) // width
            wanted = _bytes_of(frames * width, form)
            if frames * width > MOST_VALUES:
                raise FormatError(
                    where, "states too many samples", expected=f"at most {MOST_VALUES}", got=frames * width,
                    fix="cut the recording into parts", reason="size",
                )  # fmt: skip
            if wanted > there:
                raise FormatError(
                    where, f"{path.name} is cut short", expected=f"{wanted + offset} bytes for {frames} samples",
                    got=f"{there + offset} bytes", fix="copy or download it again", reason="truncated",
                )  # fmt: skip
            if offset:
                stream.seek(offset)
            data = stream.read(wanted) or b""
            while len(data) < wanted and (more := stream.read(wanted - len(data))):  # one call gives at most 2 GiB
                data += more
    except OSError as error:
        raise FormatError(
            where, f"its signal file {path.name} cannot be read", got=error.strerror or error,
            fix="put it beside the header", reason="missing",
        ) from error  # fmt: skip
    if not frames:
        raise FormatError(where, "holds no sample", expected="at least one", got=path.name, reason="empty")
    return data, frames


def _rows(data: bytes, form: int, channels: list[Channel], frames: int) -> Sequence[np.ndarray] | np.ndarray:
    """Stored samples of each channel out of the frames of one file, each contiguous: one array if all are as long."""
    width = sum(channel.frame for channel in channels)
    block_TC = _DECODE[form](data, frames * width).reshape(frames, width)
    if len(channels) == width:
        rows = np.ascontiguousarray(block_TC.T)
    else:
        ends = np.cumsum([channel.frame for channel in channels])
        rows = [block_TC[:, end - channel.frame : end].reshape(-1) for end, channel in zip(ends, channels)]
    if form == 8:  # first differences from the initial value
        rows = [np.cumsum(row, dtype=np.int64) + channel.initial for row, channel in zip(rows, channels)]
    return rows


def _verify(rows: Sequence[np.ndarray] | np.ndarray, channels: list[Channel], where: Path) -> None:
    """Hold the sums of the stored samples against the header's, modulo 2^16; 0 or nothing means that none was made.

    A wrong sum is refused rather than warned about: some amplitudes are certainly not those that were recorded.
    """
    # sums of 16-bit samples may wrap: only the low 16 bits count
    kind = np.int16 if rows[0].dtype.itemsize == 2 else np.int64
    if isinstance(rows, np.ndarray):
        totals = np.add.reduce(rows, axis=1, dtype=kind).tolist()
    else:
        totals = [int(np.add.reduce(row, dtype=kind)) for row in rows]
    for total, channel in zip(totals, channels):
        if channel.checksum:
            total &= 0xFFFF
            if total != channel.checksum & 0xFFFF:
                raise FormatError(
                    where, f"checksum of signal {channel.name or channel.file} is wrong",
                    expected=channel.checksum & 0xFFFF, got=total, reason="checksum",
                    fix="the file is damaged: copy or download it again",
                )  # fmt: skip


def _unskew(samples: np.ndarray, channel: Channel) -> np.ndarray:
    """Move a channel that was stored late back to its place; what is missing at the end becomes invalid."""
    late = min(channel.skew * channel.frame, len(samples))
    out = np.full_like(samples, INVALID.get(channel.format, 0))
    out[: len(samples) - late] = samples[late:]
    return out


def _bytes_of(samples: int, form: int) -> int:
    *part, whole = _BYTES[form]
    return samples // len(part) * whole + part[samples % len(part)]


def _samples_in(size: int, form: int) -> int:
    *part, whole = _BYTES[form]
    return size // whole * len(part) + bisect_right(part, size % whole) - 1


def _as(kind: str) -> Callable[[bytes, int], np.ndarray]:
    return lambda data, count: np.frombuffer(data, kind, count)


def _offset_binary(kind: str, middle: int) -> Callable[[bytes, int], np.ndarray]:
    return lambda data, count: (np.frombuffer(data, kind, count).astype(np.int32) - middle).astype(np.int16)


def _whole_groups(data: bytes, size: int) -> np.ndarray:
    """Bytes as (groups, size), the last group filled up with 0."""
    groups = np.zeros((-(-len(data) // size), size), np.uint8)
    groups.ravel()[: len(data)] = np.frombuffer(data, np.uint8)
    return groups


def _format_24(data: bytes, count: int) -> np.ndarray:
    """Little-endian two's complement of three bytes."""
    wide = np.zeros((count, 4), np.uint8)
    wide[:, 1:] = _whole_groups(data, 3)
    return wide.view("<i4").ravel() >> 8


# In the packed formats a sample is shifted to the top of its word and back, which carries its sign along.
def _format_212(data: bytes, count: int) -> np.ndarray:
    """Two samples of 12 bits in three bytes; the high bits of both are in the middle byte."""
    low, middle, high = _whole_groups(data, 3).T.astype(np.int16)
    pairs = np.stack([(middle & 0x0F) << 12 | low << 4, (middle & 0xF0) << 8 | high << 4], axis=1) >> 4
    return pairs.ravel()[:count]


def _format_310(data: bytes, count: int) -> np.ndarray:
    """Three samples of 10 bits in two 16-bit words: bits 1-10 of each, and bits 11-15 of both together."""
    first, second = _whole_groups(data, 4).view("<i2").T
    third = (second & ~0x7FF) | (first >> 5 & 0x7C0)
    return (np.stack([first << 5, second << 5, third], axis=1) >> 6).ravel()[:count]


def _format_311(data: bytes, count: int) -> np.ndarray:
    """Three samples of 10 bits in one 32-bit word, the first in the lowest bits."""
    word = _whole_groups(data, 4).view("<i4").ravel()
    return (np.stack([word << 22, word << 12, word << 2], axis=1) >> 22).ravel()[:count]


_DECODE: dict[int, Callable[[bytes, int], np.ndarray]] = {
    8: _as("i1"), 16: _as("<i2"), 24: _format_24, 32: _as("<i4"), 61: _as(">i2"), 80: _offset_binary("u1", 128),
    160: _offset_binary("<u2", 1 << 15), 212: _format_212, 310: _format_310, 311: _format_311,
}  # fmt: skip
