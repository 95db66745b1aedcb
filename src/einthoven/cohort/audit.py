"""Look a cohort through before any number is made from it: leakage, damage, units, leads, labels told by metadata.

`audit` returns plain tables and a list of findings. A `leak` is a person, or the same recording, on both sides of a
split; `damage` are samples that are not those prepared; a `warning` is for people to judge. Recordings go by their key.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import polars as pl

from einthoven.cohort import duplicates, limb, metadata, near, quality, splits
from einthoven.cohort.store import Cohort
from einthoven.core import leads as lead_names
from einthoven.core.errors import TaskError

SMALL_MV, LARGE_MV = 0.1, 10.0
"""The largest range of a recording's leads is mostly within these; outside, unit or contact are in doubt."""

MANY, SAME_SHARE = 20, 0.01
"""From so many recordings on, a middle half of amplitudes this close together (share of the median) is no chance."""

SHOWN = 200
"""Keys that a finding lists; their number is always told."""

_NEAR = "nearly equal recordings (median beat and samples correlate from 0.999 on)"

Kind = Literal["leak", "damage", "warning"]


@dataclass(frozen=True)
class Finding:
    """One thing to know. keys: recordings (or groups of them, joined by `=`), at most `SHOWN` of `count`."""

    kind: Kind
    what: str
    count: int
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Audit:
    """What was found in a cohort; lists of dicts are tables, one dict a row."""

    card: dict[str, Any]
    findings: tuple[Finding, ...]
    kinds: list[dict[str, Any]]
    amplitude: list[dict[str, Any]]
    parts: list[dict[str, Any]]
    labels: list[dict[str, Any]]
    identical: list[list[str]]
    same_beginning: list[list[str]]
    near: list[list[str]]
    giveaways: list[dict[str, Any]] | None = field(default=None)

    @property
    def leaks(self) -> bool:
        """Whether a person or a recording stands on both sides of a split."""
        return any(finding.kind == "leak" for finding in self.findings)

    @property
    def damaged(self) -> bool:
        return any(finding.kind == "damage" for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"leaks": self.leaks, "damaged": self.damaged}


def audit(cohort: Cohort) -> Audit:
    """Examine a cohort; memory does not grow with it, save for one row a recording and lead.

    giveaways is None where scikit-learn is not installed.
    """
    examined = quality.examine(cohort)
    same, alike = duplicates.identical(cohort), duplicates.same_beginning(cohort)
    constant = _constant(examined.leads)
    same = [live for group in same if len(live := [row for row in group if row not in constant]) > 1]
    parts, findings = _split(cohort)
    close = [list(pair) for pair in near.near_duplicates(cohort)]
    findings += _leaks(cohort, parts, same, alike, close)
    amplitude = _amplitude(examined.leads)
    findings += _signals(cohort, examined, amplitude)
    try:
        giveaways = [asdict(one) for one in metadata.giveaways(cohort)]
    except ModuleNotFoundError:
        giveaways = None
    if giveaways:
        worst = ", ".join(f"{one['code']} {one['auroc']:.2f} by {one['by']}" for one in giveaways[:3])
        findings.append(Finding("warning", f"labels can be told from metadata alone: {worst}", len(giveaways)))
    keys = cohort.index["key"]
    return Audit(
        card={key: value for key, value in cohort.card.items() if key not in ("label_sets", "digests")},
        findings=tuple(sorted(findings, key=lambda one: ("leak", "damage", "warning").index(one.kind))),
        kinds=_kinds(cohort), amplitude=amplitude, parts=_counts(cohort, parts),
        labels=_labels(cohort, parts.get("official")), identical=[[keys[row] for row in group] for group in same],
        same_beginning=[[keys[row] for row in group] for group in alike],
        near=[[keys[row] for row in group] for group in close], giveaways=giveaways,
    )  # fmt: skip


# Leakage


