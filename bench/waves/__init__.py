"""How the classical engine is fitted, and a wave network trained and judged; none of the latter ships yet.

`limits.py` and `atria.py` fit the limits of the classical engine and whether there are P waves. `pack.py` writes
windows, `train.py` makes one network of them, `run.sh` all of them on one GPU; `folds.py` chooses the settings of
`signal/_network.py` on inner folds and scores the outer ones. The same network trains with `einthoven pretrain
recipes/waves.toml`; here rows of all sources share a batch and the machine needs torch and numpy alone.
"""

from __future__ import annotations

from typing import Any


def benches() -> list[Any]:
    """None: these figures are of accuracy and have commands of their own."""
    return []
