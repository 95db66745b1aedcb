"""The programs that are compared, and an environment for each, made once in `bench/rivals/.envs`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
WORKER = HERE / "worker.py"


@dataclass(frozen=True)
class Program:
    """name: also its part of the worker. packages: what its environment holds, none for ours. gives: `beats`, `waves`.

    fuses: finds one set of marks for all leads together. says: how it is called.
    """

    name: str
    packages: tuple[str, ...]
    licence: str
    gives: tuple[str, ...]
    says: str
    fuses: bool = False


BOTH = ("beats", "waves")
PROGRAMS = (
    Program("ours", (), "Apache-2.0", BOTH, "beats.find, waves.delineate", fuses=True),
    Program(
        "neurokit2", ("neurokit2==0.2.13",), "MIT", BOTH,
        "ecg_clean, ecg_peaks, ecg_delineate(method='dwt'), a lead at a time",
    ),
    Program("xqrs", ("wfdb==4.3.1",), "MIT", ("beats",), "wfdb.processing.xqrs_detect, a lead at a time"),
    Program("sleepecg", ("sleepecg==0.6.0",), "BSD-3-Clause", ("beats",), "detect_heartbeats, a lead at a time"),
    Program(
        "ecgdeli", ("ecgdeli==1.0.0",), "GPL-3.0", BOTH,
        "filter_ecg, annotate on all leads; 100 Hz is brought to 500 Hz for it", fuses=True,
    ),
    Program(
        "prominence", ("prominence-delineator[cleaning,rpeak]==0.0.10",), "GPL-3.0", BOTH,
        "find_rpeaks, clean_ecg, find_waves, a lead at a time",
    ),
    Program(
        "openecg", ("openecg==0.11.0", "ai-edge-litert==2.3.0", "scipy"), "MIT", BOTH,
        "detect_qrs and the bundled TFLite network at 250 Hz, a lead at a time; it was trained on LUDB and QTDB",
    ),
)  # fmt: skip


def environment(program: Program) -> tuple[Path | None, str]:
    """The program's interpreter, or None and why there is none."""
    if not program.packages:
        return Path(sys.executable), ""
    folder = HERE / ".envs" / program.name
    python = folder / "bin" / "python"
    ready = folder / ".ready"
    if ready.is_file() and ready.read_text() == "\n".join(program.packages):
        return python, ""
    shutil.rmtree(folder, ignore_errors=True)
    uv = shutil.which("uv")
    if uv:
        steps = [
            [uv, "venv", "--quiet", "--python", sys.executable, str(folder)],
            [uv, "pip", "install", "--quiet", "--python", str(python), *program.packages],
        ]
    else:
        steps = [
            [sys.executable, "-m", "venv", str(folder)],
            [str(python), "-m", "pip", "install", "--quiet", *program.packages],
        ]
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
            return None, f"did not install: {lines[-1][:160] if lines else done.returncode}"
    ready.write_text("\n".join(program.packages))
    return python, ""


def run(program: Program, python: Path, what: str, given: Path, found: Path) -> str:
    """Run the worker over a folder of recordings; what went wrong with the program as a whole, else nothing."""
    found.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [str(python), str(WORKER), program.name, what, str(given), str(found)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return ""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return f"failed: {lines[-1][:200] if lines else done.returncode}"
