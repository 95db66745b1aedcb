"""What `evaluate` says of its result."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from einthoven.app.evaluate import Evaluation

ROW = {
    "task": "label", "splits": "official", "probe": "linear", "labelled": "1.0", "arm": "recipe", "role": "checkpoint",
    "label": "macro", "metric": "auroc", "value": 0.8, "low": 0.7, "high": 0.9, "n_records": 24, "n_subjects": 24,
    "n_runs": 1,
}  # fmt: skip


@pytest.mark.parametrize(("flags", "explained"), [("label list is empty", True), ("", False)])
def test_a_table_without_a_figure_says_why(flags: str, explained: bool):
    text = str(Evaluation(Path("scores"), pl.DataFrame([ROW | {"flags": flags}]), []))
    assert ("no label has 10 test subjects with it and 10 without it" in text) is explained
