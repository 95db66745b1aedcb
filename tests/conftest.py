"""What all tests share: one thread a process, drawn cases that are the same everywhere, and the real recordings.

Threads are fixed before NumPy, polars or torch is imported: results do not depend on the machine's cores, and two
test processes do not fight over them. Real recordings are optional: a test that needs them is marked `shared` and skips
aloud.
"""

from __future__ import annotations

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"):
    os.environ.setdefault(_variable, "1")

from pathlib import Path  # noqa: E402

import hypothesis  # noqa: E402
import pytest  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
UNPACK = "python ../shared/data/unpack.py --into .data"

# `fixed` draws the same cases in every run and on every machine; HYPOTHESIS_PROFILE=search looks for new ones.
hypothesis.settings.register_profile("fixed", derandomize=True, database=None, deadline=None, max_examples=50)
hypothesis.settings.register_profile("search", deadline=None, max_examples=2000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of unpacked real recordings (`.data/ptbxl`, `.data/challenge2017`, ...)."""
    folder = ROOT / ".data"
    if not folder.is_dir():
        pytest.skip(f"the real recordings are not unpacked; in the repository: {UNPACK}")
    return folder
