"""Annotations of WFDB: read in order, and refused by name where they cannot be."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from einthoven.core.errors import ExtraError, FormatError
from einthoven.formats import _wfdb_annotations
from tests.sources.annotated import annotate, record


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    record(tmp_path, "r", ("II",), 360)
    annotate(tmp_path, "r", "q1c", [(10, "+", "(AFIB"), (30, "N"), (1500, "V"), (70_000, "~")])
    return tmp_path


def test_samples_symbols_and_notes_are_those_that_were_written(folder: Path):
    found = _wfdb_annotations.read(folder / "r.q1c")
    assert found.sample.tolist() == [10, 30, 1500, 70_000]
    assert found.symbol.tolist() == ["+", "N", "V", "~"]
    assert found.note.tolist() == ["(AFIB", "", "", ""]
    assert len(found) == 4


def test_without_the_extra_its_command_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "wfdb", None)
    with pytest.raises(ExtraError, match=r"pip install 'einthoven\[formats\]'"):
        _wfdb_annotations.read(folder / "r.q1c")


def test_a_missing_and_a_huge_file_are_refused_before_anything_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(FormatError) as caught:
        _wfdb_annotations.read(folder / "r.atr")
    assert caught.value.reason == "missing"
    monkeypatch.setattr(_wfdb_annotations, "MOST_BYTES", 4)
    with pytest.raises(FormatError) as caught:
        _wfdb_annotations.read(folder / "r.q1c")
    assert caught.value.reason == "size"


@pytest.mark.parametrize("content", [b"", b"\0", b"\xff" * 7, bytes(range(256))])
def test_other_bytes_are_an_error_of_the_file_or_no_annotation(folder: Path, content: bytes):
    (folder / "r.bad").write_bytes(content)
    try:
        found = _wfdb_annotations.read(folder / "r.bad")
    except FormatError as error:
        assert error.reason == "damaged"  # noqa: PT017
    else:
        assert len(found) == len(found.symbol) == len(found.note)
