"""Results: what evaluation folders hold, read once, and what is absent from them said in words.

Every number of the page comes from `scores.parquet` and `differences.json` (points and intervals), from a cell's
`cell.json` (what was run) or `predictions.parquet` (reliability, recordings). Folders are put side by side.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import polars.selectors as cs

from einthoven.core.errors import TaskError

SCHEMA_VERSION = 1
COLUMNS = (
    "task", "splits", "probe", "labelled", "features", "arm", "role", "label", "metric", "value", "low", "high",
    "method", "n_labels", "n_records", "n_subjects", "n_positive_subjects", "n_negative_subjects", "n_runs",
    "listed", "flags",
)  # fmt: skip


class Setting(NamedTuple):
    """What the arms of one table share."""

    task: str
    splits: str
    probe: str
    labelled: str


Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Results:
    """Scores (tidy, `COLUMNS`), differences (`p_holm`: adjusted over all of them), and the cells, each with its folder
    under `place`."""

    folders: tuple[Path, ...]
    scores: pl.DataFrame
    differences: tuple[Row, ...]
    cells: tuple[Row, ...]
    commands: tuple[str, ...]
    versions: tuple[tuple[str, str], ...]
    absent: tuple[str, ...]

    @property
    def settings(self) -> list[Setting]:
        """All settings, tasks in the order of the folders, fewer labels before more."""
        found = [Setting(*row) for row in self.scores.select(Setting._fields).unique(maintain_order=True).rows()]
        tasks = list(dict.fromkeys(setting.task for setting in found))
        return sorted(found, key=lambda s: (tasks.index(s.task), s.splits, s.probe, amount(s.labelled)))

    @property
    def groups(self) -> list[list[Setting]]:
        """The settings that differ only in how much is labelled, together."""
        found: dict[tuple[str, ...], list[Setting]] = {}
        for setting in self.settings:
            found.setdefault(setting[:-1], []).append(setting)
        return list(found.values())

    def arms(self, setting: Setting) -> list[str]:
        """Names of the arms of a setting, checkpoints before reference rows."""
        return list(_in_order(self.of(setting)))

    def roles(self) -> dict[str, str]:
        """`arm` or `reference` for each arm, in the same order."""
        return _in_order(self.scores)

    def of(self, setting: Setting) -> pl.DataFrame:
        """The scores of one setting."""
        return self.scores.filter(*(pl.col(name) == value for name, value in zip(Setting._fields, setting)))

    def rows(self, setting: Setting) -> dict[tuple[str, str, str], Row]:
        """The scores of one setting by (arm, label, metric)."""
        return {(row["arm"], row["label"], row["metric"]): row for row in self.of(setting).iter_rows(named=True)}

    def differences_of(self, setting: Setting) -> list[Row]:
        return [row for row in self.differences if all(row.get(k) == v for k, v in zip(Setting._fields, setting))]

    def cells_of(self, setting: Setting, arm: str | None = None) -> list[Row]:
        """The cells behind one setting (all splits, seeds and draws), of one arm or of all."""
        same = ("task", "probe", "labelled")
        return [
            cell for cell in self.cells
            if all(cell[name] == getattr(setting, name) for name in same) and arm in (None, cell["arm"])
            and cell["split"] in splits(setting.splits)
        ]  # fmt: skip

    def predictions(self, cell: Row) -> pl.DataFrame | None:
        """The prediction table of a cell; None where the file is not there."""
        place = cell["place"] / "predictions.parquet"
        return _parquet(place) if place.exists() else None


def splits(name: str) -> tuple[str, ...]:
    """The splits that a group name stands for."""
    return {"halves": ("half-a", "half-b"), "folds": tuple(f"fold-{k}" for k in range(5))}.get(name, (name,))


def amount(labelled: str) -> tuple[bool, float]:
    """Order of label fractions: numbers of subjects, then shares."""
    return float(labelled) <= 1, float(labelled)


def read(folders: Sequence[Path]) -> Results:
    """Read evaluation folders.

    Raises:
        TaskError: a folder holds no evaluation, one of another schema version, or a damaged table.
    """
    tables, differences, cells, absent = [], [], [], []
    commands: list[str] = []
    versions: dict[str, str] = {}
    for folder in folders:
        said = _json(folder / "evaluation.json", folder)
        if said.get("schema") != SCHEMA_VERSION:
            raise TaskError(
                folder, "holds an evaluation of another schema version", expected=SCHEMA_VERSION,
                got=said.get("schema"), fix="evaluate again with this version", reason="schema",
            )  # fmt: skip
        table = _parquet(folder / "scores.parquet")
        lacking = [name for name in COLUMNS if name not in table.columns]
        if lacking:
            raise TaskError(folder / "scores.parquet", "lacks columns", got=" ".join(lacking), fix="evaluate again")
        tables.append(table)
        if (folder / "differences.json").exists():
            differences += _json(folder / "differences.json", folder)
        else:
            absent.append(f"{folder.name}: no paired differences (differences.json)")
        found = [_json(place, folder) | {"place": place.parent} for place in sorted(folder.glob("cells/*/cell.json"))]
        if not found:
            absent.append(f"{folder.name}: no cells, so no reliability diagrams, recordings and provenance")
        cells += found
        commands += [command for command in said.get("commands", []) if command not in commands]
        versions |= said.get("versions", {})
    scores = pl.concat(tables, how="diagonal_relaxed").with_columns(cs.float().fill_nan(None))  # no number is null
    identity = [*Setting._fields, "arm", "label", "metric"]
    doubled = scores.select(pl.struct(identity).is_duplicated().sum()).item()
    if doubled:
        absent.append(f"{doubled} rows stand in more than one folder: the first folder's are shown")
        scores = scores.unique(identity, keep="first", maintain_order=True)
    if not commands:
        absent.append("the command lines that made these folders were not recorded")
    adjusted = holm([row["p"] for row in differences])
    differences = [row | {"p_holm": p} for row, p in zip(differences, adjusted)]
    return Results(
        tuple(folders), scores, tuple(differences), tuple(cells), tuple(commands), tuple(sorted(versions.items())),
        tuple(absent),
    )  # fmt: skip


def holm(p: Sequence[float | None]) -> list[float | None]:
    """Adjusted p values of one family (Holm 1979, Scandinavian Journal of Statistics 6:65); None stays None.

    >>> holm([0.01, None, 0.04, 0.03])
    [0.03, None, 0.06, 0.06]
    """
    out: list[float | None] = [None] * len(p)
    order = sorted((value, i) for i, value in enumerate(p) if value is not None)
    least = 0.0
    for rank, (value, i) in enumerate(order):
        least = max(least, min(1.0, (len(order) - rank) * value))
        out[i] = least
    return out


def _in_order(scores: pl.DataFrame) -> dict[str, str]:
    """Arms and their roles: checkpoints as they come, then reference rows from what knows least to what knows most."""
    pairs = scores.select("arm", "role").unique(maintain_order=True).rows()
    least_first = ("prior", "age", "random", "supervised")

    def place(pair: tuple[str, str]) -> tuple[bool, int]:
        arm, role = pair
        known = next((i for i, word in enumerate(least_first) if arm.startswith(word)), len(least_first))
        return (role != "arm", known if role != "arm" else 0)

    return dict(sorted(pairs, key=place))


def _json(place: Path, folder: Path) -> Any:
    try:
        return json.loads(place.read_text("utf-8"))
    except FileNotFoundError as error:
        raise TaskError(
            folder, "holds no evaluation", expected=place.name, fix="make one: einthoven evaluate ... --out DIR",
            reason="missing",
        ) from error  # fmt: skip
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise TaskError(place, "cannot be read", got=error, fix="evaluate again", reason="damaged") from error


def _parquet(place: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(place)
    except FileNotFoundError as error:
        raise TaskError(
            place.parent, "holds no scores", expected=place.name, fix="evaluate again", reason="missing"
        ) from error
    except (OSError, pl.exceptions.PolarsError) as error:
        raise TaskError(place, "cannot be read", got=error, fix="evaluate again", reason="damaged") from error
