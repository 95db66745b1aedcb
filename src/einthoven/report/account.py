"""The account around the figures: what was done, what the arms are, intervals, warnings, provenance.

Plain sentences whose numbers come from the folders; what a folder does not record is said to be absent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import polars as pl

from einthoven.cohort.join import families
from einthoven.report import tables
from einthoven.report.markup import Html, join, tag
from einthoven.report.results import Results, Row, amount

LOW_RANK = 10
PROBES = {"linear": "a linear probe on the frozen embedding", "finetune": "fine-tuning of all weights"}
METHODS = {
    "logit-t": (
        "AUROC of one label: on the logit scale, t quantile with m - 1 degrees of freedom; m is the number of positive "
        "or of negative subjects, whichever is smaller."
    ),
    "conservative": (
        "AUROC of one label with m under 50 or an AUROC of 0.95 and above: the union of logit-t and Newcombe's score "
        "interval, wider than needed where scores are spread alike in both classes."
    ),
    "wald-t": (
        "Means over labels and other figures: point and standard error on the figure's natural scale, t quantile; a "
        "mean over labels has as many degrees of freedom as its rarest labels leave."
    ),
    "wilson": "Sensitivity and specificity: Wilson's interval on the effective number of subjects.",
}
FLAGS = {
    "subjects only": "fewer than three seeds: variance over seeds unknown, the interval holds for these runs only",
    "no variation in resamples": "the figure is the same in every resample, so the interval has no width",
    "scores are not probabilities": "scores outside 0 to 1: ranked, no Brier score and no calibration",
}
OVERLAP = "overlap: same family"
MOST_PLACES = 4


def done(results: Results) -> Html:
    """One paragraph, and each setting with its counts and label list."""
    roles = results.roles()
    tested = sum(role == "arm" for role in roles.values())
    used = [PROBES.get(probe, probe) for probe in dict.fromkeys(setting.probe for setting in results.settings)]
    words = [
        f"{_many(tested, 'checkpoint')} and {_many(len(roles) - tested, 'reference row')} were scored by "
        f"{' and '.join(used)}.",
        *_cohorts(results),
        "What was fitted saw the training part; penalties, epochs and thresholds were chosen on the validation part; "
        "the test part was scored once for each arm and run.",
        "Splits, draws of labelled subjects, resamples and counts are of subjects, not of recordings.",
    ]
    rows = []
    for group in results.groups:
        index = results.rows(group[-1])
        labels = ", ".join(tables.shares(setting.labelled) for setting in group)
        for column in tables.headlines(index):
            of_column = (column.label, column.metric)
            row = next(row for (_, label, metric), row in index.items() if (label, metric) == of_column)
            counts = f"{row['n_records']:,}", f"{row['n_subjects']:,}"
            listed = _label_list(index) if column.label == "macro" else "–"
            rows.append((group[-1].task, tables.way(group[-1]), labels, column.heading, *counts, listed))
    heads = (
        "task", "how", "labelled", "figure", "test recordings", "test subjects", "labels in the mean, positive subjects"
    )  # fmt: skip
    return join(tag("p", " ".join(words)), tables.plain(heads, rows))


def arms(results: Results) -> Html:
    """What has to be equal for a comparison of arms to be one: parameters, data, steps, batch, time, device."""
    cards: dict[str, Row] = {}
    for cell in sorted(results.cells, key=lambda cell: amount(cell["labelled"])):
        if card := cell["facts"].get("card"):
            cards[cell["arm"]] = card
    rows = []
    for arm in (arm for arm in results.roles() if arm in cards):
        card, data, training = cards[arm], cards[arm].get("data", {}), cards[arm].get("training", {})
        amounts = (
            card.get("parameters"), data.get("records"), data.get("subjects"), training.get("steps"),
            training.get("batch"), card.get("seconds"),
        )  # fmt: skip
        mark = tag("code", str(card.get("fingerprint", "–"))[:16])
        rows.append((arm, *map(_amount, amounts), card.get("device", "–"), mark))
    if not rows:
        return tag("p", "The folders hold no cards of checkpoints.", class_="note")
    heads = ("arm", "parameters", "recordings seen", "subjects", "steps", "batch", "seconds", "device", "fingerprint")
    note = "Of several runs of one arm the last on most labels is shown. A dash stands for what was not recorded."
    return join(tables.plain(heads, rows), tag("p", note, class_="note"))


def intervals(results: Results) -> Html:
    """The rules behind the intervals that are on the page."""
    used = {method.split(" ")[0] for method in results.scores["method"].unique().to_list() if method}
    used |= {"logit-t"} if "conservative" in used else set()  # its rule refers to the other
    paragraphs = (
        "Test subjects are drawn with replacement, all recordings of a subject together; arms, labels and seeds of one "
        "task share the same draws. Draws of few labels are averaged within their seed; with three or more seeds the "
        "variance over them is added to that over subjects. All intervals are two-sided, 95 %, and not adjusted for "
        "the number of comparisons.",
        tag("ul", [tag("li", METHODS[name]) for name in METHODS if name in used]),
        "A paired difference is Wald-t on the differences in the same draws and between runs of one seed. Its smallest "
        "detectable difference is what a two-sided 5 % test would find with 80 % power: where it is larger than the "
        "difference one looks for, these subjects cannot decide. Holm's p takes all differences of the page as one "
        "family; an interval that holds 0 shows no difference and does not show that there is none.",
        "Figures of single labels are exploratory. With fewer than 10 positive or negative subjects there is a point "
        "and no interval.",
    )
    return join([part if isinstance(part, Html) else tag("p", part) for part in paragraphs])


def warnings(results: Results) -> Html:
    """Everything that was flagged on the way, counted."""
    found: dict[str, list[str]] = defaultdict(list)
    for text in results.absent:
        found[text].append("")
    for cell in results.cells:
        for flag in _flags(cell):
            found[flag].append(_where(cell))
    for row in results.scores.filter(pl.col("flags").fill_null("") != "").iter_rows(named=True):
        for flag in row["flags"].split("; "):
            found[FLAGS.get(flag) or flag].append(_where(row))
    if not found:
        return tag("p", "None.")
    return tables.plain(("what", "times", "where"), [(flag, len(where), _some(where)) for flag, where in found.items()])


def provenance(results: Results) -> Html:
    """Commands, versions and fingerprints."""
    entries: list[tuple[str, Html]] = [(name, tag("code", version)) for name, version in results.versions]
    for cell in results.cells:
        if cohort := cell["facts"].get("cohort"):
            name = f"cohort {cohort['source']['name']}"
            licence = cohort["source"].get("licence", "not stated")
            entries += [(name, tag("code", cohort["fingerprint"])), (f"{name}, licence", tag("span", licence))]
        if checkpoint := cell["facts"].get("checkpoint"):
            entries.append((f"{cell['arm']}, seed {cell['seed']}", tag("code", checkpoint)))
    commands = (
        join(tag("p", "These commands make the folders again:"), tag("pre", tag("code", "\n".join(results.commands))))
        if results.commands
        else None
    )
    names = ", ".join(folder.name for folder in results.folders)
    cells = f"Every score can be computed again from the predictions: {_many(len(results.cells), 'cell')} in {names}."
    return join(commands, tables.plain(("", ""), list(dict.fromkeys(entries))), tag("p", cells))


def overlaps(cell: Row) -> bool:
    """Whether the encoder was pretrained on data of a family that it is tested on: same hospital, and within one cohort
    other persons."""
    tested = families(cell["facts"].get("cohort", {}).get("source", {}))
    card = cell["facts"].get("card", {})
    pretrained = (families(stage) for stage in (*card.get("earlier", []), card.get("data", {})))
    return cell["role"] == "arm" and any(tested & one for one in pretrained)


def _cohorts(results: Results) -> list[str]:
    cohorts = {}
    for cell in results.cells:
        if cohort := cell["facts"].get("cohort"):
            cohorts[cohort["fingerprint"]] = cohort
    words = []
    for cohort in cohorts.values():
        source, counts = cohort["source"], cohort["counts"]
        name = f"{source['name']} {source.get('version') or ''}".strip()
        subjects = f" of {counts['subjects']:,} subjects" if "subjects" in counts else ""
        words.append(f"The cohort {name} holds {counts['records']:,} recordings{subjects}.")
        if source.get("family") == "simulated":
            words.append("It is simulated: the figures show how the methods work and nothing about patients.")
    return words or ["Which cohort was used is not recorded in the folder."]


def _label_list(index: tables.Index) -> str:
    rows = {label: row for (_, label, metric), row in index.items() if metric == "auroc" and row["listed"]}
    names = [label for label in tables.label_names(index) if label in rows]
    if not names:
        return "none: no label has enough test subjects with it and without it"
    return ", ".join(f"{label}\N{NO-BREAK SPACE}{rows[label]['n_positive_subjects']:,}" for label in names)


def _flags(cell: Row) -> list[str]:
    facts = cell["facts"]
    found = list(facts.get("flags", []))
    if facts.get("unfitted"):
        found.append(f"no positive or no negative to train on: {', '.join(facts['unfitted'])}")
    rank = facts.get("effective_rank")
    if rank is not None and rank < LOW_RANK and cell["role"] == "arm":
        found.append(f"effective rank of the embedding under {LOW_RANK}: {rank:g}")
    if overlaps(cell):
        found.append(OVERLAP)
    if facts.get("peeked"):
        found.append("test figures were computed during training")
    return found


def _where(row: Row) -> str:
    return f"{row['arm']}, {row['task']}, {tables.shares(row['labelled'])}"


def _some(where: Sequence[str]) -> str:
    places = list(dict.fromkeys(place for place in where if place))
    more = len(places) - MOST_PLACES
    return "; ".join(places[:MOST_PLACES]) + (f"; and {more} more" if more > 0 else "")


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _amount(value: object) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else "–"
