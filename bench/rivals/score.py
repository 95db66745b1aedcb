"""From what the programs found to figures, by the rules of `einthoven.evaluate.delineation`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench.rivals import sets
from einthoven.core.facts import Category, Label, Waves
from einthoven.core.record import Record
from einthoven.evaluate import delineation as rules
from einthoven.evaluate.delineation import BeatScore, WaveScore
from einthoven.signal.marks import WAVES, Delineation

Found = Mapping[str, np.ndarray]
CROP_S = 2.0
LEAST = 5
"""Below this many recordings a condition has no figures."""

_CONDITIONS: dict[str, Callable[[str], bool]] = {
    "sinus": lambda line: line == "Sinus rhythm",
    "bradycardia": lambda line: line == "Sinus bradycardia",
    "fibrillation or flutter": lambda line: line.startswith(("Atrial fibrillation", "Atrial flutter")),
    "paced": lambda line: "pacing" in line or line.startswith("Pacemaker"),
    "right bundle": lambda line: line == "Complete right bundle branch block",
    "left bundle": lambda line: line == "Complete left bundle branch block",
    "incomplete bundle": lambda line: line.startswith("Incomplete"),
    "intraventricular": lambda line: line.startswith("Non-specific intravintricular"),
    "1st degree block": lambda line: line == "I degree av block",
    "3rd degree block": lambda line: line.startswith("Iii degree"),
    "atrial ectopy": lambda line: line.startswith("Atrial extrasystole"),
    "ventricular ectopy": lambda line: line.startswith("Ventricular extrasystole"),
    "left hypertrophy": lambda line: line == "Left ventricular hypertrophy",
    "ischaemia or infarction": lambda line: line.startswith(("Ischemia", "Stemi", "Scar", "Undefined ischemia")),
}


class Ludb:
    """LUDB: each lead within the span of its marks; P waves of third-degree block apart."""

    def __init__(self) -> None:
        self.scores: dict[str, list[WaveScore]] = {wave: [] for wave in WAVES}
        self.crop: dict[str, list[WaveScore]] = {wave: [] for wave in WAVES}
        self.said: dict[str, set[str]] = {}
        self.beats: dict[str, int] = {}

    def add(self, record: Record, found: Found, start: int) -> None:
        fact = _waves(record, "reference.waves")
        said = {f.code for f in record.facts if isinstance(f, Label)}
        self.said[record.key] = {name for name, fits in _CONDITIONS.items() if any(map(fits, said))}
        for i, lead in enumerate(record.leads):
            reference = rules.points_of(fact, record.rate, lead)
            span = rules.ludb_span(reference)
            inside = (max(span[0], CROP_S), min(span[1], record.seconds - CROP_S))
            self.beats[f"{record.key} {lead}"] = int(np.isfinite(reference[:, 1, 1]).sum())
            for k, wave in enumerate(WAVES):
                marks = _table(found, f"{wave}_{i}") / record.rate
                self.scores[wave].append(rules.score_waves(record.key, wave, reference[:, k], marks, span, lead))
                self.crop[wave].append(rules.score_waves(record.key, wave, reference[:, k], marks, inside, lead))

    def figures(self) -> dict[str, Any]:
        ordinary = lambda score: "3rd degree block" not in self.said[score.record]  # noqa: E731
        scores = {wave: [s for s in self.scores[wave] if wave != "P" or ordinary(s)] for wave in WAVES}
        crop = {wave: [s for s in self.crop[wave] if wave != "P" or ordinary(s)] for wave in WAVES}
        out: dict[str, Any] = {"records": len(self.said)}
        out["points"] = [row for wave in WAVES for row in rules.waves_table(scores[wave])]
        out["crop"] = [row for wave in WAVES for row in rules.waves_table(crop[wave])]
        out["leads"] = {
            lead: _brief({wave: [s for s in scores[wave] if s.lead == lead] for wave in WAVES})
            for lead in dict.fromkeys(s.lead for s in scores["QRS"])
        }
        out["conditions"] = {}
        for name in _CONDITIONS:
            keys = {key for key, said in self.said.items() if name in said}
            if not keys:
                continue
            chosen = {wave: [s for s in self.scores[wave] if s.record in keys] for wave in WAVES}
            out["conditions"][name] = {"records": len(keys)} | (_brief(chosen) if len(keys) >= LEAST else {})
        fibrillating = {key for key, said in self.said.items() if "fibrillation or flutter" in said}
        false = sum(len(s.extra) for s in self.scores["P"] if s.record in fibrillating)
        beats = sum(n for key, n in self.beats.items() if key.split()[0] in fibrillating)
        out["af"] = {"records": len(fibrillating), "beats": beats, "false_p": rules.per_hundred(false, beats)}
        return out


class Qtdb:
    """QT Database: the better lead of each beat (BB), of each recording (BL), and the marks of all leads together."""

    def __init__(self) -> None:
        self.scores: dict[str, dict[str, list[WaveScore]]] = {way: {wave: [] for wave in WAVES} for way in _WAYS}
        self.parent: dict[str, str] = {}

    def add(self, record: Record, found: Found, start: int) -> None:
        reference = rules.points_of(_waves(record, "reference.waves.global"), record.rate)
        parent = [f.value for f in record.facts if isinstance(f, Category) and f.name == "parent"]
        self.parent[record.key] = parent[0] if parent else ""
        for wave in WAVES:
            marks = [(_table(found, f"{wave}_{i}") + start) / record.rate for i in range(len(record.leads))]
            leads = [rules.score_annotated(record.key, wave, reference, one, str(i)) for i, one in enumerate(marks)]
            self.scores["BB"][wave].append(rules.best_of_both(leads))
            self.scores["BL"][wave].append(rules.best_lead(leads))
            if f"{wave}_all" in found:
                together = (_table(found, f"{wave}_all") + start) / record.rate
                self.scores["fused"][wave].append(rules.score_annotated(record.key, wave, reference, together))

    def figures(self) -> dict[str, Any]:
        out: dict[str, Any] = {"records": len(self.parent)}
        for way, scores in self.scores.items():
            out[way] = [row for wave in WAVES for row in rules.waves_table(scores[wave])]
        ours = {
            wave: [s for s in self.scores["fused"][wave] if self.parent[s.record] != "mitdb"] for wave in WAVES
        }  # fmt: skip
        out["fused_without_mitdb"] = [row for wave in WAVES for row in rules.waves_table(ours[wave])]
        return out


_WAYS = ("BB", "BL", "fused")


class Beats:
    """Labelled beats: the first lead alone, the second alone, all leads together; also without the first 5 minutes."""

    def __init__(self) -> None:
        self.scores: dict[str, list[BeatScore]] = {}

    def add(self, record: Record, found: Found, start: int) -> None:
        beats, flutter = sets.beats_of(record)
        ways = {"first": "R_0", "second": "R_1", "all": "R_all"}
        for way, name in ways.items():
            if name in found:
                for skip, tag in ((0.0, ""), (300.0, " after 5 min")):
                    score = rules.score_beats(
                        record.key, beats, found[name] / record.rate, record.seconds, start=skip, without=flutter
                    )
                    self.scores.setdefault(way + tag, []).append(score)

    def figures(self) -> dict[str, Any]:
        return {
            way: rules.beats_table(scores) | {"per_record": {s.record: s.f1 for s in scores}}
            for way, scores in self.scores.items()
        }


class Share:
    """How many P waves are found per 100 beats: in lead II (or the only one), and of all leads together."""

    def __init__(self) -> None:
        self.records = 0
        self.counts: dict[str, list[tuple[int, int]]] = {}

    def add(self, record: Record, found: Found, start: int) -> None:
        lead = record.leads.index("II") if "II" in record.leads else 0
        self.records += 1
        for way, tag in (("lead", str(lead)), ("all", "all")):
            if f"P_{tag}" in found:
                beats = found.get(f"R_{tag}", np.empty(0))
                self.counts.setdefault(way, []).append((len(found[f"P_{tag}"]), len(beats)))

    def figures(self) -> dict[str, Any]:
        out: dict[str, Any] = {"records": self.records}
        for way, counts in self.counts.items():
            waves, beats = (sum(column) for column in zip(*counts))
            most = [100 * min(p / r, 1.0) for p, r in counts if r]
            out[way] = {
                "beats": beats, "p_per_100": rules.per_hundred(waves, beats),
                "records_with_p": 100 * float(np.mean(np.array(most) > 50)) if most else float("nan"),
            }  # fmt: skip
        return out


def of_set(name: str) -> Ludb | Qtdb | Beats | Share:
    """What scores a set."""
    kinds: dict[str, Callable[[], Ludb | Qtdb | Beats | Share]] = {
        "ludb": Ludb, "qtdb": Qtdb, "mitdb": Beats, "nstdb": Beats,
    }  # fmt: skip
    return kinds.get(name, Share)()


def marks_of(marks: Delineation) -> dict[str, np.ndarray]:
    """What a program of ours found, as the scores take it."""
    out: dict[str, np.ndarray] = {"R_all": marks.beats.sample}
    for k, wave in enumerate(WAVES):
        rows = {"all": marks.whole[:, k], **{str(i): marks.lead[:, i, k] for i in range(marks.lead.shape[1])}}
        out |= {f"{wave}_{i}": points[np.isfinite(points).any(axis=1)] for i, points in rows.items()}
    return out


def observers(records: list[Record]) -> dict[str, Any]:
    """The second cardiologist of the QT Database against the first, where both marked."""
    scores: dict[str, list[WaveScore]] = {wave: [] for wave in WAVES}
    for record in records:
        second = [f for f in record.facts if isinstance(f, Waves) and f.name == "reference.waves.global.q2c"]
        if second:
            reference = rules.points_of(_waves(record, "reference.waves.global"), record.rate)
            other = rules.points_of(second[0], record.rate)
            for k, wave in enumerate(WAVES):
                if np.isfinite(other[:, k]).any():  # the second one marked few P waves
                    scores[wave].append(rules.score_annotated(record.key, wave, reference, other[:, k]))
    return {"records": len(scores["QRS"]), "points": [row for wave in WAVES for row in rules.waves_table(scores[wave])]}


def read(file: Path) -> dict[str, np.ndarray]:
    """What one program found in one recording; nothing where it has no file."""
    if not file.is_file():
        return {}
    with np.load(file) as data:
        return {name: data[name] for name in data.files}


def _brief(scores: dict[str, list[WaveScore]]) -> dict[str, Any]:
    """F1 of waves and the SDs of their ends."""
    out: dict[str, Any] = {}
    for wave, chosen in scores.items():
        rows = {row["point"]: row for row in rules.waves_table(chosen)}
        if rows:
            out[wave] = {
                "n": rows["wave"]["n"], "false": rows["wave"]["false"], "f1": rows["wave"]["f1"],
                "sd_on": rows["on"]["sd"], "sd_off": rows["off"]["sd"],
            }  # fmt: skip
    return out


def _waves(record: Record, name: str) -> Waves:
    return next(fact for fact in record.facts if isinstance(fact, Waves) and fact.name == name)


def _table(found: Found, name: str) -> np.ndarray:
    return np.asarray(found.get(name, np.empty((0, 3))), np.float64).reshape(-1, 3)
