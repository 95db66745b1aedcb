"""LUDB: statements of the table, marks of every lead, beats that are counted over leads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from einthoven.core.errors import EinthovenError, SourceError
from einthoven.core.facts import WAVE_COLUMNS, Category, Label, Value, Waves
from einthoven.core.leads import STANDARD
from einthoven.core.record import Record
from einthoven.sources.ludb import Ludb
from tests.sources.annotated import annotate, record, wave

HEADING = (
    "ID,Sex,Age,Rhythms,Electric axis of the heart,Conduction abnormalities,Extrasystolies,Hypertrophies,"
    "Cardiac pacing,Ischemia,Non-specific repolarization abnormalities,Other states"
)
MARKS = [
    *wave(100, 120, 140, "p"), *wave(160, 180, 200, "N"), *wave(300, 350, 400, "t"),
    *wave(None, 600, 620, "N"), *wave(700, 750, 800, "t"), *wave(900, 920, 940, "p"),
]  # fmt: skip


def write(folder: Path, keys: tuple[str, ...], marks: dict[str, list] | None = None) -> Path:
    """Recordings whose leads all carry MARKS, or what `marks` says of a lead."""
    rows = [
        f'{key},"M\n","{64 if key != "2" else ">89"}\n",Sinus rhythm,,,,"Left atrial\nRight atrial",,,,' for key in keys
    ]
    (folder / "ludb.csv").write_text("\n".join([HEADING, *rows]) + "\n")
    for key in keys:
        record(folder / "data", key, [lead.lower() for lead in STANDARD], 500)
        for lead in STANDARD:
            annotate(folder / "data", key, lead.lower(), (marks or {}).get(lead, MARKS))
    return folder


def waves_of(got: Record | EinthovenError, name: str = "reference.waves") -> dict[str, np.ndarray]:
    assert isinstance(got, Record), got
    return next(fact.columns for fact in got.facts if isinstance(fact, Waves) and fact.name == name)


def test_what_the_table_says_becomes_facts(tmp_path: Path):
    plan = Ludb().plan(write(tmp_path, ("1", "2")))
    assert plan.label_sets[0].codes == ("Left atrial", "Right atrial", "Sinus rhythm")
    first, second = plan.items
    assert (first.key, first.subject, first.path) == ("1", "1", "data/1.hea")
    assert {Value("age", 64, "years"), Category("sex", "male"), Category("rhythm", "Sinus rhythm")} <= set(first.facts)
    assert [fact.code for fact in first.facts if isinstance(fact, Label)] == [
        "Sinus rhythm", "Left atrial", "Right atrial",
    ]  # fmt: skip
    assert {Value("age", 90, "years"), Category("age.top", "over 89")} <= set(second.facts)


def test_every_mark_is_kept_where_it_was_drawn(tmp_path: Path):
    source = Ludb()
    (got,) = source.read(tmp_path, source.plan(write(tmp_path, ("7",))).items)
    columns = waves_of(got)
    mine = columns["lead"] == "V3"
    points = np.stack([columns[name] for name in WAVE_COLUMNS], axis=1)[mine]
    assert points.tolist() == [
        [100, 120, 140, 160, 180, 200, 300, 350, 400],
        [-1, -1, -1, -1, 600, 620, 700, 750, 800],
        [900, 920, 940, -1, -1, -1, -1, -1, -1],  # a P wave without a QRS complex after it
    ]
    assert columns["beat"][mine].tolist() == [0, 1, -1]
    assert columns["label"][mine].tolist() == ["N", "N", ""]
    assert set(columns["lead"]) == set(STANDARD)


def test_beats_are_counted_over_all_leads(tmp_path: Path):
    late = [*wave(None, 615, 640, "N"), *wave(1100, 1120, 1140, "N")]  # lead I lacks the first beat
    source = Ludb()
    (got,) = source.read(tmp_path, source.plan(write(tmp_path, ("7",), {"I": late})).items)
    columns = waves_of(got)
    assert columns["beat"][columns["lead"] == "I"].tolist() == [1, 2]
    assert columns["beat"][columns["lead"] == "II"].tolist() == [0, 1, -1]


def test_a_second_p_wave_before_one_complex_stands_alone(tmp_path: Path):
    blocked = [*wave(100, 120, 140, "p"), *wave(400, 420, 440, "p"), *wave(500, 520, 540, "N")]
    source = Ludb()
    (got,) = source.read(tmp_path, source.plan(write(tmp_path, ("7",), {"I": blocked})).items)
    columns = waves_of(got)
    mine = columns["lead"] == "I"
    assert columns["p_peak"][mine].tolist() == [120, 420]
    assert columns["qrs_peak"][mine].tolist() == [-1, 520]


def test_a_missing_annotation_file_is_the_error_of_its_recording(tmp_path: Path):
    source = Ludb()
    plan = source.plan(write(tmp_path, ("1", "2")))
    (tmp_path / "data" / "1.v4").unlink()
    first, second = source.read(tmp_path, plan.items)
    assert isinstance(first, EinthovenError)
    assert first.reason == "missing"
    assert isinstance(second, Record)


def test_a_table_of_something_else_is_refused(tmp_path: Path):
    (tmp_path / "ludb.csv").write_text("ID,Sex\n1,M\n")
    with pytest.raises(SourceError, match="not the table of LUDB"):
        Ludb().plan(tmp_path)


@pytest.mark.shared
def test_all_marks_at_hand_are_read(shared_data: Path):
    source = Ludb()
    plan = source.plan(shared_data / "ludb")
    assert (len(plan.items), plan.absent) == (120, 0)
    some = plan.items[::10]
    counts = np.zeros(3, int)
    for got in source.read(shared_data / "ludb", some):
        columns = waves_of(got)
        counts += [(columns[name] >= 0).sum() for name in ("p_peak", "qrs_peak", "t_peak")]
    # counted in the annotation files by their symbols, apart from the source
    assert counts.tolist() == _counted(shared_data / "ludb", [item.key for item in some])


def _counted(folder: Path, keys: list[str]) -> list[int]:
    import wfdb

    found = [
        symbol
        for key in keys for lead in STANDARD
        for symbol in wfdb.rdann(str(folder / "data" / key), lead.lower()).symbol
    ]  # fmt: skip
    return [found.count(symbol) for symbol in "pNt"]
