"""`measure` and `derive` as verbs: files, folders and cohorts, JSON, tables, drawings, files that state little."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import einthoven
from einthoven.app import _measured
from einthoven.cli import main
from einthoven.cohort.build import build
from einthoven.core.errors import FormatError, OutputError, RecipeError
from einthoven.core.fingerprint import finite, json_pieces
from einthoven.core.record import Record
from einthoven.core.registry import load
from einthoven.signal.analysis import analyse
from einthoven.signal.reversal import Reversal
from einthoven.simulate import record
from tests.cohort.generated import few

SINUS = record("sinus", seed=3)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    place = tmp_path / "sinus.hea"
    load("formats", "wfdb")().write(SINUS, place)
    return place


def test_json_of_a_file_has_the_stated_form(file, capsys):
    assert main(["measure", str(file), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {"file", "rate", "leads", "beats", "waves", "global", "measurements", "quality"} <= told.keys()
    assert (told["file"], told["rate"], told["leads"]) == ("sinus.hea", 500, list(SINUS.leads))
    count = len(told["beats"])
    assert count > 8
    assert {"sample", "label", "confidence"} == told["beats"][0].keys()
    assert set(told["waves"]) == set(SINUS.leads)
    for rows in (*told["waves"].values(), told["global"]):
        assert [row["beat"] for row in rows] == list(range(count))
        for row in rows:
            for wave in ("P", "QRS", "T"):
                assert row[wave] is None or (len(row[wave]) == 3 and row[wave] == sorted(row[wave]))
    assert {"value", "unit", "n_beats", "quality", "reason"} <= told["measurements"]["pr"].keys()
    assert told["quality"]["verdict"] == "good"


def test_a_file_is_told_to_people_with_what_is_missing(file):
    text = str(einthoven.measure(file))
    assert "hr " in text
    assert "not measured, too few beats for it: pnn50" in text
    assert "quality good" in text


def test_what_was_written_of_one_file_is_told(file, tmp_path):
    place = tmp_path / "one.csv"
    assert str(einthoven.measure(file, out=place)).endswith(f"\nwritten: {place}")
    assert "written: " not in str(einthoven.measure(file))


def test_what_is_withheld_is_told_in_whole_sentences(tmp_path):
    x = SINUS.signal.copy()
    x[[0, 4, 5]] = np.random.default_rng(0).normal(0, 0.5, (3, 5000))
    load("formats", "wfdb")().write(Record("x", SINUS.leads, x, 500), tmp_path / "x.hea")
    assert "not measured, the signal is too noisy, or too much of it is missing: " in str(
        einthoven.measure(tmp_path / "x.hea")
    )
    assert not [words for words in _measured.WHY.values() if words.rsplit(None, 1)[-1] in ("is", "or", "the", "of")]


def test_the_line_above_a_drawing_names_a_suspected_swap():
    found = analyse(SINUS)
    assert _measured.brief(found).endswith("· good")
    swapped = replace(found, reversal=Reversal("RA-LA", "V1-V3", 1.0, True))
    assert _measured.brief(swapped).endswith("· good · cables swapped: RA-LA V1-V3?")


def test_tables_have_a_row_a_recording_and_reasons(tmp_path, file):
    noise = Record("noise", ("I",), np.random.default_rng(0).normal(0, 0.3, (1, 3000)), 300)
    load("formats", "wfdb")().write(noise, tmp_path / "noise.hea")
    (tmp_path / "broken.hea").write_text("broken 1 500 10\nbroken.dat 16\n")
    found = einthoven.measure(tmp_path, out=tmp_path / "table.parquet")
    table = pl.read_parquet(tmp_path / "table.parquet")
    assert table["file"].to_list() == ["noise.hea", "sinus.hea"]
    assert table["hr"].to_list() == [None, pytest.approx(64, abs=1)]
    assert "hr=" in table["missing"][0]
    assert table["amp_r_V5"][1] > 0.3
    assert [row["file"] for row in found.refused] == ["broken.hea"]
    assert (tmp_path / "table.refused.csv").is_file()
    einthoven.measure(file, out=tmp_path / "one.csv")
    assert pl.read_csv(tmp_path / "one.csv")["qrs"][0] == pytest.approx(table["qrs"][1])
    assert einthoven.measure(tmp_path, strict=True).exit_code == 1


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_the_drawing_has_the_colours_of_the_waves(file, tmp_path, suffix):
    pytest.importorskip("matplotlib")
    place = tmp_path / f"drawn{suffix}"
    einthoven.measure(file, plot=place)
    if suffix == ".svg":
        text = place.read_text()
        assert [f'class="{role}"' in text for role in ("p", "qrs", "t", "mark")] == [True] * 4
        assert "HR 64/min" in text
    else:
        assert place.read_bytes().startswith(b"\x89PNG")


def test_a_drawing_of_many_or_of_another_kind_is_refused(file, tmp_path):
    with pytest.raises(RecipeError, match="draws one recording"):
        einthoven.measure(tmp_path, plot=tmp_path / "a.svg")
    with pytest.raises(OutputError, match="not made"):
        einthoven.measure(file, plot=tmp_path / "a.gif")


def test_without_a_unit_intervals_are_measured_and_amplitudes_withheld(tmp_path):
    place = tmp_path / "counts.csv"
    counts = np.rint(SINUS.signal[1] * 4321).astype(int)
    place.write_text("ECG\n" + "\n".join(map(str, counts)) + "\n")
    bare = einthoven.measure(place, rate=500).to_dict()["measurements"]
    known = einthoven.measure(place, rate=500, unit="4321/mV").to_dict()["measurements"]
    assert bare["hr"]["value"] == pytest.approx(known["hr"]["value"], rel=0.01)
    assert bare["amp_r_unknown"]["reason"] == "no_units"
    assert known["amp_r_unknown"]["value"] == pytest.approx(1, abs=0.9)
    with pytest.raises(FormatError, match="--rate"):
        einthoven.measure(place)


def test_a_cohort_is_measured_like_its_files(tmp_path, file):
    build(few(SINUS, record("af", seed=2)), tmp_path, tmp_path / "cohort", workers=1)
    rows = einthoven.measure(tmp_path / "cohort").to_dict()["rows"]
    one = einthoven.measure(file).to_dict()["measurements"]
    assert len(rows) == 2
    assert rows[0]["qrs"] == pytest.approx(one["qrs"]["value"], abs=1)


def test_derive_says_what_it_added_and_that_it_was_there(tmp_path, capsys):
    build(few(SINUS, record("af", seed=2)), tmp_path, tmp_path / "cohort", workers=1)
    assert main(["derive", "physiology", str(tmp_path / "cohort"), "--workers", "1"]) == 0
    assert "2 recordings" in capsys.readouterr().out
    assert einthoven.derive("physiology", tmp_path / "cohort").kept
    with pytest.raises(RecipeError, match="did you mean physiology"):
        einthoven.derive("physiologie", tmp_path / "cohort")


def test_every_reason_has_its_words():
    source = Path(einthoven.__file__).parent / "signal"
    text = "".join((source / name).read_text() for name in ("measurements.py", "quality.py", "analysis.py"))
    for reason in _measured.WHY:
        assert f'"{reason}"' in text, reason


def test_nothing_is_kept_for_or_sent_to_anybody(file, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    said = {**os.environ, "HOME": str(home), "USERPROFILE": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    said.pop("ORT_DISABLE_TELEMETRY", None)
    subprocess.run([sys.executable, "-m", "einthoven", "measure", str(file)], env=said, check=True, capture_output=True)
    assert not list(home.rglob("*"))


def test_nothing_heavy_is_imported(file):
    import subprocess
    import sys

    code = f"import sys, einthoven; einthoven.measure({str(file)!r})"
    code += "; print('torch' in sys.modules, 'sklearn' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "False"]


def test_a_document_in_pieces_is_the_whole_one_and_holds_no_list_of_waves(file):
    found = einthoven.measure(file)
    stream = found.to_stream()
    assert not isinstance(stream["global"], list)
    assert not any(isinstance(rows, list) for rows in stream["waves"].values())
    assert json.loads("".join(json_pieces(stream))) == finite(found.to_dict())
    assert found.to_dict() == found.to_dict()  # nothing is used up


def test_a_table_packed_row_by_row_is_that_of_all_rows(monkeypatch):
    monkeypatch.setattr(_measured, "_AT_ONCE", 2)
    analyses = [analyse(SINUS), analyse(record("af", seed=2, leads=("II",))), analyse(record("pvc", seed=1))] * 2
    table, rows = _measured.Table(), [_measured.row("f", str(i), found) for i, found in enumerate(analyses)]
    for row in rows:
        table.add(row)
    frame = table.frame()
    assert frame["key"].to_list() == ["0", "1", "2", "3", "4", "5"]
    assert frame["amp_r_V5"].is_null().to_list() == [False, True, False] * 2
    for row, told in zip(rows, frame.to_dicts()):
        assert {name: value for name, value in told.items() if name in row} == row
    assert _measured.Table().frame().is_empty()


def test_a_recording_without_unit_of_which_a_lead_is_lost_is_measured_in_silence(tmp_path):
    np.save(tmp_path / "a.npy", np.stack([1000 * SINUS.signal[1], np.full(SINUS.samples, np.nan)]).astype(np.float32))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = einthoven.measure(tmp_path / "a.npy", rate=500, lead="II,V1").to_dict()["measurements"]
    assert (found["hr"]["reason"], found["amp_r_II"]["reason"]) == ("", "no_units")
