"""Speed and memory, ours against what a user would run instead, in the same run (`make bench [NAME=...]`).

Each `bench/<topic>.py` has `benches() -> list[Bench]`; `_run.py` measures. One thread a process, set here before NumPy,
polars or torch is imported, so that both sides have the same.
"""

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"):
    os.environ[_variable] = "1"
