"""The page against the files it is made from, against strangers' names, and without anything from outside."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from einthoven.core.errors import TaskError
from einthoven.report import markdown, page, results, tables
from tests.report import given
from tests.report.given import ARM, COMMAND, LABELS, RARE, RUNS, Page


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return given.evaluation(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def html(folder: Path) -> str:
    return page.build(results.read([folder]))


@pytest.fixture(scope="module")
def seen(html: str) -> Page:
    return Page(html)


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def printed(row: dict, value: str = "value", sign: str = "") -> str:
    """A figure and its interval written by the plainest means."""
    text = f"{row[value]:{sign}.3f} [{row['low']:{sign}.3f}, {row['high']:{sign}.3f}]"
    return text.replace("-", "−")


def scores(folder: Path, **where: str) -> list[dict]:
    frame = pl.read_parquet(folder / "scores.parquet")
    return frame.filter(*(pl.col(name) == value for name, value in where.items())).to_dicts()


def test_the_main_table_has_every_arm_with_the_numbers_of_the_scores(folder: Path, seen: Page):
    table = {row[0]: row[1:] for row in seen.table(given.TASK)}
    for arm in RUNS:
        wanted = [scores(folder, arm=arm, label="macro", metric="auroc", labelled=share)[0] for share in ("0.1", "1.0")]
        assert [" ".join(cell.split()) for cell in table[arm]] == [printed(row) for row in wanted]
    assert table["test subjects"] == ["120", "120"]
    assert table["labels in the mean"] == ["2", "2"]


def test_every_label_of_every_arm_has_the_number_of_the_scores(folder: Path, seen: Page):
    rows = {row[0]: row[1:] for row in seen.table("label", "positive subjects", "in the mean")}
    for label in LABELS:
        per_arm = {row["arm"]: row for row in scores(folder, label=label, metric="auroc", labelled="1.0")}
        first = per_arm[ARM]
        assert rows[label][:2] == [str(first["n_positive_subjects"]), str(first["n_negative_subjects"])]
        assert rows[label][2] == ("no" if label == RARE else "yes")
        for cell, arm in zip(rows[label][3:], RUNS):
            assert cell.startswith(f"{per_arm[arm]['value']:.3f}")
    assert "[" not in "".join(rows[RARE])  # too few subjects: a point and no interval


def test_paired_differences_are_those_of_the_file(folder: Path, seen: Page):
    found = json.loads((folder / "differences.json").read_text())
    adjusted = dict(zip(map(id, found), results.holm([row["p"] for row in found])))
    table = seen.table("difference of macro-AUROC")
    shown = {row[0]: row for row in table if len(row) == 7}
    for row in found:
        if row["labelled"] == "1.0":
            cells = [" ".join(cell.split()) for cell in shown[row["arm_b"]]]
            assert cells[2] == printed(row, "difference", "+")
            assert cells[3] == ("< 0.001" if row["p"] < 0.001 else f"{row['p']:.3f}")
            holm = adjusted[id(row)]
            assert holm >= row["p"]
            assert cells[4] == ("< 0.001" if holm < 0.001 else f"{holm:.3f}")
            assert cells[5:] == [f"{row['sdd']:.3f}", str(row["n_runs"])]
    assert set(shown) == {"prior only", "random encoder", ""}  # the last is the heading


def test_a_difference_is_that_of_the_rows_however_many_runs_they_have(tmp_path: Path, monkeypatch):
    monkeypatch.setitem(given.RUNS, ARM, ("arm", 1))
    monkeypatch.setitem(given.RUNS, "random encoder", ("reference", 3))
    out = given.evaluation(tmp_path, labelled=("1.0",))
    point = {row["arm"]: row["value"] for row in scores(out, label="macro", metric="auroc")}
    row = next(r for r in json.loads((out / "differences.json").read_text()) if r["arm_b"] == "random encoder")
    assert row["difference"] == pytest.approx(point[ARM] - point["random encoder"], abs=1e-12)
    assert row["n_runs"] == 3
    assert row["flags"] == ["one run against several: no seeds of its side are in the interval"]
    line = next(text for text in markdown.build(results.read([out])).splitlines() if " - random encoder |" in text)
    assert line.endswith("| 3* |")


def test_holm_is_bonferroni_for_the_least_and_never_falls():
    p = [0.01, 0.9, 0.012, None, 0.04]
    found = results.holm(p)
    assert found[0] == pytest.approx(0.04)
    assert found[2] == pytest.approx(0.04)  # 3 x 0.012 is less than the one before
    assert found[4] == pytest.approx(0.08)
    assert (found[1], found[3]) == (0.9, None)


def test_further_figures_are_those_of_the_scores(folder: Path, seen: Page):
    table = seen.table("arm", "average precision", "Brier")
    column = {name: i for i, name in enumerate(table[0])}
    rows = {row[0]: row for row in table[1:]}
    for heading, metric in (("average precision", "ap"), ("F1", "f1"), ("Brier", "brier"), ("ECE", "ece")):
        row = scores(folder, arm=ARM, label="macro", metric=metric, labelled="1.0")[0]
        assert " ".join(rows[ARM][column[heading]].split()) == printed(row)
    assert rows["prior only"][column["calibration slope"]] == "–"  # constant scores have none


def test_what_was_done_is_said_with_counts(seen: Page):
    assert "1 checkpoint and 2 reference rows were scored by a linear probe on the frozen embedding." in seen.text
    assert "The cohort given 1 holds 240 recordings of 240 subjects." in seen.text
    done = seen.tables[0][1]
    assert done[:2] == [given.TASK, "official split, linear probe"]
    assert done[2:6] == ["10\xa0%, 100\xa0%", "macro-AUROC", "120", "120"]
    assert RARE not in done[6]
    assert all(label in done[6] for label in LABELS[:2])


def test_the_page_says_once_that_it_is_no_diagnosis(seen: Page):
    assert seen.text.count("Research output, not a diagnosis.") == 1


def test_warnings_carry_what_was_flagged(seen: Page):
    table = {row[0]: row[1:] for row in seen.table("what", "times", "where")}
    assert table["effective rank of the embedding under 10: 7.25"][0] == "6"
    assert f"no positive or no negative to train on: {RARE}" in table
    assert "overlap: same family" in table
    assert any(what.startswith("fewer than three seeds") for what in table)


def test_the_family_that_was_pretrained_on_is_said_beside_the_numbers(folder: Path, copy: Path):
    beside = "Overlap: same family"
    assert page.build(results.read([folder])).count(beside) == 2  # two settings
    family = json.loads((folder.parent / "cohort" / "card.json").read_text())["source"]["family"]
    one, several = {"family": "one"}, {"family": "many", "families": ["one", "another"]}
    seen = {
        "another cohort": (one, {"data": {"family": "another"}}, 0),
        "a collection": (one, {"data": several}, 2),
        "a collection, earlier": (one, {"data": {"family": family}, "earlier": [several]}, 2),
        "tested on a collection": (several, {"data": one}, 2),
        "nothing": (one, {}, 0),
    }
    for case, (tested, card, times) in seen.items():
        for place in copy.glob("cells/*/cell.json"):
            cell = json.loads(place.read_text())
            cell["facts"]["cohort"]["source"] = {"name": "source", **tested}
            if "card" in cell["facts"]:
                cell["facts"]["card"] = {"name": cell["arm"], **card}
            place.write_text(json.dumps(cell))
        assert page.build(results.read([copy])).count(beside) == times, case


def test_provenance_has_command_versions_and_fingerprints(folder: Path, seen: Page):
    assert COMMAND in seen.text
    assert "c" * 64 in seen.text
    cohort = json.loads((folder.parent / "cohort" / "card.json").read_text())
    assert cohort["fingerprint"] in seen.text
    assert "1,634,816" in seen.text


def test_names_from_strangers_stay_text(html: str, seen: Page):
    assert ARM in seen.text
    assert LABELS[1] in seen.text
    assert {tag for tag, _ in seen.elements} <= {
        "html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "h3", "h4", "p", "nav", "ul", "li", "a",
        "main", "section", "div", "table", "thead", "tbody", "tfoot", "tr", "th", "td", "br", "small", "span", "svg",
        "line", "circle", "path", "text", "g", "rect", "polyline", "figure", "figcaption", "details", "summary", "code",
        "pre",
    }  # fmt: skip
    assert not [name for _, attributes in seen.elements for name in attributes if name.startswith("on")]


def test_the_page_needs_nothing_from_outside(html: str, seen: Page):
    for _, attributes in seen.elements:
        assert not {"src", "srcset", "data", "action", "xlink:href"} & set(attributes)
        assert (attributes.get("href") or "#").startswith("#")
    style = html[html.index("<style>") : html.index("</style>")]
    assert not re.search(r"url\(|@import|http", style)
    assert "<script" not in html


def test_links_of_the_contents_lead_to_sections(seen: Page):
    ids = [attributes["id"] for tag, attributes in seen.elements if tag == "section"]
    assert [f"#{id}" for id in ids] == [attributes["href"] for tag, attributes in seen.elements if tag == "a"]
    assert len(set(ids)) == len(ids)


def test_equal_folders_give_equal_bytes(folder: Path, html: str):
    assert page.build(results.read([folder])) == html


def test_files_are_not_named_because_they_may_name_patients(html: str):
    assert "Jane" not in html


def test_recordings_are_the_surest_and_the_most_wrong(folder: Path, seen: Page):
    label = min(
        (row["value"], row["label"]) for row in scores(folder, arm=ARM, metric="auroc", labelled="1.0")
        if row["listed"] and row["label"] in LABELS
    )[1]  # fmt: skip
    cells = {place.parent: json.loads(place.read_text()) for place in sorted(folder.glob("cells/*/cell.json"))}
    first = next(place for place, cell in cells.items() if (cell["arm"], cell["labelled"]) == (ARM, "1.0"))
    test = pl.read_parquet(first / "predictions.parquet").filter(part="test", label=label).to_dicts()
    highest = max((row for row in test if row["truth"] == 1), key=lambda row: row["score"])
    lowest = min((row for row in test if row["truth"] == 1), key=lambda row: row["score"])
    assert f"{label}, true positive of the highest score: score {highest['score']:.3f}" in seen.text
    assert f"{label}, false negative of the lowest score: score {lowest['score']:.3f}" in seen.text
    number = int(highest["key"].removeprefix("patient-Jane-Doe-"))  # rows are in the order of the records
    assert f"row {number} of the cohort" in seen.text


def test_without_its_cohort_the_page_says_why_no_recording_is_shown(copy: Path):
    for place in copy.glob("cells/*/cell.json"):
        cell = json.loads(place.read_text())
        cell["facts"]["cohort"]["path"] = str(copy / "gone")
        place.write_text(json.dumps(cell))
    assert "the cohort is no longer where it was evaluated" in Page(page.build(results.read([copy]))).text


def test_a_cohort_that_changed_is_not_shown(copy: Path):
    for place in copy.glob("cells/*/cell.json"):
        cell = json.loads(place.read_text())
        cell["facts"]["cohort"]["fingerprint"] = "0" * 64
        place.write_text(json.dumps(cell))
    assert "the cohort has changed since it was evaluated" in Page(page.build(results.read([copy]))).text


def test_what_a_folder_lacks_is_said(copy: Path):
    shutil.rmtree(copy / "cells")
    (copy / "differences.json").unlink()
    about = json.loads((copy / "evaluation.json").read_text())
    (copy / "evaluation.json").write_text(json.dumps({"schema": about["schema"], "cells": []}))
    seen = Page(page.build(results.read([copy])))
    for sentence in (
        "no paired differences", "no cells, so no reliability diagrams", "command lines that made these folders",
        "Which cohort was used is not recorded", "hold no cards of checkpoints",
    ):  # fmt: skip
        assert sentence in seen.text
    assert seen.table("arm", "macro-AUROC")


def test_two_folders_stand_side_by_side_and_doubled_rows_are_said(folder: Path, tmp_path: Path):
    other = given.evaluation(tmp_path, labelled=("100",))
    seen = Page(page.build(results.read([folder, other])))
    assert seen.tables[0][1][2] == "100 subjects, 10\xa0%, 100\xa0%"
    twice = results.read([folder, folder])
    assert "rows stand in more than one folder" in " ".join(twice.absent)
    assert len(twice.scores) == len(results.read([folder]).scores)


@pytest.mark.parametrize(("kind", "label", "metric", "heading"), [
    ("exclusive", "all", "f1_challenge2017", "official F1"), ("value", "age", "mae", "mean absolute error"),
])  # fmt: skip
def test_other_kinds_of_task_have_their_own_main_figure(
    tmp_path: Path, kind: str, label: str, metric: str, heading: str
):  # fmt: skip
    folder = given.evaluation(tmp_path, labelled=("1.0",), kind=kind)
    seen = Page(page.build(results.read([folder])))
    rows = {row[0]: row for row in seen.table("arm", heading, "seeds")}
    assert " ".join(rows[ARM][2].split()) == printed(scores(folder, arm=ARM, label=label, metric=metric)[0])
    assert any("difference" in cell for table in seen.tables for cell in table[0])


def test_several_numbers_stand_side_by_side_by_r2_and_their_errors_have_units(tmp_path: Path):
    folder = given.evaluation(tmp_path, labelled=("0.1", "1.0"), kind="values")
    read = results.read([folder])
    seen, text = Page(page.build(read)), markdown.build(read)
    assert "AUROC" not in seen.text.replace("AUROC of one label", "").replace("an AUROC of 0.95", "")
    r2, mae = seen.table("arm", "R² of pr", "R² of log1p(rmssd)"), seen.table("arm", "pr, ms", "rmssd, ms")
    for table, metric in ((r2, "r2"), (mae, "mae")):
        shown = {row[0]: row[1:] for row in table}
        for arm in RUNS:
            rows = [scores(folder, arm=arm, label=n, metric=metric, labelled="1.0")[0] for n in ("pr", "rmssd")]
            assert [" ".join(cell.split()) for cell in shown[arm]] == [printed(row) for row in rows]
        assert shown["test subjects"] == ["120", "120"]
    main = next(row for row in seen.table(given.TASK) if row[0] == ARM)
    assert len(main) == 1 + 4  # two numbers, two amounts of labels
    found = json.loads((folder / "differences.json").read_text())
    assert {(row["metric"], row["label"]) for row in found} == {("r2", "pr"), ("r2", "rmssd")}
    for row in found:
        if row["labelled"] == "1.0":
            heading = {"pr": "R² of pr", "rmssd": "R² of log1p(rmssd)"}[row["label"]]
            table = {cells[0]: cells for cells in seen.table(f"difference of {heading}")}
            assert " ".join(table[row["arm_b"]][2].split()) == printed(row, "difference", "+")
            assert f"| {ARM} - {row['arm_b']} | {heading} | {printed(row, 'difference', '+')}" in text
    assert "| test recordings | 120 | 120 | | |" in text
    assert f"| {ARM} | {printed(scores(folder, arm=ARM, label='pr', metric='mae', labelled='1.0')[0])} |" in text


@pytest.mark.parametrize(("damage", "word"), [
    (lambda f: (f / "evaluation.json").unlink(), "holds no evaluation"),
    (lambda f: (f / "evaluation.json").write_text("{"), "cannot be read"),
    (lambda f: (f / "evaluation.json").write_text('{"schema": 99, "cells": []}'), "another schema version"),
    (lambda f: (f / "scores.parquet").unlink(), "holds no scores"),
    (lambda f: (f / "scores.parquet").write_bytes(b"PAR1"), "cannot be read"),
    (lambda f: pl.DataFrame({"a": [1]}).write_parquet(f / "scores.parquet"), "lacks columns"),
])  # fmt: skip
def test_a_damaged_folder_is_one_line(copy: Path, damage: Callable[[Path], object], word: str):
    damage(copy)
    with pytest.raises(TaskError, match=word):
        results.read([copy])


def test_arms_come_first_and_references_from_the_least_knowing(folder: Path):
    read = results.read([folder])
    assert list(read.roles()) == [ARM, "prior only", "random encoder"]
    assert [setting.labelled for setting in read.settings] == ["0.1", "1.0"]


@pytest.mark.parametrize(("labelled", "said"), [
    ("1.0", "100\xa0%"), ("0.1", "10\xa0%"), ("100", "100 subjects"), ("0.01", "1\xa0%"), ("1", "1 subjects"),
])  # fmt: skip
def test_label_fractions_are_said_in_words(labelled: str, said: str):
    assert tables.shares(labelled) == said
