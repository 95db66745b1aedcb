"""`prepare.rate`: WFDB files to a whole cohort, against wfdb.rdrecord and numpy.save a record; `prepare.memory`.

Ours checks the files and hashes, quantises, indexes and merges the recordings; the baseline reads each file and writes
the array down. Memory is that of a child process with its workers while it prepares 100,000 generated recordings with
waves; the limit of 1 GiB is its own baseline.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from bench._run import Bench, Pair
from einthoven import simulate
from einthoven.cohort.build import build
from einthoven.core.facts import WAVE_COLUMNS, Label, LabelSet, Value, Waves
from einthoven.core.leads import STANDARD, resolve
from einthoven.core.record import Record
from einthoven.core.registry import load
from einthoven.sources import Item, Plan

RECORDINGS, MANY = 1000, 100_000
LIMIT_MIB = 1024
BEATS = 6


def benches() -> list[Bench]:
    return [Bench("prepare.rate", 6, "s/recording", make=_rate), Bench("prepare.memory", 1, "MiB", value=_memory)]


def _rate(scratch: Path) -> Pair:
    import wfdb

    writer, folder = load("formats", "wfdb")(), scratch / "files"
    folder.mkdir()
    for i in range(RECORDINGS):
        writer.write(simulate.record(seed=i, rate=500, leads=STANDARD), folder / f"r{i:03d}.hea")
    names = sorted(str(header.with_suffix("")) for header in folder.glob("*.hea"))
    out = scratch / "arrays"
    out.mkdir()

    def one_by_one() -> None:
        for name in names:
            np.save(out / f"{Path(name).name}.npy", wfdb.rdrecord(name).p_signal)  # pyright: ignore

    def ours() -> None:
        cohort = build(load("sources", "folder")(), folder, scratch / "cohort", workers=1)
        if len(cohort) != RECORDINGS:
            raise AssertionError(f"{RECORDINGS - len(cohort)} recordings are missing")
        shutil.rmtree(cohort.path)

    return Pair(ours, RECORDINGS, one_by_one, RECORDINGS)


def _memory(scratch: Path) -> tuple[float, float]:
    here = Path(__file__).parents[1]
    code = f"from bench.prepare import measured; measured({str(scratch / 'cohort')!r})"
    ran = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True, cwd=here)
    return json.loads(ran.stdout)["MiB"], LIMIT_MIB


def measured(out: str) -> None:
    """Prepare the generated recordings in this process and two workers, and print the peaks of all three together."""
    import resource

    cohort = build(Many(), Path(out).parent, out, workers=2)
    if len(cohort) != MANY:
        raise AssertionError(f"{MANY - len(cohort)} recordings are missing")
    from joblib.externals.loky import get_reusable_executor

    get_reusable_executor().shutdown()  # only children that have ended are counted
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10  # bytes there, kibibytes here
    own, worker = (resource.getrusage(who).ru_maxrss / unit for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(json.dumps({"MiB": own + 2 * worker, "own": own, "worker": worker}))


class Many:
    """100,000 recordings of 12 leads and 5 s with labels, values and the waves of each beat and lead."""

    family, licence, citation, version = "bench", "CC0-1.0", "generated", "1"

    def plan(self, path: Path, /) -> Plan:
        items = [Item(f"r{i:06d}", f"p{i // 2:06d}", "", extra=i) for i in range(MANY)]
        return Plan(items, (LabelSet("rhythm", "generated", ("AF", "SR"), exclusive=True),))

    def read(self, path: Path, items: Sequence[Item], /) -> Iterator[Record]:
        leads, rows = resolve(STANDARD), BEATS * len(STANDARD)
        lead = np.repeat(np.array(STANDARD), BEATS)
        beat = np.tile(np.arange(BEATS), len(STANDARD))
        label = np.full(rows, "N")
        for item in items:
            draw = np.random.default_rng(item.extra)
            marks = {name: draw.integers(0, 500, rows) for name in WAVE_COLUMNS}
            facts = (
                Label("rhythm", "SR"), Value("age", float(item.extra % 90), "years"),
                Value("truth.rate", 70.0, "1/min"),
                Waves("truth.waves", {"lead": lead, "beat": beat, "label": label, **marks}),
            )  # fmt: skip
            yield Record(item.key, leads, draw.normal(0, 0.3, (12, 500)).astype(np.float32), 100, item.subject, facts)