def _split(cohort: Cohort) -> tuple[dict[str, np.ndarray], list[Finding]]:
    """The part of each recording in each split that can be made, and what is wrong with them."""
    parts, findings = {}, []
    for split in splits.SPLITS:
        try:
            parts[split] = splits.assign(cohort, split)
        except TaskError as error:
            findings.append(Finding("warning", f"split {split} cannot be used: {error.what}", 1))
            continue
        shared = splits.shared_subjects(cohort, parts[split])
        if shared:
            mine = cohort.index.filter(pl.col("subject").is_in(shared)).sort("subject", "row")
            groups = mine.group_by("subject", maintain_order=True).agg("row")["row"].to_list()
            findings.append(_groups("leak", f"persons in more than one part of {split}", cohort, groups))
    return parts, findings


def _leaks(
    cohort: Cohort, parts: dict[str, np.ndarray], same: list[list[int]], alike: list[list[int]], close: list[list[int]]
) -> list[Finding]:
    subject = cohort.index["subject_id"].to_numpy()
    findings = []
    apart = [group for group in same if len(set(subject[group])) > 1]
    findings.append(_groups("leak", "identical recordings under different persons", cohort, apart))
    kinds = (("identical recordings", same), ("recordings with an equal first 5 s", alike), (_NEAR, close))
    for what, groups in kinds:
        for split, part in parts.items():
            torn = [group for group in groups if len(set(part[group]) - {""}) > 1]
            findings.append(_groups("leak", f"{what} in different parts of {split}", cohort, torn))
    stated = cohort.card["subjects"]
    if not stated.startswith("stated by the source") or "assumed" in stated:
        findings.append(Finding("warning", f"persons: {stated}", 1))
    findings.append(_groups("warning", "identical recordings, joined in one person", cohort, same))
    findings.append(_groups("warning", "recordings with an equal first 5 s", cohort, alike))
    findings.append(_groups("warning", _NEAR, cohort, close))
    return [finding for finding in findings if finding.count]


def _groups(kind: Kind, what: str, cohort: Cohort, groups: list[list[int]]) -> Finding:
    keys = cohort.index["key"]
    return Finding(kind, what, len(groups), tuple(" = ".join(keys[row] for row in group) for group in groups[:SHOWN]))


# Signals


def _signals(cohort: Cohort, examined: quality.Examined, amplitude: list[dict[str, Any]]) -> list[Finding]:
    leads = examined.leads
    swing = pl.col("swing")
    swings = leads.group_by("row").agg(swing=(pl.col("high") - pl.col("low")).max())
    disagree = limb.disagreements(examined.limb)
    checked = sum(len(rows) for rows, _ in examined.limb.values())
    findings = [
        _rows("damage", "recordings whose samples are not those that were prepared", cohort, examined.damaged),
        _rows("warning", f"no lead swings by {SMALL_MV:g} mV", cohort, swings.filter(swing < SMALL_MV)["row"]),
        _rows("warning", f"a lead swings by over {LARGE_MV:g} mV", cohort, swings.filter(swing > LARGE_MV)["row"]),
        _equal(amplitude),
        _rows("warning", "no lead ever changes: nothing was connected", cohort, _constant(leads)),
        _leads("a lead never changes", cohort, leads.filter("flat")),
        _leads("a lead has no sample", cohort, leads.filter(pl.col("missing") == 1)),
        _leads("a lead has gaps", cohort, leads.filter((pl.col("missing") > 0) & (pl.col("missing") < 1))),
        _leads("a lead stays at its extreme value (clipped)", cohort, leads.filter("clipped")),
        Finding(
            "warning", f"limb leads disagree with Einthoven's identity (of {checked} recordings checked)",
            len(disagree),
            tuple(
                f"{cohort.index['key'][row]} ({lead} off by {residual:.2g} mV{hint and ', '}{hint})"
                for row, lead, residual, hint in disagree.head(SHOWN).iter_rows()
            ),
        ),
    ]  # fmt: skip
    return [finding for finding in findings if finding.count]


def _constant(leads: pl.DataFrame) -> set[int]:
    """Recordings in which no lead changes: they are alike whoever they are of, and say nothing about leakage."""
    silent = leads.group_by("row").agg((pl.col("flat") | (pl.col("missing") == 1)).all().alias("silent"))
    return set(silent.filter("silent")["row"])


