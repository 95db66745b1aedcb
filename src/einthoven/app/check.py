"""`check`: what is in a file, a folder or a cohort, and what is wrong with it; with a checkpoint, what that wants."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

from einthoven import formats
from einthoven.app import findings, shipped
from einthoven.core import recipe
from einthoven.core.errors import CheckpointError, EinthovenError, FormatError
from einthoven.core.layout import Layout
from einthoven.core.leads import LIMB, STANDARD, pick
from einthoven.formats import Mapping
from einthoven.signal import processing

_SHOWN = 20
_LARGEST_CARD = 1 << 24

Kind = tuple[tuple[str, ...], float, int]
"""Leads, rate and samples: what decides how a recording gets into a layout."""


@dataclass(frozen=True)
class Fit:
    """How recordings of one kind get into the layout of a checkpoint. problem: why they cannot, or empty."""

    have: str
    measured: tuple[str, ...] = ()
    derived: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    resampled: str = ""
    windows: str = ""
    problem: str = ""
    recordings: int = 1

    def __str__(self) -> str:
        if self.problem:
            return f"cannot be used: {self.problem}"
        parts = [f"{what} {' '.join(leads)}" for what, leads in (
            ("measured", self.measured), ("derived", self.derived), ("missing", self.missing)) if leads]  # fmt: skip
        return "; ".join([*parts, *(text for text in (self.resampled, self.windows) if text)])


@dataclass(frozen=True)
class Check:
    """What was found at a path. Of `file`, `folder` and `cohort` the one is filled in that the path is."""

    path: str
    kind: str
    file: dict[str, Any] = field(default_factory=dict)
    folder: dict[str, Any] = field(default_factory=dict)
    cohort: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    refused: tuple[dict[str, str], ...] = ()
    wants: dict[str, Any] = field(default_factory=dict)
    fits: tuple[Fit, ...] = ()
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        about = {
            key: value for key, value in asdict(self).items() if key not in ("exit_code", "file", "folder", "cohort")
        }
        return about | {self.kind: getattr(self, self.kind)}

    def __str__(self) -> str:
        lines = [f"{self.path}: {self.kind}"]
        lines += [
            f"  {name.replace('_', ' '):<12}{_words(value)}"
            for name, value in getattr(self, self.kind).items()
            if value
        ]
        lines += [f"  ! {warning}" for warning in self.warnings]
        if self.refused:
            lines.append(f"  {len(self.refused)} refused")
            lines += [f"    {row['reason']}: {row['message']}" for row in self.refused[:_SHOWN]]
            lines += [f"    and {len(self.refused) - _SHOWN} more"] * (len(self.refused) > _SHOWN)
        if self.wants:
            lines.append(f"  the checkpoint wants {_wanted(self.wants)}")
            lines += [f"    {fit.recordings} x {fit.have}: {fit}" for fit in self.fits[:_SHOWN]]
        return "\n".join(lines)


def check(
    path: str | Path,
    *,
    checkpoint: str | Path | None = None,
    rate: float | None = None,
    unit: str | None = None,
    lead: str | None = None,
    column: str | None = None,
) -> Check:
    """Say what is at a path.

    Args:
        path: a recording, a folder of recordings, or a cohort.
        checkpoint: a checkpoint, export or run folder, or a shipped name: say what it wants and what of that is
            missing here.
        rate, unit, lead, column: what the files do not state.

    Raises:
        EinthovenError: the path is one recording that cannot be read, a folder without recordings, or a damaged cohort;
            or the checkpoint has no readable card.
    """
    path = Path(path)
    layout = _layout(shipped.folder(checkpoint)) if checkpoint is not None else None
    if (path / "card.json").is_file():
        return _check_cohort(path, layout)
    if path.is_dir():
        return _check_folder(path, Mapping(rate, unit, lead, column, strict=False), layout)
    record = formats.read(path, Mapping(rate, unit, lead, column))
    found = findings.look_at(record)
    about = {"format": formats.format_of(path), "dialect": formats.describe(path), **found.to_dict()}
    warnings = about.pop("warnings")
    return Check(
        str(path), "file", file=about, warnings=warnings, wants=layout.to_dict() if layout else {},
        fits=(_fit(record.leads, record.rate, record.samples, layout),) if layout else (),
    )  # fmt: skip


def _check_folder(folder: Path, mapping: Mapping, layout: Layout | None) -> Check:
    files = formats.find(folder)
    if not files:
        raise FormatError(
            folder, "holds no recording", expected="WFDB, CSV or .npy files", got=_kinds(folder) or "an empty folder",
            fix="name the folder with the recordings", reason="empty",
        )  # fmt: skip
    tallies: dict[str, Counter[str]] = {what: Counter() for what in ("formats", "leads", "rates")}
    seconds: list[float] = []
    kinds: Counter[Kind] = Counter()
    warnings: dict[str, list[str]] = {}
    refused = []
    for file in files:
        name = file.relative_to(folder).as_posix()
        try:
            record = formats.read(file, mapping)
        except EinthovenError as error:
            refused.append({
                "file": name, "reason": error.reason, "message": str(error).replace(str(file), name),
            })  # fmt: skip
            continue
        standard = set(record.leads) == set(STANDARD)
        tallies["formats"][formats.format_of(file)] += 1
        tallies["leads"]["12 standard leads" if standard else " ".join(record.leads)] += 1
        tallies["rates"][f"{record.rate:g} Hz"] += 1
        seconds.append(round(record.seconds, 3))
        kinds[record.leads, record.rate, record.samples] += 1
        for warning in findings.look_at(record).warnings:
            warnings.setdefault(warning.partition(":")[0], []).append(name)
    about: dict[str, Any] = {"recordings": len(files) - len(refused), "refused": len(refused)}
    about |= {what: dict(tally.most_common()) for what, tally in tallies.items()}
    if seconds:
        about["seconds"] = {"shortest": min(seconds), "median": median(seconds), "longest": max(seconds)}
    about["reasons"] = dict(Counter(row["reason"] for row in refused).most_common())
    about["not_told"] = "people, labels and splits: these come with a table or with a source of `prepare`"
    return Check(
        str(folder), "folder", folder=about, refused=tuple(refused), wants=layout.to_dict() if layout else {},
        warnings=tuple(f"{what}: {len(names)} recordings, such as {names[0]}" for what, names in warnings.items()),
        fits=_fits(kinds, layout),
    )  # fmt: skip


def _check_cohort(path: Path, layout: Layout | None) -> Check:
    from einthoven.cohort.store import Cohort

    cohort = Cohort.open(path)
    kinds: Counter[Kind] = Counter(
        (cohort.leads(row), rate, samples)
        for row, (rate, samples) in enumerate(cohort.index.select("rate", "samples").iter_rows())
    )
    wanted = ("source", "counts", "leads", "rates", "subjects", "refused", "notes", "fingerprint")
    about = {key: cohort.card[key] for key in wanted if cohort.card.get(key)}
    about["label_sets"] = {name: len(labels.codes) for name, labels in cohort.label_sets.items()}
    refused = tuple({"file": row["path"], "reason": row["reason"], "message": row["message"]}
                    for row in cohort.refused.iter_rows(named=True))  # fmt: skip
    return Check(
        str(path), "cohort", cohort=about, refused=refused, wants=layout.to_dict() if layout else {},
        fits=_fits(kinds, layout),
    )  # fmt: skip


def _layout(checkpoint: Path) -> Layout:
    """The layout on a checkpoint's card; the weights, and torch, are not touched."""
    places = [checkpoint / name for name in ("best/config.json", "config.json", "layout.json")]
    card = next((place for place in places if place.is_file()), places[1])
    try:
        if card.stat().st_size > _LARGEST_CARD:
            raise CheckpointError(card, "is too large for a card", reason="card")
        layout = json.loads(card.read_bytes())["layout"]
        return Layout(**recipe.check(Layout, layout, f"{card} layout"))
    except OSError as error:
        raise CheckpointError(
            checkpoint, "is no checkpoint", expected="a folder with config.json", got=error.strerror or error,
            fix="name a checkpoint folder or a run folder", reason="missing",
        ) from error  # fmt: skip
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, EinthovenError):
            raise
        raise CheckpointError(
            card, "is no card of a checkpoint", expected="a layout", got=error, reason="card"
        ) from error


