"""A run that can be killed inside a write: `python -m tests.training.killed RECIPE OUT [--slow-writes FILE]`.

With --slow-writes the writer of tensors stops half way through each file, touches FILE and waits a moment, so that a
test can kill this process while a state or a checkpoint is half-written. Only the waiting is added: a process that is
not killed goes on and writes the whole.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch

from einthoven.app.pretrain import pretrain
from einthoven.core.errors import Interrupted
from einthoven.training import checkpoint, state

WAIT = 2.0


def main(recipe: Path, out: Path, marker: Path | None) -> int:
    torch.set_num_threads(1)
    if marker is not None:
        real = state.save_file

        def slow(tensors: dict, path: Path) -> None:
            real(tensors, path)
            whole = path.read_bytes()
            path.write_bytes(whole[: len(whole) // 2])
            marker.touch()
            time.sleep(WAIT)
            path.write_bytes(whole)

        state.save_file = checkpoint.save_file = slow
    try:
        pretrain(recipe, out=out)
    except Interrupted as stopped:
        return stopped.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[4]) if len(sys.argv) > 4 else None))
