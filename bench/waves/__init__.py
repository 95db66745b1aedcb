"""How the engines behind `signal/waves.py` are fitted, trained and judged.

`pack.py` writes windows, `train.py` makes one wave network of them, `run.sh` all of them, `ship.py` puts the last into
the package. `limits.py` fits the limits of the classical engine, `atria.py` whether a recording has P waves, `folds.py`
chooses the settings of `signal/_runs.py` on inner folds and scores the outer ones. A network of the same kind trains
with `einthoven pretrain recipes/waves.toml`; here rows of all sources share a batch and the machine needs torch and
numpy alone.
"""

from __future__ import annotations

from typing import Any


def benches() -> list[Any]:
    """None: these figures are of accuracy and have commands of their own."""
    return []
