"""Measure ours against a baseline and say how many times better ours is.

Time is the processor time of this process and its children, so that workers count and other programs do not. Both sides
are warmed up and then alternate, five times each; the median counts. One JSON line a figure, printed and appended to
`bench/results.jsonl`: {"name", "ours", "baseline", "ratio", "goal", "unit", "machine"}.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results.jsonl"
PEERS = ("numpy", "scipy", "polars", "torch", "scikit-learn", "wfdb")
"""Packages whose versions stand beside every figure."""

REPEATS = 5
SHORTEST = 0.2
"""Seconds below which a call is repeated, because the clock of child processes ticks every 10 ms."""


@dataclass(frozen=True)
class Pair:
    """Two ways to the same result and how many items one call of each works through."""

    ours: Callable[[], Any]
    ours_items: int
    baseline: Callable[[], Any]
    baseline_items: int


@dataclass(frozen=True)
class Bench:
    """One figure. Give `make` for processor time, or `value` for memory and counts (ours, baseline; less is better).

    Args:
        name: `topic.case`, such as `load.12x1000`.
        goal: the least acceptable ratio baseline / ours; None where it is only reported.
        unit: of the two figures, such as `s/recording` or `MiB`.
        make: given an empty folder, the pair to be timed; preparing is not timed.
        value: given an empty folder, (ours, baseline). An absolute limit is its own baseline, with goal 1.
    """

    name: str
    goal: float | None
    unit: str
    make: Callable[[Path], Pair] | None = None
    value: Callable[[Path], tuple[float, float]] | None = None


def run(bench: Bench, results: Path = RESULTS) -> dict[str, Any]:
    """Measure one figure, print its line, append it to `results`, and return it."""
    with tempfile.TemporaryDirectory(prefix="einthoven-bench-", ignore_cleanup_errors=True) as scratch:
        if bench.value is not None:
            ours, baseline = bench.value(Path(scratch))
        elif bench.make is not None:
            ours, baseline = compare(bench.make(Path(scratch)))
        else:
            raise ValueError(f"{bench.name}: neither make nor value")
    line = {
        "name": bench.name, "ours": ours, "baseline": baseline, "ratio": baseline / ours, "goal": bench.goal,
        "unit": bench.unit, "machine": machine(),
    }  # fmt: skip
    print(json.dumps(line), flush=True)
    with results.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")
    return line


def compare(pair: Pair) -> tuple[float, float]:
    """Processor seconds an item, ours and the baseline: medians of alternating repeats after a warm-up."""
    calls = [_calls(pair.ours), _calls(pair.baseline)]
    took: tuple[list[float], list[float]] = ([], [])
    for _ in range(REPEATS):
        for side, work in enumerate((pair.ours, pair.baseline)):
            took[side].append(_seconds(work, calls[side]) / calls[side])
    return statistics.median(took[0]) / pair.ours_items, statistics.median(took[1]) / pair.baseline_items


def cpu_seconds() -> float:
    """Processor time of this process, of its ended children, and (on Linux) of its living descendants."""
    ended = os.times()
    return time.process_time() + ended.children_user + ended.children_system + _living_descendants()


def machine() -> str:
    """Processor, cores, system, Python and the versions of the peers, in one line."""
    found = []
    for name in PEERS:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} absent")
    here = f"{_processor()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    return f"{here}; {', '.join(found)}; 1 thread a process"


def _calls(work: Callable[[], Any]) -> int:
    """Warm up, and find how many calls fill the shortest time that the clock resolves well."""
    work()
    return max(1, round(SHORTEST / max(_seconds(work, 1), 1e-6)))


def _seconds(work: Callable[[], Any], calls: int) -> float:
    start = cpu_seconds()
    for _ in range(calls):
        work()
    return cpu_seconds() - start


def _living_descendants() -> float:
    """Worker processes that outlive a call (joblib reuses its own) are seen only in /proc."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        pid = int(stat.parent.name)
        parents[pid] = int(fields[1])
        ticks[pid] = sum(int(field) for field in fields[11:15])  # utime stime cutime cstime
    family = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    total = sum(ticks[pid] for pid in family - {os.getpid()})
    return total / os.sysconf("SC_CLK_TCK") if total else 0.0


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
