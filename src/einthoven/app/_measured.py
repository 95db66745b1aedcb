"""How an analysis is told: as the document of `--json`, as one row of a table, as text. `measure` calls these.

Samples are counted in the file's own rate, from 0, with two decimals: limits and peaks lie between samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from einthoven.signal._quantities import AMPLITUDES, ONE_NUMBER
from einthoven.signal.analysis import Analysis
from einthoven.signal.marks import WAVES
from einthoven.signal.measurements import Measurement

if TYPE_CHECKING:
    import polars as pl

WHY: dict[str, str] = {
    "no_signal": "no lead is connected, or all are constant",
    "poor_signal": "the signal is too noisy, or too much of it is missing",
    "gaps": "samples are missing where it is measured",
    "lead_off": "the lead is flat or missing",
    "no_beats": "no heartbeat was found",
    "too_few_beats": "too few beats for it",
    "no_p_wave": "no P wave, or in too few beats",
    "no_t_wave": "the T wave was found in too few beats",
    "no_wave": "the lead has no such wave",
    "paced": "the rhythm is paced",
    "varies": "differs too much from beat to beat",
    "small": "the limb leads hardly see this wave",
    "missing_lead": "a lead that it takes is not there",
    "no_units": "the file states no unit",
    "sampling_rate": "the sampling rate is too low",
    "implausible": "outside what is plausible, so withheld",
    "fibrillation": "has no meaning in fibrillation",
}
"""Every reason for a missing value, in words."""

_AT_ONCE = 512
"""Beats of a document, or rows of a table, that are told as Python objects at once."""
_MATRIX = {
    "amp_p": "P", "amp_q": "Q", "amp_r": "R", "amp_s": "S", "amp_r2": "R'", "amp_t": "T", "st_j": "J", "st_j60": "J+60",
}  # fmt: skip
ROW = {"file": str, "key": str, "rate": float, "seconds": float, "leads": str, "beats": int, "verdict": str,
       "score": float, "causes": str, "reversal": str, "no_p": str}  # fmt: skip


def document(name: str, found: Analysis) -> dict[str, Any]:
    """What `einthoven measure FILE --json` prints; beats and waves are iterators."""
    marks, leads = found.found, [str(lead) for lead in found.leads]
    return {
        "file": name, "rate": found.rate, "leads": leads, "samples": found.samples, "engine": marks.engine,
        "beats": (
            {"sample": round(float(sample), 2), "label": str(label), "confidence": round(float(confidence), 4)}
            for sample, label, confidence in zip(marks.beats.sample, marks.beats.label, marks.beats.confidence)
        ),
        "waves": {lead: _waves(marks.lead[:, i]) for i, lead in enumerate(leads)},
        "global": _waves(marks.whole),
        "no_p": marks.no_p,
        "measurements": {name: entry(value) for name, value in found.measurements.items()},
        "quality": found.quality.to_dict(),
        "reversal": {
            "limb": found.reversal.limb, "chest": found.reversal.chest, "checked": found.reversal.checked,
        },
    }  # fmt: skip


def listed(told: Any) -> Any:
    """A document with lists for its iterators."""
    if isinstance(told, dict):
        return {key: listed(value) for key, value in told.items()}
    return list(told) if isinstance(told, Iterator) else told


def _waves(marks_K33: np.ndarray) -> Iterator[dict[str, Any]]:
    """The waves of each beat, some hundred beats at a time."""
    for start in range(0, len(marks_K33), _AT_ONCE):
        for k, points in enumerate(_points(marks_K33[start : start + _AT_ONCE]), start):
            yield {"beat": k, **dict(zip(WAVES, points))}


def entry(found: Measurement) -> dict[str, Any]:
    """One measurement for JSON."""
    out: dict[str, Any] = {
        "value": found.value, "unit": found.unit, "n_beats": found.n_beats, "quality": found.quality,
        "reason": found.reason,
    }  # fmt: skip
    if found.spread is not None:
        out["iqr"] = found.spread
    return out | ({"flag": found.flag} if found.flag else {})


def _points(marks: np.ndarray) -> list[Any]:
    """(..., 3, 3) limits as nested lists of [on, peak, off] with two decimals; None where there is no wave."""
    absent = np.all(np.isnan(marks), axis=-1)
    rounded = np.round(marks, 2)
    torn = np.isnan(rounded)

    def plain(values: Any, gone: Any, holes: Any) -> Any:
        if not isinstance(gone, list):
            return None if gone else [None if hole else value for value, hole in zip(values, holes)]
        return [plain(*inner) for inner in zip(values, gone, holes)]

    return plain(rounded.tolist(), absent.tolist(), torn.tolist())


def row(name: str, key: str, found: Analysis) -> dict[str, Any]:
    """One line of a table: what was read, a column a measurement (empty where missing), and why values are missing."""
    values = found.measurements
    about = {
        "file": name, "key": key, "rate": found.rate, "seconds": round(found.samples / found.rate, 3),
        "leads": " ".join(found.leads), "beats": len(found.found.beats), "verdict": found.quality.verdict,
        "score": round(found.quality.score, 4), "causes": "; ".join(found.quality.causes),
        "reversal": " ".join(filter(None, (found.reversal.limb, found.reversal.chest))), "no_p": found.found.no_p,
    }  # fmt: skip
    missing = " ".join(f"{name}={value.reason}" for name, value in values.items() if value.reason)
    return about | {name: value.value for name, value in values.items()} | {"missing": missing}


class Table:
    """Rows of many recordings, packed into columns as they come: 2 kB a recording and not 20."""

    def __init__(self) -> None:
        self._names: dict[str, None] = {}
        self._rows: list[dict[str, Any]] = []
        self._frames: list[pl.DataFrame] = []

    def add(self, row: dict[str, Any]) -> None:
        self._names |= dict.fromkeys(row)
        self._rows.append(row)
        if len(self._rows) >= _AT_ONCE:
            self._pack()

    def frame(self) -> pl.DataFrame:
        """All rows, with the columns of all recordings; leads in the order of their coming."""
        import polars as pl

        self._pack()
        return pl.concat(self._frames, how="diagonal").select(list(_columns(self._names)))

    def _pack(self) -> None:
        import polars as pl

        self._frames.append(pl.DataFrame(self._rows, schema=_columns(self._names)))
        self._rows = []


def _columns(names: Iterable[str]) -> dict[str, Any]:
    """Columns of a table with rows of these names, and their types."""
    numbers = [name for name in names if name not in ROW and name != "missing"]
    ordered = [name for name in ONE_NUMBER if name in numbers]
    for kind in AMPLITUDES:
        ordered += [name for name in numbers if name.rpartition("_")[0] == kind]
    return {**ROW, **{name: str if name == "regularity" else float for name in ordered}, "missing": str}


def brief(found: Analysis) -> str:
    """The usual numbers in one line."""
    parts = []
    for label, name, unit in (
        ("HR", "hr", "/min"), ("PR", "pr", " ms"), ("QRS", "qrs", " ms"), ("QT", "qt", " ms"),
        ("QTcF", "qtc_fridericia", " ms"), ("axis", "axis_qrs", "°"),
    ):  # fmt: skip
        value = found.measurements[name].value
        parts.append(f"{label} {value:.0f}{unit}" if isinstance(value, float) else f"{label} –")
    swapped = " ".join(word for word in (found.reversal.limb, found.reversal.chest) if word)
    return " · ".join([*parts, found.quality.verdict, *([f"cables swapped: {swapped}?"] if swapped else [])])


def lines(found: Analysis, stated: dict[str, tuple[str, ...]]) -> list[str]:
    """An analysis for people: numbers, what is missing and why, quality."""
    values = found.measurements
    kinds: dict[str, int] = {}
    for label in found.found.beats.label.tolist():
        kinds[label] = kinds.get(label, 0) + 1
    beats = ", ".join(f"{count} {label}" for label, count in sorted(kinds.items(), key=lambda item: -item[1]))
    out = [f"  beats {len(found.found.beats)}" + (f" ({beats})" if beats else "") + f", engine {found.found.engine}"]
    for name in ONE_NUMBER:
        value = values[name]
        if value.reason:
            continue
        unit = "" if value.unit in ("1", "label", "count") else value.unit
        number = value.value if isinstance(value.value, str) else _short(value.value)
        remark = "; ".join(filter(None, (value.flag and f"flag: {value.flag}", *stated.get(name, ()))))
        line = f"  {name:<22}{number:>9} {unit:<6} {value.n_beats:>5} beats  quality {value.quality:.2f}"
        out.append(f"{line}  {remark}".rstrip())
    out += _matrix(found)
    missing: dict[str, list[str]] = {}
    for name in ONE_NUMBER:
        if values[name].reason:
            missing.setdefault(values[name].reason, []).append(name)
    for reason, names in missing.items():
        out.append(f"  not measured, {WHY.get(reason, reason)}: {' '.join(names)}")
    quality = found.quality
    out.append(f"  quality {quality.verdict}, score {quality.score:.3f}" + "".join(f"; {c}" for c in quality.causes))
    for what, word in (("cables", found.reversal.limb), ("chest leads", found.reversal.chest)):
        if word:
            out.append(f"  {what} may be swapped: {word}; look at the recording before anything is believed")
    return out


def _matrix(found: Analysis) -> list[str]:
    """Amplitudes in mV, a row a lead."""
    known = any(not found.measurements[f"{kind}_{lead}"].reason for kind in _MATRIX for lead in found.leads)
    if not known:
        return []
    out = ["  mV      " + "".join(f"{word:>8}" for word in _MATRIX.values())]
    for lead in found.leads:
        cells = [found.measurements[f"{kind}_{lead}"].value for kind in _MATRIX]
        words = [f"{cell:8.2f}" if isinstance(cell, float) else f"{'–':>8}" for cell in cells]
        out.append(f"  {lead:<8}" + "".join(words))
    return out


def _short(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"
