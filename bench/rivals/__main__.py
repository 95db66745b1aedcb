"""Run the programs over the sets, score them, and print the tables.

    python -m bench.rivals                          all programs, all sets, then the tables
    python -m bench.rivals --programs ours --sets ludb qtdb
    python -m bench.rivals --also network=FOLDER    detections made elsewhere: FOLDER/SET/KEY.npz as `worker.py` writes
    python -m bench.rivals --table                  only print what figures.json holds
    python -m bench.rivals --brief                  the same, one row a program

What a program found is kept in `.work` and used again unless it is to be run anew (`--again`). Figures of programs and
sets that were not asked for stay as they are in figures.json.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import shutil
import sys
from pathlib import Path
from typing import Any

from bench.rivals import programs, score, sets, table
from bench.rivals.programs import HERE, PROGRAMS

FIGURES = HERE / "figures.json"
WORK = HERE / ".work"
DATA = Path(".data")
LEARNT = ("ludb", "qtdb")
"""Our engine has learnt from these: what it finds there out of fold is made by `bench.waves.folds --marks`."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser("python -m bench.rivals", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--programs", nargs="+", default=[program.name for program in PROGRAMS], help="which to run")
    parser.add_argument("--sets", nargs="+", default=list(sets.NAMES), choices=sets.NAMES)
    parser.add_argument("--all", action="store_true", help=f"all recordings, not {sets.SAMPLED} of each large set")
    parser.add_argument("--also", nargs="+", default=[], metavar="NAME=FOLDER", help="detections made elsewhere")
    parser.add_argument("--again", action="store_true", help="run also what was run before")
    parser.add_argument("--table", action="store_true", help="print the tables and do nothing else")
    parser.add_argument("--brief", action="store_true", help="print the short tables and do nothing else")
    parser.add_argument("--figures", type=Path, default=FIGURES)
    parser.add_argument("--data", type=Path, default=DATA)
    asked = parser.parse_args(arguments)
    new: dict[str, Any] = {"programs": {}, "sets": {}}
    if not (asked.table or asked.brief):
        try:
            measure(new, asked)
        finally:  # read again: somebody else may have measured other programs meanwhile
            kept = _read(asked.figures)
            for name, found in new["sets"].items():
                kept["sets"].setdefault(name, {}).update(found)
            kept["programs"].update(new["programs"])
            kept["machine"] = f"{platform.machine()}, Python {platform.python_version()}, one thread"
            asked.figures.write_text(_lines(_plain(kept)))
    print((table.brief if asked.brief else table.markdown)(_read(asked.figures)))
    return 0


def _read(figures: Path) -> dict[str, Any]:
    return json.loads(figures.read_text()) if figures.is_file() else {"programs": {}, "sets": {}}


def measure(figures: dict[str, Any], asked: argparse.Namespace) -> None:
    """Fill `programs` and `sets` of `figures`."""
    about, results = figures["programs"], figures["sets"]
    chosen = [program for program in PROGRAMS if program.name in asked.programs]
    python: dict[str, Path] = {}
    for program in chosen:
        found, why = programs.environment(program)
        about[program.name] = {
            "packages": list(program.packages), "licence": program.licence, "says": program.says, "why": why,
        }  # fmt: skip
        if found is not None:
            python[program.name] = found
    made = dict(one.split("=", 1) for one in asked.also)
    about |= {name: {"packages": [], "licence": "Apache-2.0", "says": "", "why": ""} for name in made}
    for name in asked.sets:
        given = WORK / ("given-all" if asked.all else "given") / name
        given.mkdir(parents=True, exist_ok=True)
        records = list(sets.records(name, asked.data, asked.all))
        for record, _ in records:
            if not (given / f"{record.key}.npz").is_file():
                sets.write(record, given / f"{record.key}.npz")
        what = sets.WHAT.get(name, "waves")
        ways = {program.name: _found(program.name, name, asked.all) for program in chosen if what in program.gives}
        if name in LEARNT:
            ways.pop("ours", None)
        for program in chosen:
            if program.name in ways and program.name in python:
                folder = ways[program.name]
                whole = {file.name for file in folder.glob("*.npz")} >= {f"{record.key}.npz" for record, _ in records}
                if asked.again or program.name == "ours" or not whole:
                    shutil.rmtree(folder, ignore_errors=True)
                    print(f"{name}: {program.name}, {len(records)} recordings", file=sys.stderr, flush=True)
                    about[program.name]["why"] = programs.run(program, python[program.name], what, given, folder)
        for who, folder in (*ways.items(), *((who, Path(folder) / name) for who, folder in made.items())):
            if who in made and not folder.is_dir():
                raise SystemExit(f"{folder}: no such folder; --also wants NAME=FOLDER with FOLDER/SET/KEY.npz")
            if folder.is_dir():
                key = f"{name}-all" if asked.all and name not in sets.WHOLE else name
                found = _scored(name, records, folder)
                if who in python and who != "ours":  # nobody asks for a rival's figures lead by lead
                    found = {part: one for part, one in found.items() if part not in ("leads", "conditions")}
                results.setdefault(key, {})[who] = found
        if name == "qtdb":
            results.setdefault(name, {})["second cardiologist"] = score.observers([record for record, _ in records])


def _lines(figures: dict[str, Any]) -> str:
    """JSON with a line for each program of each set."""
    parts = [f'"machine": {json.dumps(figures["machine"])}']
    for kind, level in (("programs", figures["programs"]), ("sets", figures["sets"])):
        rows = []
        for name, one in sorted(level.items()):
            if kind == "sets":
                inner = ",\n  ".join(f"{json.dumps(who)}: {json.dumps(it)}" for who, it in sorted(one.items()))
                rows.append(f"{json.dumps(name)}: {{\n  {inner}}}")
            else:
                rows.append(f"{json.dumps(name)}: {json.dumps(one)}")
        parts.append(f'"{kind}": {{\n ' + ",\n ".join(rows) + "}")
    return "{" + ",\n".join(parts) + "}\n"


def _found(program: str, name: str, every: bool) -> Path:
    return WORK / ("found-all" if every else "found") / name / program


def _scored(name: str, records: list[Any], folder: Path) -> dict[str, Any]:
    scorer, failed, cpu, seconds = score.of_set(name), 0, 0.0, 0.0
    for record, start in records:
        found = score.read(folder / f"{record.key}.npz")
        failed += len(found["failed"]) > 0 if "failed" in found else int(not found)
        cpu += float(found.get("cpu", 0))
        seconds += record.seconds * len(record.leads)
        scorer.add(record, found, start)
    return scorer.figures() | {"failed": failed, "cpu_ms_per_lead_second": 1000 * cpu / seconds}


def _plain(value: Any) -> Any:
    """For JSON: no NaN, and no more digits than say something."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return None if math.isnan(value) else float(f"{value:.5g}")
    return value.item() if hasattr(value, "item") else value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
