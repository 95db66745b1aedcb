"""The HTML report: one file that needs nothing else, from evaluation folders.

Readable wide, narrow, in the dark and in print; without scripts. Every sentence with a number is made from the data.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from einthoven.report import account, curves, predicted, tables
from einthoven.report.markup import Html, join, tag
from einthoven.report.results import Results, Setting

STYLE = Path(__file__).with_name("page.css")


def build(results: Results) -> str:
    """The page as text. Equal folders give equal bytes."""
    title = _title(results)
    tasks = list(dict.fromkeys(setting.task for setting in results.settings))
    colours = tables.palette(results)
    sections = [
        ("done", "What was done", account.done(results)),
        ("results", "Results", _results(results)),
        *((f"task-{i}", task, _task(results, task, colours)) for i, task in enumerate(tasks, 1)),
        ("arms", "What the arms are", account.arms(results)),
        ("intervals", "How the intervals were computed", account.intervals(results)),
        ("warnings", "Warnings", account.warnings(results)),
        ("provenance", "Provenance", account.provenance(results)),
    ]
    contents = tag("nav", tag("ul", [tag("li", tag("a", name, href=f"#{id}")) for id, name, _ in sections]))
    body = [tag("section", tag("h2", name), content, id=id) for id, name, content in sections]
    head = tag(
        "head", tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title), tag("style", Html(STYLE.read_text("utf-8"))),
    )  # fmt: skip
    top = tag("header", tag("h1", title), tag("p", "Research output, not a diagnosis."), contents)
    return "<!doctype html>\n" + tag("html", head, tag("body", top, tag("main", body)), lang="en") + "\n"


def _title(results: Results) -> str:
    tested = [arm for arm, role in results.roles().items() if role == "arm"]
    tasks = list(dict.fromkeys(setting.task for setting in results.settings))
    who = tested[0] if len(tested) == 1 else f"{len(tested)} checkpoints"
    return f"{who} on {tasks[0] if len(tasks) == 1 else f'{len(tasks)} tasks'}"


def _results(results: Results) -> Html:
    note = (
        "Point and 95 % interval of each arm by itself. Arms are scored on the same subjects: whether two differ is "
        "told by the paired differences of each task."
    )
    return join(tag("p", note), tables.main(results))


def _task(results: Results, task: str, colours: dict[str, str]) -> list[Html]:
    parts: list[Html] = []
    for group in (group for group in results.groups if group[0].task == task):
        parts.append(tag("h3", _sentence(tables.way(group[0]))))
        if len(group) > 1:
            parts += _efficiency(results, group, colours)
        for setting in reversed(group):  # all labels first
            parts += _setting(results, setting, colours)
        if (squares := predicted.reliability(results, group[-1], colours)) is not None:
            parts += [tag("h4", "Reliability"), squares]
        if (ecgs := predicted.recordings(results, group[-1])) is not None:
            parts += [tag("h4", "Recordings"), ecgs]
    return parts


def _setting(results: Results, setting: Setting, colours: dict[str, str]) -> list[Html]:
    index, roles = results.rows(setting), results.roles()
    parts = [tag("h4", _sentence(tables.labels_said(setting)))]
    columns, several = tables.headlines(index), len(tables.numbers(index)) > 1
    if several:
        parts.append(tables.each_number(results, setting, columns))
        parts.append(tag("p", "Mean absolute error of the same predictions, in the unit of each number:"))
        parts.append(tables.each_number(results, setting, tables.errors(index)))
    else:
        parts += [tables.forest(results, setting, column, colours) for column in columns]
    same = dict.fromkeys(cell["arm"] for cell in results.cells_of(setting) if account.overlaps(cell))
    if same:
        said = (
            f"{_sentence(account.OVERLAP)}: {', '.join(same)} saw data of the test data's family: other persons of "
            "this cohort, or another cohort, whose persons were not compared with these."
        )
        parts.append(tag("p", said, class_="note"))
    for column in columns:
        differences = tables.differences(results, setting, column, colours)
        of = f": {column.heading}" if several else ""
        if several:
            parts.append(_folded(f"Arms on one axis{of}", tables.forest(results, setting, column, colours)))
        if differences is not None:
            parts.append(_folded(f"Paired differences{of}", differences))
    for name in tables.numbers(index) if several else [None]:
        of = f": {name}" if name else ""
        parts.append(_folded(f"Further figures, arm by arm{of}", tables.means(results, setting, name)))
    if tables.label_names(index):
        parts.append(_folded("Every label, every arm", tables.labels(results, setting)))
        parts += [
            _folded(f"Every label, every figure: {arm}", tables.details(results, setting, arm))
            for arm in results.arms(setting)
            if roles[arm] == "arm"
        ]
    return parts


def _efficiency(results: Results, group: Sequence[Setting], colours: dict[str, str]) -> list[Html]:
    """A figure against the amount of labels, all arms."""
    indices = [results.rows(setting) for setting in group]
    drawn = []
    for column in tables.headlines(indices[-1]):
        series, fixed = [], []
        for arm in results.arms(group[-1]):
            rows = [index.get((arm, column.label, column.metric)) for index in indices]
            if all(row is None or tables.constant(row) for row in rows):
                fixed.append(arm)
                continue
            points = [
                curves.Point(i, row["value"], row["low"], row["high"])
                for i, row in enumerate(rows)
                if row is not None and row["value"] is not None
            ]
            series.append(curves.Series(arm, colours[arm], tuple(points)))
        places = [tables.shares(setting.labelled) for setting in group]
        beside = f"; not drawn: {', '.join(fixed)}" if fixed else ""
        what = f"{column.heading} by labelled training subjects{beside}"
        drawn.append(curves.efficiency(series, places, _sentence(what)))
    return drawn


def _folded(summary: str, content: Html) -> Html:
    return tag("details", tag("summary", summary), content)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
