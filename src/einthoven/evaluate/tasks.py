"""Task: what is to be predicted, from which rows of a cohort.

A task is named by a label set, `[source/]SET[@LIKELIHOOD]`: `ptbxl/superclass`, `ptbxl/superclass@50`,
`cinc2017/rhythm`, `label`; by one label of a set, `label:AFIB`; or by a number, `value:age`. PTB-XL's `all` is the set
`scp`. The rules of PTB-XL's six tasks (Strodthoff et al. 2021, helme/ecg_ptbxl_benchmarking) are in the source.
Shapes: N rows of the cohort, K labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from einthoven.cohort.store import Cohort
from einthoven.core.errors import TaskError, nearest

Kind = Literal["multilabel", "exclusive", "value"]


@dataclass(frozen=True, eq=False)
class Task:
    """Labels in order and the truth for every row of the cohort.

    truth_NK: float64, 1 or 0 (a number for `value`), NaN where unknown; a row that knows nothing is outside the task.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    truth_NK: np.ndarray
    unit: str = ""

    @property
    def known(self) -> np.ndarray:
        """Rows that take part, as a mask (N,)."""
        return np.asarray(~np.isnan(self.truth_NK).all(axis=1))


def read(cohort: Cohort, name: str) -> Task:
    """The task of that name on a cohort.

    Raises:
        TaskError: no such label set, label or value (the nearest is named), or a source prefix of another data set.
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
    chosen = "scp" if kind == "all" and "scp" in sets else kind
    if chosen not in sets:
        raise TaskError(name, f"no label set called '{kind}'", fix=nearest(kind, [*sets, "value:NAME"]), reason="task")
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
    return Task(name, "value", (fact,), cohort.values(fact)[:, None], units[0])
