"""The page of `audit`: findings first, then the tables behind them. One file that needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from einthoven.cohort.audit import Audit, Finding
from einthoven.report.markup import Html, join, tag
from einthoven.report.page import STYLE

_LOW_MV, _HIGH_MV, _WIDTH, _HEIGHT = 0.03, 30.0, 220, 14
_QUANTILES = {"q01": "1 %", "q25": "25 %", "q50": "median", "q75": "75 %", "q99": "99 %"}
_FOLDED = 12


def build(name: str, audit: Audit) -> str:
    """The page as text."""
    counts = audit.card["counts"]
    sections = [
        ("findings", "Findings", _findings(audit)),
        ("recordings", "Recordings", _recordings(audit)),
        ("amplitude", "Amplitudes", _amplitude(audit)),
        ("splits", "Splits", _splits(audit)),
        ("labels", "Labels", _labels(audit)),
        ("metadata", "Labels from metadata alone", _giveaways(audit)),
        ("card", "Where it comes from", _card(audit)),
    ]
    head = tag(
        "head", tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"Audit of {name}"), tag("style", Html(STYLE.read_text("utf-8"))),
    )  # fmt: skip
    said = f"{counts['records']:,} recordings of {counts['subjects']:,} subjects, {counts['hours']:,.1f} hours"
    contents = tag("nav", tag("ul", [tag("li", tag("a", title, href=f"#{id}")) for id, title, _ in sections]))
    top = tag("header", tag("h1", f"Audit of {name}"), tag("p", said), contents)
    body = [tag("section", tag("h2", title), content, id=id) for id, title, content in sections]
    return "<!doctype html>\n" + tag("html", head, tag("body", top, tag("main", body)), lang="en") + "\n"


def _findings(audit: Audit) -> Html:
    if audit.leaks:
        verdict = "This cohort leaks: numbers made from the splits below would be too good."
    elif audit.damaged:
        verdict = "Samples of this cohort are damaged: prepare it again."
    else:
        verdict = "No leak: no person and no recording is on both sides of a split. What follows is for you to judge."
    return join(tag("p", tag("strong", verdict)), [_finding(finding) for finding in audit.findings])


def _finding(finding: Finding) -> Html:
    line = f"{finding.kind}: {finding.what}" + (f" ({finding.count:,})" if finding.count > 1 or finding.keys else "")
    if not finding.keys:
        return tag("p", line)
    keys = ", ".join(finding.keys) + (
        f" and {finding.count - len(finding.keys):,} more" * (finding.count > len(finding.keys))
    )
    return tag("details", tag("summary", line), tag("p", keys), open="" if finding.kind != "warning" else None)


def _recordings(audit: Audit) -> Html:
    rows = [
        (
            kind["leads"], f"{kind['rate']:g}", f"{kind['records']:,}", f"{kind['subjects']:,}",
            f"{kind['shortest']:.4g}", f"{kind['median']:.4g}", f"{kind['longest']:.4g}",
        )
        for kind in audit.kinds
    ]  # fmt: skip
    heading = ("leads", "Hz", "recordings", "subjects", "shortest, s", "median, s", "longest, s")
    refused = audit.card["refused"]
    counts = audit.card["counts"]
    left = f"Refused when it was prepared: {counts['refused']:,}"
    left += f" ({', '.join(f'{reason} {count:,}' for reason, count in refused.items())})." if refused else "."
    left += f" In the source's table without a file: {counts['absent']:,}."
    return join(_table(heading, rows), tag("p", left))


def _amplitude(audit: Audit) -> Html:
    rows = [
        (
            row["lead"], _swing(row), *(f"{row[q]:.3g}" if row[q] is not None else "–" for q in _QUANTILES),
            row["flat"] or "", row["clipped"] or "", row["missing"] or "",
        )
        for row in audit.amplitude
    ]  # fmt: skip
    scale = f"{_LOW_MV:g} to {_HIGH_MV:g} mV, logarithmic"
    heading = ("lead", scale, *_QUANTILES.values(), "flat", "clipped", "with gaps")
    note = "Largest minus smallest value of each recording in mV: the line is the middle 98 %, the bar the middle half."
    return join(tag("p", note, class_="note"), _table(heading, rows))


def _swing(row: dict[str, Any]) -> Html | str:
    """Quantiles as a bar with whiskers on a logarithmic axis."""
    if row["q50"] is None:
        return ""
    at = {q: _place(row[q]) for q in _QUANTILES}
    middle = _HEIGHT / 2
    return tag(
        "svg",
        *(tag("line", x1=x, x2=x, y1=0, y2=_HEIGHT, class_="guide") for x in map(_place, (0.1, 1.0, 10.0))),
        tag("line", x1=at["q01"], x2=at["q99"], y1=middle, y2=middle, stroke="var(--k1)"),
        tag(
            "rect", x=at["q25"], y=middle - 4, width=max(at["q75"] - at["q25"], 1.0), height=8, fill="var(--k1)",
            fill_opacity=0.45,
        ),
        tag("line", x1=at["q50"], x2=at["q50"], y1=middle - 5, y2=middle + 5, stroke="var(--k1)", stroke_width=2),
        width=_WIDTH, height=_HEIGHT, role="img", aria_label=f"median {row['q50']:.3g} mV",
    )  # fmt: skip


def _place(millivolts: float) -> float:
    inside = min(max(millivolts, _LOW_MV), _HIGH_MV)
    return _WIDTH * math.log(inside / _LOW_MV) / math.log(_HIGH_MV / _LOW_MV)


def _splits(audit: Audit) -> Html:
    if not audit.parts:
        return tag("p", "No split can be made.")
    heading = list(audit.parts[0])
    rows = [[row["split"], *(f"{row[name]:,}" for name in heading[1:])] for row in audit.parts]
    stated = f"Persons: {audit.card['subjects']}."
    return join(tag("p", stated), _table(heading, rows))


def _labels(audit: Audit) -> Html:
    if not audit.labels:
        return tag("p", "This cohort has no labels.")
    parts: list[Html] = []
    for name in dict.fromkeys(row["label set"] for row in audit.labels):
        mine = [row for row in audit.labels if row["label set"] == name]
        heading = [key for key in mine[0] if key != "label set"]
        table = _table(heading, [[row["code"], *(f"{row[key]:,}" for key in heading[1:])] for row in mine])
        summary = f"{name}: {len(mine)} codes"
        parts.append(tag("details", tag("summary", summary), table, open="" if len(mine) <= _FOLDED else None))
    note = "Recordings and subjects that carry the code; unknown are recordings of which nothing is stated."
    return join(tag("p", note, class_="note"), parts)


def _giveaways(audit: Audit) -> Html:
    if audit.giveaways is None:
        return tag("p", "Not examined: scikit-learn is not installed.")
    if not audit.giveaways:
        return tag("p", "No label is predicted by device, site, length, rate or leads with an AUROC above 0.65.")
    rows = [(one["label_set"], one["code"], f"{one['auroc']:.3f}", one["by"]) for one in audit.giveaways]
    note = (
        "A tree of depth 3 on device, site, length, rate and leads, fitted on one half of the persons and scored on "
        "the other. A model can learn these too, and they will not hold elsewhere."
    )
    return join(tag("p", note, class_="note"), _table(("label set", "code", "AUROC", "mostly by"), rows))


def _card(audit: Audit) -> Html:
    source = audit.card["source"]
    settings = ", ".join(f"{key} {value}" for key, value in source["settings"].items() if value is not None)
    lines = {
        "source": f"{source['name']} {source['version']}".strip(), "settings": settings or "none",
        "licence": source["licence"], "citation": source["citation"] or "none",
        "notes": "; ".join(audit.card["notes"]) or "none", "fingerprint": audit.card["fingerprint"],
        "prepared by": f"einthoven {audit.card['einthoven']}",
    }  # fmt: skip
    return _table(("", ""), [(key, tag("span", value)) for key, value in lines.items()], words=True)


def _table(heading: Sequence[str], rows: Iterable[Sequence[Any]], words: bool = False) -> Html:
    head = tag("thead", tag("tr", [tag("th", name, scope="col") for name in heading])) if any(heading) else None
    cells = "words" if words else None
    body = [
        tag("tr", tag("th", row[0], scope="row"), [tag("td", cell, class_=cells) for cell in row[1:]]) for row in rows
    ]
    return tag("div", tag("table", head, tag("tbody", body)), class_="wide", tabindex=0)
