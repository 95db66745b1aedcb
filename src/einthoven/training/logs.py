"""The logs of a run: `log.jsonl` is the same for every run of a recipe, `times.jsonl` says how fast this one was."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from einthoven.core import fingerprint
from einthoven.core.errors import CheckpointError
from einthoven.core.output import writing

TIMED = 20
"""Steps between two lines of `times.jsonl`."""


class Log:
    """Lines that depend on the recipe alone: losses, learning rates, gradients, validations.

    A state on disk knows how long the log was; going on from it, what was written later is cut off.
    """

    def __init__(self, path: Path, size: int) -> None:
        if (path.stat().st_size if path.exists() else 0) < size:
            raise CheckpointError(
                path, "is shorter than when the state was written", expected=f"{size} bytes", reason="damaged",
                fix="begin in another folder",
            )  # fmt: skip
        with writing(path):
            self._stream = open(path, "ab")  # noqa: SIM115  # closed by close()
            self._stream.truncate(size)

    def write(self, line: dict[str, Any]) -> None:
        with writing(self._stream.name):
            self._stream.write((json.dumps(line) + "\n").encode())
            self._stream.flush()

    def size(self) -> int:
        """Bytes on the disk, forced there."""
        os.fsync(self._stream.fileno())
        return os.fstat(self._stream.fileno()).st_size

    def close(self) -> None:
        self._stream.close()


class Times:
    """Seconds and speeds; appended to over all interruptions, never read by a run. None for a path counts only."""

    def __init__(self, path: Path | None, **begin: Any) -> None:
        self._path, self._start, self._last, self._samples = path, time.monotonic(), time.monotonic(), 0
        self._append({"begin": begin})

    def step(self, step: int, samples: int) -> None:
        """Count the recordings of one step; every so many steps write their rate."""
        self._samples += samples
        if step % TIMED == 0:
            now = time.monotonic()
            speed = round(self._samples / max(now - self._last, 1e-9), 1)
            self._append({"step": step, "seconds": round(now - self._start, 3), "samples_per_second": speed})
            self._last, self._samples = now, 0

    def seconds(self) -> float:
        """Since this process began to train."""
        return time.monotonic() - self._start

    def _append(self, line: dict[str, Any]) -> None:
        if self._path is None:
            return
        with writing(self._path), open(self._path, "a", encoding="utf-8") as stream:
            stream.write(fingerprint.to_json(line) + "\n")
