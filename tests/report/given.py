"""An evaluation folder made as `evaluate` makes one, with names from strangers, and a parser of the page's tables."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from einthoven.core.leads import STANDARD
from einthoven.core.record import Record
from einthoven.evaluate import tables
from tests.data.given import cohort_of, wavy

ARM = "simclr <b>&\"'"
RARE = "rare"
LABELS = ("A&B", "<script>alert(1)</script>", RARE)
TASK = "given/label"
RUNS = {ARM: ("arm", 3), "prior only": ("reference", 1), "random encoder": ("reference", 3)}
UNITS = {"pr": "ms", "rmssd": "ms"}
COUNTS = {"train": 60, "validation": 60, "test": 120}
COMMAND = "einthoven evaluate 'a <run>' cohort --task label"


def key(i: int) -> str:
    return f"patient-Jane-Doe-{i:03d}"


def truth_of(kind: str, draw: np.random.Generator) -> tuple[tuple[str, ...], np.ndarray]:
    """Labels of a task of that kind, and the truth of 240 recordings."""
    if kind == "exclusive":
        return ("A", "N", "O", "~"), np.eye(4)[draw.integers(0, 4, 240)]
    if kind == "value":
        return ("age",), draw.normal(60, 10, (240, 1))
    if kind == "values":
        return ("pr", "log1p(rmssd)"), draw.normal((160, 3), (20, 0.5), (240, 2))
    return LABELS, (draw.random((240, 3)) < (0.4, 0.3, 0.03)).astype(float)


def scored(kind: str, truth: np.ndarray, noise: float | None, draw: np.random.Generator) -> np.ndarray:
    """Predictions as near to the truth as the noise allows; None: the same for all."""
    if noise is None:
        return np.broadcast_to(truth.mean(axis=0), truth.shape)
    if kind in ("value", "values"):
        return truth + truth.std(axis=0) * noise * draw.normal(0, 1, truth.shape)
    return 1 / (1 + np.exp(3 - 4 * truth - noise * draw.normal(0, 1, truth.shape)))


def evaluation(folder: Path, labelled: tuple[str, ...] = ("1.0", "0.1"), kind: str = "multilabel") -> Path:
    """Predictions of three arms on a real small cohort, scored by the program; the folder of the evaluation."""
    records = [Record(key(i), STANDARD, wavy(12, 300, seed=i), 100, subject=f"s{i}") for i in range(240)]
    cohort = cohort_of(records, folder)
    units = {"units": UNITS} if kind == "values" else {}
    parts = np.repeat(list(COUNTS), list(COUNTS.values()))
    draw = np.random.default_rng(0)
    labels, truth = truth_of(kind, draw)
    out = folder / "evaluation"
    for share in labelled:
        for arm, (role, runs) in RUNS.items():
            for run in range(runs):
                score = scored(kind, truth, {ARM: 1.2, "random encoder": 2.5}.get(arm), draw)
                cell = {
                    "arm": arm, "role": role, "seed": run, "task": TASK, "kind": kind.removesuffix("s"),
                    "split": "official", "probe": "linear", "labelled": share, "draw": run, "features": "embedding",
                    "fingerprint": "f", "facts": _facts(cohort, arm, role) | units,
                }  # fmt: skip
                table = _table(cell, labels, parts, truth, score)
                place = out / "cells" / f"{len(list(out.glob('cells/*'))):03d}"
                place.mkdir(parents=True)
                (place / "cell.json").write_text(json.dumps(cell))
                table.write_parquet(place / "predictions.parquet")
    tables.write(out, COMMAND, resamples=50)
    return out


def _facts(cohort: Any, arm: str, role: str) -> dict[str, Any]:
    card = {"parameters": 1634816, "data": {"family": "given", "records": 60}, "training": {"steps": 2400, "batch": 64}}
    said = {
        "path": str(cohort.path), "fingerprint": cohort.fingerprint, "source": cohort.card["source"],
        "counts": cohort.card["counts"],
    }  # fmt: skip
    facts = {"cohort": said, "unfitted": [RARE], "flags": []}
    own = {"card": card, "checkpoint": "c" * 64, "effective_rank": 7.25, "width": 256}
    return facts | (own if role == "arm" else {})


def _table(
    cell: dict[str, Any], labels: tuple[str, ...], parts: np.ndarray, truth: np.ndarray, score: np.ndarray
) -> pl.DataFrame:
    n, K = truth.shape
    return pl.DataFrame({
        "key": np.repeat([key(i) for i in range(n)], K), "subject": np.repeat(np.arange(n), K),
        "split": ["official"] * (n * K), "part": np.repeat(parts, K), "label": list(labels) * n,
        "truth": truth.ravel(), "score": score.ravel(), "run": [f"{cell['arm']}#{cell['seed']}"] * (n * K),
    })  # fmt: skip


class Page(HTMLParser):
    """What a browser would see: the tables as texts, and all elements; refuses tags that are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        if tag not in ("meta", "br"):
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.words.append(data)
        if ("td" in self._open or "th" in self._open) and "svg" not in self._open:
            self.tables[-1][-1][-1] += data

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def table(self, *heading: str) -> list[list[str]]:
        """The first table with all these column heads."""
        return next(t for t in self.tables if set(heading) <= set(t[0]))
