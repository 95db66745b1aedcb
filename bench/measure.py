"""`measure.*`, `beats.12x5000`: analysis and beats, against NeuroKit2 lead by lead; a day in bounded memory.

`measure.12x5000` is the whole analysis of 12 leads of 10 s at 500 Hz, default settings, against `ecg_process` of the 12
leads; `beats.12x5000` are R peaks of all leads together against `ecg_clean` and `ecg_peaks` of each. `measure.cohort`:
a sample of PTB-XL at 100 Hz out of a cohort, against `ecg_process` one by one on 50 of them. `measure.24h`: the peak
memory of `einthoven measure` on a file of 24 hours, 3 leads at 250 Hz; the limit of 1 GiB is its own baseline.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from bench._neurokit import VERSION, Peer
from bench._run import Bench, Pair
from einthoven import simulate
from einthoven.core.record import Record
from einthoven.core.registry import load

SAMPLE, PEER_SAMPLE = 200, 50
LIMIT_MIB = 1024
DATA = Path(__file__).parents[1] / ".data/ptbxl"


def benches() -> list[Bench]:
    return [
        Bench("measure.12x5000", 10, f"s/recording; peer: {VERSION} ecg_process", make=_whole),
        Bench("beats.12x5000", 5, f"s/recording; peer: {VERSION} ecg_clean, ecg_peaks", make=_beats),
        Bench("measure.cohort", 12, f"s/recording; peer: {VERSION} ecg_process", make=_cohort),
        Bench("measure.24h", 1, "MiB", value=_day),
    ]


def _records() -> list[Record]:
    return [simulate.record(kind, seed=i) for i, kind in enumerate(("sinus", "af", "pvc", "lbbb"))]


def _whole(scratch: Path) -> Pair:
    from einthoven.signal.analysis import analyse

    records = _records()
    peer = Peer(np.stack([record.signal for record in records[:1]]), 500, "process", scratch)

    def ours() -> None:
        for record in records:
            if analyse(record).measurements["hr"].value is None:
                raise AssertionError("nothing was measured")

    return Pair(ours, len(records), peer, 1)


def _beats(scratch: Path) -> Pair:
    from einthoven.signal.beats import find

    records = _records()
    peer = Peer(np.stack([record.signal for record in records]), 500, "peaks", scratch)

    def ours() -> None:
        for record in records:
            if len(find(record.signal, record.rate)) < 5:
                raise AssertionError("beats are missing")

    return Pair(ours, len(records), peer, len(records))


def _cohort(scratch: Path) -> Pair:
    from einthoven.app.measure import measure
    from einthoven.app.prepare import prepare

    if not DATA.is_dir():
        raise FileNotFoundError(f"{DATA}: measure.cohort takes the recordings of PTB-XL at hand")
    prepare("ptbxl", DATA, scratch / "cohort", rate=100, workers=1, smoke=True)
    from einthoven.cohort.store import Cohort

    cohort = Cohort.open(scratch / "cohort")
    count = len(cohort)
    some = np.linspace(0, count - 1, PEER_SAMPLE).astype(int)
    peer = Peer(np.stack([cohort.signal(int(row)).T / 1000 for row in some]), 100, "process", scratch)

    def ours() -> None:
        if len(measure(scratch / "cohort").frame) != count:
            raise AssertionError("recordings are missing")

    return Pair(ours, count, peer, PEER_SAMPLE)


def _day(scratch: Path) -> tuple[float, float]:
    hour = simulate.record("pac", seed=1, rate=250, seconds=600, leads=("I", "II", "V1")).signal
    signal = np.tile(np.round(hour, 3), (1, 144))
    load("formats", "wfdb")().write(Record("day", ("I", "II", "V1"), signal, 250), scratch / "day.hea")
    del hour, signal
    code = f"from bench.measure import day; day({str(scratch / 'day.hea')!r})"
    here = Path(__file__).parents[1]
    ran = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True, cwd=here)
    return json.loads(ran.stdout)["MiB"], LIMIT_MIB


def day(file: str) -> None:
    """Measure a file in this process and print the peak of its memory."""
    import resource

    from einthoven.app.measure import measure

    found = measure(file).analysis
    assert found is not None
    if found.measurements["hr"].value is None or found.samples < 86_000 * 250:
        raise AssertionError("a day was not measured")
    status = Path("/proc/self/status")  # on Linux ru_maxrss begins with what the parent process had in memory
    if status.exists():
        most = next(int(line.split()[1]) / 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    else:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)
    print(json.dumps({"MiB": most, "beats": len(found.found.beats)}))
