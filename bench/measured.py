"""How much is measured, and how exactly: `python -m bench.measured PTBXL`; nothing is fitted here.

PTBXL is a cohort that `derive physiology` has been through. First, of its recordings in sinus rhythm without a note of
noise, the share of which HR, PR, QRS and QT are measured, all and those of folds 9 and 10. Then simulated recordings of
seeds that nothing was trained on, without noise, with the usual and with twice the usual (of these the decision about P
waves has seen the usual one, the network none): error of PR, QRS, QT and axis against the truth, P waves found and P
waves that are not there, by condition and noise; and the scatter of R peaks on QRS complexes that point downwards.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from bench.rivals.sets import NO_SINUS
from bench.waves.atria import HELD_OUT, statements
from einthoven.cohort.store import Cohort
from einthoven.core.facts import Value, Waves
from einthoven.core.record import Record
from einthoven.evaluate import delineation
from einthoven.signal import beats
from einthoven.signal.analysis import analyse
from einthoven.signal.formulae import folded
from einthoven.simulate import KINDS, record

NAMES = ("hr", "pr", "qrs", "qt")
ERRORS = ("pr", "qrs", "qt", "axis_qrs")
NOTES = ("baseline_drift", "static_noise", "burst_noise", "electrodes_problems")
NOISE = (0.0, 1.0, 2.0)
SEEDS = range(9000, 9020)


def benches() -> list[Any]:
    """None: these figures are of accuracy and have a command of their own."""
    return []


def main(cohort: Path) -> None:
    print("| recordings in sinus rhythm without a note of noise | n | " + " | ".join(NAMES) + " |")
    for name, folds in (("all", range(1, 11)), ("folds 9 and 10", HELD_OUT)):
        n, shares = _measured(Cohort.open(cohort), folds)
        print(f"| {name} | {n} | " + " | ".join(f"{100 * share:.1f} %" for share in shares) + " |", flush=True)
    print("\n| condition | noise | P found | false P / 100 beats | " + " | ".join(ERRORS) + " |")
    for kind in KINDS:
        for noise in NOISE:
            print(_row(kind, noise), flush=True)
    for noise in NOISE:
        error = np.concatenate([_jitter(record("sinus", seed=seed, noise=noise)) for seed in SEEDS])
        print(
            f"R on negative QRS, noise {noise:g}: {len(error)} beats, mean {error.mean():.2f}, SD {error.std():.2f} ms"
        )


def _measured(cohort: Cohort, folds: range | tuple[int, ...]) -> tuple[int, list[float]]:
    said, fold = statements(cohort, "scp"), cohort.values("strat_fold")
    noted = set(cohort.facts("text").filter(pl.col("name").is_in(NOTES))["row"])
    rows = [
        i for i, one in enumerate(said)
        if "SR" in one and not one & NO_SINUS and i not in noted and fold[i] in folds
    ]  # fmt: skip
    return len(rows), [float(np.isfinite(cohort.values(f"physiology.{name}")[rows]).mean()) for name in NAMES]


def _row(kind: str, noise: float) -> str:
    """Mean and SD of the errors over recordings, and how many of them are measured."""
    errors: dict[str, list[float]] = {name: [] for name in ERRORS}
    there = found_of_them = extra = count = 0
    for seed in SEEDS:
        ecg = record(kind, seed=seed, noise=noise)
        analysis = analyse(ecg)
        truth = {fact.name.removeprefix("truth."): fact.value for fact in ecg.facts if isinstance(fact, Value)}
        for name in ERRORS:
            value, true = analysis.measurements[name].value, truth.get(name.removesuffix("_qrs"))
            if isinstance(value, float) and true is not None:
                errors[name].append(float(folded(value - true)) if name == "axis_qrs" else value - true)
        waves = _waves(ecg)
        pairs = delineation.match(waves[:, 1, 1], analysis.found.beats.sample / ecg.rate)
        true_p, found_p = np.isfinite(waves[pairs[:, 0], 0, 1]), np.isfinite(analysis.found.whole[pairs[:, 1], 0, 1])
        there, found_of_them = there + true_p.sum(), found_of_them + (true_p & found_p).sum()
        extra, count = extra + (found_p & ~true_p).sum(), count + len(pairs)
    share = f"{100 * found_of_them / there:.1f} %" if there else "–"
    cells = [f"{np.mean(e):.1f} ± {np.std(e):.1f} ({len(e)})" if e else "–" for e in errors.values()]
    return f"| {kind} | {noise:g} | {share} | {100 * extra / max(count, 1):.1f} | " + " | ".join(cells) + " |"


def _waves(ecg: Record) -> np.ndarray:
    """Limits of all leads together (K, 3, 3) in seconds, of the beats with a QRS complex."""
    fact = next(fact for fact in ecg.facts if isinstance(fact, Waves) and fact.name == "truth.waves.global")
    points = delineation.points_of(fact, ecg.rate).reshape(-1, 3, 3)
    points = points[np.isfinite(points[:, 1, 1])]
    return points[np.argsort(points[:, 1, 1])]


def _jitter(ecg: Record) -> np.ndarray:
    """Errors of R (ms) in the lead whose QRS complexes are most negative, alone: against the truth in that lead."""
    net = ecg.signal.max(axis=1) + ecg.signal.min(axis=1)
    lead = int(net.argmin())
    fact = next(fact for fact in ecg.facts if isinstance(fact, Waves) and fact.name == "truth.waves")
    true = delineation.points_of(fact, ecg.rate, ecg.leads[lead]).reshape(-1, 3, 3)[:, 1, 1]
    true = np.sort(true[np.isfinite(true)])
    found = beats.find(ecg.signal[[lead]], ecg.rate).sample / ecg.rate
    pairs = delineation.match(true, found)
    return 1000 * (found[pairs[:, 1]] - true[pairs[:, 0]])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
