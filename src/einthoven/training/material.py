"""What a run learns from: the cohort's train and validation parts as loaders. Nothing of the test part is opened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from einthoven.cohort import splits, windows
from einthoven.cohort.join import open_all
from einthoven.cohort.store import Cohort
from einthoven.core import random
from einthoven.core.batch import Batch
from einthoven.core.errors import RecipeError
from einthoven.core.layout import Layout
from einthoven.data.augment import Augment
from einthoven.data.loader import Loader
from einthoven.data.marks import worth_seeing
from einthoven.data.targets import fact_arrays
from einthoven.objectives import Objective

MOST_KIN = 10
"""A recording's companions are drawn among so many of its person's others, those that follow it in the store."""


@dataclass(frozen=True, eq=False)
class Material:
    """Rows of the train and validation parts, and the batches made of them.

    `companions` are recordings that may be drawn together; `worn` says whose facts each recording wears (a control),
    None for its own. A recording of which none of the needed facts is known takes no part. Few labels (`[data]
    labelled`) are drawn by subject among the others, and validation shrinks by the same share (evaluation.md E5).
    """

    recipe: Mapping[str, Any]
    cohort: Cohort
    layout: Layout
    needs: tuple[str, ...]
    views: tuple[str, ...]
    train: np.ndarray
    validation: np.ndarray
    objective: Objective
    companions: np.ndarray | None
    worn: np.ndarray | None

    @classmethod
    def of(cls, recipe: Mapping[str, Any], objective: Objective) -> Material:
        """Open the cohort, deal its rows, and let the objective learn what depends on the training rows alone.

        Raises:
            CohortError: no such cohort or fact. TaskError: no such split. RecipeError: nothing to train on.
        """
        data = recipe["data"]
        cohort = open_all(data["cohort"])
        facts = fact_arrays(cohort, objective.needs)
        rows = _deal(cohort, data, list(facts.values()))
        if not len(rows["train"]):
            raise RecipeError(
                "[data]", "there is nothing to train on", expected=f"recordings in the train part of {data['split']}",
                got=f"{len(cohort)} recordings, none with {' or '.join(facts) or 'that part'}", reason="empty",
            )  # fmt: skip
        names = {need: need.partition(":")[2] for need in objective.needs}
        worn = _worn(recipe["seed"], rows, len(cohort)) if objective.permuted else None
        train = rows["train"] if worn is None else worn[rows["train"]]
        seen = {need: array[train] for need, array in facts.items()}
        objective.prepare(
            seen,
            {need: cohort.label_sets[name] for need, name in names.items() if need.startswith("labels:")},
            {need: _unit(cohort, name) for need, name in names.items() if need.startswith("value:")},
        )
        layout = Layout(**recipe["layout"])
        subject = cohort.index["subject_id"].to_numpy()
        companions = _among_all(objective.companions(seen), rows["train"], subject)
        if objective.kin:
            companions = _own_first(companions, rows["train"], subject)
        return cls(
            recipe, cohort, layout, objective.needs, objective.views, rows["train"], rows["validation"], objective,
            companions, worn,
        )  # fmt: skip

    def loader(self, device: str, rank: int, processes: int) -> Loader:
        """Training batches; one for every forward pass.

        Raises:
            RecipeError: fewer persons than a batch has places.
        """
        training = self.recipe["training"]
        loader = Loader(
            self.cohort, self.layout, self._windows(self.train), batch=training["batch"],
            seed=self.recipe["seed"], views=self.views, augment=Augment(**self.recipe["augment"]), facts=self.needs,
            shuffle=self.objective.shuffle, worn=self.worn, companions=self.companions,
            together=max(self.objective.neighbours, self.objective.kin), kin=self.objective.kin, device=device,
            prefetch=training["prefetch"], rank=rank, processes=processes,
        )  # fmt: skip
        _ = loader.sampler  # made now, so that a batch that cannot be filled is refused before anything is written
        return loader

    def validation_batches(self, device: str) -> Iterable[Batch]:
        """The same batches at every validation: with views as in training for an objective that compares views, else
        every window once as it is."""
        if not self.views:
            return self.plain_validation(device)
        if device not in self._held:  # waves, cuts and facts are looked up once, not at every validation
            self._held[device] = self._views_of_validation(device, self._compared)
        return self._held[device].iterate(0, self._held[device].steps_per_epoch)

    @cached_property
    def _held(self) -> dict[str, Loader]:
        return {}

    def plain_validation(self, device: str) -> Iterable[Batch]:
        """Every validation window once, without augmentation."""
        batch = self.recipe["training"]["batch"]
        return Loader(
            self.cohort, self.layout, self._validation_windows, batch=batch, facts=self.needs, device=device
        ).sequential()

    def _views_of_validation(self, device: str, batch: int) -> Loader:
        return Loader(
            self.cohort, self.layout, self._validation_windows, batch=batch,
            seed=random.number(self.recipe["seed"], 0, "validation") >> 32, views=self.views,
            augment=Augment(**self.recipe["augment"]), facts=self.needs, shuffle=self.objective.shuffle,
            worn=self.worn, device=device, prefetch=self.recipe["training"]["prefetch"],
        )  # fmt: skip

    @cached_property
    def _validation_windows(self) -> windows.Windows:
        return self._windows(self.validation)

    def _windows(self, rows: np.ndarray) -> windows.Windows:
        found = windows.index(self.cohort, rows, self.layout)
        return worth_seeing(self.cohort, found, self.needs, self.layout)

    @cached_property
    def _compared(self) -> int:
        """Recordings in a validation batch with views: as in training, or fewer where so many cannot be stacked (other
        lengths, rates or leads); 0 where not even two can."""
        batch = min(self.recipe["training"]["batch"], _subjects(self.cohort, self.validation))
        while batch >= 2:
            try:
                _ = self._views_of_validation("cpu", batch).sampler
                return batch
            except RecipeError:
                batch //= 2
        return 0

    @property
    def validates(self) -> bool:
        """Whether there is anything to validate on; views need two people to be compared."""
        return self._compared > 0 if self.views else len(self._validation_windows) > 0

    def card(self) -> dict[str, Any]:
        """What the checkpoint's card says of the data; no key of a recording and no subject."""
        data, source = self.recipe["data"], self.cohort.card["source"]
        more = {"families": source["families"]} if "families" in source else {}
        more |= {"members": self.cohort.card["members"]} if "members" in self.cohort.card else {}
        return more | {
            "cohort_fingerprint": self.cohort.fingerprint, "family": source["family"],
            "split": data["split"], "part": "train", "labelled": data["labelled"], "draw": data["draw"],
            "records": len(self.train), "subjects": _subjects(self.cohort, self.train), "facts": list(self.needs),
            "engines": self.engines(),
        }  # fmt: skip

    def engines(self) -> dict[str, str]:
        """By what was derived and is needed, the engine that made it."""
        return {what: entry["engine"] for what, entry in self._derived()}

    def derived(self) -> dict[str, str]:
        """By what was derived and is needed, the fingerprint of its facts."""
        return {what: entry["fingerprint"] for what, entry in self._derived()}

    def _derived(self) -> list[tuple[str, dict[str, Any]]]:
        return [
            (what, entry) for what, entry in sorted(self.cohort.card.get("derived", {}).items())
            if any(need.partition(":")[2].startswith(f"{what}.") for need in self.needs) or self.objective.shuffle
        ]  # fmt: skip


