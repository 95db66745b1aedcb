"""The limits of the classical engine fitted to LUDB: `python -m bench.waves.limits [--data .data] [--write]`.

What the cardiologists marked, lead by lead, is compared with the candidates in the median beats of each kind, and a
ridge regression with Huber's loss (1964, doi:10.1214/aoms/1177703732) says how the candidates are to be mixed. The
strength of the ridge is chosen by leaving out one fold after the other of those that are fitted to. Printed are the
whole engine's figures on LUDB, each recording with the table of the four other folds, and on QTDB with the numbers that
are shipped; `--write` ships the table of all folds first. Letters: R rows (a lead of a median beat), F weighed
candidates, M marks, K beats.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.rivals import score, sets
from einthoven.core.facts import Waves
from einthoven.core.record import Record
from einthoven.evaluate import delineation
from einthoven.evaluate.folds import FOLDS
from einthoven.evaluate.folds import read as read_folds
from einthoven.signal import _fitted, _limits, classical, waves
from einthoven.signal import beats as rhythm
from einthoven.signal._limits import OFF, ON, PEAK, QRS, SHARES, WIDTHS, P, T
from einthoven.signal.classical import Seen
from einthoven.signal.marks import Beats

STRENGTHS = (30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0)
"""Of the ridge, in rows of usual weight."""
HUBER_MS = {P: 30.0, QRS: 20.0, T: 40.0}
"""An error beyond that counts by its size and no longer by its square."""
STEPS = 6
REACH_MS = {P: 400.0, QRS: 150.0, T: 800.0}
"""How far a mark's peak may be from the R peak of its beat."""
PEAK_MS = 150.0
"""Farther from the marked peak than this the engine has another wave."""
MOST_MARKS = 10
"""More marks of one kind of beat weigh no more."""
NEEDED = {_limits.name(wave, side): (wave, side) for wave in (P, QRS, T) for side in (ON, OFF)}
UNFITTED = {
    name: np.zeros(1 + 4 * len(SHARES) * len(WIDTHS[wave]) + (0 if wave == QRS else 2))
    for name, (wave, _) in NEEDED.items()
}
"""With these each limit is the median of its candidates: so the candidates are collected."""


@dataclass(frozen=True, eq=False)
class Rows:
    """parts (R, F) and miss (R,): `_limits.design`, and the mark less the candidates' median, in milliseconds; weight
    (R,): marks, at most MOST_MARKS; fold (R,)."""

    parts: np.ndarray
    miss: np.ndarray
    weight: np.ndarray
    fold: np.ndarray

    def within(self, folds: Iterable[int]) -> Rows:
        mine = np.isin(self.fold, list(folds))
        return Rows(self.parts[mine], self.miss[mine], self.weight[mine], self.fold[mine])


def collect(given: Iterable[tuple[Record, Beats]], folds: Mapping[str, int]) -> dict[str, Rows]:
    """Rows of each limit (`p_on` ...) from recordings with `reference.waves`, their beats and their folds by key."""
    found: dict[str, list[tuple[Any, ...]]] = {name: [] for name in NEEDED}
    for record, beats in given:
        seen = classical.see(np.nan_to_num(record.signal), record.rate, beats, UNFITTED)
        for name, *row in _rows(record, seen):
            found[name].append((*row, folds[record.key]))
    return {name: Rows(*map(np.array, zip(*rows))) for name, rows in found.items()}


def _rows(record: Record, seen: Seen) -> Iterator[tuple[str, np.ndarray, float, int]]:
    fact = next(f for f in record.facts if isinstance(f, Waves) and f.name == "reference.waves")
    marks = [1000 * delineation.points_of(fact, record.rate, lead) for lead in record.leads]
    r_K, ms, middle = seen.beats.sample * 1000 / record.rate, 1000 / seen.stack.rate, seen.stack.before
    for wave in (P, QRS, T):
        places = seen.atrial if wave == P else seen.ventricular
        kind_K = np.where(seen.beats.label == "V", -1, 0) if wave == P else seen.stack.kind
        from_K = r_K + seen.atria.shift * ms if wave == P else r_K
        peak_C, peak_CL = (places.peak_C[wave] - middle) * ms, (places.peak_CL[wave] - middle) * ms
        weighed = {
            side: _limits.design((places.candidates[wave, side] - middle) * ms, peak_C, peak_CL, wave)
            for side in (ON, OFF)
        }
        for lead, table in enumerate(marks):
            mark = table[np.isfinite(table[:, wave, PEAK]), wave]
            beat = owner(mark[:, PEAK], r_K, wave)
            for kind in range(len(peak_C)):
                mine = (beat >= 0) & (kind_K[beat] == kind)
                if not mine.any():
                    continue
                own = mark[mine] - from_K[beat[mine], None]
                if wave != QRS and abs(np.median(own[:, PEAK]) - peak_CL[kind, lead]) >= PEAK_MS:
                    continue
                for side, (base, parts) in weighed.items():
                    known = own[np.isfinite(own[:, side]), side]
                    if len(known):
                        miss = float(np.median(known) - base[kind, lead])
                        yield _limits.name(wave, side), parts[kind, lead], miss, min(len(known), MOST_MARKS)


def owner(peak_M: np.ndarray, r_K: np.ndarray, wave: int) -> np.ndarray:
    """Beat (M,) of each marked peak, -1 for none: the next one for P, the nearest for QRS, the last one for T."""
    after = peak_M[:, None] - r_K
    far = np.abs(after)
    if wave != QRS:
        far = np.where(after < 0 if wave == P else after > 0, far, np.inf)
    nearest = np.concatenate([np.full((len(far), 1), REACH_MS[wave]), far], axis=1).argmin(axis=1)
    return nearest - 1


