"""Task: what is to be predicted, from which rows of a cohort.

A task is named by a label set, `[source/]SET[@LIKELIHOOD]`: `ptbxl/superclass`, `ptbxl/superclass@50`,
`cinc2017/rhythm`, `label`; by one label of a set, `label:AFIB`; by a number, `value:age`; or `physiology`, the
measurements that `einthoven derive physiology` adds. PTB-XL's `all` is the set `scp`. The rules of PTB-XL's six tasks
(Strodthoff et al. 2021, helme/ecg_ptbxl_benchmarking) are in the source. Shapes: N rows of the cohort, K labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from einthoven.cohort.store import Cohort
from einthoven.core.errors import TaskError, nearest
from einthoven.evaluate import numbers

Kind = Literal["multilabel", "exclusive", "value"]
PHYSIOLOGY = "physiology"
DECODED: dict[str, numbers.Form] = {
    "hr": "plain", "pr": "plain", "qrs": "plain", "qtc_fridericia": "plain", "axis_qrs": "angle", "rmssd": "log1p",
    "st_j60_V2": "plain",
}  # fmt: skip
"""The measurements of the task `physiology`, and as what each is learnt (methods/physioclr.md 11, H1)."""


@dataclass(frozen=True, eq=False)
class Task:
    """Labels in order and the truth for every row of the cohort.

    truth_NK: float64, 1 or 0 (a number for `value`), NaN where unknown; a row that knows nothing is outside the task.
    labels of a `value` task are named as in `numbers`; units: of their numbers, one a label.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    truth_NK: np.ndarray
    units: tuple[str, ...] = ()

    @property
    def known(self) -> np.ndarray:
        """Rows that take part, as a mask (N,)."""
        return np.asarray(~np.isnan(self.truth_NK).all(axis=1))

    @property
    def unit_of(self) -> dict[str, str]:
        """The unit of each number."""
        units = dict(zip(self.labels, self.units, strict=True))
        return {number.name: units[number.columns[0]] for number in numbers.of(self.labels)}

    @property
    def measured(self) -> bool:
        """Whether the truth was measured in the signal, so that a row of measurements would be given it."""
        bare = self.name.rpartition("/")[2]
        return self.kind == "value" and (bare == PHYSIOLOGY or bare.startswith(f"value:{PHYSIOLOGY}."))


def read(cohort: Cohort, name: str) -> Task:
    """The task of that name on a cohort.

    Raises:
        TaskError: no such label set, label or value (the nearest is named), a source prefix of another data set, or
            measurements that were not derived (the command that does is named).
    """
    source = cohort.card["source"]["name"]
    prefix, slash, rest = name.rpartition("/")
    if slash and prefix != source:
        raise TaskError(name, "is a task of another source", expected=f"{source}/...", got=prefix, reason="task")
    if rest.startswith("truth."):
        raise TaskError(name, "truth is for evaluation of measurements only", fix="choose a label set", reason="task")
    subject, at, likelihood = rest.partition("@")
    kind, colon, one = subject.partition(":")
    if kind == "value" and colon:
        return _number(cohort, name, one)
    sets = cohort.label_sets
    if rest == PHYSIOLOGY and PHYSIOLOGY not in sets:
        return _physiology(cohort, name)
    chosen = "scp" if kind == "all" and "scp" in sets else kind
    if chosen not in sets:
        known = [*sets, PHYSIOLOGY, "value:NAME"]
        raise TaskError(name, f"no task or label set called '{kind}'", fix=nearest(kind, known), reason="task")
    codes, truth_NK = cohort.labels(chosen, likelihood=_likelihood(name, likelihood) if at else None)
    if colon:
        if one not in codes:
            raise TaskError(name, f"no label called '{one}' in {chosen}", fix=nearest(one, codes), reason="task")
        codes, truth_NK = (one,), truth_NK[:, [codes.index(one)]]
    exclusive = sets[chosen].exclusive and not colon
    return Task(name, "exclusive" if exclusive else "multilabel", tuple(codes), np.asarray(truth_NK, np.float64))


def _likelihood(name: str, text: str) -> float:
    if text == "positive":
        return float(np.nextafter(0, 1))
    try:
        return float(text)
    except ValueError:
        raise TaskError(
            name, "likelihood is wrong", expected="a percentage or 'positive'", got=text, reason="task"
        ) from None  # fmt: skip


def _number(cohort: Cohort, name: str, fact: str) -> Task:
    rows = cohort.facts("value").filter(pl.col("name") == fact)
    if not len(rows):
        raise TaskError(name, f"no value called '{fact}'", fix=nearest(fact, cohort.names("value")), reason="task")
    units = rows["unit"].unique().to_list()
    if len(units) > 1:
        raise TaskError(name, "has several units", expected="one unit", got=units, fix="convert the table first")
    return Task(name, "value", (fact,), cohort.values(fact)[:, None], (units[0],))


def _physiology(cohort: Cohort, name: str) -> Task:
    """Measurements of `DECODED`, each unknown where it was not measured; one that nobody has is left out."""
    have = cohort.facts("value").filter(pl.col("name").is_in([f"{PHYSIOLOGY}.{one}" for one in DECODED]))
    unit_of = dict(have.select("name", "unit").unique().rows())
    if not unit_of:
        raise underived(cohort)
    truth, units = {}, []
    for one, form in DECODED.items():
        if (fact := f"{PHYSIOLOGY}.{one}") in unit_of:
            columns = numbers.learnt(one, cohort.values(fact), form)
            truth |= columns
            units += [unit_of[fact]] * len(columns)
    return Task(name, "value", tuple(truth), np.stack(list(truth.values()), axis=1), tuple(units))


def underived(cohort: Cohort) -> TaskError:
    """The error of a cohort without measurements, with the command that makes them."""
    fix = f"einthoven derive {PHYSIOLOGY} {cohort.path}"
    return TaskError(cohort.path, "has no measurements", fix=fix, reason="features")
