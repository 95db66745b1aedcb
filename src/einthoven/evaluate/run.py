"""The evaluation of checkpoints on a cohort: reference rows first, then the arms, every cell a prediction table.

One folder collects everything; what is there is not computed again. Scores are made from the prediction tables at the
end (`scores`), so that anybody can make them again. Shapes: N rows of the cohort, D features, K labels.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from einthoven.cohort import splits
from einthoven.cohort.store import Cohort
from einthoven.core import fingerprint
from einthoven.core.errors import TaskError
from einthoven.core.output import replaced_file
from einthoven.evaluate import cells, measured, references, tuned
from einthoven.evaluate.cells import Cell, Result
from einthoven.evaluate.fitted import Fitted, Network, Prior, Probe, Untrained, architecture, architectures, summary
from einthoven.evaluate.tasks import Task
from einthoven.training.checkpoint import Checkpoint
from einthoven.training.embedding import embed_cohort

GROUPS = {"halves": ("half-a", "half-b"), "folds": tuple(f"fold-{k}" for k in range(5))}
"""Names for several splits whose figures are averaged (evaluation.md A3, C)."""
DRAWS = 5
"""Draws of labelled subjects for each seed.

DIFFERS: evaluation.md D4 has as many draws as seeds; here every seed has five of its own, averaged before seeds are
compared, so that the spread of draws is divided by five and none of it is called that of one network.
"""
DRAW_STEP = 100
"""Draw k of seed number i is i + 100 k: no two seeds share a draw, and seed number i has the same draws in every arm,
whatever its number of seeds. k = 0 is draw i with seed i."""


@dataclass(frozen=True)
class Settings:
    """What is evaluated beside the checkpoints and the cohort."""

    tasks: tuple[Task, ...]
    splits: tuple[str, ...]
    probe: Literal["linear", "finetune"] = "linear"
    labelled: tuple[float | int, ...] = (1.0,)
    features: Literal["embedding", "measurements", "embedding+measurements"] = "embedding"
    """What the linear probe of an arm sees; with `embedding+measurements` the embedding alone has its row beside it."""
    seed: int = 0
    random_seeds: int = references.RANDOM_SEEDS
    scratch_seeds: int = 1
    draws: int = DRAWS
    """Draws of few labels for each seed; what is trained from scratch has one, which is a training run each."""
    steps: int | None = None
    """Optimiser steps of the rows that train; None: those of the checkpoint's own run, 20 epochs where it has none."""
    progress: Callable[[str], None] = field(default=lambda text: None, compare=False)


def evaluate(arms: Sequence[Checkpoint], cohort: Cohort, out: Path, settings: Settings) -> list[Path]:
    """Compute every cell that is not there; return the folders of all of them, references first.

    Raises:
        TaskError: a checkpoint was pretrained on subjects of the test part, no label can be learnt, or measurements
            are to predict themselves.
    """
    found: list[Path] = []
    for task in settings.tasks:
        if task.measured and settings.features != "embedding":
            raise TaskError(
                task.name, "measurements are the truth of this task", expected="--features embedding",
                got=settings.features, reason="features",
            )  # fmt: skip
    measured_NM = measured.measurements(cohort) if settings.features == "embedding" else measured.need(cohort)
    networks = architectures(arms)
    # rows of a folder's other architectures keep their names and are not replaced by this one's
    several = len({architecture(like) for like in networks} | _held(out)) > 1
    seeds = max((sum(arm.card["name"] == other.card["name"] for other in arms) for arm in arms), default=1)
    for split in settings.splits:
        parts_N = splits.parts(cohort, split)
        for arm in arms:
            _refuse_seen(arm, cohort, split)
        for task in settings.tasks:
            for labelled in settings.labelled:
                rival_NM = None if task.measured else measured_NM
                bench = _Bench(cohort, out, settings, task, split, parts_N, labelled, rival_NM)
                found += bench.known_beforehand(seeds)
                for like in networks:
                    found += bench.untrained(like, tag=f" {architecture(like)[:6]}" * several)
                found += bench.arms(arms) if settings.features != "measurements" else []
    return list(dict.fromkeys(found))


