"""Out-of-fold figures of the wave network: `python -m bench.waves.folds WEIGHTS [--data .data] [--out figures.json]`.

WEIGHTS holds `outer0` ... `outer4` (a fold left out) and `inner0` ... `inner4` (that fold and the next one too), as
`run.sh` makes them. For each fold the settings of the post-processing are chosen with the inner network on the next
fold, then the outer network is scored on the fold itself: LUDB lead by lead, QTDB by the marks of all leads.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from bench.rivals import score, sets
from einthoven.core.record import Record
from einthoven.encoders.wave_unet import WaveUnet
from einthoven.evaluate import delineation
from einthoven.signal import _network, beats
from einthoven.signal._network import Settings
from einthoven.signal.marks import WAVES, Beats, Delineation

FOLDS = json.loads(Path(delineation.__file__).with_name("delineation_folds.json").read_text(encoding="utf-8"))

GOAL_MS = {
    ("P", "on"): 14, ("P", "off"): 13, ("QRS", "on"): 8, ("QRS", "off"): 9, ("T", "on"): 25, ("T", "off"): 20,
}  # fmt: skip
"""Standard deviations in whose units the points are weighed against each other."""

CANDIDATES: tuple[tuple[dict[str, Any], ...], ...] = (
    tuple({"shared": share} for share in (0.2, 0.0, 0.4)),
    tuple({"refined": share} for share in (0.5, 0.0, 1.0)),
    tuple({"steady": share} for share in ((0.5, 0.0, 0.5), (0.0, 0.0, 0.0), (0.5, 0.5, 0.5))),
    tuple({"astray": far} for far in ((0.024, 0.024, 0.048), (0.016, 0.016, 0.032), (9.0, 9.0, 9.0))),
    tuple({"early": (0.15, share)} for share in (0.5, 0.3, 0.1)),
    tuple({"no_p": sure, "p_least": least} for least in (0.3, 0.2, 0.4, 0.5) for sure in (0.3, 0.2, 0.1, 0.5, 0.7)),
)
"""Settings that are tried group by group; of equals the first is taken."""


class Weights:
    """A network from `train.py`, called as `_network.delineate` calls one."""

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
            out.append(self.network(signal, valid, _network.RATE).tokens.numpy())
        return np.concatenate(out)


class Told:
    """A recording, where in it the part begins, and what a network says of it."""

    def __init__(self, record: Record, start: int, network: Weights) -> None:
        self.record, self.start = record, start
        signal = np.nan_to_num(record.signal)
        self.slow, valid = _network.conditioned(signal, record.rate)
        self.output = _network.outputs(self.slow, valid, network).astype(np.float16)
        self.beats = beats.find(signal, record.rate)

    def found(self, settings: Settings) -> Delineation:
        share = _network.RATE / self.record.rate
        at_250 = Beats(self.beats.sample * share, self.beats.label, self.beats.confidence)
        got = _network.waves(self.slow, self.output.astype(np.float32), at_250, settings)
        return replace(got, lead=got.lead / share, whole=got.whole / share, beats=self.beats)


def told(name: str, fold: int, weights: Path, data: Path, convention: str) -> list[Told]:
    network = Weights(weights, convention)
    return [
        Told(record, start, network)
        for record, start in sets.records(name, data, True)
        if FOLDS[name][record.key] == fold
    ]


def table(found: Delineation) -> dict[str, np.ndarray]:
    """As the harness of `bench.rivals` wants it."""
    out: dict[str, np.ndarray] = {}
    for k, wave in enumerate(WAVES):
        rows = {"all": found.whole[:, k], **{str(i): found.lead[:, i, k] for i in range(found.lead.shape[1])}}
        out |= {f"{wave}_{i}": points[np.isfinite(points).any(axis=1)] for i, points in rows.items()}
    return out


def judged(leads: list[Told], together: list[Told], settings: Settings) -> float:
    """How far from the goals, less is better: SDs in units of their goals, and a point of F1 counts as a whole one.

    Of QTDB, whose marks are of other hands, the SD within recordings counts.
    """
    ludb, qtdb = score.Ludb(), score.Qtdb()
    for judge, parts in ((ludb, leads), (qtdb, together)):
        for part in parts:
            judge.add(part.record, table(part.found(settings)), part.start)
    judged_by = ((ludb.figures()["points"], "sd"), (qtdb.figures()["fused"], "sd_within"))
    return float(
        np.nanmean([
            row[spread] / goal + (100 - row["f1"])
            for rows, spread in judged_by for row in rows if (goal := GOAL_MS.get((row["wave"], row["point"])))
        ])
    )  # fmt: skip


def chosen(leads: list[Told], together: list[Told]) -> Settings:
    best = Settings()
    for group in CANDIDATES:
        tried = [replace(best, **change) for change in group]
        best = tried[int(np.argmin([judged(leads, together, settings) for settings in tried]))]
    return best


def folds(weights: Path, data: Path) -> Iterator[tuple[int, Settings, list[Told], list[Told]]]:
    for fold in range(5):
        if not (weights / f"outer{fold}").is_dir():
            continue
        inner = weights / f"inner{fold}"
        outer, following = weights / f"outer{fold}", (fold + 1) % 5
        settings = Settings()
        if inner.is_dir():
            settings = chosen(*(told(name, following, inner, data, name) for name in ("ludb", "qtdb")))
        print(fold, settings, flush=True)
        yield fold, settings, told("ludb", fold, outer, data, "ludb"), told("qtdb", fold, outer, data, "qtdb")


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("weights", type=Path)
    asked.add_argument("--data", type=Path, default=Path(".data"))
    asked.add_argument("--out", type=Path)
    said = asked.parse_args()
    torch.set_num_threads(1)
    ludb, qtdb, settings = score.Ludb(), score.Qtdb(), {}
    for fold, best, leads, together in folds(said.weights, said.data):
        settings[fold] = asdict(best)
        for judge, parts in ((ludb, leads), (qtdb, together)):
            for part in parts:
                judge.add(part.record, table(part.found(best)), part.start)
    figures = {"settings": settings, "ludb": ludb.figures(), "qtdb": qtdb.figures()}
    shown = ("wave", "point", "n", "f1", "f1_tight", "mean", "sd", "sd_within", "sd_between", "within")
    for name, rows in (("ludb", figures["ludb"]["points"]), ("qtdb", figures["qtdb"]["fused"])):
        print(name, *shown, sep="\t")
        for row in rows:
            cells = [row.get(key, "") for key in shown]
            print("", *(f"{x:.2f}" if isinstance(x, float) else x for x in cells), sep="\t")
    print("af", figures["ludb"]["af"])
    if said.out:
        said.out.write_text(json.dumps(figures, indent=1, default=float) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
