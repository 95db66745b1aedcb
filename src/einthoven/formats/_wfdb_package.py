"""The rare WFDB layouts, read by the wfdb package of the extra [formats]: FLAC, and several segments.

The package parses its own headers, so every header it would open is parsed here first: no name may leave the folder and
no stated length may exceed what one recording can be.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from einthoven.core.errors import ExtraError, FormatError
from einthoven.formats import _wfdb_header
from einthoven.formats._mapping import MOST_VALUES
from einthoven.formats._wfdb_header import Channel, Header

FLAC = (508, 516, 524)


def segments(header: Header, where: Path) -> list[Header]:
    """The headers of all segments, each checked; a gap (`~`) has none.

    Raises:
        FormatError: as `_wfdb_header.read`, or `size`, or `header` when segments hold segments.
    """
    found: list[Header] = []
    for name, _ in header.segments:
        if name != "~":
            part = _wfdb_header.read(where.parent / f"{name}.hea")
            if part.segments:
                raise FormatError(
                    where, f"segment {name} has segments itself", expected="signals", fix="mend the header",
                    reason="header",
                )  # fmt: skip
            found.append(part)
    frames = sum(length for _, length in header.segments)
    width = max((sum(channel.frame for channel in part.channels) for part in found), default=0)
    if not found or not width:
        raise FormatError(where, "holds no signal", expected="at least one segment with signals", reason="empty")
    if frames != header.frames or frames * width > MOST_VALUES:
        raise FormatError(
            where, "length of the segments is unusable", expected=f"{header.frames} samples together, as stated",
            got=frames, fix="mend the header, or cut the recording into parts", reason="size",
        )  # fmt: skip
    return found


def digital(path: Path, channels: tuple[Channel, ...]) -> list[np.ndarray]:
    """Stored samples of each channel, (frames * channel.frame,)."""
    record = _record(path, physical=False)
    samples = [np.asarray(row) for row in record.e_d_signal or ()]
    if len(samples) != len(channels):
        raise FormatError(
            path, "the wfdb package reads another number of signals", expected=len(channels), got=len(samples),
            reason="damaged",
        )  # fmt: skip
    return samples


def physical(path: Path) -> list[tuple[str, str, int, np.ndarray]]:
    """Name, unit, samples a frame and samples in that unit, NaN in gaps, of each channel of a variable layout."""
    record = _record(path, physical=True)
    return list(zip(record.sig_name, record.units, record.samps_per_frame, record.e_p_signal, strict=True))


def _record(path: Path, physical: bool) -> Any:
    try:
        import wfdb
    except ModuleNotFoundError as error:
        raise ExtraError.of(f"{path}: reading this kind of WFDB record", "formats") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return wfdb.rdrecord(str(path.resolve().with_suffix("")), physical=physical, smooth_frames=False)
    except Exception as error:  # a foreign parser on foreign bytes: whatever it raises, the file is to blame
        raise FormatError(
            path, "the wfdb package cannot read it", got=f"{type(error).__name__}: {error}",
            fix="copy or download it again", reason="damaged",
        ) from error  # fmt: skip
