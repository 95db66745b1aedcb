"""A person's own folder and table: what the table says comes in exactly, and every mistake is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from einthoven.core.errors import EinthovenError, FormatError, SourceError
from einthoven.core.facts import Category, Label, LabelSet, Outcome, Text, Value
from einthoven.core.record import Record
from einthoven.formats.csv import Csv
from einthoven.formats.wfdb import Wfdb
from einthoven.sources import _table
from einthoven.sources.folder import Folder

FINDINGS = [
    "AF", "atrial fibrillation", "LBBB", "Linksschenkelblock", "STEMI (anterior)", "QTc > 500 ms", "Vorhofflimmern",
    "2:1 block", "δ-wave", "post-op, day 3", "I48.0", "PVC's",
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "ward"
    place.mkdir()
    wave = np.sin(np.arange(1000) / 20)[None]
    for name in ("a", "b"):
        Wfdb().write(Record(name, ("II",), wave, 250), place / f"{name}.hea")
    (place / "home").mkdir()
    Csv().write(Record("c", ("II",), wave, 250), place / "home" / "c.csv")
    (place / "torn.hea").write_text("torn 1 250 9999\na.dat 16 1000/mV 16 0 0 0 0 II\n")
    return place


def table(folder: Path, text: str) -> str:
    (folder / "own.csv").write_text(text, encoding="utf-8")
    return str(folder / "own.csv")


def test_a_table_brings_subjects_and_facts_of_every_kind(folder: Path):
    own = table(
        folder,
        "file,subject,label:AF,label:LBBB,value:potassium [mmol/L],category:ward,text,outcome:death,time:death,split\n"
        'a.hea,p1,1,0,4.1,B,"steady, no pain",1,30.5,train\n'
        "home/c.csv,p2,,1,,,,0,100,test\n",
    )
    plan = Folder(table=own).plan(folder)
    assert [(item.key, item.subject, item.path) for item in plan.items] == [
        ("a", "p1", "a.hea"), ("b", None, "b.hea"), ("home/c", "p2", "home/c.csv"), ("torn", None, "torn.hea"),
    ]  # fmt: skip
    assert plan.items[0].facts == (
        Label("label", "AF", 1), Label("label", "LBBB", 0), Value("potassium", 4.1, "mmol/L"), Category("ward", "B"),
        Text("report", "steady, no pain"), Outcome("death", 30.5, 1), Category("split", "train"),
    )  # fmt: skip
    assert plan.items[2].facts == (Label("label", "LBBB", 1), Outcome("death", 100, 0), Category("split", "test"))
    assert plan.label_sets == (LabelSet("label", "own table", ("AF", "LBBB"), closed=False),)
    assert plan.notes == ("2 files are not in the table: no facts, each taken as one person",)


def test_damaged_files_are_refused_alone_and_the_mapping_is_for_those_that_state_nothing(folder: Path):
    source = Folder(rate=500, unit="uV")
    plan = source.plan(folder)
    a, b, c, torn = source.read(folder, plan.items)
    assert isinstance(a, Record)
    assert isinstance(b, Record)
    assert a.rate == b.rate == 250  # as their headers say
    assert isinstance(c, Record)
    assert (c.rate, c.key) == (500, "home/c")
    assert c.signal.max() == pytest.approx(1, abs=1e-3)  # its heading says mV
    assert isinstance(torn, FormatError)
    assert torn.reason == "truncated"


def test_without_a_table_everything_readable_is_taken(folder: Path):
    plan = Folder(rate=250).plan(folder)
    assert (len(plan.items), plan.label_sets, plan.absent, plan.notes) == (4, (), 0, ())


def test_a_file_that_is_not_there_is_counted_and_named(folder: Path):
    plan = Folder(table=table(folder, "file,subject\na.hea,1\ngone.hea,2\n")).plan(folder)
    assert plan.absent == 1
    assert any("gone.hea" in note for note in plan.notes)


@pytest.mark.parametrize("name", ["a.hea", "a.dat", "a", "./a.hea"])
def test_a_recording_may_go_by_its_header_its_signal_file_or_its_bare_name(folder: Path, name: str):
    plan = Folder(table=table(folder, f"file,subject\n{name},p1\n")).plan(folder)
    assert [item.subject for item in plan.items if item.key == "a"] == ["p1"]
    assert plan.absent == 0


def test_a_table_from_a_spreadsheet_with_semicolons_and_backslashes_is_read(folder: Path):
    own = table(folder, "\ufefffile;subject;label:AF\r\nhome\\c.csv;p1;1\r\n\r\n")
    assert [item.facts for item in Folder(table=own).plan(folder).items if item.key == "home/c"] == [
        (Label("label", "AF"),)
    ]


def test_two_files_of_one_stem_keep_their_suffix_in_the_key(folder: Path):
    Csv().write(Record("a", ("II",), np.sin(np.arange(99))[None], 250), folder / "a.csv")
    assert [item.key for item in Folder().plan(folder).items] == ["a.csv", "a.hea", "b", "home/c", "torn"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file,subject,label:AF\na.hea,1,yes\n", ["row 2", "'label:AF'", "1, 0 or empty", "yes"]),
        ("file,subject,label:AF\na.hea,1,0\nb.hea,1,0.5\n", ["row 3", "'label:AF'", "0.5"]),
        ("file,subject,value:k [mmol/L]\na.hea,1,\"4,1\"\n", ["row 2", "'value:k [mmol/L]'", "decimal point"]),
        ("file,subject,value:k\na.hea,1,nan\n", ["row 2", "'value:k'", "a number"]),
        ("file,subject,split\na.hea,1,training\n", ["row 2", "'split'", "train, validation, test"]),
        ("file,subject,outcome:d,time:d\na.hea,1,1,\n", ["row 2", "'time:d'", "an empty cell"]),
        ("file,subject,outcome:d,time:d\na.hea,1,2,5\n", ["row 2", "'outcome:d'", "1, 0 or empty"]),
        ("file,subject,outcome:d,time:d\na.hea,1,1,-5\n", ["row 2", "'time:d'", "0 or more"]),
        ("file,subject,outcome:d\na.hea,1,1\n", ["'outcome:d' lacks its partner", "time:d"]),
        ("file,subject,lable:AF\na.hea,1,1\n", ["no such column 'lable:AF'", "did you mean label:AF?"]),
        ("file,subject,age\na.hea,1,60\n", ["no such column 'age'", "did you mean value:age?"]),
        ("file,subject,Sex\na.hea,1,f\n", ["no such column 'Sex'", "did you mean category:sex?"]),
        ("file,subject,LVH\na.hea,1,1\n", ["no such column 'LVH'", "for example label:LVH"]),
        ("file,subject,category:sex\na.hea,1,1\n", ["row 2", "'category:sex'", "male, female or empty"]),
        ("file,subject,value:age [months]\na.hea,1,1\n", ["value:age [years]", "got months"]),
        ("file,subject,label:\na.hea,1,1\n", ["no such column 'label:'"]),
        ("file,subject,label:AF,label:AF\na.hea,1,1,0\n", ["'label:AF' is there twice"]),
        ("file,subject,value:k [a],value:k [b]\na.hea,1,1,0\n", ["is there twice"]),
        ("name,subject\na.hea,1\n", ["no column 'file'"]),
        ("file,subject\na.hea\n", ["row 2", "2 cells", "got 1"]),
        ("file,subject\n,1\n", ["row 2", "'file'", "an empty cell"]),
        ("file,subject\n../../etc/passwd,1\n", ["row 2", "'file'", "inside the folder"]),
        ("file,subject\n/etc/passwd,1\n", ["row 2", "'file'", "inside the folder"]),
        ("file,subject\na.hea,1\na.dat,2\n", ["row 3", "'file'", "as in row 2"]),
        ("file,subject\n", ["has no rows"]), ("", ["has no rows"]),
    ],
)  # fmt: skip
def test_every_mistake_in_the_table_is_named_by_row_and_column(folder: Path, text: str, words: list[str]):
    with pytest.raises(SourceError) as caught:
        Folder(table=table(folder, text)).plan(folder)
    assert "\n" not in str(caught.value)
    for word in [*words, "own.csv"]:
        assert word in str(caught.value)


def test_sex_is_one_word_however_it_is_written(folder: Path):
    rows = _table.read(Path(table(folder, "file,category:sex\na.hea,M\nb.hea,female\nc.hea,\n"))).rows
    assert [row.facts for row in rows] == [(Category("sex", "male"),), (Category("sex", "female"),), ()]


def test_a_table_that_is_not_there_or_not_utf_8_is_one_line(folder: Path):
    with pytest.raises(SourceError, match="the table is not there"):
        Folder(table=str(folder / "none.csv")).plan(folder)
    (folder / "own.csv").write_bytes("file,subject\nä,1\n".encode("latin-1"))
    with pytest.raises(SourceError, match="not UTF-8"):
        Folder(table=str(folder / "own.csv")).plan(folder)


def test_a_folder_without_recordings_is_refused(tmp_path: Path):
    with pytest.raises(SourceError, match="holds no recording"):
        Folder().plan(tmp_path)
    with pytest.raises(SourceError, match="is no folder"):
        Folder().plan(tmp_path / "nowhere")


@given(
    names=st.lists(st.sampled_from(FINDINGS), min_size=1, max_size=6, unique=True),
    cells=st.lists(st.lists(st.sampled_from(["1", "0", ""]), min_size=6, max_size=6), min_size=1, max_size=5),
)
def test_labels_as_people_write_them_come_in_as_they_are(tmp_path_factory, names: list[str], cells: list[list[str]]):
    import csv

    path = tmp_path_factory.mktemp("own") / "own.csv"
    with open(path, "w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(
            [["file", "subject", *(f"label:{name}" for name in names)]]
            + [[f"{i}.hea", f"p{i}", *row[: len(names)]] for i, row in enumerate(cells)]
        )
    read = _table.read(path)
    assert read.label_set is not None
    assert read.label_set.codes == tuple(sorted(names))
    for row, said in zip(read.rows, cells, strict=True):
        want = {name: float(cell) for name, cell in zip(names, said) if cell}
        assert {fact.code: fact.present for fact in row.facts if isinstance(fact, Label)} == want


@given(st.text(alphabet='file,subject;label:AFvalu01.\n\r"\t [x]', max_size=120))
def test_any_table_is_read_or_refused_in_one_line(tmp_path_factory, text: str):
    path = tmp_path_factory.mktemp("own") / "own.csv"
    path.write_text("file,subject" + text, encoding="utf-8", newline="")
    try:
        _table.read(path)
    except EinthovenError as error:
        assert "\n" not in str(error)  # noqa: PT017
