"""NumPy arrays (.npy): one recording a file, without rate, unit or lead names, so a Mapping must say them.

Shape (samples,) is one lead. Of two axes, the leads are the one that is at most 32 long while the other is longer, so
both (leads, samples) and (samples, leads) are read; when both or neither are short, the file is refused, not guessed.
Pickled objects are never read. L leads, T samples.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from einthoven.core.errors import FormatError
from einthoven.core.output import replaced_file
from einthoven.core.record import Record
from einthoven.formats._mapping import MOST_VALUES, Mapping

_MAGIC = b"\x93NUMPY"
_MOST_LEADS = 32


class Npy:
    """Arrays as saved by `numpy.save`. Writes (leads, samples) float32 in millivolts."""

    suffixes = (".npy",)

    def sniff(self, path: Path, head: bytes) -> bool:
        """Known by the first six bytes; a `.npy` without them is damaged."""
        return head.startswith(_MAGIC) or path.suffix.lower() == ".npy"

    def read(self, path: Path, mapping: Mapping) -> Record:
        """One recording of unnamed leads.

        Raises:
            FormatError: no array of numbers (`damaged`, `dtype`), cut short (`truncated`), leads cannot be told from
                samples (`shape`), too large (`size`), or the mapping lacks rate or unit (`rate`, `unit`).
        """
        array_LT = _leads_first(_open(path), path)
        take, leads = mapping.leads_of([""] * len(array_LT), path)
        rate, scale = mapping.rate_of(None, path), mapping.millivolts_of(None, path)
        with np.errstate(invalid="ignore", over="ignore"):  # the Record judges what comes out
            signal_LT = array_LT[take].astype(np.float64) * scale
        return Record(path.stem, leads, signal_LT, rate)

    def describe(self, path: Path) -> str:
        """Kind and shape of the array."""
        array = _open(path)
        return f"{array.dtype}, shape {array.shape}"

    def write(self, record: Record, path: Path) -> list[Path]:
        """Write `path`; raises OutputError when it cannot be written."""
        path = path.with_suffix(".npy")
        with replaced_file(path) as scratch:
            np.save(scratch, record.signal, allow_pickle=False)
        return [path]


def _open(path: Path) -> np.ndarray:
    """The array as a read-only map of the file: nothing is allocated by what the header says."""
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except OSError as error:
        raise FormatError(
            path, "cannot be read", got=error.strerror or error, fix="check the path", reason="missing"
        ) from error
    except Exception as error:  # NumPy parses the header as Python: whatever that raises, the file is to blame
        short = "greater than file size" in str(error) or "EOF" in str(error)
        raise FormatError(
            path, "is cut short" if short else "is no array of numbers", expected="what numpy.save writes", got=error,
            fix="save it again with numpy.save", reason="truncated" if short else "damaged",
        ) from error  # fmt: skip
    if array.dtype.kind not in "iuf":
        raise FormatError(
            path, "does not hold real numbers", expected="integers or floats", got=array.dtype,
            fix="save the potentials as float32", reason="dtype",
        )  # fmt: skip
    if array.size > MOST_VALUES:
        raise FormatError(
            path, "holds too many samples", expected=f"at most {MOST_VALUES}", got=array.size,
            fix="cut the recording into parts", reason="size",
        )  # fmt: skip
    return array


def _leads_first(array: np.ndarray, path: Path) -> np.ndarray:
    if array.ndim == 1:
        return array[None]
    short = [axis for axis, length in enumerate(array.shape) if length <= _MOST_LEADS]
    if array.ndim != 2 or len(short) != 1 or not array.size:
        raise FormatError(
            path, "leads cannot be told from samples", got=f"shape {array.shape}",
            expected=f"one axis, or two of which one is at most {_MOST_LEADS} long and the other longer",
            fix="save one recording a file as (leads, samples)", reason="shape",
        )  # fmt: skip
    return array if short == [0] else array.T
