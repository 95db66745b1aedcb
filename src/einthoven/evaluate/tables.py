"""From the cells of an evaluation folder to its tables: scores, paired differences, and the list of what was run.

Only the prediction tables are read, so predictions made elsewhere can be put beside ours: a folder under `cells/` with
`predictions.parquet` and a `cell.json` that names the arm.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import polars as pl

from einthoven.core import fingerprint
from einthoven.core.errors import TaskError
from einthoven.core.output import replaced_file
from einthoven.evaluate import numbers, scores
from einthoven.evaluate.cells import COLUMNS, read
from einthoven.evaluate.figures import ERRORS
from einthoven.evaluate.run import GROUPS
from einthoven.evaluate.tasks import Kind

SCHEMA = 1
Key = tuple[str, str, str, str]
"""task, splits, probe, labelled"""


def write(folder: Path, command: str, resamples: int = 1000) -> pl.DataFrame:
    """Score every cell of a folder; write `scores.parquet`, `differences.json`, `evaluation.json`; return the scores.

    Args:
        command: the command line that led here; those of earlier calls on the same folder are kept before it.

    Raises:
        TaskError: a cell does not say what it is, or its table cannot be read or scored.
    """
    places = [place.parent for place in sorted(folder.glob("cells/*/cell.json"))]
    cells = [read(place) for place in places]
    arms: dict[Key, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for i, cell in enumerate(cells):
        splits = next((name for name, members in GROUPS.items() if cell["split"] in members), cell["split"])
        key = (cell["task"], splits, cell["probe"], cell["labelled"])
        arms[key][cell["arm"]].append(i)
    tables, differences = [], []
    for key, group in arms.items():
        predictions = {
            arm: pl.concat([_predictions(places[i], _seed(cells[i])) for i in members])
            for arm, members in group.items()
        }
        kind = cells[next(iter(group.values()))[0]]["kind"]
        for arm, table in predictions.items():
            found = scores.score(table, task_name=key[0], kind=kind, resamples=resamples)
            said = {"arm": arm} | {name: cells[group[arm][0]][name] for name in ("role", "features")}
            units = cells[group[arm][0]].get("facts", {}).get("units", {})
            tables.append(found.with_columns(
                *_columns(key), *(pl.lit(word).alias(name) for name, word in said.items()), _unit(units)
            ))  # fmt: skip
        memory: dict[Any, Any] = {}
        tested = [arm for arm in group if cells[group[arm][0]]["role"] == "arm"]
        for metric, label in _main(kind, next(iter(predictions.values()))):
            for a, b in _pairs(tested, list(group)):
                found = scores.compare(
                    predictions[a], predictions[b], task_name=key[0], kind=kind, metric=metric, label=label,
                    resamples=resamples, memory=memory,
                )  # fmt: skip
                task, splits, probe, labelled = key
                said = {"splits": splits, "probe": probe, "labelled": labelled, "arm_a": a, "arm_b": b}
                differences.append(found | said | {"task": task})
    scored = pl.concat(tables, how="diagonal_relaxed")
    with replaced_file(folder / "scores.parquet") as scratch:
        scored.write_parquet(scratch)
    _write_json(folder / "differences.json", differences)
    about = folder / "evaluation.json"
    before = fingerprint.read_json(about)["commands"] if about.exists() else []
    commands = [*(one for one in before if one != command), command]
    versions = {name: version(name) for name in ("einthoven", "numpy", "scikit-learn", "torch")}
    _write_json(about, {"schema": SCHEMA, "commands": commands, "versions": versions, "cells": cells})
    return scored


def _seed(cell: dict[str, Any]) -> str | None:
    """The seed of a cell that has one of its own and is one draw of few labels; a reference without a network has
    none."""
    drawn = cell["labelled"] != "1.0" and (cell["role"] == "arm" or "architecture" in cell.get("facts", {}))
    return str(cell["seed"]) if drawn and "seed" in cell else None


def _predictions(place: Path, seed: str | None) -> pl.DataFrame:
    """The columns of a prediction table that are scored; others may stand beside them."""
    path = place / "predictions.parquet"
    try:
        columns = [pl.col(name).cast(kind) for name, kind in COLUMNS.items()]
        return pl.read_parquet(path).select(*columns, pl.lit(seed, pl.String).alias("seed"))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise TaskError(
            path, "is no prediction table", expected=", ".join(COLUMNS), got=error, reason="cell"
        ) from error  # fmt: skip


def _columns(key: Key) -> list[pl.Expr]:
    names = ("splits", "probe", "labelled")
    return [pl.lit(value).alias(name) for name, value in zip(names, key[1:], strict=True)]


def _pairs(tested: list[str], everything: list[str]) -> list[tuple[str, str]]:
    """Each arm against each reference row, and the arms among themselves, once."""
    references = [arm for arm in everything if arm not in tested]
    return [*itertools.product(tested, references), *itertools.combinations(tested, 2)]


def _main(kind: Kind, table: pl.DataFrame) -> list[tuple[str, str]]:
    """Metric and label of the differences: of one number its error, of several, whose units differ, each one's R2."""
    if kind != "value":
        return [("auroc", "macro")]
    found = [number.name for number in numbers.of(table["label"].unique(maintain_order=True).to_list())]
    return [("mae" if len(found) == 1 else "r2", name) for name in found]


def _unit(units: dict[str, str]) -> pl.Expr:
    """The unit of a figure that has one: an error has that of its number."""
    if not units:
        return pl.lit(None, pl.String).alias("unit")
    of_label = pl.col("label").replace_strict(units, default=None, return_dtype=pl.String)
    return pl.when(pl.col("metric").is_in(ERRORS)).then(of_label).alias("unit")


def _write_json(place: Path, value: Any) -> None:
    with replaced_file(place) as scratch:
        scratch.write_text(fingerprint.to_json(fingerprint.finite(value), indent=1) + "\n", encoding="utf-8")
