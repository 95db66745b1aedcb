"""A build that is killed: `python -m tests.cohort.killed OUT WORKERS RECORDS [KILL_AT]`.

With KILL_AT the process kills itself just before its operation of that number on files below OUT's folder (opening,
making, renaming, removing), so that kills fall between any two steps and inside half-written files. Prints how many
operations there were.
"""

import os
import signal
import sys
from pathlib import Path

from einthoven.cohort.build import build
from tests.cohort.generated import Generated

WATCHED = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.listdir", "os.scandir"}
PIECE, SHARD = 16, 300_000


def main(out: Path, workers: int, records: int, kill_at: int = 0) -> None:
    seen = 0

    def watch(event: str, arguments: tuple) -> None:
        nonlocal seen
        if event in WATCHED and isinstance(arguments[0], str | Path) and str(arguments[0]).startswith(str(out.parent)):
            seen += 1
            if seen == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    build(Generated(records=records, doubled=True), out.parent, out, workers=workers, piece=PIECE, shard_bytes=SHARD)
    print(seen)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
