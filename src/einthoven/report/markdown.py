"""The main figures as Markdown: a table a setting and its paired differences, for a repository's own pages.

The numbers are those of the HTML page, from the same `Results`.
"""

from __future__ import annotations

from einthoven.report.results import Results, Row, Setting
from einthoven.report.tables import Index, errors, headlines, labels_said, number, numbers, runs, way

NOTE = (
    "Points with 95 % intervals by subject, not adjusted for multiplicity; with three or more seeds the interval holds "
    "the variance over seeds too. Runs: seeds, or `3 x 5`: three seeds, each the mean over five draws of labelled "
    "subjects of its own; a row without seeds counts its draws. Holm's p takes all differences of this page as one "
    "family. An interval that holds 0 shows no difference, and does not show that there is none: compare with the "
    "smallest detectable one. `*` after the runs: fewer than three seeds, or one run against several, so that the "
    "interval lacks the variance over the seeds of one side and holds for these runs only; `+`: runs without a partner "
    "of the same seed and draw are left out. Rank: the least effective rank over the runs."
)
MARKS = {"subjects only": "*", "one run against several": "*", "without a partner": "+"}
"""What flags begin with or hold, and their signs."""


def build(results: Results) -> str:
    """The whole text."""
    blocks = ["# Results", NOTE]
    for setting in results.settings:
        blocks += [_heading(results, setting), _table(results, setting), _errors(results, setting)]
        blocks += [_differences(results, setting)]
    blocks += ["## Commands", "```console\n" + "\n".join(results.commands) + "\n```"]
    blocks.append("Versions: " + ", ".join(f"{name} {version}" for name, version in results.versions) + ".")
    return "\n\n".join(block for block in blocks if block) + "\n"


def _heading(results: Results, setting: Setting) -> str:
    row = results.of(setting).filter(results.of(setting)["label"].is_in(["macro", "all"])).head(1).to_dicts()
    counts = f"; {row[0]['n_records']} recordings of {row[0]['n_subjects']} subjects in test" if row else ""
    return f"## {setting.task}, {labels_said(setting)}\n\n{way(setting)}{counts}."


def _table(results: Results, setting: Setting) -> str:
    index: Index = results.rows(setting)
    columns = headlines(index)
    lines = [
        "| row | " + " | ".join(column.heading for column in columns) + " | runs | rank |",
        "| --- |" + " --- |" * (len(columns) + 2),
    ]
    for arm in results.arms(setting):
        rows = [index.get((arm, column.label, column.metric)) for column in columns]
        count = next((runs(row) for row in rows if row), 0)
        cells = [_figure(row) for row in rows]
        lines.append(f"| {arm} | " + " | ".join(cells) + f" | {count} | {_rank(results, setting, arm)} |")
    if names := numbers(index):
        counted = {name: next(row for (_, label, _), row in index.items() if label == name) for name in names}
        for what, key in (("recordings", "n_records"), ("subjects", "n_subjects")):
            counts = " | ".join(str(counted[column.label][key]) for column in columns)
            lines.append(f"| test {what} | {counts} | | |")
    return "\n".join(lines)


def _errors(results: Results, setting: Setting) -> str:
    """Mean absolute errors beside the R2 of several numbers."""
    index = results.rows(setting)
    columns = errors(index)
    if len(columns) < 2:
        return ""
    lines = [
        "| mean absolute error | " + " | ".join(column.heading for column in columns) + " |",
        "| --- |" + " --- |" * len(columns),
    ]
    for arm in results.arms(setting):
        cells = [_figure(index.get((arm, column.label, column.metric))) for column in columns]
        lines.append(f"| {arm} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _rank(results: Results, setting: Setting, arm: str) -> str:
    """Least effective rank of the arm's embeddings over its runs, of how many dimensions."""
    facts = [cell["facts"] for cell in results.cells_of(setting, arm) if "effective_rank" in cell["facts"]]
    if not facts or arm == "age and sex":
        return ""
    return f"{min(fact['effective_rank'] for fact in facts):.0f} of {facts[0]['width']}"


def _differences(results: Results, setting: Setting) -> str:
    rows = results.differences_of(setting)
    if not rows:
        return ""
    headings = {column.label: column.heading for column in headlines(results.rows(setting))}
    several = len(headings) > 1 and rows[0]["label"] != "macro"
    lines = [
        "| difference |" + " of |" * several + " value | p | p, Holm | smallest detectable | runs |",
        "| --- |" + " --- |" * several + " --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        point, low, high = (number(row[key], sign=True) for key in ("difference", "low", "high"))
        p, adjusted = (_p(row[key]) for key in ("p", "p_holm"))
        marks = sorted({sign for word, sign in MARKS.items() if any(word in flag for flag in row["flags"])})
        cells = (f"{point} [{low}, {high}]", p, adjusted, number(row["sdd"]), f"{runs(row)}{''.join(marks)}")
        of = f" {headings[row['label']]} |" if several else ""
        lines.append(f"| {row['arm_a']} - {row['arm_b']} |{of} {' | '.join(cells)} |")
    return "\n".join(lines)


def _p(p: float | None) -> str:
    if p is None:
        return "–"
    return f"{p:.2g}" if p > 0 else "< 1e-300"  # too small for a float, never none


def _figure(row: Row | None) -> str:
    if row is None:
        return "–"
    limits = "" if row["low"] is None else f" [{number(row['low'])}, {number(row['high'])}]"
    return number(row["value"]) + limits
