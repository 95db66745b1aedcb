"""The road from windows to a shipped network, on simulated windows: pack, two steps of training, ship."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench.waves import pack, ship, train
from einthoven.core.record import Record
from einthoven.simulate import record


def test_a_network_is_trained_on_packed_windows_and_shipped(tmp_path: Path):
    pytest.importorskip("onnx")
    made = [record(kind, seed=i, rate=250) for i, kind in enumerate(("sinus", "af", "pvc"))]
    packed = pack.whole(made, "truth.waves")
    assert packed["x"].shape == (3, 12, pack.SAMPLES)
    known = np.isfinite(packed["m"]).any(axis=(1, 2, 3))
    assert known.all()
    long = _long(record("sinus", seed=9, rate=250, seconds=20, leads=("I", "II")))
    np.savez(tmp_path / "ludb.npz", **packed)
    np.savez(tmp_path / "simulated.npz", **packed)
    np.savez(tmp_path / "qtdb.npz", **long)
    ludb = {key: i for i, key in enumerate(packed["key"].tolist())}
    qtdb = {key: 3 for key in long["key"].tolist()}
    (tmp_path / "folds.json").write_text(json.dumps({"ludb": ludb, "qtdb": qtdb}))
    out = tmp_path / "final"
    asked = ["--leave", "0", "--steps", "2", "--batch", "6", "--out", str(out)]
    done = subprocess.run(
        [sys.executable, train.__file__, str(tmp_path), *asked],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert "2 recordings, 1 stretches" in done.stdout
    shipped = ship.ship(out, tmp_path / "shipped")
    assert max(shipped.difference.values()) < 1e-4
    assert (tmp_path / "shipped" / "checkpoint" / "model.safetensors").is_file()


def _long(ecg: Record) -> dict[str, np.ndarray]:
    """As `pack.stretches` packs a marked stretch."""
    rows = pack.marks(ecg, "truth.waves.global", [""])
    return {
        "x": pack.slow(ecg.signal, ecg.rate).T, "t": np.array([ecg.samples]), "m": pack.padded(rows),
        "key": np.array(["long"]), "mit": np.array([False]),
    }  # fmt: skip
