"""Five folds of the delineation sets, fixed before the first score: LUDB by recording, QT Database by person.

`delineation_folds.json` holds them; `python -m einthoven.evaluate.folds LUDB QTDB` (two folders) writes it again.
Strata (rhythm and conduction; the parent database) are dealt one after the other: recordings are sorted by stratum and,
within it, by the SHA-256 of their name, and go to folds 0 1 2 3 4 0 1 ... Settings are chosen on the four other folds
of an outer one, each of which is an inner fold.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path

from einthoven.core.facts import Label
from einthoven.sources import Item
from einthoven.sources.ludb import Ludb
from einthoven.sources.qtdb import Qtdb

FOLDS = 5
FILE = "delineation_folds.json"

# The first that a statement begins with decides; what has none is `sinus`.
_STRATA = (
    ("paced", ("Pacemaker", "Unipolar", "Bipolar", "Biventricular", "P-synchrony")),
    ("third-degree block", ("Iii degree av-block",)),
    ("fibrillation or flutter", ("Atrial fibrillation", "Atrial flutter")),
    ("left bundle", ("Complete left bundle", "Incomplete left bundle")),
    ("right bundle", ("Complete right bundle",)),
    ("intraventricular", ("Non-specific intravintricular",)),
    ("first-degree block", ("I degree av block",)),
    ("ventricular ectopy", ("Ventricular extrasystole",)),
    ("atrial ectopy", ("Atrial extrasystole", "Wandering", "Irregular", "Sinoatrial")),
    ("incomplete right bundle", ("Incomplete right bundle",)),
    ("anterior hemiblock", ("Left anterior hemiblock",)),
    ("bradycardia or tachycardia", ("Sinus bradycardia", "Sinus tachycardia", "Sinus arrhythmia")),
)


def stratum(statements: Iterable[str]) -> str:
    """Rhythm and conduction class of a recording of LUDB.

    >>> stratum(["Sinus rhythm", "Complete left bundle branch block"])
    'left bundle'
    """
    said = list(statements)
    return next((name for name, begins in _STRATA if any(line.startswith(begins) for line in said)), "sinus")


def deal(groups: dict[str, str]) -> dict[str, int]:
    """Fold of each group (recording or person) from its stratum."""
    order = sorted(groups, key=lambda group: (groups[group], hashlib.sha256(group.encode()).hexdigest()))
    return {group: i % FOLDS for i, group in enumerate(order)}


def of_ludb(items: Iterable[Item]) -> dict[str, int]:
    """Fold of each recording of LUDB by its key."""
    return deal({
        item.key: stratum(fact.code for fact in item.facts if isinstance(fact, Label)) for item in items
    })  # fmt: skip


def of_qtdb(items: Iterable[Item]) -> dict[str, int]:
    """Fold of each recording of the QT Database by its key; all of a person's are in one."""
    items = list(items)
    fold = deal({str(item.subject): str(item.subject).partition(" ")[0] for item in items})
    return {item.key: fold[str(item.subject)] for item in items}


@cache
def read() -> dict[str, dict[str, int]]:
    """The committed folds: `ludb` and `qtdb`, each by key."""
    return json.loads(files("einthoven.evaluate").joinpath(FILE).read_text(encoding="utf-8"))


def _lines(folds: dict[str, dict[str, int]]) -> str:
    parts = [
        f'"{name}": {{\n' + ",\n".join(f'  "{key}": {fold}' for key, fold in sorted(chosen.items())) + "\n}"
        for name, chosen in folds.items()
    ]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main(ludb: str, qtdb: str) -> None:
    """Write the folds of the recordings in these folders."""
    chosen = {
        "ludb": of_ludb(Ludb().plan(Path(ludb)).items), "qtdb": of_qtdb(Qtdb().plan(Path(qtdb)).items),
    }  # fmt: skip
    Path(__file__).with_name(FILE).write_text(_lines(chosen), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
