"""`evaluate`: checkpoints on the tasks of a cohort, with reference rows, intervals and paired differences."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from einthoven.app import need_training, shipped
from einthoven.core.errors import TaskError

if TYPE_CHECKING:
    import polars as pl

    from einthoven.training.checkpoint import Checkpoint

SMOKE_STEPS, SMOKE_RESAMPLES = 4, 200
FEATURES = ("embedding", "measurements", "embedding+measurements")


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Where everything was written, the macro rows and the differences."""

    out: Path
    scores: pl.DataFrame
    differences: list[dict[str, Any]]
    saved: Path | None = None
    exit_code: int = 0

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The main rows of each arm: macro-AUROC, and the official F1 if there is one; of one number the mean absolute
        error, of several R2 of each."""
        import polars as pl

        is_error = pl.col("metric") == "mae"
        several = pl.col("label").filter(is_error).n_unique().over("task") > 1
        main = (
            ((pl.col("label") == "macro") & (pl.col("metric") == "auroc"))
            | (pl.col("metric") == "f1_challenge2017")
            | (is_error & ~several)
            | ((pl.col("metric") == "r2") & several)
        )  # fmt: skip
        names = ["task", "splits", "probe", "labelled", "arm", "role", "label", "metric", "value", "low", "high",
                 "n_records", "n_subjects", "n_runs", "runs", "flags"]  # fmt: skip
        return self.scores.filter(main).select(names).to_dicts()

    def to_dict(self) -> dict[str, Any]:
        saved = str(self.saved) if self.saved else None
        return {"out": str(self.out), "rows": self.rows, "differences": self.differences, "saved": saved}

    @property
    def table(self) -> str:
        """The main rows as text."""
        groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        for row in self.rows:
            what = f"R2 of {row['label']}" if row["metric"] == "r2" else row["metric"]
            groups.setdefault((row["task"], what, row["splits"], row["labelled"]), []).append(row)
        lines = []
        for (task, what, splits, labelled), rows in groups.items():
            counts = f"{rows[0]['n_records']} records of {rows[0]['n_subjects']} subjects"
            lines.append(f"{task}, {what}, split {splits}, labelled {labelled}: {counts} in test")
            lines += [
                f"  {row['arm']:34} {_number(row['value'])}  [{_number(row['low'])}, {_number(row['high'])}]  "
                f"{row['runs']} run{'s' * (row['n_runs'] > 1)}  {row['flags']}".rstrip()
                for row in rows
            ]
            if all("label list is empty" in row["flags"] for row in rows):
                lines.append(
                    "  no figure: no label has 10 test subjects with it and 10 without it, and 5 with it to train on"
                )
        return "\n".join(lines)

    def __str__(self) -> str:
        lines = [self.table, f"written to {self.out}; einthoven report {self.out} --out page.html draws it"]
        if self.saved:
            lines.append(f"checkpoint with the fitted head: {self.saved}")
        return "\n".join(lines)


def evaluate(
    checkpoint: str | Path | Sequence[str | Path],
    cohort: str | Path,
    *,
    task: str | Sequence[str],
    out: str | Path,
    split: str = "official",
    probe: Literal["linear", "finetune"] = "linear",
    labelled: str | Sequence[str] = "1.0",
    features: Literal["embedding", "measurements", "embedding+measurements"] = "embedding",
    draws: int | None = None,
    seed: int = 0,
    save: str | Path | None = None,
    smoke: bool = False,
    progress: Callable[[str], None] = lambda text: None,
) -> Evaluation:
    """Evaluate one checkpoint or several (seeds of one recipe are the runs of one arm) on one task or several.

    Args:
        checkpoint: checkpoint or run folders, or shipped names.
        task: `ptbxl/superclass`, `superclass@50`, `label:AFIB`, `value:age`, ...; `physiology` decodes what `derive
            physiology` measured, R2 of each quantity.
        out: folder that collects cells; what is there is not computed again.
        features: `embedding`; `embedding+measurements` adds a row whose probe sees both; `measurements` leaves the
            checkpoints out. Rows of measurements alone stand in every table of a cohort that has them.
        split: `official`, `half-a`, `half-b`, `fold-0` .. `fold-4`, or `halves` and `folds` for all of them.
        labelled: 1.0, a share (0.1) or a number (100) of the training subjects.
        draws: of labelled subjects for each seed, where few are labelled: default 5, with `smoke` 1. Each seed has its
            own, and is averaged over them before anything else. Rows trained from scratch keep one a seed; fine-tuned
            arms have them all, each a training run.
        save: write the first checkpoint with the head fitted on the first task, with the most labels, as a checkpoint
            for `predict`.
        smoke: a few steps and one seed, to see that everything runs.

    Raises:
        TaskError: unknown task or split, a checkpoint that saw test subjects in pretraining, or `save` of a head of
            several numbers.
    """
    need_training("evaluate")
    from einthoven.cohort.store import Cohort
    from einthoven.core import fingerprint
    from einthoven.evaluate import run, tables, tasks
    from einthoven.training import checkpoint as checkpoints

    if features not in FEATURES:
        raise TaskError("--features", "no such features", expected=", ".join(FEATURES), got=features, reason="features")
    if features != "embedding" and probe != "linear":
        raise TaskError(
            "--features", "a network is fine-tuned on signals only", got=features, fix="use --probe linear",
            reason="features",
        )  # fmt: skip
    if draws is not None and draws < 1:
        raise TaskError("--draws", "is unusable", expected="1 or more draws for each seed", got=draws, reason="draws")
    if save:
        checkpoints.refuse_other(save)
    store = Cohort.open(Path(cohort))
    arms = [checkpoints.load(shipped.folder(place)) for place in _several(checkpoint)]
    names = [arm.card["name"] for arm in arms]
    read = tuple(tasks.read(store, name) for name in _several(task))
    if save and len(read[0].units) > 1:
        raise TaskError(
            read[0].name, "has several numbers, and a checkpoint keeps a head with one unit", expected="value:NAME",
            fix="leave out --save", reason="save",
        )  # fmt: skip
    settings = run.Settings(
        tasks=read,
        splits=run.GROUPS.get(split, (split,)),
        probe=probe,
        labelled=tuple(_share(text) for text in _several(labelled)),
        features=features,
        seed=seed,
        scratch_seeds=1 if smoke else max(names.count(name) for name in names),
        random_seeds=1 if smoke else run.Settings.random_seeds,
        draws=draws or (1 if smoke else run.Settings.draws),
        steps=SMOKE_STEPS if smoke else None,
        progress=progress,
    )
    folder = Path(out)
    places = run.evaluate(arms, store, folder, settings)
    words = ["einthoven", "evaluate", *map(str, _several(checkpoint)), str(cohort)]
    words += [word for name in _several(task) for word in ("--task", name)]
    words += ["--out", str(out), "--split", split, "--probe", probe, "--seed", str(seed)]
    words += ["--features", features] if features != "embedding" else []
    words += ["--draws", str(draws)] if draws else []
    words += [word for share in _several(labelled) for word in ("--labelled", str(share))] + ["--smoke"] * smoke
    scores = tables.write(folder, shlex.join(words), SMOKE_RESAMPLES if smoke else 1000)
    saved = _save(arms[0], settings.tasks[0], places, Path(save)) if save else None
    return Evaluation(folder, scores, fingerprint.read_json(folder / "differences.json"), saved)


def _several(value: Any) -> list[Any]:
    return [value] if isinstance(value, str | Path) else list(value)


def _share(text: str | float | int) -> float | int:
    """`1.0` and `0.1` are shares, `100` is a number of subjects."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not (0 < number <= 1 or (number > 1 and number.is_integer())):
        raise TaskError("--labelled", "is unusable", expected="a share such as 0.1, or a number of subjects", got=text)
    return number if number <= 1 else int(number)


