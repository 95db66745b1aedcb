"""WFDB recordings with annotations for tests, written by the wfdb package."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from einthoven.core.record import Record
from einthoven.formats.wfdb import Wfdb

Mark = tuple[int, str] | tuple[int, str, str]


def record(folder: Path, key: str, leads: Sequence[str], rate: float, samples: int = 2000) -> None:
    """Some wave in each lead."""
    folder.mkdir(parents=True, exist_ok=True)
    wave = np.sin(np.arange(samples) / 20)[None] * np.linspace(0.5, 1, len(leads))[:, None]
    Wfdb().write(Record(key, tuple(leads), wave, rate), folder / f"{key}.hea")


def annotate(folder: Path, key: str, suffix: str, marks: Sequence[Mark]) -> None:
    """Write an annotation file; a mark is a sample and a symbol, and perhaps a note."""
    import wfdb

    notes = [mark[2] if len(mark) > 2 else "" for mark in marks]
    wfdb.wrann(
        key, "tmp", np.array([mark[0] for mark in marks]), [mark[1] for mark in marks], aux_note=notes,
        write_dir=str(folder),
    )  # fmt: skip
    (folder / f"{key}.tmp").rename(folder / f"{key}.{suffix}")  # it writes no suffix with a digit


def wave(on: int | None, peak: int, off: int | None, symbol: str) -> list[Mark]:
    """`( peak )`, either end may be missing."""
    ends = ([(on, "(")] if on is not None else [], [(off, ")")] if off is not None else [])
    return [*ends[0], (peak, symbol), *ends[1]]
