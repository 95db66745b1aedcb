"""QT Database: two cardiologists, parents, persons, recordings without a gain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from einthoven.core.errors import EinthovenError
from einthoven.core.facts import WAVE_COLUMNS, Category, Event
from einthoven.core.record import Record
from einthoven.sources import sources_of
from einthoven.sources.qtdb import Qtdb
from tests.sources.annotated import annotate, record, wave
from tests.sources.test_ludb import waves_of

MARKS = [
    *wave(100, 110, 120, "p"), *wave(130, 140, 150, "A"), *wave(None, 200, 220, "t"), *wave(None, 240, 250, "u"),
    *wave(400, 410, 420, "Q"), *wave(None, 500, 520, "t"),
]  # fmt: skip


def write(folder: Path, keys: tuple[str, ...], said: dict[str, list[str]] | None = None) -> Path:
    for key in keys:
        record(folder, key, ("ECG1", "ECG2"), 250)
        annotate(folder, key, "q1c", MARKS)
        with open(folder / f"{key}.hea", "a", newline="") as stream:
            stream.write("".join(f"#{line}\r\n" for line in (said or {}).get(key, [])))
    return folder


def test_marks_belong_to_no_lead_and_u_waves_are_not_t_waves(tmp_path: Path):
    write(tmp_path, ("sel100",))
    annotate(tmp_path, "sel100", "q2c", MARKS[3:6])
    annotate(tmp_path, "sel100", "atr", [(5, "+", "(N"), (140, "N"), (410, "V"), (500, "~")])
    source = Qtdb()
    (got,) = source.read(tmp_path, source.plan(tmp_path).items)
    columns = waves_of(got, "reference.waves.global")
    points = np.stack([columns[name] for name in WAVE_COLUMNS], axis=1)
    assert points.tolist() == [
        [100, 110, 120, 130, 140, 150, -1, 200, 220], [-1, -1, -1, 400, 410, 420, -1, 500, 520],
    ]  # fmt: skip
    assert columns["label"].tolist() == ["A", "Q"]
    assert set(columns["lead"]) == {""}
    assert waves_of(got, "reference.waves.global.q2c")["qrs_peak"].tolist() == [140]
    assert isinstance(got, Record)
    assert [fact for fact in got.facts if isinstance(fact, Event)] == [
        Event("beats", "", 140, "N"), Event("beats", "", 410, "V"),
    ]  # fmt: skip


def test_headers_that_agree_in_age_sex_and_findings_are_of_one_person(tmp_path: Path):
    ann = ["Age: 58  Sex: M", "Coronary artery disease", "Recorder type: ICR  model 7200"]
    said = {
        "sele0124": [*ann, "Produced by xform from record e0124, beginning at 1:41:00.000"],
        "sele0126": [ann[0], ann[1], "Recorder type: OXFORD", "The signal 0 was delayed with a delay=7 samples"],
        "sele0133": [ann[0], "Hypertension"],  # other findings
        "sele0166": ["Age: -  Sex: -", "Coronary artery disease"],
        "sele0170": ["Age: -  Sex: -", "Coronary artery disease"],  # not known, so nothing says they are one
    }
    plan = Qtdb().plan(write(tmp_path, (*said, "sel30", "sel31"), said))
    subject = {item.key: item.subject for item in plan.items}
    assert subject["sele0124"] == subject["sele0126"] == "edb e0124"
    assert len(set(subject.values())) == len(subject) - 1


def test_each_of_the_105_recordings_has_one_parent():
    parents = sources_of("qtdb")
    names = [name for group in parents.values() for name in group]
    assert (len(names), len(set(names))) == (105, 105)
    assert {parent: len(group) for parent, group in parents.items()} == {
        "mitdb": 15, "stdb": 6, "svdb": 13, "nsrdb": 10, "ltdb": 4, "edb": 33, "sddb": 24,
    }  # fmt: skip


def test_an_excerpt_has_the_person_of_its_parent(tmp_path: Path):
    (item,) = Qtdb().plan(write(tmp_path, ("sel100",))).items
    assert {Category("parent", "mitdb"), Category("parent.record", "100")} <= set(item.facts)
    assert item.subject == "mitdb 100"


def test_a_recording_without_a_gain_says_so(tmp_path: Path):
    write(tmp_path, ("sel100", "sel820"))
    header = tmp_path / "sel820.hea"
    header.write_text(header.read_text().replace("1000(0)/mV", "0"))
    plan = Qtdb().plan(tmp_path)
    assert [Category("amplitude", "uncalibrated") in item.facts for item in plan.items] == [False, True]
    stated, assumed = Qtdb().read(tmp_path, plan.items)
    assert isinstance(stated, Record)
    assert isinstance(assumed, Record)
    np.testing.assert_allclose(assumed.signal, stated.signal * 5, rtol=1e-5)  # 200/mV in place of 1000/mV
    stated, refused = Qtdb(uncalibrated="").read(tmp_path, plan.items)
    assert isinstance(stated, Record)
    assert isinstance(refused, EinthovenError)
    assert refused.reason == "unit"


@pytest.mark.shared
def test_the_recordings_at_hand(shared_data: Path):
    source = Qtdb()
    plan = source.plan(shared_data / "qtdb")
    assert len(plan.items) == 80
    assert len({item.subject for item in plan.items}) == 76
    assert all(item.site for item in plan.items)  # each has its parent
    uncalibrated = [item.key for item in plan.items if Category("amplitude", "uncalibrated") in item.facts]
    assert " ".join(sorted(uncalibrated)) == "sel14046 sel14157 sel14172 sel15814 sel820 sel847 sel853 sel883 sel891"
    got = list(source.read(shared_data / "qtdb", plan.items))
    columns = [waves_of(one, "reference.waves.global") for one in got]
    assert min(len(one["beat"]) for one in columns) >= 30  # as the documentation promises, whatever the symbol
    assert all((one["qrs_peak"] >= 0).all() for one in columns)
    no_p = {one.key for one, marks in zip(got, columns) if isinstance(one, Record) and (marks["p_peak"] < 0).all()}
    assert no_p <= {f"sel{name}" for name in (102, 104, 221, 232, 310, 35, 36, 37, 50)}
