"""Shards that grow recording by recording: flat int16 `.npy` files, recordings end to end.

A build appends its pieces in the plan's order while others are still being made, so that signals need room once. What
a killed build has written of a piece that is not whole is cut off when it goes on.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from einthoven.core.errors import OutputError
from einthoven.core.output import writing

HEADER = 128
"""Bytes of a shard's `.npy` header; NumPy leaves room in it for a length that grows."""


def places(sizes: Iterable[int], limit: int) -> np.ndarray:
    """Shard and offset (2, N) of recordings of these sizes, in int16 numbers; a shard holds `limit` bytes or one."""
    shard = offset = 0
    found = []
    for size in sizes:
        if offset and 2 * (offset + size) > limit:
            shard, offset = shard + 1, 0
        found.append((shard, offset))
        offset += size
    return np.array(found, np.int64).reshape(-1, 2).T


class Shards:
    """The shards in a folder, open at their end.

    Args:
        limit: bytes of a shard; one longer recording has a shard of its own.
        sizes: int16 numbers of each recording that is in them already; anything after these is cut off.

    Raises:
        OutputError: they cannot be written, or lack recordings that should be in them.
    """

    def __init__(self, folder: Path, limit: int, sizes: list[int]) -> None:
        self.folder, self.limit = folder, limit
        self._shard, self._end = 0, 0
        if sizes:
            shard, offset = places(sizes, limit)[:, -1].tolist()
            self._shard, self._end = shard, offset + sizes[-1]
        with writing(folder):
            folder.mkdir(exist_ok=True)
            for path in folder.iterdir():
                if path.name > self._path.name:
                    path.unlink()
            self._open()

    @property
    def _path(self) -> Path:
        return self.folder / f"{self._shard:05d}.npy"

    def _open(self) -> None:
        self._stream = open(self._path, "r+b" if self._path.exists() else "w+b")  # noqa: SIM115
        wanted = HEADER + 2 * self._end
        if self._end and os.fstat(self._stream.fileno()).st_size < wanted:
            raise OutputError(
                self._path, "is shorter than it was", expected=f"{wanted} bytes", reason="damaged",
                fix=f"remove {self.folder.parent.parent} and begin anew",
            )  # fmt: skip
        self._stream.truncate(wanted)
        self._stream.seek(wanted)

    def write(self, samples: Any) -> None:
        """Append one recording, given as a buffer of int16 numbers."""
        size = memoryview(samples).nbytes // 2
        with writing(self.folder):
            if self._end and 2 * (self._end + size) > self.limit:
                self.close()
                self._shard, self._end = self._shard + 1, 0
                self._open()
            self._stream.write(samples)
            self._end += size

    def flush(self) -> None:
        """Hand everything to the system, so that a kill cannot take it away."""
        with writing(self.folder):
            self._stream.flush()

    def close(self) -> None:
        """Complete the shard: its header says how long it is."""
        with writing(self.folder):
            self._stream.seek(0)
            header = {"descr": "<i2", "fortran_order": False, "shape": (self._end,)}
            np.lib.format.write_array_header_1_0(self._stream, header)
            self._stream.close()
