"""From pieces to a whole cohort: one index, one table a kind of facts, the card. The signals are in the shards already.

Everything is written in the order of the plan and in bounded memory; what comes out does not depend on how the
recordings were cut into pieces.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import polars as pl

from einthoven import __version__
from einthoven.cohort import facts
from einthoven.cohort.pieces import listed, save, sizes
from einthoven.cohort.shards import places
from einthoven.cohort.store import INDEX, SCHEMA_VERSION
from einthoven.core import fingerprint
from einthoven.core.errors import OutputError, SourceError
from einthoven.core.facts import LabelSet
from einthoven.core.output import writing

ROWS = 1 << 18
"""Rows of a table that are in memory while it is digested, and in a row group of its file."""


def merge(
    pieces: Sequence[Path], out: Path, card: dict[str, Any], label_sets: Sequence[LabelSet], shard_bytes: int
) -> None:
    """Complete the cohort that these pieces make in the folder `out`, whose `signals` are there.

    Args:
        card: what the source and the settings contribute to the card.

    Raises:
        OutputError: the disk is full or the folder cannot be written.
        SourceError: no recording is left, or a label has a code that its label set does not have.
    """
    parts = [listed(piece) for piece in pieces]
    refused = pl.concat([pl.read_parquet(piece / "refused.parquet") for piece in pieces])
    stated = pl.concat(parts)
    if not len(stated):
        reasons = ", ".join(f"{reason} {count}" for reason, count in _counts(refused["reason"]).items()) or "no files"
        raise SourceError(
            card["source"]["name"], "no recording can be used", got=reasons,
            fix=refused["message"][0] if len(refused) else "check the path", reason="empty",
        )  # fmt: skip
    with writing(out):
        (out / "facts").mkdir()

    index, identical = _index(stated, shard_bytes)
    firsts = list(accumulate((len(part) for part in parts), initial=0))
    digests = {kind: _table(kind, pieces, firsts, out / "facts" / f"{kind}.parquet") for kind in facts.SCHEMAS}
    digests = {kind: digest for kind, digest in digests.items() if digest}
    sets = _label_sets(out / "facts" / "labels.parquet", label_sets)
    save(index, out / "index.parquet")
    save(refused, out / "refused.parquet")

    digests["index"] = _digest([index.drop("shard", "offset")])
    card = card | {
        "kind": "einthoven cohort", "schema": SCHEMA_VERSION, "einthoven": __version__,
        "counts": card["counts"] | {
            "records": len(index), "subjects": index["subject_id"].n_unique(), "refused": len(refused),
            "hours": round(float((index["samples"] / index["rate"]).sum()) / 3600, 3),
        },
        "refused": _counts(refused["reason"]),
        "leads": _counts(index["leads"]), "rates": _counts(index["rate"].map_elements("{:g}".format, pl.String)),
        "subjects": _who(stated["stated"]),
        "identical": identical,
        "constant": int(stated["constant"].sum()),
        "label_sets": sets,
        "digests": digests,
        "fingerprint": fingerprint.of_json({"digests": digests, "label_sets": sets}),
    }  # fmt: skip
    with writing(out), open(out / "card.json", "w", encoding="utf-8") as stream:
        stream.write(fingerprint.to_json(card, indent=1) + "\n")


def _index(stated: pl.DataFrame, shard_bytes: int) -> tuple[pl.DataFrame, list[list[str]]]:
    """The index, and the keys of recordings that are identical, group by group."""
    subject, identical = _subjects(stated)
    shard, offset = places(sizes(stated), shard_bytes)
    index = stated.with_columns(
        row=pl.int_range(pl.len()), subject=subject, shard=pl.Series(shard), offset=pl.Series(offset),
    ).with_columns(subject_id=pl.col("subject").rank("dense") - 1)  # fmt: skip
    return index.select(pl.col(name).cast(dtype) for name, dtype in INDEX.items()), identical


def _subjects(stated: pl.DataFrame) -> tuple[pl.Series, list[list[str]]]:
    """Who each recording is of, when identical recordings are of one person.

    Where the source names nobody the recording's key stands for its own person. A group of identical recordings joins
    all recordings of the persons that it names; the first name in code-point order stays. Recordings in which no lead
    changes are alike whoever they are of, so they join nobody whom the source names.
    """
    named = set(stated["stated"].drop_nulls())
    own = [
        subject if subject is not None else f"record {key}" if key in named else key
        for key, subject in zip(stated["key"], stated["stated"])
    ]
    twins = stated.with_columns(subject=pl.Series(own, dtype=pl.String))
    twins = twins.filter(~pl.col("constant") | pl.col("stated").is_null())
    twins = twins.filter(pl.col("sha256").is_duplicated())
    groups = twins.group_by("sha256", maintain_order=True).agg("key", "subject")
    leader: dict[str, str] = {}

    def lead(subject: str) -> str:
        while (above := leader.get(subject, subject)) != subject:
            subject = above
        return subject

    for members in groups["subject"].to_list():
        first = min(map(lead, members))
        leader |= {lead(member): first for member in members}
    return pl.Series([lead(subject) for subject in own], dtype=pl.String), groups["key"].to_list()


def _table(kind: str, pieces: Sequence[Path], firsts: Sequence[int], place: Path) -> str | None:
    """Write the table of one kind, streaming, and return its digest; None where no piece has such facts."""
    tables = [
        pl.scan_parquet(piece / f"{kind}.parquet").with_columns(pl.col("row") + first)
        for piece, first in zip(pieces, firsts)
        if (piece / f"{kind}.parquet").exists()
    ]
    if not tables:
        return None
    try:
        pl.concat(tables).sink_parquet(
            place, compression="zstd", statistics=False, row_group_size=ROWS, maintain_order=True
        )
    except (OSError, pl.exceptions.PolarsError) as error:
        raise OutputError(
            place, "cannot be written", got=error, fix="choose another place or free some space", reason="output"
        ) from error
    written = pl.scan_parquet(place)
    rows = written.select(pl.len()).collect().item()
    return _digest(written.slice(first, ROWS).collect() for first in range(0, rows, ROWS))


def _digest(frames: Iterable[pl.DataFrame]) -> str:
    """Digest of a table's content, whatever file format, version of polars or row groups it is kept in."""
    states: dict[str, Any] = defaultdict(hashlib.sha256)
    for frame in frames:
        texts = [name for name, dtype in frame.schema.items() if dtype == pl.String]
        lines = pl.col(texts).fill_null("\0").str.replace_all("\n", "\r", literal=True).str.join("\n")
        for name, column in frame.select(lines).to_dict(as_series=False).items():
            states[f"{name} String"].update(f"{column[0]}\n".encode())
        numbers = frame.drop(texts)
        missing, known = numbers.select(pl.all().is_null()), numbers.select(pl.all().fill_null(0))
        for name, dtype in numbers.schema.items():
            states[f"{name} {dtype}"].update(missing[name].to_numpy().tobytes())
            states[f"{name} {dtype}"].update(known[name].to_numpy().tobytes())
    return fingerprint.of_json({name: state.hexdigest() for name, state in states.items()})