def huber_ridge(rows: Rows, strength: float, width: float) -> np.ndarray:
    """The constant and the weights (1 + F,) of `parts` that come nearest to `miss`.

    Args:
        strength: of the penalty on the weights of parts in units of their spread.
        width: milliseconds up to which errors count by their square.
    """
    mean, spread = rows.parts.mean(axis=0), rows.parts.std(axis=0) + 1e-6
    known = np.concatenate([np.ones((len(rows.parts), 1)), (rows.parts - mean) / spread], axis=1)
    penalty = np.diag(np.full(known.shape[1], strength * rows.weight.mean()))
    penalty[0, 0] = 0
    trust = np.ones(len(known))
    fitted = np.zeros(known.shape[1])
    for _ in range(STEPS):
        weighed = known * (rows.weight * trust)[:, None]
        fitted = np.linalg.solve(weighed.T @ known + penalty, weighed.T @ rows.miss)
        trust = np.minimum(1, width / np.maximum(np.abs(rows.miss - known @ fitted), 1e-6))
    weight = fitted[1:] / spread
    return np.concatenate([[fitted[0] - weight @ mean], weight])


def loss(rows: Rows, table: np.ndarray, width: float) -> float:
    """Sum of Huber's loss of all marks."""
    error = np.abs(rows.miss - table[0] - rows.parts @ table[1:])
    return float(rows.weight @ np.where(error <= width, error**2 / 2, width * (error - width / 2)))


def strength_of(rows: Rows, width: float) -> float:
    """The strength that is best on each of the rows' folds with the table of the others."""
    folds = np.unique(rows.fold).tolist()
    parts = [(rows.within(set(folds) - {fold}), rows.within([fold])) for fold in folds]
    return min(STRENGTHS, key=lambda s: sum(loss(test, huber_ridge(fit, s, width), width) for fit, test in parts))


def table(rows: Mapping[str, Rows], leave: Sequence[int] = ()) -> dict[str, np.ndarray]:
    """`Fitted.limits` fitted without some folds: their rows choose nothing either."""
    out = {}
    for name, (wave, _) in NEEDED.items():
        mine = rows[name].within(set(range(FOLDS)) - set(leave))
        out[name] = huber_ridge(mine, strength_of(mine, HUBER_MS[wave]), HUBER_MS[wave])
    return out


def tables(rows: Mapping[str, Rows]) -> dict[tuple[int, ...], dict[str, np.ndarray]]:
    """By the folds that were left out: each one, and each one with the next."""
    return {leave: table(rows, leave) for k in range(FOLDS) for leave in ((k,), (k, (k + 1) % FOLDS))}


def ludb(data: Path) -> list[tuple[Record, Beats]]:
    """The recordings of LUDB with their beats."""
    return [
        (record, rhythm.find(np.nan_to_num(record.signal), record.rate))
        for record, _ in sets.records("ludb", data, True)
    ]


def shipped(text: str, part: str, values: Mapping[str, np.ndarray]) -> str:
    """The text of an engine's file with other numbers in one part of it, to four digits."""
    lines = [f"{name} = [{', '.join(f'{x:.4g}' for x in row)}]\n" for name, row in values.items()]
    start = text.index(f"[{part}]\n")
    after = text.find("\n[", start)
    return text[:start] + f"[{part}]\n" + "".join(lines) + (text[after:] if after >= 0 else "")


def write(engine: str, part: str, values: Mapping[str, np.ndarray]) -> None:
    """Ship other numbers in one part of an engine's file."""
    path = _fitted.path(engine)
    path.write_text(shipped(path.read_text(encoding="utf-8"), part, values), encoding="utf-8")
    _fitted.table.cache_clear()


def show(name: str, rows: Iterable[Mapping[str, Any]]) -> None:
    columns = ("wave", "point", "n", "f1", "f1_tight", "mean", "sd", "sd_within", "sd_between", "within")
    print(name, *columns, sep="\t")
    for row in rows:
        cells = [row.get(column, "") for column in columns]
        print("", *(f"{x:.2f}" if isinstance(x, float) else x for x in cells), sep="\t", flush=True)


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--data", type=Path, default=Path(".data"))
    asked.add_argument("--write", action="store_true", help="ship the table of all folds")
    said = asked.parse_args()
    folds = read_folds()["ludb"]
    given = ludb(said.data)
    rows = collect(given, folds)
    for name, (wave, _) in NEEDED.items():
        print(name, len(rows[name].miss), "rows; strength of the ridge", strength_of(rows[name], HUBER_MS[wave]))
    judge = score.Ludb()
    for fold in range(FOLDS):
        fitted = replace(_fitted.read(), limits=table(rows, (fold,)))
        for record, beats in given:
            if folds[record.key] == fold:
                found = classical.delineate(np.nan_to_num(record.signal), record.rate, beats, fitted)
                judge.add(record, score.marks_of(found), 0)
    figures = judge.figures()
    show("LUDB out of fold", figures["points"])
    print(figures["af"])
    if said.write:
        write("classical", "limits", table(rows))
    together = score.Qtdb()
    for record, start in sets.records("qtdb", said.data, True):
        together.add(
            record,
            score.marks_of(waves.delineate(record.signal, record.rate, engine=classical.delineate)),
            start,
        )
    show("QTDB with what is shipped", together.figures()["fused"])


if __name__ == "__main__":
    main()
