"""`derive physiology`: facts behind the others, signals untouched, the same bytes with any workers and after kills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from einthoven.cohort import derive as deriving
from einthoven.cohort.build import build
from einthoven.cohort.derive import derive
from einthoven.cohort.store import Cohort
from einthoven.core.errors import Interrupted
from einthoven.core.facts import Category, Value
from einthoven.core.record import Record
from einthoven.signal import waves
from einthoven.simulate import record
from tests.cohort.generated import few

ROOT = Path(__file__).parents[2]
KINDS = ("sinus", "af", "pvc", "paced", "lbbb", "sinus")


def records(count: int = 6) -> list[Record]:
    made = [record(KINDS[i % 6], seed=i, rate=100, seconds=6) for i in range(count - 1)]
    noise = np.random.default_rng(0).normal(0, 0.3, (1, 600))
    return [*made, Record("noise", ("I",), noise, 100, None, (Value("age", 60.0, "years"), Category("sex", "male")))]


def cohort(place: Path, count: int = 6) -> Path:
    build(few(*records(count)), place, place / "out", workers=1)
    return place / "out"


def content(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_facts_are_added_and_nothing_that_was_prepared_changes(tmp_path):
    place = cohort(tmp_path)
    before, old = content(place), Cohort.open(place)
    prepared = {kind: old.facts(kind) for kind in ("value", "category", "waves", "labels")}
    entry = derive(Cohort.open(place), workers=1, piece=2)
    after, new = content(place), Cohort.open(place)
    assert new.fingerprint == old.fingerprint
    assert {name for name in after if after[name] != before.get(name)} == {
        "card.json", "facts/category.parquet", "facts/value.parquet", "facts/waves.parquet",
    }  # fmt: skip
    assert new.card["derived"]["physiology"] == entry
    assert entry["engine"] == waves.ENGINE
    assert entry["counts"]["records"] == 6
    for kind, table in prepared.items():
        kept = new.facts(kind).filter(~pl.col("name").str.starts_with("physiology."))
        assert kept.equals(table)
        assert new.facts(kind)["row"].is_sorted()
    first = new.record(0)
    hr = next(fact for fact in first.facts if fact.name == "physiology.hr")
    truth = next(fact for fact in first.facts if fact.name == "truth.hr")
    assert hr.value == pytest.approx(truth.value, rel=0.02)
    assert hr.unit == "1/min"


def test_what_is_not_measured_has_a_reason_and_no_value(tmp_path):
    place = cohort(tmp_path)
    derive(Cohort.open(place), workers=1)
    made = Cohort.open(place)
    noise = {fact.name: fact for fact in made.record(5).facts}
    assert noise["physiology.missing.hr"].value in ("poor_signal", "no_beats")
    assert "physiology.hr" not in noise
    assert noise["physiology.quality"].value in ("usable", "poor")
    assert (noise["age"].value, noise["sex"].value) == (60, "male")
    af = {fact.name for fact in made.record(1).facts}
    assert "physiology.qrs" in af


def test_waves_lie_within_the_recording_and_in_their_order(tmp_path):
    place = cohort(tmp_path)
    derive(Cohort.open(place), workers=1)
    table = Cohort.open(place).facts("waves").filter(pl.col("name") == "physiology.waves.global", pl.col("row") == 0)
    qrs = table.select("qrs_on", "qrs_peak", "qrs_off").to_numpy()
    assert len(qrs) >= 5
    seen = qrs[(qrs >= 0).all(axis=1)]
    assert (np.diff(seen, axis=1) >= 0).all()
    assert seen.max() < 600
    leads = Cohort.open(place).facts("waves").filter(pl.col("name") == "physiology.waves", pl.col("row") == 0)
    assert len(leads) == 12 * len(table)


def test_workers_and_pieces_do_not_change_the_facts(tmp_path):
    one, two = cohort(tmp_path / "a"), cohort(tmp_path / "b")
    derive(Cohort.open(one), workers=1, piece=2)
    derive(Cohort.open(two), workers=2, piece=2)
    assert content(one) == content(two)
    other = cohort(tmp_path / "c")
    derive(Cohort.open(other), workers=1, piece=4)
    for kind in deriving.KINDS:
        assert Cohort.open(other).facts(kind).equals(Cohort.open(one).facts(kind))


def test_a_second_time_keeps_what_is_there_and_another_engine_replaces_it(tmp_path, monkeypatch):
    place = cohort(tmp_path)
    derive(Cohort.open(place), workers=1)
    once = content(place)
    derive(Cohort.open(place), workers=1)
    assert content(place) == once
    monkeypatch.setattr(waves, "ENGINE", "another-1")
    derive(Cohort.open(place), workers=1)
    assert Cohort.open(place).card["derived"]["physiology"]["engine"] == "another-1"
    for kind in deriving.KINDS:
        assert len(Cohort.open(place).facts(kind)) == len(pl.read_parquet(BytesIO(once[f"facts/{kind}.parquet"])))


def test_a_resumed_run_does_not_measure_again(tmp_path, monkeypatch):
    place, made = cohort(tmp_path), []
    make = deriving._make

    def counted(cohort, start, size, folder):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(start)
        return make(cohort, start, size, folder)

    monkeypatch.setattr(deriving, "_make", counted)
    before = content(place)
    with pytest.raises(Interrupted, match="goes on where it was"):
        derive(Cohort.open(place), workers=1, piece=2)
    assert {name: data for name, data in content(place).items() if not name.startswith(".")} == before
    made.append("resumed")
    derive(Cohort.open(place), workers=1, piece=2)
    assert made == [0, 2, "resumed", 4] or made[-1] == 4
    assert not list(place.glob(".physiology*"))


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path):
    whole, killed = cohort(tmp_path / "a", 9), cohort(tmp_path / "b", 9)
    code = "import sys; from einthoven.cohort.store import Cohort; from einthoven.cohort.derive import derive; "
    code += "derive(Cohort.open(sys.argv[1]), workers=1, piece=1)"
    command = [sys.executable, "-c", code]
    started = time.monotonic()
    subprocess.run([*command, str(whole)], check=True, cwd=ROOT)
    seconds = time.monotonic() - started
    for share in (0.7, 0.95):
        process = subprocess.Popen([*command, str(killed)], cwd=ROOT)
        time.sleep(share * seconds)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
    subprocess.run([*command, str(killed)], check=True, cwd=ROOT)
    assert content(killed) == content(whole)
