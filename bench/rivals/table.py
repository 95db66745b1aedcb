"""Markdown tables of `figures.json`; a dash where a program does not give that figure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bench.rivals.programs import PROGRAMS
from bench.rivals.sets import NAMES

_POINTS = (("P", "on"), ("P", "off"), ("QRS", "on"), ("QRS", "off"), ("T", "on"), ("T", "off"))


def markdown(figures: dict[str, Any]) -> str:
    """All tables."""
    sets, about = figures.get("sets", {}), figures.get("programs", {})
    parts = [_programs(about)]
    if "ludb" in sets:
        parts += [_ludb(sets["ludb"]), _ludb_rows(sets["ludb"])]
    if "qtdb" in sets:
        parts.append(_qtdb(sets["qtdb"]))
    for name in ("mitdb", "nstdb"):
        if name in sets:
            parts.append(_beats(name, sets[name]))
    if shares := {name: one for name, one in sets.items() if name.startswith(("ptbxl", "cinc2017"))}:
        parts.append(_shares(shares))
    return "\n\n".join(parts)


def brief(figures: dict[str, Any]) -> str:
    """One row a program: what docs/measure.md shows."""
    sets = figures["sets"]
    programs = [name for name, _ in _ordered(figures["programs"])]
    waves, beats = [], []
    for program in programs:
        points = _by_point(sets["ludb"].get(program, {}).get("points", []))
        cells = []
        for wave in ("P", "QRS", "T"):
            whole = points.get((wave, "wave"))
            cells += (
                [_f(whole["f1"], 1), "/".join(_s(points[wave, end]["sd"]) for end in ("on", "off"))]
                if whole
                else ["–"] * 2
            )
        way = next((way for way in ("fused", "BL") if sets["qtdb"].get(program, {}).get(way)), "")
        end = _by_point(sets["qtdb"][program][way]).get(("T", "off")) if way else None
        cells.append(f"{_s(end['sd_within'])} ({way})" if end else "–")
        if any(cell != "–" for cell in cells):
            waves.append([program, *cells])
        cells = [
            _f(sets[name].get(program, {}).get(way, {}).get("f1"))
            for name in ("mitdb", "nstdb")
            for way in ("all", "first")
        ]
        for name in ("ptbxl-af", "cinc2017-af", "ptbxl-sinus", "ptbxl-1avb", "ptbxl-sarrh", "ptbxl-pac", "ptbxl-pvc"):
            one = sets.get(name, {}).get(program, {})
            share = one.get("all", one.get("lead"))
            cells.append(_f(share["p_per_100"], 1) if share else "–")
        if any(cell != "–" for cell in cells):
            beats.append([program, *cells])
    heading = ["program", *(f"{w} {what}" for w in ("P", "QRS", "T") for what in ("F1", "SD on/off")), "QTDB T off SD"]
    other = [
        "program",
        "MIT-BIH F1, all",
        "first",
        "118e00, all",
        "first",
        "AF",
        "C2017 A",
        "sinus",
        "1AVB",
        "SARRH",
        "PAC",
        "PVC",
    ]
    return "\n\n".join((
        _table("Waves: LUDB, all leads; QT Database, SD within recordings", heading, waves),
        _table("Beats, and P waves found per 100 beats (40 recordings a set; none are there in AF)", other, beats),
    ))  # fmt: skip


def _programs(about: dict[str, Any]) -> str:
    rows = [
        (name, ", ".join(one["packages"]) or "this repository", one["licence"], one["says"], one["why"] or "ran")
        for name, one in _ordered(about)
    ]
    return _table("Programs", ("program", "version", "licence", "called", "outcome"), rows)


def _ludb(found: dict[str, Any]) -> str:
    parts = []
    for kind, title in (
        ("points", "LUDB, all leads, within the marked span, third-degree block apart for P"),
        ("crop", "LUDB, the same without 2 s at both ends"),
    ):
        rows = []
        for name, one in _ordered(found):
            points = _by_point(one[kind])
            if not points:
                continue
            for wave in ("P", "QRS", "T"):
                whole = points[wave, "wave"]
                cells = [name, wave, _n(whole["n"]), _f(whole["se"]), _f(whole["ppv"]), _f(whole["f1"])]
                for end in ("on", "off"):
                    row = points[wave, end]
                    cells += [
                        _f(row["f1"]), _f(row["f1_tight"]), f"{_s(row['mean'])} ± {_s(row['sd'])}",
                        f"{_s(row['median_abs'])} / {_s(row['q95_abs'])}", _f(row["within"], 0),
                        f"{_s(row['sd_within'])} / {_s(row['sd_between'])}",
                    ]  # fmt: skip
                rows.append(cells)
        columns = ["F1", "tight F1", "mean ± SD", "median / 95 %", "in CSE %", "SD within / between"]
        heading = ["program", "wave", "n", "Se", "PPV", "F1"]
        heading += [f"{end} {column}" for end in ("on", "off") for column in columns]
        parts.append(_table(title, heading, rows))
    return "\n\n".join(parts)


def _ludb_rows(found: dict[str, Any]) -> str:
    parts = []
    for name, one in _ordered(found):
        if name not in ("ours", "classical", "network"):
            continue
        for kind in ("conditions", "leads"):
            rows = []
            for label, chosen in one[kind].items():
                cells = [label, _n(chosen.get("records", one["records"]))]
                for wave in ("P", "QRS", "T"):
                    brief = chosen.get(wave)
                    cells += [_f(brief["f1"]), f"{_s(brief['sd_on'])} / {_s(brief['sd_off'])}"] if brief else ["–", "–"]
                rows.append(cells)
            heading = [kind.removesuffix("s"), "records"]
            heading += [f"{wave} {what}" for wave in ("P", "QRS", "T") for what in ("F1", "SD on / off")]
            parts.append(_table(f"LUDB by {kind.removesuffix('s')}: {name}", heading, rows))
    rows = [
        (name, one["af"]["records"], one["af"]["beats"], _f(one["af"]["false_p"], 1)) for name, one in _ordered(found)
    ]
    parts.append(
        _table("LUDB, false P waves in fibrillation and flutter, all leads", ("program", "records", "beats of a lead",
               "false P per 100"), rows)
    )  # fmt: skip
    return "\n\n".join(parts)


def _qtdb(found: dict[str, Any]) -> str:
    rows = []
    for name, one in _ordered(found):
        for way in ("fused", "BL", "BB", "points"):
            points = _by_point(one.get(way, []))
            if not points:
                continue
            cells = [name, "two observers" if way == "points" else way]
            for wave, end in _POINTS:
                row = points.get((wave, end))
                cells.append(_errors(row) if row and row["n"] else "–")
            rows.append(cells)
    heading = ["program", "marks", *(f"{wave} {end}" for wave, end in _POINTS)]
    title = "QT Database, q1c: F1; mean ± SD in ms (SD within, between recordings)"
    return _table(title, heading, rows)


def _errors(row: dict[str, Any]) -> str:
    parts = f"{_s(row['sd_within'])}, {_s(row['sd_between'])}"
    return f"{_f(row['f1'], 1)}; {_s(row['mean'])} ± {_s(row['sd'])} ({parts})"


def _beats(name: str, found: dict[str, Any]) -> str:
    parts = []
    ways = ("all", "first", "second", "all after 5 min", "first after 5 min")
    rows = []
    for program, one in _ordered(found):
        for way in ways:
            row = one.get(way)
            if row:
                rows.append((
                    program, way, row["beats"], _f(row["se"]), _f(row["ppv"]), _f(row["f1"]), _f(row["f1_mean"]),
                    f"{row['worst']} {_f(row['f1_worst'])}", f"{_s(row['mean'])} ± {_s(row['sd'])}", _s(row["q95"]),
                    _f(row["clean"], 1),
                ))  # fmt: skip
    heading = ("program", "leads", "beats", "Se", "PPV", "F1", "mean F1", "worst", "ms", "95 % |ms|", "clean 10 s %")
    title = "MIT-BIH at hand" if name == "mitdb" else "Noise stress, 118e00"
    parts.append(_table(f"{title}: beats, from the first sample to the last", heading, rows))
    if name == "mitdb":
        shown = [(program, way) for program, one in _ordered(found) for way in ("all", "first") if way in one]
        keys = sorted({key for program, way in shown for key in found[program][way]["per_record"]})
        rows = [[key, *(_f(found[program][way]["per_record"].get(key)) for program, way in shown)] for key in keys]
        parts.append(_table(f"{title}: F1 by recording", ["record", *(f"{p}, {w}" for p, w in shown)], rows))
    return "\n\n".join(parts)


def _shares(found: dict[str, Any]) -> str:
    whole = [f"{name}-all" for name in NAMES]
    names = [name for pair in zip(NAMES, whole) for name in pair if found.get(name)]
    programs = list(dict.fromkeys(program for name in names for program, _ in _ordered(found[name])))
    rows = []
    for program in programs:
        for way, said in (("all", "together"), ("lead", "lead II or only")):
            cells = [found[name].get(program, {}).get(way) for name in names]
            if any(cells):
                rows.append([program, said, *(_f(cell["p_per_100"], 1) if cell else "–" for cell in cells)])
    count = [next(iter(found[name].values()))["records"] for name in names]
    heading = ["program", "leads", *(f"{name} ({n})" for name, n in zip(names, count))]
    return _table("P waves found per 100 beats found (recordings); in `-af` there are none to be found", heading, rows)


def _by_point(rows: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["wave"], row["point"]): row for row in rows}


def _ordered(found: dict[str, Any]) -> list[tuple[str, Any]]:
    """Ours and detections made elsewhere first, then the rivals."""
    rivals = [program.name for program in PROGRAMS if program.packages]
    return sorted(found.items(), key=lambda one: (one[0] in rivals, rivals.index(one[0]) if one[0] in rivals else 0))


def _table(title: str, heading: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [f"**{title}**", "", "| " + " | ".join(heading) + " |", "|" + " --- |" * len(heading)]
    return "\n".join([*lines, *("| " + " | ".join(map(str, row)) + " |" for row in rows)])


def _f(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _s(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _n(value: int | None) -> str:
    return "–" if value is None else f"{value}"
