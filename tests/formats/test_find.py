"""Finding recordings in a folder: one path each, nothing lost, nothing that is none."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from einthoven.core.errors import FormatError
from einthoven.core.record import Record
from einthoven.formats import describe, find, format_of, read
from einthoven.formats.wfdb import Wfdb


def test_each_recording_is_found_once_and_damaged_ones_too(tmp_path: Path):
    record = Record("x", ("I",), np.sin(np.arange(500) / 9)[None], 250)
    (tmp_path / "ward").mkdir()
    (tmp_path / ".hidden").mkdir()
    for place in (tmp_path / "b.hea", tmp_path / "ward" / "a.hea", tmp_path / ".hidden" / "c.hea"):
        Wfdb().write(record, place)
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "broken.npy").write_bytes(b"\0\0\0")
    (tmp_path / "broken.hea").write_bytes(b"\xff\xfe\0")
    (tmp_path / "words.csv").write_text("so, this\nis, text\n")
    (tmp_path / "table.csv").write_text("file,subject\nb.hea,1\n")
    (tmp_path / "README.txt").write_text("Read me, please.\n")
    (tmp_path / "numbers.txt").write_text("".join(f"{value:.4f}\n" for value in np.sin(np.arange(99))))
    assert [path.relative_to(tmp_path).as_posix() for path in find(tmp_path)] == [
        "b.hea", "broken.hea", "broken.npy", "empty.csv", "numbers.txt", "ward/a.hea", "words.csv",
    ]  # fmt: skip


def test_the_dialect_of_a_file_is_said_in_words(tmp_path: Path):
    Wfdb().write(Record("x", ("I", "II"), np.ones((2, 9)), 250), tmp_path / "x.hea")
    assert describe(tmp_path / "x.hea") == "format 16, 2 channels, gain 1000/mV"
    (tmp_path / "x.csv").write_text("I [mV];II [mV]\n" + "0,5;0,1\n" * 5)
    assert describe(tmp_path / "x.csv") == "2 columns separated by semicolons, decimal commas, heading I [mV], II [mV]"
    np.save(tmp_path / "x.npy", np.ones((2, 99), np.int16))
    assert describe(tmp_path / "x.npy") == "int16, shape (2, 99)"


def test_a_file_that_is_not_there_or_of_another_kind_is_one_line(tmp_path: Path):
    (tmp_path / "scan.dcm").write_bytes(b"\0" * 128 + b"DICM")
    for name, reason in (("nothing.hea", "missing"), ("scan.dcm", "unsupported"), ("", "missing")):
        with pytest.raises(FormatError) as caught:
            read(tmp_path / name)
        assert caught.value.reason == reason
    with pytest.raises(FormatError, match="csv, npy, wfdb"):
        format_of(tmp_path / "scan.dcm")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_a_pipe_is_refused_or_passed_over_but_never_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "a.csv")
    assert find(tmp_path) == []
    with pytest.raises(FormatError, match="no regular file"):
        read(tmp_path / "a.csv")
