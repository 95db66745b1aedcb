"""What `evaluate` says of its result."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from einthoven.app.evaluate import Evaluation

ROW = {
    "task": "label", "splits": "official", "probe": "linear", "labelled": "1.0", "arm": "recipe", "role": "checkpoint",
    "label": "macro", "metric": "auroc", "value": 0.8, "low": 0.7, "high": 0.9, "n_records": 24, "n_subjects": 24,
    "n_runs": 1, "runs": "1",
}  # fmt: skip


def test_one_number_is_told_by_its_error_and_several_by_r2_each():
    def rows(task: str, *labels: str) -> list[dict]:
        said = {"task": task, "flags": ""}
        return [ROW | said | {"label": label, "metric": metric} for label in labels for metric in ("mae", "r2")]

    frame = pl.DataFrame(rows("value:age", "age") + rows("physiology", "hr", "pr"))
    found = Evaluation(Path("scores"), frame, [])
    told = [(row["task"], row["label"], row["metric"]) for row in found.rows]
    assert told == [("value:age", "age", "mae"), ("physiology", "hr", "r2"), ("physiology", "pr", "r2")]
    assert "physiology, R2 of pr, split official" in str(found)


@pytest.mark.parametrize(("flags", "explained"), [("label list is empty", True), ("", False)])
def test_a_table_without_a_figure_says_why(flags: str, explained: bool):
    text = str(Evaluation(Path("scores"), pl.DataFrame([ROW | {"flags": flags}]), []))
    assert ("no label has 10 test subjects with it and 10 without it" in text) is explained
