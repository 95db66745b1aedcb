"""MIT-BIH Arrhythmia: beats, rhythm and other marks apart; age and sex; one person with two recordings."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from einthoven.core.facts import Category, Event, Value
from einthoven.core.record import Record
from einthoven.sources.mitdb import Mitdb
from tests.sources.annotated import annotate, record

MARKS = [
    (10, "+", "(AFIB"), (50, "N"), (90, "~"), (120, "/"), (200, "["), (210, "!"), (220, "]"), (300, "E"), (400, "|"),
    (410, "+", "(N\0"), (500, "Q"), (600, '"', "TS"), (700, "x"),
]  # fmt: skip


def write(folder: Path, keys: tuple[str, ...]) -> Path:
    for key in keys:
        record(folder, key, ("MLII", "V1"), 360)
        annotate(folder, key, "atr", MARKS)
        header = folder / f"{key}.hea"
        text = header.read_text() + "# 69 M 1085 1629 x1\n# Aldomet, Inderal\n"
        header.write_bytes(text.replace("\n", "\r\n").encode())
    return folder


def test_beats_rhythm_and_other_marks_are_kept_apart(tmp_path: Path):
    source = Mitdb()
    (got,) = source.read(tmp_path, source.plan(write(tmp_path, ("100",))).items)
    assert isinstance(got, Record)
    events = [(fact.name, fact.sample, fact.event) for fact in got.facts if isinstance(fact, Event)]
    assert [event[1:] for event in events if event[0] == "beats"] == [(50, "N"), (120, "/"), (300, "E"), (500, "Q")]
    assert [event[1:] for event in events if event[0] == "rhythm"] == [(10, "AFIB"), (410, "N")]
    assert [event[2] for event in events if event[0] == "marks"] == ["~", "[", "!", "]", "|", '"', "x"]
    assert {Value("age", 69, "years"), Category("sex", "male")} <= set(got.facts)


def test_201_and_202_are_of_one_person(tmp_path: Path):
    plan = Mitdb().plan(write(tmp_path, ("200", "201", "202")))
    assert [item.subject for item in plan.items] == ["mitdb 200", "mitdb 201", "mitdb 201"]


def test_recordings_without_annotations_are_counted(tmp_path: Path):
    write(tmp_path, ("100", "101"))
    (tmp_path / "101.atr").unlink()
    plan = Mitdb().plan(tmp_path)
    assert ([item.key for item in plan.items], plan.absent) == (["100"], 1)


@pytest.mark.shared
def test_the_beats_at_hand(shared_data: Path):
    source = Mitdb()
    got = {
        one.key: Counter(fact.event for fact in one.facts if isinstance(fact, Event) and fact.name == "beats")
        for one in source.read(shared_data / "mitdb", source.plan(shared_data / "mitdb").items)
        if isinstance(one, Record)
    }
    assert len(got) == 12
    # table of the directory of the database: 100 has 2239 normal, 33 atrial premature, 1 ventricular beat
    assert got["100"] == {"N": 2239, "A": 33, "V": 1}
    assert got["104"] == {"N": 163, "V": 2, "/": 1380, "f": 666, "Q": 18}
    assert got["119"] == {"N": 1543, "V": 444}
