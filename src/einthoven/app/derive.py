"""`derive`: add facts to a cohort; so far `physiology`: beats, waves, measurements and quality of every recording."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from einthoven.core.errors import RecipeError, nearest

WHAT = ("physiology",)


@dataclass(frozen=True)
class Derived:
    """What was added. counts: records, beats, recordings by quality and by measurement. kept: it was there already."""

    path: str
    what: str
    engine: str
    counts: dict[str, int]
    fingerprint: str
    kept: bool
    seconds: float
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if key != "exit_code"}

    def __str__(self) -> str:
        records = max(self.counts["records"], 1)
        if self.kept:
            head = f"{self.path}: {self.what} by {self.engine} was there already and is kept"
        else:
            speed = records / max(self.seconds, 1e-9)
            head = f"{self.path}: {self.what} by {self.engine} in {self.seconds:.1f} s ({speed:,.0f} recordings/s)"
        verdicts = ", ".join(f"{self.counts.get(f'quality.{word}', 0):,} {word}" for word in ("good", "usable", "poor"))
        lines = [head, f"  {records:,} recordings, {self.counts['beats']:,} beats; quality {verdicts}"]
        shares = (
            f"{name} {100 * self.counts.get(f'measured.{name}', 0) / records:.1f} %"
            for name in ("hr", "pr", "qrs", "qt", "axis_qrs", "sokolow_lyon")
        )
        return "\n".join([*lines, f"  measured in: {', '.join(shares)}"])


def derive(what: str, cohort: str | Path, *, workers: int = 2) -> Derived:
    """Add facts to a cohort. Killed, the same call goes on; the result does not depend on the workers.

    Args:
        what: `physiology`.
        cohort: its folder; signals and the facts that were prepared stay as they are.
        workers: processes.

    Raises:
        RecipeError: there is nothing of that name to derive.
        CohortError: no cohort, or a damaged one. OutputError: it cannot be written.
        Interrupted: stopped; the same call goes on where it was.
    """
    from einthoven.app.prepare import _progress
    from einthoven.cohort import derive as deriving
    from einthoven.cohort.store import Cohort

    if what not in WHAT:
        raise RecipeError(
            "derive", f"nothing called '{what}' is derived", expected=" ".join(WHAT), fix=nearest(what, WHAT)
        )
    if workers < 1:
        raise RecipeError("derive", "workers must be at least 1", got=workers, reason="value")
    opened = Cohort.open(cohort)
    kept = deriving.current(opened) is not None
    start = time.monotonic()
    with _progress(f"derive {what}") as progress:
        entry = deriving.derive(opened, workers=workers, progress=progress)
    return Derived(
        str(cohort), what, entry["engine"], entry["counts"], entry["fingerprint"], kept,
        round(time.monotonic() - start, 3),
    )  # fmt: skip
