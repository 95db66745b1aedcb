"""Do only labels gain that are functions of the measurements? `python recipes/groups.py EVALUATION ARM OTHER ...`

EVALUATION is a folder with the task `ptbxl/all`. Its labels are dealt into three groups before anything is scored:
those that rate, intervals, axes, voltages or ectopy decide (`feature-defined`), those that they decide in part, and
those that they do not (infarction, NORM). Printed is the mean AUROC of each group (labels with at least 10 test
subjects on either side), and the difference of ARM to each OTHER with its 95 % interval, by subject and seed.
Exploratory.
"""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

from einthoven.core import fingerprint
from einthoven.evaluate import scores

TASK = "ptbxl/all"
DEFINED = [
    "AFIB", "AFLT", "STACH", "SBRAD", "SARRH", "SVTAC", "PSVT", "SVARR", "SR", "BIGU", "TRIGU", "PAC", "PVC",
    "PRC(S)", "PACE", "1AVB", "2AVB", "3AVB", "LPR", "CLBBB", "CRBBB", "ILBBB", "IRBBB", "LAFB", "LPFB", "IVCD",
    "LNGQT", "LVOLT", "HVOLT", "VCLVH",
]  # fmt: skip
UNDEFINED = [
    "NORM", "AMI", "ASMI", "ALMI", "IMI", "ILMI", "IPLMI", "IPMI", "LMI", "PMI", "INJAS", "INJAL", "INJIN", "INJLA",
    "INJIL",
]  # fmt: skip
GROUPS = ("feature-defined", "partly", "not defined")


def group(label: str) -> str:
    return GROUPS[0] if label in DEFINED else GROUPS[2] if label in UNDEFINED else GROUPS[1]


def main(place: Path, arm: str, *others: str) -> None:
    tables = {name: _predictions(place, name) for name in (arm, *others)}
    labels = tables[arm]["label"].unique().to_list()
    print("| labels | " + " | ".join([arm, *(f"{arm} less {other}" for other in others)]) + " |")
    for name in GROUPS:
        mine = [label for label in labels if group(label) == name]
        part = {arm: table.filter(pl.col("label").is_in(mine)) for arm, table in tables.items()}
        found = [
            scores.compare(part[arm], part[other], task_name=TASK, kind="multilabel", metric="auroc")
            for other in others
        ]  # fmt: skip
        told = [f"{one['difference']:+.3f} [{one['low']:+.3f}, {one['high']:+.3f}]" for one in found]
        print(f"| {name} ({len(found[0]['labels'])}) | {found[0]['a']:.3f} | " + " | ".join(told) + " |", flush=True)


def _predictions(place: Path, arm: str) -> pl.DataFrame:
    """All runs of an arm."""
    found = []
    for about in sorted(place.glob("cells/*/cell.json")):
        cell = fingerprint.read_json(about)
        if (cell["arm"], cell["task"], cell["labelled"]) == (arm, TASK, "1.0"):
            found.append(pl.read_parquet(about.parent / "predictions.parquet"))
    if not found:
        sys.exit(f"{place}: no cell of {arm} on {TASK}")
    return pl.concat(found, how="diagonal_relaxed")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