@dataclass(frozen=True, eq=False)
class _Bench:
    """One task, split and label fraction: everything that its arms share."""

    cohort: Cohort
    out: Path
    settings: Settings
    task: Task
    split: str
    parts_N: np.ndarray
    labelled: float | int
    measured_NM: np.ndarray | None

    def known_beforehand(self, seeds: int) -> Iterator[Path]:
        """Rows without an encoder, so without a seed: a run for each draw of arms of so many seeds, and of the random
        encoders' first draws."""
        seed, step = self.settings.seed, self.settings.draws * DRAW_STEP
        first = list(range(max(seeds, self.settings.random_seeds)))
        further = [i + k for k in range(DRAW_STEP, step, DRAW_STEP) for i in range(seeds)]
        for draw in [0] if self.labelled == 1.0 else [seed + number for number in first + further]:
            yield self._run("prior only", draw, seed, {}, lambda rows: Prior(self.task, rows))
            known_ND = references.age_and_sex(self.cohort)
            if known_ND is not None:
                yield self._linear("age and sex", draw, seed, {}, lambda x=known_ND: x)
            if self.measured_NM is not None:
                of = {"measured": fingerprint.of_array(self.measured_NM)}
                joined = partial(measured.filled, self.measured_NM, self._rows(draw)["train"])
                yield self._linear("measurements, logistic", draw, seed, of, joined, features="measurements")
                boost = partial(measured.Boosted, self.task, self.measured_NM)
                yield self._run("measurements, boosted", draw, seed, of, boost, features="measurements")

    def untrained(self, like: Checkpoint, tag: str) -> Iterator[Path]:
        """Rows that share an architecture with an arm: random weights, and supervised training from scratch.

        A random encoder that is fine-tuned is supervised training from scratch, so it has a row of its own only beside
        a linear probe.
        """
        seeds = [self.settings.seed + i for i in range(self.settings.random_seeds)]
        for seed, draw in self._pairs(seeds, self.settings.draws) if self.settings.probe == "linear" else []:
            for name, estimate in (("random encoder", False), ("random encoder, norm statistics", True)):
                encoder = Untrained(like, seed, self.cohort, self._train() if estimate else None)
                if not estimate or encoder.has_statistics:
                    of = {"architecture": architecture(like), "untrained": encoder.mark}
                    yield self._linear(name + tag, draw, seed, of, lambda e=encoder: self._features(e.mark, e.make))
        if not tuned.trainable(self.task):
            self.settings.progress(
                f"{self.task.name}: no row from scratch, networks learn whole label sets or one value"
            )
            return
        for seed, draw in self._pairs(seeds[: self.settings.scratch_seeds], 1):
            yield from self._scratch(like, seed, draw, tag)

    def arms(self, arms: Sequence[Checkpoint]) -> Iterator[Path]:
        """The checkpoints, several of one name being the seeds of one arm."""
        for name in dict.fromkeys(arm.card["name"] for arm in arms):
            same = [arm for arm in arms if arm.card["name"] == name]
            by_seed = {arm.recipe.get("seed", 0): arm for arm in same}
            if len(by_seed) < len(same):
                raise TaskError(name, "two checkpoints have one name and one seed", fix="give each recipe its own name")
            for seed, draw in self._pairs(sorted(by_seed), self.settings.draws):
                arm = by_seed[seed]
                facts = {"checkpoint": arm.fingerprint, "card": summary(arm)}
                if self.settings.probe == "linear":
                    features = partial(self._features, arm.fingerprint, lambda a=arm: a)
                    yield self._linear(name, draw, seed, facts, features, role="arm")
                    if self.settings.features == "embedding+measurements":
                        yield self._joined(f"{name} + measurements", draw, seed, facts, features)
                else:
                    recipe = self._recipe(arm, seed, draw, weights=arm.path)
                    facts |= {"recipe": tuned.mark(recipe)}
                    go = partial(Network, recipe, "best", task=self.task, cohort=self.cohort, out=self.out)
                    yield self._run(name, draw, seed, facts, lambda rows, go=go: go(), role="arm")

    def _joined(
        self, name: str, draw: int, seed: int, facts: dict[str, Any], features: Callable[[], np.ndarray]
    ) -> Path:
        """A linear probe on embedding and measurements side by side."""
        measured_NM, train = measured.need(self.cohort), self._rows(draw)["train"]
        both = lambda: np.concatenate([features(), measured.filled(measured_NM, train)], axis=1)  # noqa: E731
        facts = facts | {"measured": fingerprint.of_array(measured_NM)}
        return self._linear(name, draw, seed, facts, both, role="arm", features="embedding+measurements")

    def _pairs(self, seeds: list[int], draws: int) -> list[tuple[int, int]]:
        """(seed, draw): each seed on everything, or each seed on draws of few labels that no other seed has (E5)."""
        if self.labelled == 1.0:
            return [(seed, 0) for seed in seeds]
        first = self.settings.seed
        return [(seed, first + i + k * DRAW_STEP) for k in range(draws) for i, seed in enumerate(seeds)]

    def _train(self) -> np.ndarray:
        return np.flatnonzero((self.parts_N == "train") & self.task.known)

    def _rows(self, draw: int) -> dict[str, np.ndarray]:
        """Labelled rows of train and validation, which shrink alike (E5)."""
        rows = {part: np.flatnonzero((self.parts_N == part) & self.task.known) for part in ("train", "validation")}
        if self.labelled != 1.0:
            share = self.labelled
            if not isinstance(share, float):  # so many subjects of train; validation shrinks by the same fraction
                subjects = len(np.unique(self.cohort.index["subject_id"].to_numpy()[rows["train"]]))
                share = min(1.0, self.labelled / subjects)
            rows["train"] = splits.few(self.cohort, rows["train"], self.labelled, draw)
            rows["validation"] = splits.few(self.cohort, rows["validation"], share, draw)
        return rows

    def _features(self, mark: str, make: Callable[[], Checkpoint]) -> np.ndarray:
        """Pooled vectors of all rows, (N, D) float32, computed once for a checkpoint and cohort."""
        place = self.out / "features" / f"{mark[:16]}-{self.cohort.fingerprint[:16]}.npy"
        if not place.exists():
            features_ND = embed_cohort(make(), self.cohort)
            with replaced_file(place) as scratch:
                np.save(scratch, features_ND, allow_pickle=False)
        features_ND = np.load(place, allow_pickle=False)
        used_N = self.task.known & (self.parts_N != "")
        if lost := int((~np.isfinite(features_ND[used_N]).all(axis=1)).sum()):
            raise TaskError(
                self.task.name, f"{lost} of {used_N.sum()} recordings have none of the leads of a checkpoint",
                fix="prepare a cohort without them; einthoven audit counts leads", reason="leads",
            )  # fmt: skip
        return features_ND

    def _linear(
        self, name: str, draw: int, seed: int, facts: dict[str, Any], make: Callable[[], np.ndarray],
        role: str = "reference", features: str = "embedding",
    ) -> Path:  # fmt: skip
        fit = lambda rows: Probe(self.task, make(), rows)  # noqa: E731
        return self._run(name, draw, seed, facts, fit, role=role, features=features)

    def _run(
        self, name: str, draw: int, seed: int, facts: dict[str, Any], fit: Callable[[dict[str, np.ndarray]], Fitted],
        role: str = "reference", features: str = "embedding",
    ) -> Path:  # fmt: skip
        cell = Cell(
            name, role, seed, self.task.name, self.task.kind, self.split, self.settings.probe, str(self.labelled), draw,
            features, "",
        )  # fmt: skip
        rows = self._rows(draw)
        made_of = {
            "method": cells.METHOD, "cohort": self.cohort.fingerprint, "of": facts | {"card": None},
            "truth": fingerprint.of_array(self.task.truth_NK), "parts": self.parts_N.tolist(),
            "rows": {part: fingerprint.of_array(rows[part]) for part in rows},
        }  # fmt: skip
        cell = replace(cell, fingerprint=fingerprint.of_json(made_of))

        def compute() -> Result:
            self.settings.progress(f"{self.task.name} {self.split} {self.labelled}: {name}, seed {seed}, draw {draw}")
            begun = time.process_time()
            fitted = fit(rows)
            used_N = self.parts_N != "validation"
            used_N[rows["validation"]] = True
            score_NK = fitted.scores()
            table = cells.predictions(self.cohort, self.task, self.parts_N, used_N, cell, score_NK)
            counts = {part: len(rows[part]) for part in rows}
            extra = fitted.facts() | {"rows": counts, "cpu_seconds": round(time.process_time() - begun, 3)}
            if self.task.kind == "value":
                extra["units"] = self.task.unit_of
            about = {"path": str(self.cohort.path.resolve()), "fingerprint": self.cohort.fingerprint}
            about |= {key: self.cohort.card[key] for key in ("source", "counts")}
            return Result(table, facts | extra | {"cohort": about}, fitted.head(rows["validation"]))

        return cells.run(self.out, cell, compute)

    def _scratch(self, like: Checkpoint, seed: int, draw: int, tag: str) -> Iterator[Path]:
        """Supervised from scratch: the weights after equal steps, and the best by validation (E6)."""
        recipe = self._recipe(like, seed, draw, weights=None)
        for name, which in (("supervised, equal steps", "last"), ("supervised, early stop", "best")):
            facts = {"architecture": architecture(like), "recipe": tuned.mark(recipe), "scratch": which}
            go = partial(Network, recipe, which, task=self.task, cohort=self.cohort, out=self.out)
            yield self._run(name + tag, draw, seed, facts, lambda rows, go=go: go())

    def _recipe(self, like: Checkpoint, seed: int, draw: int, weights: Path | None) -> dict[str, Any]:
        """The run behind a fine-tuned row, or behind one from scratch."""
        own = None if weights else like.recipe.get("training", {}).get("steps")
        epochs = max(tuned.EPOCHS * len(self._rows(draw)["train"]) // tuned.batch(like), 1)
        return tuned.recipe(
            like, self.cohort, self.task, split=self.split, labelled=self.labelled, draw=draw, seed=seed,
            steps=self.settings.steps or own or epochs, weights=weights,
        )  # fmt: skip


def _held(out: Path) -> set[str]:
    """Architectures whose reference rows are in an evaluation folder."""
    facts = [cells.read(place.parent).get("facts", {}) for place in out.glob("cells/*/cell.json")]
    return {one["architecture"] for one in facts if "architecture" in one}


def _refuse_seen(arm: Checkpoint, cohort: Cohort, split: str) -> None:
    """A checkpoint that saw this cohort under another split, at any stage, has seen test subjects."""
    for stage in arm.stages:
        seen = (stage.get("cohort_fingerprint"), *stage.get("members", ()))
        if cohort.fingerprint in seen and stage.get("split") != split:
            raise TaskError(
                arm.card["name"], "was pretrained on this cohort under another split, so it saw test subjects",
                expected=f"pretraining with split = '{split}'", got=f"'{stage.get('split')}'",
                fix=f"pretrain again with --set data.split={split}", reason="seen",
            )  # fmt: skip
