"""Ours and other programs over the same recordings and spans: `python -m bench.rivals`.

`sets.py` writes the recordings as npz, `programs.py` makes an environment for each program, `worker.py` runs in it and
writes npz again, `score.py` scores them with `einthoven.evaluate.delineation`, `table.py` prints `figures.json`. Rivals
are run and never imported; their environments lie in `.envs`, which git does not know.
"""

from __future__ import annotations

from typing import Any


def benches() -> list[Any]:
    """None: these figures are of accuracy and have a command of their own."""
    return []
