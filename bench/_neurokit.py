"""NeuroKit2 as a peer: a process of its own environment that repeats one piece of work whenever it is asked.

It stays alive between calls, so that importing it is not timed; the clock of `_run` sees the time of living children.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np

from bench.rivals.programs import PROGRAMS, environment

PROGRAM = next(program for program in PROGRAMS if program.name == "neurokit2")
VERSION = PROGRAM.packages[0].replace("==", " ")

_CODE = """
import os, sys, warnings
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
import numpy as np
import neurokit2 as nk
warnings.simplefilter("ignore")
file, rate, work = sys.argv[1], float(sys.argv[2]), sys.argv[3]
rate = int(rate) if rate.is_integer() else rate
recordings = np.load(file)
print("ready", flush=True)
for _ in sys.stdin:
    for leads in recordings:
        for x in leads.astype(float):
            try:
                if work == "process":
                    nk.ecg_process(x, sampling_rate=rate)
                else:
                    nk.ecg_peaks(nk.ecg_clean(x, sampling_rate=rate), sampling_rate=rate)
            except Exception:  # it stops at recordings in which it finds too few beats; they count as done
                pass
    print("done", flush=True)
"""


class Peer:
    """Works through recordings (N, leads, samples) at every call, lead by lead; `work`: `process` or `peaks`."""

    def __init__(self, recordings: np.ndarray, rate: float, work: str, scratch: Path) -> None:
        python, why = environment(PROGRAM)
        if python is None:
            raise RuntimeError(f"the peer {VERSION} is not there: {why}")
        file = scratch / f"{work}.npy"
        np.save(file, recordings)
        self.process = subprocess.Popen(
            [str(python), "-c", _CODE, str(file), str(rate), work], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        self._wait("ready")

    def __call__(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        self._wait("done")

    def _wait(self, word: str) -> None:
        assert self.process.stdout is not None
        said = self.process.stdout.readline().strip()
        if said != word:
            raise RuntimeError(f"{VERSION} ended: {said}")

    def __del__(self) -> None:
        process = getattr(self, "process", None)
        if process is not None and process.stdin is not None:
            process.stdin.close()  # it ends with its input
            process.wait()
