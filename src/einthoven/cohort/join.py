"""Several cohorts as one, without copying: their recordings one after the other (docs/decisions/013-joined-cohorts.md).

A person is a name within a source, so two cohorts of one source share persons and two sources never do; a collection
and a cohort of what it was collected from, whose names of persons do not agree, are not joined. Each member is dealt
into parts by itself: a split of the joined cohort never tests on whom a split of that name trains on elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import polars as pl

from einthoven.cohort import facts as tables
from einthoven.cohort.store import Cohort
from einthoven.core import fingerprint
from einthoven.core.errors import CohortError


class Joined(Cohort):
    """Cohorts laid end to end; rows of the first come first.

    Raises:
        CohortError: two members have label sets of one name with other codes, or the same persons by other names.
    """

    def __init__(self, members: Sequence[Cohort]) -> None:
        self.members = tuple(members)
        _refuse_strangers(members)
        self._first_row = _starts([len(member) for member in members])
        self._first_shard = _starts([_shards(member) for member in members])
        index = pl.concat(
            member.index.with_columns(
                row=pl.col("row") + row, shard=(pl.col("shard") + shard).cast(pl.Int32),
                subject=pl.lit(f"{member.card['source']['family']} ") + pl.col("subject"),
            )
            for member, row, shard in zip(members, self._first_row, self._first_shard)
        ).with_columns(subject_id=(pl.col("subject").rank("dense") - 1).cast(pl.Int64))  # fmt: skip
        sets: dict[str, Any] = {}
        for member in members:
            for name, entry in member.card["label_sets"].items():
                if sets.setdefault(name, entry) != entry:
                    raise CohortError(
                        member.path, f"label set '{name}' is not that of the cohort before", got=entry["codes"],
                        expected=sets[name]["codes"], fix="join cohorts whose label sets agree", reason="join",
                    )  # fmt: skip
        card = {
            "schema": members[0].card["schema"], "label_sets": sets,
            "source": {
                "family": " + ".join(dict.fromkeys(m.card["source"]["family"] for m in members)),
                "families": sorted(set().union(*(families(m.card["source"]) for m in members))),
            },
            "members": [member.fingerprint for member in members],
            "counts": {"records": len(index), "subjects": index["subject_id"].n_unique()},
            "fingerprint": fingerprint.of_json([member.fingerprint for member in members]),
        }  # fmt: skip
        card |= {"derived": _derived(members)}
        super().__init__(members[0].path, card, index, pl.concat(member.refused for member in members))

    def __repr__(self) -> str:
        return f"Joined({', '.join(map(repr, self.members))})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (Joined, (self.members,))

    def facts(self, kind: str) -> pl.DataFrame:
        """All facts of a kind, as of one cohort."""
        if kind not in self._facts and kind in tables.SCHEMAS:
            self._facts[kind] = pl.concat(
                member.facts(kind).with_columns(row=pl.col("row") + row)
                for member, row in zip(self.members, self._first_row)
            )
        return super().facts(kind)

    def _shard_path(self, shard: int) -> Path:
        at = max(i for i, first in enumerate(self._first_shard) if first <= shard)
        return self.members[at]._shard_path(shard - self._first_shard[at])


def open_all(paths: str | Path | Sequence[str | Path]) -> Cohort:
    """The cohort of one path, or several joined.

    Raises:
        CohortError: no cohort, or they cannot be joined.
    """
    if isinstance(paths, str | Path):
        return Cohort.open(paths)
    members = [Cohort.open(path) for path in paths]
    if not members:
        raise CohortError("[data] cohort", "names none", expected="at least one folder", reason="empty")
    return members[0] if len(members) == 1 else Joined(members)


def families(source: Mapping[str, Any]) -> set[str]:
    """Families that a cohort's card, or a checkpoint's, tells of; several in joins and collections."""
    return set(source.get("families") or filter(None, [source.get("family")]))


def _refuse_strangers(members: Sequence[Cohort]) -> None:
    for other, one in combinations(members, 2):
        mine, theirs = one.card["source"], other.card["source"]
        shared = sorted(families(mine) & families(theirs))
        if shared and mine["family"] != theirs["family"]:
            raise CohortError(
                one.path, f"has persons of {' and '.join(shared)} by other names than {other.path.name}",
                expected="cohorts of one source, or of sources apart", got=f"{mine['family']}, {theirs['family']}",
                fix="prepare the parts of the collection that you want: --set part=...", reason="join",
            )  # fmt: skip


def _derived(members: Sequence[Cohort]) -> dict[str, Any]:
    """What was derived from every member, and by which engines."""
    each = [member.card.get("derived", {}) for member in members]
    return {
        what: {
            "engine": " + ".join(dict.fromkeys(one[what]["engine"] for one in each)),
            "fingerprint": fingerprint.of_json([one[what]["fingerprint"] for one in each]),
        }
        for what in each[0] if all(what in one for one in each)
    }  # fmt: skip


def _starts(counts: Sequence[int]) -> list[int]:
    return [sum(counts[:i]) for i in range(len(counts))]


def _shards(cohort: Cohort) -> int:
    return int(cohort.index["shard"].max()) + 1 if len(cohort) else 0  # type: ignore[arg-type, operator]