def _equal(amplitude: list[dict[str, Any]]) -> Finding:
    """Leads that swing by the same in every recording: somebody has scaled them, and voltages mean nothing any more."""
    scaled = [
        row["lead"]
        for row in amplitude
        if row["records"] >= MANY and row["q50"] and row["q75"] - row["q25"] < SAME_SHARE * row["q50"]
    ]
    what = f"leads that swing by the same in all recordings, as if scaled to it: {' '.join(scaled)}"
    return Finding("warning", what, len(scaled))


def _rows(kind: Kind, what: str, cohort: Cohort, rows: Iterable[int]) -> Finding:
    rows = sorted(rows)
    return Finding(kind, what, len(rows), tuple(cohort.index["key"][row] for row in rows[:SHOWN]))


def _leads(what: str, cohort: Cohort, table: pl.DataFrame) -> Finding:
    """One entry a recording, with the names of its leads."""
    by_row = table.group_by("row", maintain_order=True).agg(pl.col("lead").str.join(" ")).sort("row")
    keys = tuple(f"{cohort.index['key'][row]} ({names})" for row, names in by_row.head(SHOWN).iter_rows())
    return Finding("warning", what, len(by_row), keys)


# Tables


def _kinds(cohort: Cohort) -> list[dict[str, Any]]:
    """Recordings by leads and rate, with their lengths in seconds."""
    seconds = pl.col("samples") / pl.col("rate")
    return (
        cohort.index.group_by("leads", "rate")
        .agg(
            records=pl.len(), subjects=pl.col("subject_id").n_unique(), shortest=seconds.min(), median=seconds.median(),
            longest=seconds.max(),
        )
        .sort("records", "leads", "rate", descending=[True, False, False])
        .to_dicts()
    )  # fmt: skip


def _amplitude(leads: pl.DataFrame) -> list[dict[str, Any]]:
    """Largest minus smallest value in mV, lead by lead: quantiles over recordings, and counts of what is odd."""
    swing = pl.col("high") - pl.col("low")
    table = leads.group_by("lead", maintain_order=True).agg(
        records=pl.len(),
        **{f"q{int(100 * q):02d}": swing.quantile(q, "linear") for q in (0.01, 0.25, 0.5, 0.75, 0.99)},
        flat=pl.col("flat").sum(), clipped=pl.col("clipped").sum(), missing=(pl.col("missing") > 0).sum(),
    )  # fmt: skip
    place = {lead: i for i, lead in enumerate(lead_names.KNOWN)}
    return sorted(table.to_dicts(), key=lambda row: (place.get(row["lead"], len(place)), row["lead"]))


def _counts(cohort: Cohort, parts: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """Records and subjects in each part of each split."""
    subject = cohort.index["subject_id"].to_numpy()
    table = []
    for split, part in parts.items():
        row: dict[str, Any] = {"split": split}
        for name in splits.PARTS:
            row |= {f"{name} records": int((part == name).sum()), f"{name} subjects": _people(subject[part == name])}
        table.append(row)
    return table


def _labels(cohort: Cohort, part: np.ndarray | None) -> list[dict[str, Any]]:
    """Records and subjects that carry each label, in all and in the parts of the official split."""
    subject = cohort.index["subject_id"].to_numpy()
    table = []
    for name in cohort.label_sets:
        codes, truth = cohort.labels(name)
        for k, code in enumerate(codes):
            carries = truth[:, k] == 1
            row = {
                "label set": name, "code": code, "records": int(carries.sum()), "subjects": _people(subject[carries]),
                "unknown": int(np.isnan(truth[:, k]).sum()),
            }  # fmt: skip
            for where in splits.PARTS if part is not None else ():
                row[f"{where} subjects"] = _people(subject[carries & (part == where)])
            table.append(row)
    return table


def _people(subjects: np.ndarray) -> int:
    return len(np.unique(subjects))
