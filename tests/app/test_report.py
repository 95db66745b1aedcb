from __future__ import annotations

import json
from pathlib import Path

import pytest

from einthoven import report
from einthoven.core.errors import OutputError, TaskError
from tests.report import given


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return given.evaluation(tmp_path_factory.mktemp("report"), labelled=("1.0",))


def test_folders_become_one_page(folder: Path, tmp_path: Path):
    made = report([folder], out=tmp_path / "new" / "page.html")
    text = (tmp_path / "new" / "page.html").read_text("utf-8")
    assert text.startswith("<!doctype html>")
    assert made.to_dict() == {
        "out": str(tmp_path / "new" / "page.html"), "tasks": [given.TASK], "arms": list(given.RUNS),
        "figures": made.figures, "absent": [],
    }  # fmt: skip
    assert made.exit_code == 0
    assert "3 arms on given/label" in str(made)
    json.dumps(made.to_dict())


def test_one_folder_may_be_given_as_it_is(folder: Path, tmp_path: Path):
    report(folder, out=tmp_path / "a.html")
    report([str(folder)], out=tmp_path / "b.html")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_a_folder_without_evaluation_leaves_an_older_page_alone(tmp_path: Path):
    (tmp_path / "page.html").write_text("older")
    with pytest.raises(TaskError, match="make one: einthoven evaluate"):
        report([tmp_path], out=tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text() == "older"


def test_a_place_that_cannot_be_written_is_one_line(folder: Path, tmp_path: Path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        report([folder], out=tmp_path / "taken" / "page.html")