def _label_sets(place: Path, declared: Sequence[LabelSet]) -> dict[str, Any]:
    """The label sets for the card: those of the source, and an open one of each other name that labels have."""
    pairs: set[tuple[str, str]] = set()
    if place.exists():
        pairs = set(pl.scan_parquet(place).select("name", "code").unique().collect().iter_rows())
    sets = {chosen.name: chosen for chosen in declared}
    for name in sorted({name for name, _ in pairs} - set(sets)):
        sets[name] = LabelSet(name, "", tuple(sorted(code for other, code in pairs if other == name)), closed=False)
    for name, code in sorted(pairs):
        if code not in sets[name].codes:
            raise SourceError(
                f"label set {name}", f"a recording has the code '{code}'",
                expected=f"one of {len(sets[name].codes)} codes", fix="the source has to list it in its plan",
                reason="label",
            )  # fmt: skip
    return {
        chosen.name: {
            "system": chosen.system, "codes": list(chosen.codes), "closed": chosen.closed,
            "exclusive": chosen.exclusive,
        }
        for chosen in sets.values()
    }  # fmt: skip


def _who(stated: pl.Series) -> str:
    unknown = stated.null_count()
    if not unknown:
        return "stated by the source"
    if unknown == len(stated):
        return "assumed one record per person"
    return f"stated by the source for {len(stated) - unknown} records, for {unknown} assumed one record per person"


def _counts(words: pl.Series) -> dict[str, int]:
    return dict(sorted(Counter(words.to_list()).items()))
