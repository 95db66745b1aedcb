"""`prepare`: the files of a data set to a cohort."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from einthoven.core import recipe, registry
from einthoven.core.errors import RecipeError

SMOKE = 200
"""Recordings of a trial."""


@dataclass(frozen=True)
class Prepared:
    """What was written where. refused: count by reason; examples: a message for each; kept: it was there already."""

    path: str
    source: str
    records: int
    subjects: int
    leads: dict[str, int]
    rates: dict[str, int]
    refused: dict[str, int]
    examples: dict[str, str]
    absent: int
    identical: int
    notes: tuple[str, ...]
    bytes: int
    seconds: float
    kept: bool
    fingerprint: str
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if key != "exit_code"}

    def __str__(self) -> str:
        lines = [f"  note: {note}" for note in self.notes]
        if self.absent:
            lines.append(f"  {self.absent:,} rows of the table have no file here")
        if self.identical:
            lines.append(f"  {self.identical:,} groups of identical recordings, each taken as one person")
        for reason, count in self.refused.items():
            lines.append(f"  refused {count:,}  {reason}: {self.examples[reason]}")
        if self.refused:
            lines.append(f"  all {sum(self.refused.values()):,} refused files: {Path(self.path) / 'refused.parquet'}")
        leads = _range({len(names.split(" ")) for names in self.leads})
        rates = _range({float(rate) for rate in self.rates})
        what = (
            f"{self.records:,} recordings of {self.subjects:,} subjects, {leads} leads at {rates} Hz, "
            f"{self.bytes / 1e6:,.1f} MB"
        )
        if self.kept:
            lines.append(f"{self.path}: {what}, was there already and is kept")
        else:
            speed = self.records / max(self.seconds, 1e-9)
            lines.append(f"{self.path}: {what}, written in {self.seconds:.1f} s ({speed:,.0f} recordings/s)")
        return "\n".join(lines)


def prepare(
    source: str,
    path: str | Path,
    cohort: str | Path,
    *,
    table: str | Path | None = None,
    rate: float | None = None,
    unit: str | None = None,
    lead: str | None = None,
    column: str | None = None,
    workers: int = 2,
    settings: Mapping[str, Any] | None = None,
    smoke: bool = False,
) -> Prepared:
    """Bring a data set into a cohort: signals once, facts as tables, a card. Killed, the same call goes on.

    Args:
        source: kind of data set: `ptbxl`, `cinc2017`, `folder`, `simulated`, ...
        path: its folder.
        cohort: the folder to be written. One of the same source, settings and files is kept as it is.
        table: CSV of file, subject and facts, for a folder of one's own.
        rate, unit, lead, column: what the files do not state; for PTB-XL, `rate` is which of its two is read.
        workers: processes; the result is the same to the byte.
        settings: further arguments of the source.
        smoke: at most 200 recordings, evenly from the whole.

    Raises:
        RegistryError: no such source. RecipeError: a setting that it does not take, or a wrong value.
        SourceError: the folder is not in the source's layout, or no recording can be used.
        OutputError: the place is taken or cannot be written.
        Interrupted: stopped; the same call goes on where it was.
    """
    from einthoven.cohort.build import build

    if workers < 1:
        raise RecipeError("prepare", "workers must be at least 1", got=workers, reason="value")
    said = {"table": table and str(table), "rate": _whole(rate), "unit": unit, "lead": lead, "column": column}
    given = {key: value for key, value in said.items() if value is not None} | dict(settings or {})
    plugin = registry.load("sources", source)
    reader = plugin(**recipe.check(plugin, given, f"prepare {source}"))
    kept = (Path(cohort) / "card.json").is_file()
    start = time.monotonic()
    with _progress(f"prepare {source}") as progress:
        built = build(reader, path, cohort, workers=workers, limit=SMOKE if smoke else None, progress=progress)
    card, counts = built.card, built.card["counts"]
    firsts = built.refused.unique("reason", keep="first", maintain_order=True)
    return Prepared(
        path=str(cohort), source=source, records=counts["records"], subjects=counts["subjects"], leads=card["leads"],
        rates=card["rates"], refused=card["refused"], examples=dict(zip(firsts["reason"], firsts["message"])),
        absent=counts["absent"], identical=len(card["identical"]), notes=tuple(card["notes"]),
        bytes=sum(file.stat().st_size for file in Path(cohort).rglob("*") if file.is_file()),
        seconds=round(time.monotonic() - start, 3), kept=kept, fingerprint=built.fingerprint,
    )  # fmt: skip


@contextmanager
def _progress(title: str) -> Iterator[Callable[[int, int], None] | None]:
    """A bar with recordings a second on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    rate = TextColumn("{task.fields[rate]}")
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None, rate="")

        def update(done: int, total: int) -> None:
            speed = bar.tasks[0].finished_speed or bar.tasks[0].speed
            bar.update(task, completed=done, total=total, rate=f"{speed:,.0f}/s" if speed else "")

        yield update


def _whole(rate: float | None) -> float | int | None:
    """500.0 from the command line is 500 where a source takes one of a few whole rates."""
    return int(rate) if rate is not None and float(rate).is_integer() else rate


def _range(numbers: set[int] | set[float]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
