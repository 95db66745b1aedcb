"""The quality score as AUROC with intervals: `python -m bench.quality`; sets that the gate has not seen.

Challenge 2011 (acceptable or not, distinct recordings, all leads), Challenge 2017 (`~` against the rest), PTB-XL (note
of noise or none, 100 Hz; `--most N` takes at most N recordings of either kind). The rule of thumb beside the first
is "a lead that is constant, else the largest peak-to-peak". Nothing is fitted here.
"""

from __future__ import annotations

import csv
import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from einthoven.formats import read
from einthoven.signal import quality

DATA = Path(__file__).parents[1] / ".data"
LEADS_2011 = ("I", "II", "III", "aVR", "aVF", "aVL", "V1", "V2", "V3", "V4", "V5", "V6")
NOTES = ("baseline_drift", "static_noise", "burst_noise", "electrodes_problems")
DRAWS = 2000


def benches() -> list[Any]:
    """None: these figures are of accuracy and have a command of their own."""
    return []


def main(most: int) -> None:
    rows = list(_challenge2011())
    good, score, rule = (np.array([row[i] for row in rows]) for i in range(3))
    _print("Challenge 2011, acceptable", good, score)
    _print("the same by a constant lead, else peak to peak", good, rule)
    good, score = (np.array(part) for part in zip(*_challenge2017(most)))
    _print("Challenge 2017, not `~`", good, score)
    notes, score = (np.array(part) for part in zip(*_ptbxl(most)))
    clean = ~notes.any(axis=1)
    _print("PTB-XL, no note of noise", clean, score)
    for i, name in enumerate(NOTES):
        mine = clean | notes[:, i]
        if notes[:, i].sum() >= 5:
            _print(f"PTB-XL, no {name}", clean[mine], score[mine])


def _print(name: str, good: np.ndarray, score: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    yes, no = score[good], score[~good]
    draws = [_auroc(rng.choice(yes, len(yes)), rng.choice(no, len(no))) for _ in range(DRAWS)]
    low, high = np.quantile(draws, [0.025, 0.975])
    print(f"| {name} | {len(yes)} | {len(no)} | {_auroc(yes, no):.3f} [{low:.3f}, {high:.3f}] |", flush=True)


def _auroc(yes: np.ndarray, no: np.ndarray) -> float:
    rank = np.searchsorted(np.sort(no), yes, "left") + np.searchsorted(np.sort(no), yes, "right")
    return float(rank.mean() / 2 / len(no))


def _challenge2011() -> Iterator[tuple[bool, float, float]]:
    folder = DATA / "challenge2011"
    good = set((folder / "RECORDS-acceptable").read_text().split())
    seen: set[bytes] = set()
    for file in sorted((folder / "set-a").glob("*.txt")):
        x = np.loadtxt(file, delimiter=",", dtype=np.float32)[:, 1:].T / 1000
        if (digest := hashlib.sha256(x.tobytes()).digest()) in seen:
            continue
        seen.add(digest)
        swing = x.max(axis=1) - x.min(axis=1)
        rule = -swing.max() - (1e6 if (swing == 0).any() else 0)
        yield file.stem in good, _score(x, 500, LEADS_2011), float(rule)


def _challenge2017(most: int) -> Iterator[tuple[bool, float]]:
    folder = DATA / "challenge2017"
    table = [row for row in csv.reader((folder / "REFERENCE-v3.csv").read_text().splitlines()) if row]
    files = {file.stem: file for file in folder.rglob("*.hea")}
    for noisy in (True, False):
        mine = [key for key, code in table if (code == "~") == noisy and key in files]
        for key in _some(mine, most):
            record = read(files[key])
            yield not noisy, _score(record.signal, record.rate, tuple(record.leads))


def _ptbxl(most: int) -> Iterator[tuple[list[bool], float]]:
    folder = DATA / "ptbxl"
    with open(folder / "ptbxl_database.csv", newline="", encoding="utf-8") as stream:
        table = [([bool(row[name].strip()) for name in NOTES], row["filename_lr"]) for row in csv.DictReader(stream)]
    for noisy in (True, False):
        for notes, name in _some([row for row in table if any(row[0]) == noisy], most):
            record = read(folder / f"{name}.hea")
            yield notes, _score(record.signal, record.rate, tuple(record.leads))


def _some(items: list[Any], most: int) -> list[Any]:
    chosen = np.random.default_rng(0).permutation(len(items))[:most]
    return [items[i] for i in sorted(chosen.tolist())]


def _score(x: np.ndarray, rate: float, leads: tuple[str, ...]) -> float:
    with np.errstate(all="ignore"):
        return quality.assess(x, rate, leads).score


if __name__ == "__main__":
    main(int(sys.argv[sys.argv.index("--most") + 1]) if "--most" in sys.argv else 10**9)
