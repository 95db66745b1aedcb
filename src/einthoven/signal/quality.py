"""How far a recording can be trusted: a grade for each lead and second, one score and one verdict, with causes.

Numbers about the signal (`_traits`, `_indices`) are weighed by three small logistic regressions, of seconds, of leads
and of recordings, which have learned from clean recordings to which noise was added (recipes/quality-gate.py, weights
in quality_gate.toml). Measurements of poor leads and seconds are withheld. Letters: L leads, S seconds, K beats.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from einthoven.signal import _indices
from einthoven.signal._traits import LEAD, SECOND, Traits, traits
from einthoven.signal.gaps import mended
from einthoven.signal.marks import Beats, Delineation

RECORD = ("worst", "second", "mean", "off", "swing_max")
GOOD, LEAST_GRADE = 0.5, 0.5
"""Least score of a `good` recording; least share of the time that can be measured in one that is not `poor`."""
LEAD_POOR, SECOND_POOR = 0.10, 0.10
"""Leads and seconds with a lower grade are not measured."""
LEAST_SECONDS, LEAST_SHARE, HALF = 2.0, 0.05, 0.5
"""A lead is measured if so many of its seconds, and this share of them, are not poor; a poor lead, if half of those in
which it is there are not: it may be noisy, or off, for a while only."""
_MOST_LOGIT = 8.0
_OFTEN, _OFF, _SILENT = 0.05, "flat or missing", "stretches without beats"
OFF_SHARE = 0.5
LOST_SHARE = 0.10
"""A second of a lead is not measured if more of its samples are missing, after those that a line between near
neighbours restores: 100 ms, in which a P wave or QRS complex may be lost whole."""
SILENT_SECONDS, SILENT_BEATS = 3.0, 5
"""Without a beat for longer than the first, or than so many usual intervals, the heart stands still or beats were not
found."""
LEAST_SURE = 0.05
"""A recording is not good if this share of it is missing in a lead, without beats or not measured in any lead."""


@dataclass(frozen=True, eq=False)
class Quality:
    """Grades run from 0, of no use, to 1.

    second: (L, S) of each second. lead: (L,). score: of the recording, the chance that it is acceptable by the gate's
    examples. verdict: `good`, `usable` or `poor`. causes: what is wrong, as `kind: leads`. scores: quantities of
    physiology.md 6, one number a recording (the worst lead's). off: (L,) share of time that a lead is flat or missing.
    missing: (L,) share of samples that are not there; restored: (L,) those of them put in between near neighbours
    (`gaps.mended`). silent: share of the time that has a signal, in stretches without beats.
    """

    leads: tuple[str, ...]
    second: np.ndarray
    lead: np.ndarray
    off: np.ndarray
    score: float
    verdict: str
    causes: tuple[str, ...]
    scores: dict[str, float]
    missing: np.ndarray
    restored: np.ndarray
    silent: float = 0.0

    @property
    def usable(self) -> np.ndarray:
        """Which leads (L,) are measured at all."""
        fine = (self.second >= SECOND_POOR).sum(axis=1)
        seconds = self.second.shape[1]
        least = np.minimum(np.maximum(LEAST_SECONDS, LEAST_SHARE * seconds), max(1, 0.5 * seconds))
        return (fine >= least) & ((self.lead >= LEAD_POOR) | (fine >= HALF * (1 - self.off) * seconds))

    @property
    def grade(self) -> float:
        """The mean over time of the best lead's grade: what rests on all leads together can be trusted so far."""
        best = (self.second * self.usable[:, None]).max(axis=0)
        return float(best.mean())

    def fine(self, place_K: np.ndarray) -> np.ndarray:
        """In which leads (K, L) beats at these seconds can be measured."""
        at = np.clip(place_K.astype(int), 0, self.second.shape[1] - 1)
        return (self.second[:, at] >= SECOND_POOR).T & self.usable

    def broken(self, place_K: np.ndarray) -> np.ndarray:
        """Whether there is a second without any fine lead between a beat (K,) and the one before it."""
        lost = self.unmeasured()
        total = np.concatenate([[0], np.cumsum(lost)])
        at = np.clip(place_K.astype(int), 0, len(lost) - 1)
        return np.append(True, total[at[1:] + 1] > total[at[:-1]]) if len(at) else np.zeros(0, bool)

    def why_not(self, lead: int) -> str:
        """Why a lead is not measured; empty where it is."""
        if self.usable[lead]:
            return ""
        return "lead_off" if self.off[lead] > OFF_SHARE else "poor_signal"

    def nothing(self) -> str:
        """Why the recording is not measured at all; empty where it is."""
        if self.usable.any():
            return ""
        return "no_signal" if (self.off > OFF_SHARE).all() else "poor_signal"

    def to_dict(self) -> dict[str, object]:
        """For JSON; seconds are given as the ranges in which no lead is fine."""
        return {
            "verdict": self.verdict, "score": round(self.score, 4), "causes": list(self.causes),
            "leads": {name: round(float(grade), 4) for name, grade in zip(self.leads, self.lead)},
            "unusable_seconds": self.lost(), "scores": {name: round(value, 6) for name, value in self.scores.items()},
        }  # fmt: skip

    def unmeasured(self) -> np.ndarray:
        """Seconds (S,) in which no lead is fine."""
        return np.all((self.second < SECOND_POOR) | ~self.usable[:, None], axis=0)

    def lost(self) -> list[list[int]]:
        """Ranges of seconds, first and one behind the last, in which no lead is fine."""
        poor = self.unmeasured()
        edges = np.flatnonzero(np.diff(np.concatenate([[False], poor, [False]])))
        return edges.reshape(-1, 2).tolist()


def assess(
    signal_LT: np.ndarray, rate: float, leads: Sequence[str], found: Delineation | Beats | None = None
) -> Quality:
    """Assess a recording, or a window of a long one.

    Args:
        signal_LT: millivolts, NaN where there is no sample. rate: hertz. leads: canonical names.
        found: its beats, if they are known already; else they are looked for.
    """
    if found is None:
        from einthoven.signal.beats import find

        found = find(signal_LT, rate)
    beats = found.beats if isinstance(found, Delineation) else found
    signal_LT, restored = mended(signal_LT, rate)
    restored = np.zeros(len(signal_LT)) if restored is None else restored
    seen = traits(signal_LT, rate, beats)
    gates = _gates()
    logit_L = _logit(seen.lead, gates["lead"])
    second = np.array(_sigmoid(_logit(seen.second, gates["second"])), np.float32)
    off_LS = np.maximum(seen.second[..., 0], seen.second[..., 1])
    second[(off_LS > OFF_SHARE) | (seen.second[..., 0] > LOST_SHARE)] = 0
    lead, off = _sigmoid(logit_L), off_LS.mean(axis=1)
    lead[off > 0.99] = 0
    if not len(beats):
        second[lead < LEAD_POOR] = 0
    score = float(_sigmoid(_logit(over_leads(seen.lead, logit_L), gates["record"])))
    scores = _indices.indices(signal_LT, rate, leads) | _of_beats(signal_LT, rate, beats, seen)
    quality = Quality(tuple(leads), second, lead, off, score, "", (), scores, restored + seen.lead[:, 0], restored)
    quality = replace(quality, silent=_silent(quality, beats.sample / rate))
    causes = _causes(quality, seen, len(beats))
    return replace(quality, verdict=_verdict(quality, len(beats) > 0), causes=causes)


def _of_beats(signal_LT: np.ndarray, rate: float, beats: Beats, seen: Traits) -> dict[str, float]:
    """Quantities that need beats; template_snr: decibels, the QRS complex over what a beat differs by from the median
    beat, root mean square, in the median lead."""
    found = {"beats_alike": float(seen.lead[:, LEAD.index("likeness")].max())}
    if len(beats) >= 2:
        found["template_snr"] = float(np.median(-20 * seen.lead[:, LEAD.index("rest")]))
    muscle = _indices.muscle_snr(signal_LT, rate, beats.sample)
    return found if muscle is None else found | {"muscle_snr": muscle}


def _silent(quality: Quality, place_K: np.ndarray) -> float:
    """Share of the time that has a signal and no beats."""
    seconds = quality.second.shape[1]
    if not len(place_K):
        return float((~quality.unmeasured()).mean())
    edge = np.concatenate([[0.0], place_K, [float(max(seconds, place_K[-1]))]])
    usual = float(np.median(np.diff(place_K))) if len(place_K) > SILENT_BEATS else SILENT_SECONDS
    long = np.flatnonzero(np.diff(edge) > min(SILENT_SECONDS, SILENT_BEATS * usual))
    if not len(long):
        return 0.0
    time = np.arange(seconds) + 0.5
    still = ((time > edge[long][:, None]) & (time < edge[long + 1][:, None])).any(axis=0)
    return float((still & ~quality.unmeasured()).mean())


def _verdict(quality: Quality, beats: bool) -> str:
    """Good: the gate says so, every lead is measured, and nearly all of the time is. Poor: half of the leads, or of the
    time, is not measured."""
    usable = quality.usable
    if usable.sum() <= len(usable) / 2 or quality.grade < LEAST_GRADE:
        return "poor"
    unsure = max(float(quality.missing.max()), quality.silent, float(quality.unmeasured().mean()))
    return "good" if beats and usable.all() and quality.score >= GOOD and unsure < LEAST_SURE else "usable"


def join(parts: Sequence[Quality], spans: Sequence[tuple[int, int]]) -> Quality:
    """The quality of a long recording from that of its windows; `spans`: which of each window's seconds to take."""
    second = np.concatenate([part.second[:, first:last] for part, (first, last) in zip(parts, spans)], axis=1)
    weight = np.array([last - first for first, last in spans], float)
    weight /= weight.sum()
    score = float(np.dot(weight, [part.score for part in parts]))
    names = sorted({name for part in parts for name in part.scores})
    scores = {name: float(np.median([part.scores[name] for part in parts if name in part.scores])) for name in names}
    lead = np.max([part.lead for part in parts], axis=0)
    off = np.tensordot(weight, np.stack([part.off for part in parts]), 1)
    silent = float(np.dot(weight, [part.silent for part in parts]))
    shares: dict[str, float] = {
        f"{_OFF}: {name}": float(share) for name, share in zip(parts[0].leads, off) if share >= _OFTEN
    }
    for part, share in zip(parts, weight):
        for cause in part.causes:
            if not cause.startswith(("flat", "missing", "poor", _SILENT, "no beats")):
                shares[cause] = shares.get(cause, 0.0) + float(share)
    shares |= {_SILENT: silent}
    often = sorted((-share, cause) for cause, share in shares.items() if share >= _OFTEN)
    causes = tuple(f"{cause} ({-100 * share:.0f} % of the time)" for share, cause in often[:12])
    lost, restored = (
        np.tensordot(weight, np.stack(each), 1) for each in zip(*((p.missing, p.restored) for p in parts))
    )
    whole = Quality(parts[0].leads, second, lead, off, score, "", causes, scores, lost, restored, silent)
    return replace(whole, verdict=_verdict(whole, any(part.verdict == "good" for part in parts)))


def over_leads(lead_L10: np.ndarray, logit_L: np.ndarray) -> np.ndarray:
    """What the gate of recordings sees (5,), in the order of `RECORD`: leads ranked, so that their order is nothing."""
    ranked = np.sort(np.clip(logit_L, -_MOST_LOGIT, _MOST_LOGIT))
    off = (np.maximum(lead_L10[:, 0], lead_L10[:, 1]) > OFF_SHARE).sum()
    widest = lead_L10[:, LEAD.index("swing_max")].max()
    return np.array([
        ranked[0], ranked[min(1, len(ranked) - 1)], ranked.mean(), np.log1p(off), widest
    ])  # fmt: skip


def _causes(quality: Quality, seen: Traits, beats: int) -> tuple[str, ...]:
    """What is wrong, in words, with the leads that it is wrong in."""
    lead = {name: seen.lead[:, i] for i, name in enumerate(LEAD)}
    alive = quality.off <= OFF_SHARE
    kinds = {
        "missing": lead["lost"] > 0.01,
        "single samples missing": quality.restored > 0.01,
        "flat": (lead["flat"] > 0.05) & (lead["lost"] < lead["flat"]),
        "clipped": lead["rail"] > 0.01,
        "drift": alive & (lead["drift"] > 0.0),
        "noise": alive & (lead["rough_max"] > -1.3),
        "jumps": alive & (lead["swing_max"] - lead["swing"] > 0.3),
        "low amplitude": alive & (lead["swing"] < -1.0),
        "beats unlike each other": alive & (lead["likeness"] < 0.7) & (beats > 2),
        "poor": alive & ~quality.usable,
    }
    causes = [
        _said(kind, [name for name, hit in zip(quality.leads, hits) if hit], quality) for kind, hits in kinds.items()
    ]
    if not beats:
        causes.append("no beats")
    elif quality.silent >= LEAST_SURE:
        causes.append(_SILENT)
    if quality.scores.get("einthoven", 0.0) > 0.1:
        causes.append("limb leads do not agree with each other")
    if quality.scores.get("mains_uv", 0.0) > 100:
        causes.append("mains interference")
    return tuple(cause for cause in causes if cause)


def _said(kind: str, names: list[str], quality: Quality) -> str:
    if not names:
        return ""
    return f"{kind}: {'all leads' if len(names) == len(quality.leads) > 1 else ' '.join(names)}"


def _logit(x: np.ndarray, gate: tuple[np.ndarray, np.ndarray, float]) -> np.ndarray:
    weight, middle, bias = gate
    return (x - middle) @ weight + bias


def _sigmoid(logit: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(logit, -30, 30)))


@cache
def _gates() -> dict[str, tuple[np.ndarray, np.ndarray, float]]:
    """Weights over standard deviations, means and bias of the three gates."""
    table = tomllib.loads((Path(__file__).parent / "quality_gate.toml").read_text("utf-8"))
    out = {}
    for name, features in (("second", SECOND), ("lead", LEAD), ("record", RECORD)):
        mean, sd, weight = (np.array([table[name][word][key] for key in features]) for word in ("mean", "sd", "weight"))
        out[name] = (weight / sd, mean, float(table[name]["bias"]))
    return out