def _save(arm: Checkpoint, task: Any, places: list[Path], save: Path) -> Path:
    """The encoder of an arm with the head that was fitted on most labels."""
    from safetensors.numpy import load_file

    from einthoven.core import fingerprint
    from einthoven.training import checkpoint as checkpoints
    from einthoven.training.head import Head

    found = [(fingerprint.read_json(place / "cell.json"), place) for place in places]
    mine = [
        (cell, place) for cell, place in found
        if cell["role"] == "arm" and cell["task"] == task.name and cell["facts"].get("checkpoint") == arm.fingerprint
    ]  # fmt: skip
    if mine:
        cell, place = max(mine, key=lambda one: one[0]["facts"]["rows"]["train"])
        if not (place / "head.safetensors").exists():  # fine-tuned: the run's own checkpoint has encoder and head
            return checkpoints.copy(place.parents[1] / cell["facts"]["run"], save)
        kind = "one_vs_rest" if task.kind == "exclusive" else task.kind
        head = Head.of(load_file(place / "head.safetensors"), task.labels, kind, "".join(task.units))
        evaluated = {key: cell[key] for key in ("task", "split", "probe", "labelled", "draw", "fingerprint")}
        return checkpoints.with_head(arm, head, save, evaluated=evaluated)
    raise TaskError(task.name, "nothing was fitted that could be saved", reason="task")


def _number(value: float | None) -> str:
    return "    -" if value is None or value != value else f"{value:5.3f}"
