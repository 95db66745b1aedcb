"""Facts of a cohort as arrays, one row a recording, so that a batch takes its facts by row number.

A need is `kind:name`: `labels:superclass` (rows, K), `value:age` (rows,), `category:sex` (rows,). Unknown is NaN, or -1
in a category, never 0. Marks (`waves:reference.waves`) and peaks (`peaks:physiology.waves.global`) are of windows and
not of rows: `data.marks` and `data.moments` cut them; here a recording only counts its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from einthoven.cohort import derive
from einthoven.cohort.derive import PHYSIOLOGY
from einthoven.cohort.store import Cohort
from einthoven.core.errors import CohortError, nearest
from einthoven.data.marks import Marks

KINDS = ("labels", "value", "category", "waves", "peaks")
"""Kinds of facts that are numbers, or become numbers."""


def fact_arrays(cohort: Cohort, needs: Sequence[str]) -> dict[str, np.ndarray]:
    """The needed facts of all recordings.

    Returns:
        By need: labels float32 (rows, K) of 1, 0 and NaN; values float32 (rows,) with NaN; categories int64 (rows,),
        the word's place among the cohort's words in alphabetical order, -1 unknown; waves float32 (rows,), how many
        rows of marks there are, NaN without any.

    Raises:
        CohortError: a need is not `kind:name`, or the cohort has no such fact.
    """
    return {need: _array(cohort, *_split(need)) for need in needs}


def _array(cohort: Cohort, kind: str, name: str) -> np.ndarray:
    if kind == "labels":
        return cohort.labels(name)[1]
    if kind == "value":
        return _values(cohort, name)
    if kind in ("waves", "peaks"):
        return Marks(cohort, name).marked()
    said = cohort.categories(name)
    words = sorted({word for word in said if word is not None})
    place: dict[str | None, int] = {word: i for i, word in enumerate(words)}
    return np.array([place.get(word, -1) for word in said], np.int64)


def _values(cohort: Cohort, name: str) -> np.ndarray:
    if name.startswith(f"{PHYSIOLOGY}."):
        derive.need(cohort)
        if name not in cohort.names("value"):
            return np.full(len(cohort), np.nan, np.float32)
    return cohort.values(name).astype(np.float32)


def _split(need: str) -> tuple[str, str]:
    kind, colon, name = need.partition(":")
    if kind not in KINDS or not colon or not name:
        raise CohortError(
            "facts", f"cannot take '{need}'",
            expected="labels:NAME, value:NAME, category:NAME, waves:NAME or peaks:NAME", fix=nearest(kind, KINDS),
            reason="fact",
        )  # fmt: skip
    return kind, name
