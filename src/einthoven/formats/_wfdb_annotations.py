"""Annotations of WFDB: which symbol stands at which sample. Read by the wfdb package of the extra [formats].

Source: annot(5) of the WFDB Applications Guide, https://wfdb.io/spec/. K annotations in order of time.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from einthoven.core.errors import ExtraError, FormatError

MOST_BYTES = 1 << 26
"""An annotation takes two bytes or more: a day of a fast heart is below a tenth of this."""

BEATS = frozenset("NLRBAaJSVrFejnE/fQ?")
"""Symbols of heartbeats; all others mark rhythm, quality, waves or episodes."""


@dataclass(frozen=True, eq=False)
class Annotations:
    """sample (K,) int64 of the recording; symbol (K,) and note (K,) of str, the note is empty where there is none."""

    sample: np.ndarray
    symbol: np.ndarray
    note: np.ndarray

    def __len__(self) -> int:
        return len(self.sample)


def read(path: Path) -> Annotations:
    """Read one annotation file, such as `100.atr`.

    Raises:
        FormatError: it is not there (`missing`), too large (`size`) or cannot be read (`damaged`).
        ExtraError: the extra [formats] is not installed.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise FormatError(
            path, "the annotations cannot be read", got=error.strerror or error, fix="copy the file beside its header",
            reason="missing",
        ) from error  # fmt: skip
    if size > MOST_BYTES:
        raise FormatError(
            path, "is too large for annotations", expected=f"at most {MOST_BYTES} bytes", got=size, reason="size"
        )
    try:
        import wfdb
    except ModuleNotFoundError as error:
        raise ExtraError.of(f"{path}: reading annotations of WFDB", "formats") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = wfdb.rdann(str(path.resolve().with_suffix("")), path.suffix[1:])
        sample = np.asarray(found.sample, dtype=np.int64)
        symbol = np.array([str(one) for one in found.symbol or ()], dtype=object)
        note = np.array([str(one).rstrip("\0").strip() for one in found.aux_note or ()], dtype=object)
    except Exception as error:  # a foreign parser on foreign bytes: whatever it raises, the file is to blame
        raise FormatError(
            path, "the wfdb package cannot read these annotations", got=f"{type(error).__name__}: {error}",
            fix="copy or download it again", reason="damaged",
        ) from error  # fmt: skip
    if not len(sample) == len(symbol) == len(note) or (len(sample) and sample[0] < 0):
        raise FormatError(path, "holds annotations without a place", fix="copy it again", reason="damaged")
    order = np.argsort(sample, kind="stable")
    return Annotations(sample[order], symbol[order], note[order])
