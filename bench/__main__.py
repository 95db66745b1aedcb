"""`python -m bench [NAME ...]`: measure all figures, or those whose names begin with NAME; exit 1 on a missed goal."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import bench
from bench._run import Bench, machine, run


def every() -> list[Bench]:
    """The figures of all topics."""
    topics = [module.name for module in pkgutil.iter_modules(bench.__path__) if not module.name.startswith("_")]
    return [figure for topic in topics for figure in importlib.import_module(f"bench.{topic}").benches()]


def main(wanted: list[str]) -> int:
    figures = every()
    chosen = [figure for figure in figures if not wanted or figure.name.startswith(tuple(wanted))]
    if not chosen:
        there = " ".join(figure.name for figure in figures)
        print(f"bench: no figure called {' '.join(wanted)}; there are: {there}", file=sys.stderr)
        return 2
    print(machine(), file=sys.stderr)
    missed = [line for line in map(run, chosen) if line["goal"] is not None and line["ratio"] < line["goal"]]
    for line in missed:
        print(f"missed: {line['name']} is {line['ratio']:.2f} times better, goal {line['goal']}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
