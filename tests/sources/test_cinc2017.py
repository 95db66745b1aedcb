"""Challenge 2017: one class a recording, both labellings, a nameless lead, nobody named."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from einthoven.core.errors import SourceError
from einthoven.core.facts import Label
from einthoven.core.record import Record
from einthoven.formats.wfdb import Wfdb
from einthoven.sources.cinc2017 import Cinc2017


def write(folder: Path, codes: dict[str, str], place: str = "") -> Path:
    (folder / place).mkdir(parents=True, exist_ok=True)
    for key in codes:
        wave = np.sin(np.arange(2700) / 30)[None]
        Wfdb().write(Record(key, ("ECG",), wave, 300), folder / place / f"{key}.hea")
    (folder / "REFERENCE-v3.csv").write_text("".join(f"{key},{code}\n" for key, code in codes.items()))
    return folder


def test_labels_are_exclusive_and_the_lead_has_no_name(tmp_path: Path):
    write(tmp_path, {"A00001": "N", "A00002": "A", "A00003": "O", "A00004": "~"})
    (tmp_path / "REFERENCE-original.csv").write_text("A00001,N\nA00002,O\nA00003,O\nA00004,~\n")
    (tmp_path / "A00003.hea").unlink()
    source = Cinc2017()
    plan = source.plan(tmp_path)
    assert ([item.key for item in plan.items], plan.absent) == (["A00001", "A00002", "A00004"], 1)
    assert [(labels.name, labels.codes, labels.exclusive) for labels in plan.label_sets] == [
        ("rhythm", ("N", "A", "O", "~"), True), ("rhythm-original", ("N", "A", "O", "~"), True),
    ]  # fmt: skip
    assert plan.items[1].facts == (Label("rhythm", "A"), Label("rhythm-original", "O"))
    record = next(source.read(tmp_path, plan.items))
    assert isinstance(record, Record)
    assert (record.leads, record.rate, record.subject) == (("unknown",), 300, None)
    assert "upper bound" in plan.notes[0]


def test_recordings_may_lie_in_folders_but_the_repeated_ones_do_not_count(tmp_path: Path):
    write(tmp_path, {"A00001": "N"}, "validation")
    write(tmp_path, {"A00001": "N", "A00002": "A"}, "training/A00")
    plan = Cinc2017().plan(tmp_path)
    assert [item.path for item in plan.items] == ["training/A00/A00001.hea", "training/A00/A00002.hea"]


@pytest.mark.parametrize("row", ["A00001,X", "A00001", "A00000,N", "A00001,N,1"])
def test_a_table_that_is_not_as_published_is_named_by_row(tmp_path: Path, row: str):
    write(tmp_path, {"A00000": "N"})
    with open(tmp_path / "REFERENCE-v3.csv", "a") as stream:
        stream.write(row + "\n")
    with pytest.raises(SourceError, match="row 2 is not as published"):
        Cinc2017().plan(tmp_path)


@pytest.mark.shared
def test_the_recordings_at_hand_have_their_published_labels(shared_data: Path):
    plan = Cinc2017().plan(shared_data / "challenge2017")
    assert (len(plan.items), plan.absent) == (3337, 0)
    current, original = ([next(f.code for f in item.facts if f.name == name) for item in plan.items]
                         for name in ("rhythm", "rhythm-original"))  # fmt: skip
    assert Counter(current) == {"N": 1788, "A": 500, "O": 850, "~": 199}
    assert sum(a != b for a, b in zip(current, original, strict=True)) == 266