def _deal(cohort: Cohort, data: Mapping[str, Any], facts: list[np.ndarray]) -> dict[str, np.ndarray]:
    parts = splits.parts(cohort, data["split"])
    known = np.ones(len(cohort), bool) if not facts else np.any([_known(array) for array in facts], axis=0)
    for name, word in (data["leave_out"] or {}).items():
        known &= np.array([said != word for said in cohort.categories(name)])
    rows = {part: np.flatnonzero((parts == part) & known) for part in ("train", "validation")}
    if data["labelled"] != 1.0:
        share = data["labelled"]
        if not isinstance(share, float):
            share = min(1.0, share / max(_subjects(cohort, rows["train"]), 1))
        rows["train"] = splits.few(cohort, rows["train"], data["labelled"], data["draw"])
        rows["validation"] = splits.few(cohort, rows["validation"], share, data["draw"])
    return rows


def _worn(seed: int, rows: Mapping[str, np.ndarray], count: int) -> np.ndarray:
    """Another recording of the same part for each, the same in all epochs."""
    worn = np.arange(count)
    for part, mine in rows.items():
        worn[mine] = random.generator(seed, 0, f"worn.{part}").permutation(mine)
    return worn


def _among_all(companions: np.ndarray | None, rows: np.ndarray, subject: np.ndarray) -> np.ndarray | None:
    """Companions by recording of the cohort instead of by place among `rows`, those of other persons."""
    if companions is None:
        return None
    out = np.full((len(subject), companions.shape[1]), -1, np.int64)
    other = (companions >= 0) & (subject[rows[companions]] != subject[rows][:, None])
    out[rows] = np.where(other, rows[companions], -1)
    return out


def _own_first(companions: np.ndarray | None, rows: np.ndarray, subject: np.ndarray) -> np.ndarray:
    """Other recordings of the same person, at most `MOST_KIN`; for who has one recording, companions as they are."""
    ordered = rows[np.argsort(subject[rows], kind="stable")]
    first, count = np.unique(subject[ordered], return_index=True, return_counts=True)[1:]
    begin, many = (np.repeat(of, count)[:, None] for of in (first, count))
    step = np.arange(1, max(min(int(count.max(initial=1)), MOST_KIN + 1), 2))
    place = begin + (np.arange(len(ordered))[:, None] - begin + step) % many  # round the person's recordings
    own = np.full((len(subject), len(step)), -1, np.int64)
    own[ordered] = np.where(step < many, ordered[place], -1)
    if companions is None:
        return own
    width = max(own.shape[1], companions.shape[1])
    own, other = (np.pad(a, ((0, 0), (0, width - a.shape[1])), constant_values=-1) for a in (own, companions))
    return np.where((own >= 0).any(axis=1, keepdims=True), own, other)


def _subjects(cohort: Cohort, rows: np.ndarray) -> int:
    return len(np.unique(cohort.index["subject_id"].to_numpy()[rows]))


def _known(array: np.ndarray) -> np.ndarray:
    """(rows,): whether anything of the fact is known."""
    known = np.asarray(array >= 0 if array.dtype.kind == "i" else ~np.isnan(array))
    return np.asarray(known.reshape(len(array), -1).any(axis=1))


def _unit(cohort: Cohort, name: str) -> str:
    table = cohort.facts("value")
    found = table["unit"].filter(table["name"] == name)
    return str(found[0]) if len(found) else ""
