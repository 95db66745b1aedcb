"""The recordings that all programs get, as npz, and what is known about them.

| set | recordings | known |
| --- | --- | --- |
| ludb | all, 10 s | every wave of every lead |
| qtdb | from 10 s before the first marked beat to 10 s after the last | the cardiologists' beats |
| mitdb | all, half an hour | every beat |
| nstdb | 118e00: electrode motion at 0 dB | every beat |
| ptbxl-af, cinc2017-af | atrial fibrillation and flutter; fibrillation | there is no P wave |
| ptbxl-sinus, -1avb, -sarrh, -pac, -pvc | sinus rhythm, and with those statements | there are P waves |

The last kinds are sampled: the first recordings by the SHA-256 of their key, unless all are asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from einthoven.core.facts import Event, Label, Waves
from einthoven.core.record import Record
from einthoven.sources import Item, Plan
from einthoven.sources.cinc2017 import Cinc2017
from einthoven.sources.ludb import Ludb
from einthoven.sources.mitdb import Mitdb
from einthoven.sources.ptbxl import Ptbxl
from einthoven.sources.qtdb import Qtdb

AROUND_S = 10.0
SAMPLED = 40
NO_SINUS = {"AFIB", "AFLT", "PACE", "SVTAC", "PSVT", "BIGU", "TRIGU", "SVARR"}

WHOLE = ("ludb", "qtdb", "mitdb", "nstdb")
"""Sets that are never sampled."""

WHAT = {"mitdb": "beats", "nstdb": "beats"}
"""What a set asks for; all others ask for waves."""

NAMES = (
    "ludb", "qtdb", "mitdb", "nstdb", "ptbxl-af", "cinc2017-af", "ptbxl-sinus", "ptbxl-1avb", "ptbxl-sarrh",
    "ptbxl-pac", "ptbxl-pvc",
)  # fmt: skip
_CODE = {"ptbxl-1avb": "1AVB", "ptbxl-sarrh": "SARRH", "ptbxl-pac": "PAC", "ptbxl-pvc": "PVC"}


def records(name: str, data: Path, every: bool) -> Iterator[tuple[Record, int]]:
    """The recordings of a set, each with the sample of the original at which it begins."""
    if name == "ludb":
        yield from ((record, 0) for record in _read(Ludb(), data / "ludb"))
    elif name == "qtdb":
        for record in _read(Qtdb(), data / "qtdb"):
            yield excerpt(record)
    elif name in ("mitdb", "nstdb"):
        yield from ((record, 0) for record in _read(Mitdb(), data / name))
    elif name == "cinc2017-af":
        yield from ((record, 0) for record in _read(Cinc2017(), data / "challenge2017", _has("rhythm", "A"), every))
    else:
        wanted: Callable[[Item], bool] = (
            _sinus if name != "ptbxl-af" else lambda item: bool(_codes(item) & {"AFIB", "AFLT"})
        )
        if name in _CODE:
            wanted = lambda item: _sinus(item, _CODE[name])  # noqa: E731
        yield from ((record, 0) for record in _read(Ptbxl(rate=100), data / "ptbxl", wanted, every))


def excerpt(record: Record) -> tuple[Record, int]:
    """The part of a recording of the QT Database that was marked, and where it begins."""
    marks = next(fact for fact in record.facts if isinstance(fact, Waves) and fact.name == "reference.waves.global")
    peak = marks.columns["qrs_peak"]
    around = round(AROUND_S * record.rate)
    first, last = max(0, int(peak.min()) - around), min(record.samples, int(peak.max()) + around)
    return Record(
        record.key, record.leads, record.signal[:, first:last], record.rate, record.subject, record.facts
    ), first


def write(record: Record, file: Path) -> None:
    """Hand a recording over: gaps are bridged by straight lines, since most programs take none."""
    signal = record.signal.copy()
    for row in signal:
        lost = np.isnan(row)
        if lost.any():
            row[lost] = np.interp(np.flatnonzero(lost), np.flatnonzero(~lost), row[~lost]) if not lost.all() else 0
    np.savez(file, signal=signal, rate=record.rate, leads=np.array(record.leads, dtype=str))


def beats_of(record: Record) -> tuple[np.ndarray, list[tuple[float, float]]]:
    """Labelled beats in seconds, and the spans of ventricular flutter, in which none are labelled."""
    events = [fact for fact in record.facts if isinstance(fact, Event)]
    beats = np.array([event.sample for event in events if event.name == "beats"], float) / record.rate
    spans, begun = [], None
    for event in events:
        if event.name == "marks" and event.event == "[":
            begun = event.sample / record.rate
        elif event.name == "marks" and event.event == "]" and begun is not None:
            spans.append((begun, event.sample / record.rate))
            begun = None
    return beats, spans


def _read(
    source: Ludb | Qtdb | Mitdb | Ptbxl | Cinc2017, path: Path, wanted: Callable[[Item], bool] | None = None,
    every: bool = True,
) -> Iterator[Record]:  # fmt: skip
    plan: Plan = source.plan(path)
    items: Iterable[Item] = plan.items if wanted is None else [item for item in plan.items if wanted(item)]
    if not every:
        items = sorted(items, key=lambda item: hashlib.sha256(item.key.encode()).hexdigest())[:SAMPLED]
    for record in source.read(path, list(items)):
        if isinstance(record, Record):
            yield record


def _codes(item: Item) -> set[str]:
    return {fact.code for fact in item.facts if isinstance(fact, Label) and fact.name == "scp"}


def _sinus(item: Item, code: str = "SR") -> bool:
    said = _codes(item)
    return code in said and not said & NO_SINUS


def _has(name: str, code: str) -> Callable[[Item], bool]:
    return lambda item: any(isinstance(fact, Label) and (fact.name, fact.code) == (name, code) for fact in item.facts)
