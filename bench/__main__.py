"""`python -m bench [NAME ...]`: measure all figures, or those whose names begin with NAME; exit 1 on a missed goal."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import bench
from bench._run import Bench, machine, run


def main(wanted: list[str]) -> int:
    figures: list[Bench] = []
    for module in pkgutil.iter_modules(bench.__path__):
        if not module.name.startswith("_"):
            figures += importlib.import_module(f"bench.{module.name}").benches()
    chosen = [figure for figure in figures if not wanted or figure.name.startswith(tuple(wanted))]
    if not chosen:
        print(f"bench: no figure called {' '.join(wanted)}; there are: {' '.join(f.name for f in figures)}")
        return 2
    print(machine(), file=sys.stderr)
    missed = [line for line in map(run, chosen) if line["goal"] is not None and line["ratio"] < line["goal"]]
    for line in missed:
        print(f"missed: {line['name']} is {line['ratio']:.2f} times better, goal {line['goal']}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
