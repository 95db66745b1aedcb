"""What a heartbeat shuffle keeps: `python -m bench.shuffle PTBXL [COUNT [RUN ...]]`; nothing is fitted here.

PTBXL is a cohort that `derive physiology` has been through. Printed are the share of recordings that may be shuffled,
by statement; then, of COUNT eligible recordings of folds 9 and 10 (0 for all of them) and of simulated ones at the
same rate, the share whose medians of RR, PR, QRS and QTc stay within one sample when the engine measures the shuffled
recording; and as controls the same after 3 microvolt of white noise instead (how well the engine repeats itself) and
after cuts at a delay of its own for each beat. RUN is a supervised run: in which share of the eligible recordings of
fold 10 its answers change sides of one half, beside noise and beside the same pieces cut at random places.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.waves.atria import HELD_OUT, statements
from einthoven.cohort.build import build
from einthoven.cohort.derive import bare, derive
from einthoven.cohort.store import Cohort
from einthoven.core.layout import Layout
from einthoven.core.leads import STANDARD
from einthoven.core.record import Record
from einthoven.data.shuffle import Cuts, Shuffle, reorder
from einthoven.signal import processing
from einthoven.signal.analysis import analyse
from einthoven.simulate import KINDS, record
from einthoven.sources import Item, Plan
from einthoven.training import checkpoint
from einthoven.training.embedding import batches

NAMES = ("hr", "pr", "qrs", "qtc_fridericia")
HEADS = ("RR", "PR", "QRS", "QTc")
ECTOPY = {"PAC", "PVC", "BIGU", "TRIGU", "SVARR", "PSVT", "SVTAC", "PACE", "PRC(S)"}
SHOWN = ("SR", "SARRH", "STACH", "1AVB", "AFIB", "AFLT", "PAC", "PVC", "BIGU", "TRIGU", "2AVB", "3AVB", "PACE", "CLBBB")
LAYOUT = Layout(STANDARD, 100, 10, (0.5, 0.0), scale="none")
NOISE_MV, JITTER_SECONDS, SEEDS = 0.003, 0.1, range(9000, 9020)


def benches() -> list[Any]:
    """None: these figures are of accuracy and have a command of their own."""
    return []


def main(place: Path, count: int | None, *runs: str) -> None:
    torch.set_num_threads(1)
    cohort = Cohort.open(place)
    cuts, said = Cuts(cohort, Shuffle()), statements(cohort, "scp")
    plain = np.array(["SR" in codes and not codes & ECTOPY for codes in said])
    print(f"eligible: {cuts.eligible.mean():.3f} of {len(cohort)}; sinus rhythm without ectopy: "
          f"{cuts.eligible[plain].mean():.3f} of {plain.sum()}")  # fmt: skip
    for code in SHOWN:
        mine = np.array([code in codes for codes in said])
        print(f"  {code}: {cuts.eligible[mine].mean():.3f} of {mine.sum()}")
    held = np.isin(cohort.values("strat_fold"), HELD_OUT)
    rows = np.random.default_rng(0).permutation(np.flatnonzero(cuts.eligible & held))[:count]
    _table(f"PTB-XL, folds 9 and 10, {len(rows)} recordings", (_one(cohort, cuts, int(row)) for row in rows))
    for run in runs:
        _flips(cohort, cuts, np.flatnonzero(cuts.eligible & (cohort.values("strat_fold") == 10)), run)
    with tempfile.TemporaryDirectory(prefix="einthoven-bench-") as folder:
        made = _simulated(Path(folder))
        cuts = Cuts(made, Shuffle())
        rows = np.flatnonzero(cuts.eligible)
        _table(f"simulated, {len(rows)} of {len(made)} recordings", (_one(made, cuts, int(row)) for row in rows))


def _one(cohort: Cohort, cuts: Cuts, row: int) -> np.ndarray:
    """Changes of the medians in samples, (3, 4): shuffled, noise, delays of their own."""
    signal = processing.windows(bare(cohort, row), LAYOUT)[0][0]
    before, draw = _medians(signal), np.random.default_rng(row)
    cut = cuts.of(np.array([row]), np.zeros(1), signal.shape[1], LAYOUT.rate)
    jitter = np.rint(draw.uniform(-1, 1, cut.shape) * JITTER_SECONDS * LAYOUT.rate).astype(np.int64)
    own = np.where(cut >= 0, np.clip(cut + jitter, 0, signal.shape[1]), -1)
    x = torch.from_numpy(signal[None])
    valid = torch.ones_like(x, dtype=torch.bool)
    others = (
        reorder(x, valid, cut, LAYOUT.rate, draw, False)[0][0].numpy(),
        signal + draw.normal(0, NOISE_MV, signal.shape),
        reorder(x, valid, own, LAYOUT.rate, draw, False)[0][0].numpy(),
    )
    far = [np.abs(_medians(other) - before) * LAYOUT.rate / 1000 for other in others]
    # what was not measured before cannot be kept; what was, and is no more, is lost
    return np.stack([np.where(np.isnan(before), np.nan, np.nan_to_num(one, nan=np.inf)) for one in far])


def _medians(signal: np.ndarray) -> np.ndarray:
    found = analyse(Record("x", LAYOUT.leads, signal.astype(np.float32), LAYOUT.rate)).measurements
    value = np.array([found[name].value for name in NAMES], np.float64)  # None becomes NaN
    value[0] = 60000 / value[0]
    return value


def _table(name: str, found: Iterable[np.ndarray]) -> None:
    """Share within one sample, of those that are measured before."""
    change = np.stack(list(found))
    within = np.where(np.isnan(change), np.nan, change <= 1)
    print(f"\n| {name}: share within one sample | " + " | ".join(HEADS) + " |")
    for i, what in enumerate(("shuffled", "3 uV of noise instead", "a delay of its own for each beat")):
        print(f"| {what} | " + " | ".join(f"{100 * share:.1f} %" for share in np.nanmean(within[:, i], axis=0)) + " |")


def _flips(cohort: Cohort, cuts: Cuts, rows: np.ndarray, run: str) -> None:
    arm, draw = checkpoint.load(run), np.random.default_rng(0)
    if arm.head is None or arm.head.kind == "value":
        sys.exit(f"{run}: gives no probabilities, so it has no answers that could change")
    if (arm.layout.seconds, arm.layout.scale) != (LAYOUT.seconds, LAYOUT.scale):
        sys.exit(f"{run}: its windows are not whole recordings of {LAYOUT.seconds:g} s in millivolts")
    changed: list[np.ndarray] = []
    with torch.inference_mode():
        for batch in batches(arm.layout, cohort, rows, 64):
            x, valid = batch.signal, batch.valid.expand(batch.signal.shape)
            cut = cuts.of(batch.row.numpy(), np.zeros(len(batch)), x.shape[-1], batch.rate)
            noise = torch.from_numpy(draw.normal(0, NOISE_MV, x.shape)).to(x.dtype)
            shuffled, elsewhere = (reorder(x, valid, cut, batch.rate, draw, anywhere)[0] for anywhere in (False, True))
            before, *after = (
                arm.head(arm.encoder(signal, valid, batch.rate).pooled) > 0.5
                for signal in (x, shuffled, x + noise, elsewhere)
            )
            changed.append(torch.stack([before != one for one in after]).numpy())
    flips = np.concatenate(changed, axis=1)
    labels = arm.head.labels
    print(f"\n| {run}, {len(rows)} recordings of fold 10: answers that change | " + " | ".join(labels) + " | any |")
    for what, found in zip(("shuffled", "3 uV of noise instead", "cut at random places"), flips):
        shares = [*found.mean(axis=0), found.any(axis=1).mean()]
        print(f"| {what} | " + " | ".join(f"{100 * share:.1f} %" for share in shares) + " |")


class Made:
    """Simulated recordings of all kinds at the layout's rate, as a source."""

    family, licence, citation, version = "made", "Apache-2.0", "einthoven", "1"

    def plan(self, path: Path) -> Plan:
        return Plan(
            [Item(f"{kind}-{seed}", f"{kind}-{seed}", "", extra=(kind, seed)) for kind in KINDS for seed in SEEDS], ()
        )

    def read(self, path: Path, items: Sequence[Item]) -> Iterator[Record]:
        for item in items:
            kind, seed = item.extra
            made = record(kind, seed=seed, rate=LAYOUT.rate)
            yield Record(item.key, made.leads, made.signal, made.rate, item.subject)


def _simulated(folder: Path) -> Cohort:
    cohort = build(Made(), folder, folder / "cohort", workers=1)
    derive(cohort, workers=1)
    return Cohort.open(cohort.path)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) or None if len(sys.argv) > 2 else None, *sys.argv[3:])
