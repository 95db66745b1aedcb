"""The tables of the page: each number as `scores.parquet` or `differences.json` has it, with interval and counts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from einthoven.report import curves
from einthoven.report.curves import COLOURS, Scale
from einthoven.report.markup import Html, join, tag
from einthoven.report.results import Results, Row, Setting

ANY = "*"
"""Stands for the label of a task that predicts a number."""


class Column(NamedTuple):
    heading: str
    label: str
    metric: str
    digits: int = 3


HEADLINES = (
    Column("macro-AUROC", "macro", "auroc"), Column("official F1", "all", "f1_challenge2017"),
    Column("mean absolute error", ANY, "mae"),
)  # fmt: skip
MEANS = (
    Column("AUROC", "macro", "auroc"), Column("AUROC of all labels present", "macro_present", "auroc"),
    Column("average precision", "macro", "ap"), Column("prevalence", "macro", "prevalence"),
    Column("F1", "macro", "f1"), Column("official F1", "all", "f1_challenge2017"),
    Column("accuracy", "all", "accuracy"),
    Column("Brier", "macro", "brier"), Column("calibration slope", "macro", "calibration_slope", 2),
    Column("calibration intercept", "macro", "calibration_intercept", 2), Column("ECE", "macro", "ece"),
    Column("ECE if calibrated", "macro", "ece_if_calibrated"),
    Column("MAE", ANY, "mae"), Column("MAE of the training median", ANY, "mae_constant"), Column("RMSE", ANY, "rmse"),
    Column("R²", ANY, "r2"), Column("R², training mean", ANY, "r2_train"), Column("Spearman", ANY, "spearman"),
)  # fmt: skip
DETAILS = (
    Column("AUROC", ANY, "auroc"), Column("average precision", ANY, "ap"), Column("prevalence", ANY, "prevalence"),
    Column("lift", ANY, "ap_lift", 2), Column("threshold", ANY, "threshold"), Column("F1", ANY, "f1"),
    Column("sensitivity at 0.90", ANY, "sensitivity@0.90"), Column("specificity reached", ANY, "specificity@0.90"),
    Column("sensitivity at 0.95", ANY, "sensitivity@0.95"), Column("specificity reached", ANY, "specificity@0.95"),
    Column("Brier", ANY, "brier"), Column("calibration slope", ANY, "calibration_slope", 2),
    Column("calibration intercept", ANY, "calibration_intercept", 2), Column("ECE", ANY, "ece"),
    Column("ECE if calibrated", ANY, "ece_if_calibrated"),
)  # fmt: skip
NOT_A_LABEL = ("macro", "macro_present", "micro", "all")

_COUNT = re.compile(r"[\d,.–]+$")

Index = dict[tuple[str, str, str], Row]


def number(value: float | None, digits: int = 3, sign: bool = False) -> str:
    """A figure for print: `0.873`, `−0.012`; an en dash where it is not defined."""
    if value is None:
        return "–"
    text = f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"
    return text.replace("-", "−")


def figure(row: Row | None, digits: int = 3, sign: bool = False, value: str = "value") -> Html:
    """A point with its interval; why there is none is said on hovering over it and in the warnings."""
    if row is None:
        return Html("–")
    limits = None
    if row["low"] is not None:
        limits = tag("small", f"[{number(row['low'], digits, sign)}, {number(row['high'], digits, sign)}]")
    return tag("span", number(row[value], digits, sign), " " if limits else None, limits, title=_flags(row))


def shares(labelled: str) -> str:
    """`1.0` and `0.1` are shares of the training subjects, `100` is a number of them."""
    amount = float(labelled)
    if amount < 1 or "." in labelled:
        return f"{100 * amount:g}\N{NO-BREAK SPACE}%"
    return f"{amount:g} subjects"


def way(setting: Setting) -> str:
    """How it was evaluated: `official split, linear probe`."""
    split = {"halves": "two halves", "folds": "five folds"}.get(setting.splits, f"{setting.splits} split")
    probe = {"linear": "linear probe", "finetune": "fine-tuning"}.get(setting.probe, setting.probe)
    return f"{split}, {probe}"


def labels_said(setting: Setting) -> str:
    """`10 % of the labelled subjects`, `100 labelled subjects`."""
    amount = shares(setting.labelled)
    return f"{amount} of the labelled subjects" if amount.endswith("%") else amount.replace(" ", " labelled ")


def headlines(index: Index) -> list[Column]:
    """The main figures of a setting; the label of a predicted number is put in. Several numbers have R2 each."""
    if len(names := numbers(index)) > 1:
        return [Column(_learnt(index, name), name, "r2") for name in names]
    found = []
    for column in HEADLINES:
        label = next(
            (name for _, name, metric in index if metric == column.metric and column.label in (ANY, name)), None
        )
        if label is not None:
            found.append(column._replace(label=label))
    return found


def palette(results: Results) -> dict[str, str]:
    """A colour class for each arm: the same in every drawing."""
    roles = results.roles()
    tested = [arm for arm, role in roles.items() if role == "arm"]
    others = [arm for arm, role in roles.items() if role != "arm"]
    return {arm: f"arm k{i % COLOURS}" for i, arm in enumerate(tested)} | {
        arm: f"ref r{i % COLOURS}" for i, arm in enumerate(others)
    }


def main(results: Results) -> Html:
    """All arms against all settings: the main figure of each."""
    columns = [
        (setting, column, index)
        for setting in results.settings
        for index in [results.rows(setting)]
        for column in headlines(index)
    ]
    tasks = list(dict.fromkeys(setting.task for setting, _, _ in columns))
    heads = [
        tag("th", task, colspan=sum(setting.task == task for setting, _, _ in columns), scope="colgroup")
        for task in tasks
    ]
    second = [
        tag("th", column.heading, tag("br"), tag("small", _short(setting, results)), scope="col")
        for setting, column, _ in columns
    ]
    body = []
    for role, heading in (("arm", "checkpoints"), ("reference", "reference rows")):
        arms = [arm for arm, of in results.roles().items() if of == role]
        if arms:
            body.append(tag("tr", tag("th", heading, colspan=len(columns) + 1, scope="rowgroup"), class_="group"))
        for arm in arms:
            cells = [tag("td", figure(index.get((arm, column.label, column.metric)))) for _, column, index in columns]
            body.append(tag("tr", tag("th", arm, scope="row"), cells))
    counts = [
        tag(
            "tr",
            tag("th", heading, scope="row"),
            [tag("td", count(results, index, column)) for _, column, index in columns],
        )
        for heading, count in (
            ("test recordings", lambda r, i, c: _count(i, c, "n_records")),
            ("test subjects", lambda r, i, c: _count(i, c, "n_subjects")),
            ("labels in the mean", lambda r, i, c: _labels(i, c)),
        )
    ]
    return _wide(
        tag("thead", tag("tr", tag("td"), heads), tag("tr", tag("td"), second)),
        tag("tbody", body),
        tag("tfoot", counts),
    )


def forest(results: Results, setting: Setting, column: Column, colours: dict[str, str]) -> Html:
    """The arms of one setting on a common axis, with point, interval and number of runs."""
    index = results.rows(setting)
    rows = [(arm, index.get((arm, column.label, column.metric))) for arm in results.arms(setting)]
    axis = curves.scale([row[k] for _, row in rows if row and not constant(row) for k in ("value", "low", "high")])
    body = [
        tag("tr", tag("th", arm, scope="row"), tag("td", _drawn(row, axis, colours[arm], "value"), class_="drawing"),
            tag("td", figure(row)), tag("td", runs(row) if row else "–"))
        for arm, row in rows
    ]  # fmt: skip
    counted = "seeds" if setting.labelled == "1.0" else "seeds x draws"
    head = tag(
        "tr",
        tag("th", "arm", scope="col"),
        tag("td"),
        tag("th", column.heading, scope="col"),
        tag("th", counted, scope="col"),
    )
    foot = tag("tr", tag("td"), tag("td", curves.axis_row(axis), class_="drawing"), tag("td"), tag("td"))
    return _wide(tag("thead", head), tag("tbody", body), tag("tfoot", foot), class_="forest")


def runs(row: Row) -> str:
    """`3`, or `3 x 5` for three seeds with five draws of few labels each; older folders have the number alone."""
    return row.get("runs") or str(row["n_runs"])


def differences(results: Results, setting: Setting, column: Column, colours: dict[str, str]) -> Html | None:
    """Paired differences of a setting: what the intervals of two arms by themselves cannot show."""
    rows = [
        row for row in results.differences_of(setting) if (row["label"], row["metric"]) == (column.label, column.metric)
    ]
    if not rows:
        return None
    index = results.rows(setting)
    fixed = {arm for (arm, label, _), row in index.items() if label == rows[0]["label"] and constant(row)}
    near = [row for row in rows if not fixed & {row["arm_a"], row["arm_b"]}]
    axis = curves.scale([0.0, *(row[k] for row in near for k in ("difference", "low", "high"))])
    body = []
    for arm in dict.fromkeys(row["arm_a"] for row in rows):
        body.append(tag("tr", tag("th", f"{arm} minus", colspan=7, scope="rowgroup"), class_="group"))
        body += [
            tag("tr", tag("th", row["arm_b"], scope="row"),
                tag("td", _drawn(row, axis, colours[arm], "difference"), class_="drawing"),
                tag("td", figure(row, 3, True, "difference")), tag("td", _p(row["p"])),
                tag("td", _p(row["p_holm"])), tag("td", number(row["sdd"])), tag("td", runs(row)))
            for row in rows
            if row["arm_a"] == arm
        ]  # fmt: skip
    names = (f"difference of {column.heading}", "p, unadjusted", "p, Holm", "smallest detectable", "runs")
    head = tag("tr", tag("td"), tag("td"), [tag("th", name, scope="col") for name in names])
    foot = tag("tr", tag("td"), tag("td", curves.axis_row(axis), class_="drawing"), [tag("td") for _ in names])
    return _wide(tag("thead", head), tag("tbody", body), tag("tfoot", foot), class_="forest")


def means(results: Results, setting: Setting, name: str | None = None) -> Html:
    """Further figures of a setting, arm by arm; of the number `name` where it has several."""
    index = results.rows(setting)
    if name is not None:
        index = {key: row for key, row in index.items() if key[1] == name}
    return _matrix(results.arms(setting), "arm", MEANS, lambda arm, column: _find(index, arm, column))


def each_number(results: Results, setting: Setting, columns: Sequence[Column]) -> Html:
    """Several numbers side by side: a row an arm, a column a number, and how many were tested."""
    index = results.rows(setting)
    counts = [
        tag("tr", tag("th", heading, scope="row"), [tag("td", _count(index, column, name)) for column in columns])
        for heading, name in (("test recordings", "n_records"), ("test subjects", "n_subjects"))
    ]
    of_arm = lambda arm, column: index.get((arm, column.label, column.metric))  # noqa: E731
    return _matrix(results.arms(setting), "arm", columns, of_arm, counts)


def numbers(index: Index) -> list[str]:
    """The numbers that a setting predicts, in order."""
    return list(dict.fromkeys(label for _, label, metric in index if metric == "mae"))


def errors(index: Index) -> list[Column]:
    """The mean absolute error of each number, in its unit."""
    units = {label: row.get("unit") for (_, label, metric), row in index.items() if metric == "mae"}
    return [
        Column(name if units[name] in (None, "", "1") else f"{name}, {units[name]}", name, "mae")
        for name in numbers(index)
    ]


def labels(results: Results, setting: Setting) -> Html:
    """AUROC of every label for every arm, with the counts that decide whether it enters the mean."""
    index, arms = results.rows(setting), results.arms(setting)
    names = label_names(index)
    body = []
    for label in names:
        rows = [index.get((arm, label, "auroc")) for arm in arms]
        first = next(row for row in rows if row)
        body.append(tag(
            "tr", tag("th", label, scope="row"), tag("td", first["n_positive_subjects"]),
            tag("td", first["n_negative_subjects"]), tag("td", "yes" if first["listed"] else "no"),
            [tag("td", figure(row)) for row in rows], class_=None if first["listed"] else "outside",
        ))  # fmt: skip
    heads = ("label", "positive subjects", "negative subjects", "in the mean", *arms)
    return _wide(tag("thead", tag("tr", [tag("th", name, scope="col") for name in heads])), tag("tbody", body))


def details(results: Results, setting: Setting, arm: str) -> Html:
    """All figures of every label of one arm."""
    index = results.rows(setting)
    return _matrix(label_names(index), "label", DETAILS, lambda label, column: index.get((arm, label, column.metric)))


def label_names(index: Index) -> list[str]:
    """Labels with an AUROC, those with most positive subjects first."""
    found = {
        label: row["n_positive_subjects"] or 0 for (_, label, metric), row in index.items()
        if metric == "auroc" and label not in NOT_A_LABEL
    }  # fmt: skip
    return sorted(found, key=lambda label: (-found[label], label))


def plain(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> Html:
    """A table of words and counts; the first cell of a row names it. Columns of words stand left, counts right."""
    kinds = [None if all(_COUNT.match(str(row[i])) for row in rows) else "words" for i in range(len(heads))]
    head = [tag("th", name, scope="col", class_=kind) for name, kind in zip(heads, kinds)]
    body = [
        tag(
            "tr",
            tag("th", row[0], scope="row"),
            [tag("td", cell, class_=kind) for cell, kind in zip(row[1:], kinds[1:])],
        )
        for row in rows
    ]
    return _wide(tag("thead", tag("tr", head)), tag("tbody", body))


def constant(row: Row) -> bool:
    """The same in every resample (a constant score): it has no place on an axis of intervals."""
    return row["value"] is not None and row["low"] == row["value"] == row["high"]


def _learnt(index: Index, name: str) -> str:
    """`R² of pr`, `R² of log1p(rmssd)`."""
    learnt_as = next(row.get("learnt_as") for (_, label, _), row in index.items() if label == name)
    return f"R² of {learnt_as or name}"


def _matrix(names: Sequence[str], what: str, columns: Sequence[Column], row: Any, foot: Sequence[Html] = ()) -> Html:
    found = [(column, [row(name, column) for name in names]) for column in columns]
    found = [(column, cells) for column, cells in found if any(cells)]
    head = [tag("th", what, scope="col"), *(tag("th", column.heading, scope="col") for column, _ in found)]
    body = [
        tag("tr", tag("th", name, scope="row"), [tag("td", figure(cells[i], column.digits)) for column, cells in found])
        for i, name in enumerate(names)
    ]
    return _wide(tag("thead", tag("tr", head)), tag("tbody", body), *([tag("tfoot", foot)] if foot else []))


def _wide(*parts: Html, class_: str | None = None) -> Html:
    # a region that scrolls must be reachable by keyboard
    return tag("div", tag("table", *parts, class_=class_), class_="wide", tabindex="0")


def _find(index: Index, arm: str, column: Column) -> Row | None:
    if column.label != ANY:
        return index.get((arm, column.label, column.metric))
    return next((row for (a, _, metric), row in index.items() if (a, metric) == (arm, column.metric)), None)


def _short(setting: Setting, results: Results) -> str:
    """What tells the columns of one task apart."""
    same = [other for other in results.settings if other.task == setting.task]
    names = [name for name in ("splits", "probe") if len({getattr(other, name) for other in same}) > 1]
    return ", ".join([shares(setting.labelled), *(getattr(setting, name) for name in names)])


def _count(index: Index, column: Column, name: str) -> str:
    counts = {
        row[name] for (_, label, metric), row in index.items() if (label, metric) == (column.label, column.metric)
    }
    return " / ".join(f"{count:,}" for count in sorted(counts))


def _labels(index: Index, column: Column) -> str:
    if column.label != "macro":
        return "–"
    return " / ".join(map(str, sorted({row["n_labels"] for (_, label, _), row in index.items() if label == "macro"})))


def _drawn(row: Row | None, axis: Scale, colour: str, value: str) -> Html:
    if row is None:
        return join()
    return curves.interval(row[value], row["low"], row["high"], axis, colour)


def _p(p: float | None) -> str:
    if p is None:
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _flags(row: Row) -> str | None:
    flags = row["flags"]
    return ("; ".join(flags) if isinstance(flags, list) else flags) or None
