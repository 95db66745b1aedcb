"""check: what is there, what is odd, what cannot be read, and what a checkpoint would want of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from einthoven.app.check import check
from einthoven.app.findings import look_at
from einthoven.core.errors import CheckpointError, FormatError, RecipeError
from einthoven.core.facts import Category, Text, Value
from einthoven.core.layout import Layout
from einthoven.core.leads import STANDARD
from einthoven.core.record import Record
from einthoven.formats.wfdb import Wfdb


def record(leads: tuple[str, ...] = ("I", "II", "V2"), rate: float = 500, seconds: float = 10, **changes) -> Record:
    time_T = np.arange(int(rate * seconds)) / rate
    signal_LT = np.sin(2 * np.pi * 1.3 * time_T + np.arange(len(leads))[:, None])
    return Record("strip", leads, changes.pop("signal", signal_LT), rate, **changes)


def put(folder: Path, name: str, made: Record) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return Wfdb().write(made, folder / f"{name}.hea")[0]


def card(folder: Path, **layout) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"layout": Layout(**layout).to_dict()}))
    return folder


def test_a_sound_recording_has_no_warning():
    assert look_at(record()).warnings == ()


def test_what_is_odd_is_warned_about_by_kind():
    wave_T = np.sin(np.arange(1000) / 15)
    signal_LT = np.stack([np.zeros(1000), np.clip(wave_T, -9, 0.8), wave_T, 20 * wave_T])
    signal_LT[2, :100] = np.nan
    found = look_at(record(("I", "II", "MLII", "ECG"), 40, signal=signal_LT))
    assert [warning.partition(":")[0] for warning in found.warnings] == [
        "amplitude", "rate", "lead", "lead", "flat", "clipped", "missing",
    ]  # fmt: skip
    assert (found.flat, found.clipped, found.missing) == (("I",), ("II",), {"MLII": 0.1})
    assert found.range_mv["unknown"] == pytest.approx(40, rel=0.01)
    assert "40" in found.warnings[0]
    assert "MLII" in found.warnings[3]


def test_a_tiny_amplitude_is_in_doubt_and_a_lead_of_lost_samples_is_no_range():
    signal_LT = np.stack([np.sin(np.arange(1000) / 15) / 1000, np.full(1000, np.nan)])
    found = look_at(record(("I", "II"), signal=signal_LT))
    assert found.warnings[0].startswith("amplitude: no lead swings by more than 0.002 mV")
    assert (found.range_mv, found.missing) == ({"I": 0.002}, {"II": 1})


def test_a_file_is_described_with_what_it_states(tmp_path: Path):
    facts = (Value("age", 61, "years"), Category("sex", "female"), Text("comments", "Mr Smith"))
    found = check(put(tmp_path, "a", record(facts=facts)))
    assert found.file["format"] == "wfdb"
    assert found.file["dialect"] == "format 16, 3 channels, gain 1000/mV"
    assert found.file["leads"] == ("I", "II", "V2")
    assert (found.file["rate"], found.file["samples"], found.file["seconds"]) == (500, 5000, 10)
    assert set(found.file["facts"]) == {"comments", "age 61 years", "sex female"}
    assert "Smith" not in str(found) + json.dumps(found.to_dict())  # of a text only that it is there
    assert found.exit_code == 0
    for word in ("I, II, V2", "500", "format 16", "age 61 years"):
        assert word in str(found)


def test_a_folder_is_counted_and_its_refusals_are_listed_with_reasons(tmp_path: Path):
    for name in ("a", "b"):
        put(tmp_path, name, record(STANDARD))
    put(tmp_path / "home", "c", record(("ECG",), 250, 30))
    (tmp_path / "torn.hea").write_text("torn 1 250 99999\na.dat 16 1000/mV 16 0 0 0 0 II\n")
    (tmp_path / "empty.csv").touch()
    found = check(tmp_path)
    assert found.exit_code == 0
    assert (found.folder["recordings"], found.folder["refused"]) == (3, 2)
    assert found.folder["formats"] == {"wfdb": 3}
    assert found.folder["leads"] == {"12 standard leads": 2, "unknown": 1}
    assert found.folder["rates"] == {"500 Hz": 2, "250 Hz": 1}
    assert found.folder["seconds"] == {"shortest": 10, "median": 10, "longest": 30}
    assert [(row["file"], row["reason"]) for row in found.refused] == [
        ("empty.csv", "empty"),
        ("torn.hea", "truncated"),
    ]
    assert found.warnings == ("lead: 1 recordings, such as home/c.hea",)
    assert "2 refused" in str(found)
    assert str(tmp_path) not in "".join(row["message"] for row in found.refused)
    json.dumps(found.to_dict(), allow_nan=False)


def test_a_folder_s_mapping_is_for_files_that_state_nothing(tmp_path: Path):
    put(tmp_path, "a", record())
    (tmp_path / "b.csv").write_text("ecg\n" + "".join(f"{np.sin(i / 9):.4f}\n" for i in range(600)))
    assert check(tmp_path).folder["reasons"] == {"unit": 1}
    assert check(tmp_path, rate=300, unit="mV").folder["rates"] == {"500 Hz": 1, "300 Hz": 1}
    with pytest.raises(FormatError, match="never overridden"):
        check(tmp_path / "a.hea", rate=300)


@pytest.mark.parametrize("name", ["", "nothing.hea", "words"])
def test_nothing_to_read_is_an_error_of_one_line(tmp_path: Path, name: str):
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "letter.docx").touch()
    with pytest.raises(FormatError) as caught:
        check(tmp_path / name if name else tmp_path)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    if name != "nothing.hea":
        assert "1 .docx" in str(caught.value)


def test_a_checkpoint_says_for_each_lead_whether_it_is_measured_derived_or_missing(tmp_path: Path):
    model = card(tmp_path / "run" / "best", leads=("II", "aVF", "V1"), rate=100, seconds=4, band=(0.5, 40))
    found = check(put(tmp_path, "a", record()), checkpoint=tmp_path / "run")
    fit = found.fits[0]
    assert (fit.measured, fit.derived, fit.missing) == (("II",), ("aVF (of I and II)",), ("V1",))
    assert fit.resampled == "resampled from 500 to 100 Hz"
    assert fit.windows == "3 windows of 4 s"  # at 0, 4 and, flush with the end, 6 s
    assert found.wants == Layout(leads=("II", "aVF", "V1"), rate=100, seconds=4, band=(0.5, 40)).to_dict()
    assert "band 0.5-40 Hz" in str(found)
    assert (
        check(put(tmp_path, "b", record(rate=100, seconds=3)), checkpoint=model)
        .fits[0]
        .windows.startswith("1 window of its own 3 s, shorter than 4 s")
    )


def test_a_recording_that_does_not_fit_a_checkpoint_says_why(tmp_path: Path):
    model = card(tmp_path / "one", leads=("any",))
    several = check(put(tmp_path, "a", record()), checkpoint=model).fits[0]
    assert "--lead I" in several.problem
    one = check(tmp_path / "a.hea", checkpoint=model, lead="V2").fits[0]
    assert (one.measured, one.problem) == (("V2",), "")
    chest = card(tmp_path / "chest", leads=("V5", "V6"))
    assert "none of the leads V5 V6" in check(tmp_path / "a.hea", checkpoint=chest).fits[0].problem


def test_recordings_of_a_folder_that_fare_alike_are_one_line(tmp_path: Path):
    for name in "abc":
        put(tmp_path / "ward", name, record())
    put(tmp_path / "ward", "d", record(rate=100))
    found = check(tmp_path / "ward", checkpoint=card(tmp_path / "model", leads=("I",)))
    assert [(fit.recordings, fit.resampled) for fit in found.fits] == [(3, "resampled from 500 to 100 Hz"), (1, "")]


def test_a_checkpoint_that_is_none_is_refused(tmp_path: Path):
    path = put(tmp_path, "a", record())
    with pytest.raises(CheckpointError, match="is no checkpoint"):
        check(path, checkpoint=tmp_path / "none")
    broken = tmp_path / "broken"
    broken.mkdir()
    for text in ("{", "[]", "{}", '{"layout": 3}', "\xff"):
        (broken / "config.json").write_bytes(text.encode("latin-1"))
        with pytest.raises(CheckpointError, match="no card of a checkpoint"):
            check(path, checkpoint=broken)
    (broken / "config.json").write_text('{"layout": {"leeds": ["I"]}}')
    with pytest.raises(RecipeError, match="did you mean leads"):
        check(path, checkpoint=broken)


def test_a_cohort_shows_its_card(tmp_path: Path):
    from einthoven.cohort.build import build
    from einthoven.sources.folder import Folder

    for i, name in enumerate("ab"):
        put(tmp_path / "ward", name, record(signal=np.random.default_rng(i).normal(size=(3, 5000))))
    (tmp_path / "ward" / "torn.hea").write_text("torn")
    build(Folder(), tmp_path / "ward", tmp_path / "cohort", workers=1)
    found = check(tmp_path / "cohort", checkpoint=card(tmp_path / "model", leads=("V2",)))
    assert found.cohort["counts"]["records"] == 2
    assert found.cohort["leads"] == {"I II V2": 2}
    assert [row["reason"] for row in found.refused] == ["header"]
    assert found.fits[0].recordings == 2
    json.dumps(found.to_dict(), allow_nan=False)


def test_checking_a_file_against_a_checkpoint_loads_neither_torch_nor_polars(tmp_path: Path):
    path, model = put(tmp_path, "a", record()), card(tmp_path / "model")
    code = (
        f"import sys; from einthoven.app.check import check; check({str(path)!r}, checkpoint={str(model)!r});"
        "print([name for name in ('torch', 'polars', 'sklearn', 'wfdb', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.shared
def test_the_nine_records_of_qtdb_without_a_gain_are_refused_for_their_unit(shared_data: Path):
    found = check(shared_data / "qtdb")
    assert (found.folder["recordings"], found.folder["reasons"]) == (71, {"unit": 9})
    assert {row["file"].removesuffix(".hea") for row in found.refused} == {
        "sel14046", "sel14157", "sel14172", "sel15814", "sel820", "sel847", "sel853", "sel883", "sel891",
    }  # fmt: skip
