"""Everything that training needs, in one folder: `python -m bench.waves.pack FOLDER [--data .data]`.

Windows at 250 Hz above 0.5 Hz in int16 microvolts with their marks in seconds: LUDB, the marked stretches of QTDB, and
simulated recordings; the folds; `train.py` and `run.sh`; and what of the package they import. Letters: R recordings, L
leads, T samples, K rows of marks.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

import einthoven
from bench.rivals import sets
from einthoven.core.facts import Category, Waves
from einthoven.core.record import Record
from einthoven.evaluate import delineation
from einthoven.signal import _onnx
from einthoven.simulate import World, block

SAMPLES = 2500
APART_SECONDS, AROUND_SECONDS, LEAST_SECONDS = 8.0, 6.0, 10.5
"""A longer pause between marks parts two stretches; so much around them is kept; shorter ones are left out."""

SIMULATED = {
    "AFIB": 200, "AFLT": 60, "": 130, "PVC": 50, "PAC": 60, "CLBBB": 25, "CRBBB": 25, "PACE": 30, "2AVB": 40,
    "3AVB": 30, "1AVB": 50, "LVOLT": 40, "STACH": 40, "SBRAD": 20, "SARRH": 50,
}  # fmt: skip
"""Recordings by condition."""
NOISE = (0.25, 0.4, 0.6, 0.8)
"""Factors on the simulated noise, one condition after the other."""
FIRST_SEED = 1000

NEEDED = (
    "__init__.py", "core", "encoders", "objectives", "signal/__init__.py",
    *(f"data/{name}.py" for name in ("__init__", "augment", "interference")),
)  # fmt: skip
STUB = '"""Stands in where pydantic is missing."""\n\n\ndef Field(*args, **kwargs):\n    return None\n'


def slow(signal_LT: np.ndarray, rate: float) -> np.ndarray:
    """(L, N) int16 microvolts at 250 Hz, as the network will see them."""
    return np.round(1000 * _onnx.conditioned(np.nan_to_num(signal_LT), rate)).clip(-32000, 32000).astype(np.int16)


def marks(record: Record, name: str, leads: Iterable[str]) -> list[np.ndarray]:
    """Of each lead the rows of marks, (K, 9) seconds."""
    fact = next(fact for fact in record.facts if isinstance(fact, Waves) and fact.name == name)
    return [delineation.points_of(fact, record.rate, lead).reshape(-1, 9) for lead in leads]


def padded(rows: list[np.ndarray]) -> np.ndarray:
    out = np.full((len(rows), max(map(len, rows)), 9), np.nan, np.float32)
    for i, row in enumerate(rows):
        out[i, : len(row)] = row
    return out


def whole(records: Iterable[Record], name: str) -> dict[str, Any]:
    """Recordings of ten seconds, x (R, 12, T) and m (R, 12, K, 9)."""
    given = list(records)
    rows = padded([row for record in given for row in marks(record, name, record.leads)])
    x = np.stack([slow(record.signal, record.rate)[:, :SAMPLES] for record in given])
    return {"x": x, "m": rows.reshape(len(given), -1, *rows.shape[1:]), "key": np.array([r.key for r in given])}


def stretches(records: Iterable[Record]) -> dict[str, Any]:
    """The marked stretches end to end, x (all samples, 2), t their lengths, m (stretches, K, 9), key, mit."""
    out: dict[str, list[Any]] = {"x": [], "t": [], "m": [], "key": [], "mit": []}
    for record in records:
        (rows,) = marks(record, "reference.waves.global", [""])
        rows = rows[np.argsort(np.nanmin(rows, axis=1))]
        first, last = np.nanmin(rows, axis=1), np.nanmax(rows, axis=1)
        from_mitdb = any(isinstance(f, Category) and (f.name, f.value) == ("parent", "mitdb") for f in record.facts)
        for part in np.split(np.arange(len(rows)), np.flatnonzero(first[1:] - last[:-1] > APART_SECONDS) + 1):
            begin = int(max(0.0, first[part[0]] - AROUND_SECONDS) * record.rate)
            end = int(min(record.seconds, last[part[-1]] + AROUND_SECONDS) * record.rate)
            if end - begin < LEAST_SECONDS * record.rate:
                continue
            reach = max(begin - 500, 0)
            x = slow(np.nan_to_num(record.signal[:, reach : end + 500]), record.rate)[:, begin - reach : end - reach]
            for name, value in (
                ("x", x.T), ("t", x.shape[1]), ("m", rows[part] - begin / record.rate), ("key", record.key),
                ("mit", from_mitdb),
            ):  # fmt: skip
                out[name].append(value)
    return {name: np.array(values) for name, values in out.items() if name not in ("x", "m")} | {
        "x": np.concatenate(out["x"]), "m": padded(out["m"]),
    }  # fmt: skip


def simulated() -> Iterable[Record]:
    for i, (code, count) in enumerate(SIMULATED.items()):
        world = World(seed=FIRST_SEED + i, rate=250.0, seconds=10.0, noise=NOISE[i % len(NOISE)])
        yield from block(world, [(patient, 0) for patient in range(count)], force=(code,) if code else ())


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("folder", type=Path)
    asked.add_argument("--data", type=Path, default=Path(".data"))
    said = asked.parse_args()
    said.folder.mkdir(parents=True, exist_ok=True)
    for name, packed in (
        ("ludb", whole((record for record, _ in sets.records("ludb", said.data, True)), "reference.waves")),
        ("qtdb", stretches(sets.Qtdb().read(said.data / "qtdb", sets.Qtdb().plan(said.data / "qtdb").items))),
        ("simulated", whole(simulated(), "truth.waves")),
    ):
        np.savez_compressed(said.folder / f"{name}.npz", **packed)
        print(name, packed["x"].shape, packed["m"].shape)
    shutil.copy(Path(delineation.__file__).with_name("delineation_folds.json"), said.folder / "folds.json")
    for name in ("train.py", "run.sh"):
        shutil.copy(Path(__file__).with_name(name), said.folder / name)
    package = Path(einthoven.__file__).parent
    shutil.rmtree(said.folder / "code", ignore_errors=True)
    for name in NEEDED:
        target = said.folder / "code" / "einthoven" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (package / name).is_dir():
            shutil.copytree(package / name, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(package / name, target)
    (said.folder / "stub").mkdir(exist_ok=True)
    (said.folder / "stub" / "pydantic.py").write_text(STUB, encoding="utf-8")


if __name__ == "__main__":
    main()
