"""Who is trained on, who chooses, who is tested: parts of a cohort by person, the same on every machine.

Nothing depends on the order of recordings or on a random state: persons are dealt out stratum by stratum in the order
of a hash of their name. That serves halves, folds, draws of few labels, and `official` where the source has no split of
its own. A person in two parts is an error, whoever made the split.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
import polars as pl

from einthoven.cohort.join import Joined
from einthoven.cohort.store import Cohort
from einthoven.core.errors import TaskError, nearest

SPLITS = ("official", "half-a", "half-b", *(f"fold-{k}" for k in range(5)))
PARTS = ("train", "validation", "test")

RUNGS = (0.1, 500, 0.01, 100, 20)
"""Sizes of few-label draws that lie inside each other."""


def parts(cohort: Cohort, split: str) -> np.ndarray:
    """The part of each recording: `train`, `validation`, `test`, or `""` for one that takes no part.

    Args:
        split: `official`: the source's own (`split` in a person's table, PTB-XL's folds), else persons dealt 60/20/20.
            `half-a`: test is half a, and 20 % of half b validate; `half-b` the other way round. `fold-0` to `fold-4`:
            test is that fifth, and 20 % of the other persons validate.

    Raises:
        TaskError: no split of that name, a word in the source's split that is none of the three, or a person in two
            parts (`leak`).
    """
    found = assign(cohort, split)
    shared = shared_subjects(cohort, found)
    if shared:
        raise TaskError(
            f"{cohort.path} split {split}", f"{len(shared)} subjects stand in more than one part",
            expected="each person in one part", got=", ".join(shared[:5]) + (", ..." if len(shared) > 5 else ""),
            fix="give all recordings of a person the same part; `einthoven audit` lists them", reason="leak",
        )  # fmt: skip
    return found


def assign(cohort: Cohort, split: str) -> np.ndarray:
    """The part of each recording, not yet checked for persons in two parts; joined cohorts are dealt one by one."""
    if isinstance(cohort, Joined):
        return np.concatenate([assign(member, split) for member in cohort.members])
    if split not in SPLITS:
        raise TaskError(cohort.path, f"no split called '{split}'", fix=nearest(split, SPLITS), reason="split")
    if split == "official" and (stated := _stated(cohort)) is not None:
        return stated
    if split == "official":
        turn = _deal(cohort, _everybody(cohort), "einthoven-split") % 5
        part = np.select([turn == 0, turn == 1], ["test", "validation"], "train")
    else:
        if split.startswith("half"):
            half = _deal(cohort, _everybody(cohort), "einthoven-half") % 2
            tested = half == (split == "half-b")
        else:
            tested = _deal(cohort, _everybody(cohort), "einthoven-fold") % 5 == int(split[-1])
        part = np.where(tested, "test", "train").astype("<U10")
        part[_validating(cohort, np.flatnonzero(~tested))] = "validation"
    return part[cohort.index["subject_id"].to_numpy()]


def shared_subjects(cohort: Cohort, part: np.ndarray) -> list[str]:
    """Subjects with recordings in more than one part, sorted; recordings that take no part do not count."""
    table = cohort.index.select("subject").with_columns(part=pl.Series(part.tolist(), dtype=pl.String))
    counts = table.filter(pl.col("part") != "").group_by("subject").agg(pl.col("part").n_unique())
    return counts.filter(pl.col("part") > 1)["subject"].sort().to_list()


def few(cohort: Cohort, rows: np.ndarray, labelled: float | int, draw: int) -> np.ndarray:
    """The recordings of a few of the persons in `rows`: a fraction (float) or a number (int) of them.

    Stratified as the halves are. A smaller one of `RUNGS` lies inside a larger one of the same draw, because it is
    drawn from it. For validation the caller gives the fraction that the training draw has.

    Raises:
        TaskError: the fraction is not in (0, 1], or the number is not above 0.
    """
    rows = np.asarray(rows)
    subject = cohort.index["subject_id"].to_numpy()[rows]
    chosen = np.unique(subject)
    people = len(chosen)
    wanted = _count(labelled, people)
    larger = {rung: count for rung in RUNGS if wanted <= (count := _count(rung, people)) < people}
    ladder = sorted(larger.items(), key=lambda rung: -rung[1])
    for rung, count in [*ladder, (labelled, wanted)]:
        if count < len(chosen):
            turn = _deal(cohort, chosen, f"few|{rung}|{draw}")
            # evenly over the strata: of each N / n persons in a row, the first
            chosen = chosen[(turn * count) % len(chosen) < count]
    return rows[np.isin(subject, chosen)]


def _count(labelled: float | int, people: int) -> int:
    if labelled <= 0 or (isinstance(labelled, float) and labelled > 1):
        raise TaskError(
            "labelled", "is no share of the persons", expected="a fraction up to 1.0, or a number such as 100",
            got=labelled, reason="labelled",
        )  # fmt: skip
    return max(1, round(labelled * people)) if isinstance(labelled, float) else min(labelled, people)


def _stated(cohort: Cohort) -> np.ndarray | None:
    """The source's own split, None where it has none; without a validation part 20 % of the persons to train on."""
    if "split" in cohort.names("category"):
        words = np.array([word or "" for word in cohort.categories("split")], "<U10")
        if unknown := sorted(set(words.tolist()) - {"", *PARTS}):
            raise TaskError(
                cohort.path, f"split has the word '{unknown[0]}'", expected=", ".join(PARTS),
                fix=nearest(unknown[0], PARTS), reason="split",
            )  # fmt: skip
        if "validation" not in words:
            subject = cohort.index["subject_id"].to_numpy()
            chosen = _validating(cohort, np.unique(subject[words == "train"]))
            words[(words == "train") & np.isin(subject, chosen)] = "validation"
        return words
    if "strat_fold" in cohort.names("value"):
        fold = cohort.values("strat_fold")
        return np.select([(fold >= 1) & (fold <= 8), fold == 9, fold == 10], ["train", "validation", "test"], "")
    return None


