"""What two readers make of a recording: labels with likelihood, and a short report.

Labels never come from the latent state directly: each reader overlooks, mistakes and invents findings at
`World.reader_noise`. The first reader signs; a code on which both agree has likelihood 100, else 50. The latent state
itself is under the names `truth.*`, for evaluation only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from einthoven.core.facts import Category, Fact, Label, LabelSet, Text, Value
from einthoven.core.random import generator
from einthoven.simulate.patients import People
from einthoven.simulate.tables import conditions
from einthoven.simulate.world import World

RHYTHMS = ("AFIB", "AFLT", "BIGU", "PACE", "SARRH", "SBRAD", "SR", "STACH")
FINDINGS = tuple(sorted(code for code in conditions() if code not in RHYTHMS))
CLASSES = ("ARR", "CD", "ECT", "HYP", "NORM", "STTC")

LABEL_SETS = (
    LabelSet("rhythm", "simulated", RHYTHMS, exclusive=True),
    LabelSet("condition", "simulated", CLASSES),
    LabelSet("finding", "simulated", (*FINDINGS, "NORM")),
)
"""rhythm: the sinus node's where that drives the atria (AV block is a finding), else what there is. condition:
arrhythmia, conduction disturbance, ectopy, hypertrophy, normal, ST change. finding: the single findings."""

_RHYTHM_WORDS = {"SR": "sinus rhythm"}
_BRADYCARDIA, _TACHYCARDIA = 50.0, 100.0
"""Limits of sinus rhythm in 1/min (bradycardia: 2018 ACC/AHA/HRS guideline)."""


def true_rhythm(group: People, row: int) -> str:
    """The rhythm of one recording by its latent state."""
    for code in ("AFIB", "AFLT", "PACE", "BIGU", "SARRH"):
        if group.shows(code)[row]:
            return code
    rate = group.theta["rate"][row]
    return "SBRAD" if rate < _BRADYCARDIA else "STACH" if rate > _TACHYCARDIA else "SR"


def true_findings(group: People, row: int) -> list[str]:
    """The findings of one recording by its latent state."""
    return [code for code, has in zip(conditions(), group.has[row]) if has and code in FINDINGS]


def person(world: World, group: People, row: int) -> list[Fact]:
    """Age and sex, as far as they were written down."""
    known = generator(world.seed, group.keys[row], "person").random(2) >= world.missing
    out: list[Fact] = []
    if known[0]:
        out.append(Value("age", float(np.floor(group.age[row])), "years"))
    if known[1]:
        out.append(Category("sex", "male" if group.male[row] else "female"))
    return out


def labels(world: World, group: People, row: int, rate: float | None) -> list[Fact]:
    """What the readers say about one recording, and the first one's report; `rate` is the heart rate for the report."""
    rng = generator(world.seed, group.keys[row], "reading")
    rhythm, findings = true_rhythm(group, row), true_findings(group, row)
    first, second = (_read(world, rng, rhythm, findings) for _ in range(2))
    out = _labels("rhythm", {first[0]}, {second[0]})
    out += _labels("condition", _classes(*first), _classes(*second))
    out += _labels("finding", set(first[1]) or _normal(*first), set(second[1]) or _normal(*second))
    return [*out, Text("report", _report(rng, *first, rate))]


def latent(group: People, row: int) -> list[Fact]:
    """The true rhythm and findings of one recording."""
    rhythm, findings = true_rhythm(group, row), true_findings(group, row)
    codes = findings or sorted(_normal(rhythm, findings))
    return [Category("truth.rhythm", rhythm), *(Label("truth.finding", code) for code in codes)]


def _read(world: World, rng: np.random.Generator, rhythm: str, findings: Sequence[str]) -> tuple[str, list[str]]:
    """One reader's rhythm and findings."""
    u, invented = rng.random(1 + len(FINDINGS)), rng.random(len(FINDINGS))
    if u[0] < world.reader_noise:
        rhythm = "SR" if rhythm not in conditions() else conditions()[rhythm].mistaken or rhythm
    found = set()
    for i, code in enumerate(FINDINGS):
        if code not in findings:
            if invented[i] < world.reader_noise / 10:
                found.add(code)
        elif u[1 + i] >= world.reader_noise:
            found.add(code)
        elif conditions()[code].mistaken:
            found.add(conditions()[code].mistaken)
    return rhythm, sorted(found)


def _normal(rhythm: str, findings: Sequence[str]) -> set[str]:
    ill = findings or (rhythm in conditions() and conditions()[rhythm].classes)
    return set() if ill else {"NORM"}


def _classes(rhythm: str, findings: Sequence[str]) -> set[str]:
    """The classes of one reading; none for a recording whose only findings belong to no class."""
    codes = [*findings, *([rhythm] if rhythm in conditions() else [])]
    return ({conditions()[code].classes for code in codes} - {""}) | _normal(rhythm, findings)


def _labels(name: str, first: set[str], second: set[str]) -> list[Fact]:
    return [Label(name, code, 1.0, 100.0 if code in second else 50.0) for code in sorted(first)]


def _report(rng: np.random.Generator, rhythm: str, findings: Sequence[str], rate: float | None) -> str:
    """Two or three plain sentences."""
    words = [_RHYTHM_WORDS[rhythm]] if rhythm in _RHYTHM_WORDS else [_phrase(rng, rhythm)]
    words += [_phrase(rng, code) for code in findings]
    if rate is not None:
        words[0] += f", rate {round(rate)}/min"
    if not findings and _normal(rhythm, findings):
        words.append(["normal ECG", "otherwise normal ECG", "no abnormality"][int(rng.integers(3))])
    return " ".join(sentence[0].upper() + sentence[1:] + "." for sentence in words)


def _phrase(rng: np.random.Generator, code: str) -> str:
    phrases = conditions()[code].phrases
    return phrases[int(rng.integers(len(phrases)))]