def _fits(kinds: Counter[Kind], layout: Layout | None) -> tuple[Fit, ...]:
    """One line for all recordings that fare alike, the most frequent first."""
    if layout is None:
        return ()
    alike: Counter[Fit] = Counter()
    for (leads, rate, samples), count in kinds.items():
        alike[_fit(leads, rate, samples, layout)] += count
    return tuple(replace(fit, recordings=count) for fit, count in alike.most_common())


def _fit(leads: Sequence[str], rate: float, samples: int, layout: Layout) -> Fit:
    have = f"{' '.join(leads)} at {rate:g} Hz"
    try:
        _, status = pick(leads, layout.leads, "recording")
        length = processing.window_length(rate, layout)
        count = len(processing.starts(samples, rate, layout))
    except EinthovenError as error:
        return Fit(have, problem=str(error))
    if set(status) == {"missing"}:
        return Fit(have, missing=tuple(layout.leads), problem=f"none of the leads {' '.join(layout.leads)} is there")
    wanted = layout.leads if status != ("measured",) or len(leads) != 1 else leads  # `any` is the one lead there is
    pair = " and ".join([lead for lead in LIMB if lead in leads][:2])
    by = {what: tuple(lead for lead, how in zip(wanted, status) if how == what) for what in set(status)}
    derived = tuple(f"{lead} (of {pair})" for lead in by.get("derived", ()))
    resampled = "" if rate == layout.rate else f"resampled from {rate:g} to {layout.rate:g} Hz"
    windows = f"{count} windows of {layout.seconds:g} s" if count > 1 else f"1 window of {layout.seconds:g} s"
    if samples < length:
        windows = f"1 window of its own {samples / rate:g} s, shorter than {layout.seconds:g} s"
    return Fit(have, by.get("measured", ()), derived, by.get("missing", ()), resampled, windows)


def _kinds(folder: Path) -> str:
    """Suffixes of the files that are there, for people who named the wrong folder."""
    found = Counter(file.suffix or "no suffix" for file in folder.rglob("*") if file.is_file())
    return ", ".join(f"{count} {suffix}" for suffix, count in found.most_common(5))


def _wanted(layout: dict[str, Any]) -> str:
    band = layout["band"]
    filtered = f"band {band[0]:g}-{band[1]:g} Hz of order {layout['order']} (0: open)" if band else "no filter"
    scale = f"divided by {layout['divisor']:g} mV" if layout["scale"] == "fixed" else f"scale {layout['scale']}"
    return f"{' '.join(layout['leads'])}, {layout['rate']:g} Hz, {layout['seconds']:g} s, {filtered}, {scale}"


def _words(value: Any) -> str:
    """A value on one line; of long tables the beginning."""
    if isinstance(value, dict):
        items = list(value.items())
        more = f", and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
        return ", ".join(f"{key}: {_words(item)}" for key, item in items[:_SHOWN] if item not in ("", {}, None)) + more
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
