"""Out-of-fold figures of the wave network: `python -m bench.waves.folds WEIGHTS [--out figures.json] [--marks FOLDER]`.

WEIGHTS holds `outer0` ... `outer4` (a fold left out) and `inner0` ... `inner4` (that fold and the next one too), as
`run.sh` makes them. For each fold the settings of the post-processing are chosen with the inner network, and the
classical limits fitted without both folds, on the next fold; then the outer network is scored on the fold itself: LUDB
lead by lead, QTDB by the marks of all leads, and the classical engine beside it. The last settings printed are chosen
on all inner folds together: those are shipped. Whether a recording has P waves at all is decided as shipped.
Beside them stands the ablation: `real0`, which has seen no simulated rows, against `inner0` on the fold of both.
`--marks` keeps what was found for `python -m bench.rivals --also network=FOLDER/network classical=FOLDER/classical`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from bench.rivals import score, sets
from bench.waves import limits
from einthoven.core.record import Record
from einthoven.encoders.wave_unet import WaveUnet
from einthoven.evaluate.folds import FOLDS
from einthoven.evaluate.folds import read as read_folds
from einthoven.signal import _fitted, _onnx, classical, network, waves
from einthoven.signal._fitted import Fitted
from einthoven.signal._runs import Settings
from einthoven.signal.marks import Beats, Delineation

GOAL_MS = {
    ("P", "on"): 14, ("P", "off"): 13, ("QRS", "on"): 8, ("QRS", "off"): 9, ("T", "on"): 25, ("T", "off"): 20,
}  # fmt: skip
"""Standard deviations in whose units the points are weighed against each other."""

START = Settings(
    shared=0.2, mixed=(0.7, 0.5, 0.6, 0.5, 1.0, 1.0), steady=(0.5, 0.0, 0.5), astray=(0.024, 0.024, 0.048), early=0.5,
    p_least=0.1,
)  # fmt: skip
"""What the choice begins with, from trials of some minutes on one inner fold (docs/log.md)."""
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
CANDIDATES: tuple[tuple[dict[str, Any], ...], ...] = (
    tuple({"shared": share} for share in (0.2, 0.0, 0.4)),
    tuple({"steady": share} for share in ((0.5, 0.0, 0.5), (0.0, 0.0, 0.0), (0.5, 0.5, 0.5), (0.8, 0.5, 0.8))),
    tuple({"astray": far} for far in ((0.024, 0.024, 0.048), (0.016, 0.016, 0.032), (9.0, 9.0, 9.0))),
    tuple({"early": share} for share in (0.5, 0.3, 0.1)),
    tuple({"p_least": least} for least in (0.1, 0.0, 0.2)),
)
"""Settings that are tried group by group, after them the share of each limit; of equals the first is taken."""


class Weights:
    """A network from `train.py`, called as the shipped one is."""

    def __init__(self, folder: Path, convention: str) -> None:
        said = json.loads((folder / "train.json").read_text(encoding="utf-8"))["args"]
        self.network = WaveUnet(1, widths=tuple(said["widths"]), kernel=said["kernel"], convention=convention)
        self.network.load_state_dict(load_file(folder / "encoder.safetensors"))
        self.network.eval()

    @torch.no_grad()
    def __call__(self, tile_RN: np.ndarray, valid_RN: np.ndarray) -> np.ndarray:
        out = []
        for i in range(0, len(tile_RN), 16):
            signal, valid = (
                torch.from_numpy(np.ascontiguousarray(x[i : i + 16]))[:, None] for x in (tile_RN, valid_RN)
            )
            out.append(self.network(signal, valid, _onnx.RATE).tokens.numpy())
        return np.concatenate(out)


class Part:
    """A recording, where in it the part begins, and what both engines see in each of its windows."""

    def __init__(self, record: Record, start: int, weights: Weights, fitted: Mapping[str, np.ndarray]) -> None:
        self.record, self.start = record, start
        self.seen: list[network.Seen] = []

        def look(signal_LT: np.ndarray, rate: float, beats: Beats) -> Delineation:
            self.seen.append(network.see(signal_LT, rate, beats, weights, fitted))
            return classical.delineate(signal_LT, rate, beats, Fitted(fitted, _fitted.read().atria))

        self.classical = waves.delineate(record.signal, record.rate, engine=look)
        self.beats = Beats(self.classical.beats.sample, self.classical.beats.label, self.classical.beats.confidence)

    def found(self, settings: Settings) -> Delineation:
        windows = iter(self.seen)
        return waves.delineate(
            self.record.signal, self.record.rate, self.beats,
            engine=lambda *_: network.joined(next(windows), settings),
        )  # fmt: skip


class Sets:
    """LUDB and QTDB with the classical limits of every choice of folds."""

    def __init__(self, data: Path) -> None:
        self.records = {name: list(sets.records(name, data, True)) for name in ("ludb", "qtdb")}
        self.folds = read_folds()
        self.limits = limits.tables(limits.collect(limits.ludb(data), self.folds["ludb"]))

    def parts(self, weights: Path, fold: int, leave: tuple[int, ...]) -> list[tuple[str, Part]]:
        return [
            (name, Part(record, start, network_of_set, self.limits[leave]))
            for name, records in self.records.items()
            for network_of_set in [Weights(weights, name)]
            for record, start in records
            if self.folds[name][record.key] == fold
        ]


def judged(parts: Iterable[tuple[str, Part]], settings: Settings) -> float:
    """How far from the goals, less is better: SDs in units of their goals, and a point of F1 counts as a whole one.

    Of QTDB, whose marks are of other hands, the SD within recordings counts, and excerpts of MIT-BIH, where beats are
    tested, do not.
    """
    figures = scored((name, part, part.found(settings)) for name, part in parts)
    judged_by = ((figures["ludb"]["points"], "sd"), (figures["qtdb"]["fused_without_mitdb"], "sd_within"))
    return float(
        np.nanmean([
            row[spread] / goal + (100 - row["f1"])
            for rows, spread in judged_by for row in rows if (goal := GOAL_MS.get((row["wave"], row["point"])))
        ])
    )  # fmt: skip


def scored(found: Iterable[tuple[str, Part, Delineation]]) -> dict[str, dict[str, Any]]:
    judges = {"ludb": score.Ludb(), "qtdb": score.Qtdb()}
    for name, part, marks in found:
        judges[name].add(part.record, score.marks_of(marks), part.start)
    return {name: judge.figures() for name, judge in judges.items()}


def chosen(parts: Sequence[tuple[str, Part]]) -> Settings:
    best = START
    for group in CANDIDATES:
        best = _best(parts, [replace(best, **change) for change in group])
    for limit in range(len(best.mixed)):
        tried = [(*best.mixed[:limit], share, *best.mixed[limit + 1 :]) for share in SHARES]
        best = _best(parts, [replace(best, mixed=shares) for shares in tried])
    return best


def _best(parts: Sequence[tuple[str, Part]], tried: Sequence[Settings]) -> Settings:
    return tried[int(np.argmin([judged(parts, settings) for settings in tried]))]


def keep(folder: Path, found: Iterable[tuple[str, Part, Delineation]]) -> None:
    """Write what was found as `bench.rivals` reads it."""
    for name, part, marks in found:
        (folder / name).mkdir(parents=True, exist_ok=True)
        np.savez(folder / name / f"{part.record.key}.npz", **score.marks_of(marks))


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("weights", type=Path)
    asked.add_argument("--data", type=Path, default=Path(".data"))
    asked.add_argument("--out", type=Path)
    asked.add_argument("--marks", type=Path)
    said = asked.parse_args()
    torch.set_num_threads(1)
    given, found, settings, inner = Sets(said.data), [], {}, []
    for fold in range(FOLDS):
        following = (fold + 1) % FOLDS
        near = given.parts(said.weights / f"inner{fold}", following, (fold, following))
        settings[str(fold)] = chosen(near)
        print(fold, settings[str(fold)], flush=True)
        inner += near
        found += [
            (name, part, part.found(settings[str(fold)]))
            for name, part in given.parts(said.weights / f"outer{fold}", fold, (fold,))
        ]
    settings["shipped"] = chosen(inner)
    print("shipped", settings["shipped"])
    figures: dict[str, Any] = {"settings": {name: asdict(one) for name, one in settings.items()}}
    for engine, marks in (("classical", [(name, part, part.classical) for name, part, _ in found]), ("network", found)):
        figures[engine] = of = scored(marks)
        if said.marks:
            keep(said.marks / engine, marks)
        limits.show(f"{engine}, LUDB", of["ludb"]["points"])
        limits.show(f"{engine}, QTDB", of["qtdb"]["fused"])
        limits.show(f"{engine}, QTDB without excerpts of MIT-BIH", of["qtdb"]["fused_without_mitdb"])
        print("fibrillation and flutter", of["ludb"]["af"])
    without = given.parts(said.weights / "real0", 1, (0, 1))
    for name, parts in (("without simulated rows", without), ("with them", inner[: len(without)])):
        figures[name] = of = scored((s, part, part.found(settings["shipped"])) for s, part in parts)
        limits.show(f"{name}, LUDB, fold 1", of["ludb"]["points"])
        limits.show(f"{name}, QTDB, fold 1", of["qtdb"]["fused"])
        print("fibrillation and flutter", of["ludb"]["af"])
    if said.out:
        said.out.write_text(json.dumps(figures, indent=1, default=float) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