def _validating(cohort: Cohort, people: np.ndarray) -> np.ndarray:
    """The 20 % of these persons that validate."""
    return people[_deal(cohort, people, "einthoven-val") % 5 == 0]


def _everybody(cohort: Cohort) -> np.ndarray:
    return np.arange(cohort.card["counts"]["subjects"])


def _deal(cohort: Cohort, people: np.ndarray, salt: str) -> np.ndarray:
    """Each person's place in the walk through the strata in code order, within a stratum in the order of the hash."""
    names, strata = _people(cohort)
    family = cohort.card["source"]["family"]
    order = sorted(
        range(len(people)),
        key=lambda i: (
            strata[people[i]],
            hashlib.sha256(f"{salt}|{family}|{names[people[i]]}".encode()).hexdigest(),
        ),
    )
    place = np.empty(len(people), np.int64)
    place[order] = np.arange(len(people))
    return place


@lru_cache(maxsize=4)
def _people(cohort: Cohort) -> tuple[list[str], list[str]]:
    """Name and stratum of each person: the label that the fewest persons of the cohort carry, ties by code order.

    Labels are superclass and rhythm where the source has superclasses, else those of all its label sets, and sex and
    age band; written as `rhythm:AFIB`, `sex:male`, `age:60-79`, so that no two sets mix.
    """
    who = cohort.index.select("row", "subject_id")
    subjects = cohort.index.unique("subject_id").sort("subject_id")["subject"].to_list()
    sets = [name for name in cohort.label_sets if not name.startswith("truth.")]
    sets = [name for name in sets if name in ("superclass", "rhythm")] if "superclass" in sets else sets
    carried = [
        cohort.facts("labels").filter(pl.col("name").is_in(sets) & (pl.col("present") > 0))
        .select("row", label=pl.col("name") + ":" + pl.col("code")),
        cohort.facts("category").filter(pl.col("name") == "sex").select("row", label="sex:" + pl.col("value")),
        cohort.facts("value").filter((pl.col("name") == "age") & pl.col("value").is_not_nan())
        .select("row", label="age:" + _band(pl.col("value"))),
    ]  # fmt: skip
    pairs = pl.concat(carried).join(who, on="row").select("subject_id", "label").unique()
    rarest = (
        pairs.with_columns(count=pl.len().over("label"))
        .sort("count", "label")
        .group_by("subject_id", maintain_order=True)
        .agg(pl.col("label").first())
    )
    strata = ["none"] * len(subjects)
    for person, label in rarest.iter_rows():
        strata[person] = label
    return subjects, strata


def _band(age: pl.Expr) -> pl.Expr:
    bands = pl.when(age < 40).then(pl.lit("0-39")).when(age < 60).then(pl.lit("40-59"))
    return bands.when(age < 80).then(pl.lit("60-79")).otherwise(pl.lit("80-"))
