"""The same recording twice: identical samples, or an equal first five seconds in recordings of different length.

Whole recordings are compared by the SHA-256 that `prepare` stored (leads sorted, so their order does not matter). The
beginning is brought to 100 Hz and rounded to 20 microvolts before it is hashed; a beginning that is constant says
nothing and is left out. Copies are found, not likeness: a copy that was filtered or resampled differs in some step.
"""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl

from einthoven.cohort.quality import batches
from einthoven.cohort.store import MISSING, Cohort
from einthoven.core import leads as lead_names
from einthoven.core.errors import LayoutError
from einthoven.signal.resampling import resample

SECONDS, RATE, STEP_UV = 5, 100, 20


def identical(cohort: Cohort) -> list[list[int]]:
    """Groups of recordings whose samples are the same."""
    return _groups(cohort.index.select("row", digest="sha256"))


def same_beginning(cohort: Cohort) -> list[list[int]]:
    """Groups of recordings that begin alike, without those that are identical as a whole."""
    whole = dict(zip(cohort.index["row"], cohort.index["sha256"]))
    digests = pl.DataFrame(_beginnings(cohort), {"row": pl.Int64(), "digest": pl.String()}, orient="row")
    return [group for group in _groups(digests) if len({whole[row] for row in group}) > 1]


def _groups(digests: pl.DataFrame) -> list[list[int]]:
    twins = digests.filter(pl.col("digest").is_duplicated()).sort("row")
    return twins.group_by("digest", maintain_order=True).agg("row")["row"].to_list()


def _beginnings(cohort: Cohort) -> list[tuple[int, str]]:
    found = []
    for rows, names in batches(cohort):
        rate, samples = cohort.index["rate"][int(rows[0])], cohort.index["samples"][int(rows[0])]
        stored = cohort.gather(rows, np.zeros(len(rows), np.int64), min(samples, round(SECONDS * rate)))
        order = lead_names.order(names)
        filled = np.where(stored == MISSING, 0, stored)[:, :, order].transpose(0, 2, 1).astype(np.float32)
        try:
            coarse = np.rint(resample(filled, rate, RATE) / STEP_UV).astype(np.int16, order="C")
        except LayoutError:  # a rate that has no simple ratio to 100 Hz; identical recordings are found all the same
            continue
        live = (coarse != coarse[:, :, :1]).any(axis=(1, 2))
        found += [(int(rows[i]), hashlib.sha256(coarse[i].data).hexdigest()) for i in np.flatnonzero(live)]
    return found
