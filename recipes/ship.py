"""Put an encoder into the package: `python recipes/ship.py RUN COHORT NAME [EVALUATION]`.

Writes src/einthoven/app/shipped/NAME, over what was there: the run's best checkpoint with a linear head for
`ptbxl/superclass`, fitted on the training part and its thresholds on validation as `evaluate --save` does, and its
export for use without torch. Test recordings take no part. An EVALUATION folder that has seen the run spares embedding
the cohort once more. Minutes of one core; needs the extras [train] and [export].
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

from einthoven.app import models, shipped
from einthoven.app.export import export
from einthoven.cohort import splits
from einthoven.cohort.store import Cohort
from einthoven.core.output import replaced
from einthoven.evaluate import tasks
from einthoven.evaluate.fitted import Probe
from einthoven.objectives import Head
from einthoven.training import checkpoint as checkpoints
from einthoven.training.checkpoint import PAGE, Checkpoint
from einthoven.training.embedding import embed_cohort

TASK, SPLIT = "ptbxl/superclass", "official"
LARGEST = 8 << 20
"""Bytes of the largest file."""


def ship(run: Path, cohort: Path, name: str, evaluation: Path | None = None) -> Path:
    """Make the folder of a shipped encoder; every load in it proves itself."""
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise SystemExit(f"{name}: a name has small letters, digits and single hyphens")
    arm, store = checkpoints.load(run), Cohort.open(cohort)
    head = _head(arm, store, evaluation)
    with tempfile.TemporaryDirectory() as folder:
        whole, onnx = Path(folder, "checkpoint"), Path(folder, "onnx")
        checkpoints.with_head(arm, head, whole, recipe=_portable(arm.recipe), evaluated=_evaluated(store))
        print(export(whole, out=onnx))
        page = _page((whole / PAGE).read_text(encoding="utf-8"), name, store)
        (whole / PAGE).write_text(page, encoding="utf-8")
        files = [*whole.iterdir(), *onnx.iterdir()]
        for file in files:
            if file.stat().st_size >= LARGEST:
                raise SystemExit(f"{file.name}: {file.stat().st_size} bytes, more than {LARGEST}")
        with replaced(shipped.HERE / name) as scratch:
            for file in files:
                shutil.copyfile(file, scratch / file.name)
                (scratch / file.name).chmod(0o644)
    models.Exported(shipped.HERE / name)
    checkpoints.load(shipped.HERE / name)
    return shipped.HERE / name


def _head(arm: Checkpoint, store: Cohort, evaluation: Path | None) -> Head:
    task, parts_N = tasks.read(store, TASK), splits.parts(store, SPLIT)
    rows = {part: np.flatnonzero((parts_N == part) & task.known) for part in ("train", "validation")}
    kept = evaluation and evaluation / "features" / f"{arm.fingerprint[:16]}-{store.fingerprint[:16]}.npy"
    if kept and kept.exists():
        features_ND = np.load(kept, allow_pickle=False)
    else:
        used = np.concatenate(list(rows.values()))
        features_ND = np.full((len(store), arm.encoder.width_out), np.nan, np.float32)
        features_ND[used] = embed_cohort(arm, store, used)
    probe = Probe(task, features_ND, rows)
    print(f"{TASK}: {len(rows['train'])} recordings, penalty {probe.linear.penalty}, flags {list(probe.linear.flags)}")
    # scores of the validation rows alone: the others' features need not be there
    return Head.of(probe.head(rows["validation"]), task.labels, task.kind, "".join(task.units))


def _evaluated(store: Cohort) -> dict[str, object]:
    return {
        "task": TASK, "split": SPLIT, "probe": "linear", "labelled": "1.0", "draw": 0,
        "cohort_fingerprint": store.fingerprint,
    }  # fmt: skip


def _portable(recipe: dict) -> dict:
    """The recipe without the places of the machine that ran it."""
    data = recipe.get("data", {})
    cohort = data.get("cohort")
    if cohort is None:
        return recipe
    name = [Path(one).name for one in cohort] if isinstance(cohort, list) else Path(cohort).name
    return recipe | {"data": data | {"cohort": name}}


def _page(page: str, name: str, store: Cohort) -> str:
    page, source = page.replace('checkpoint="this folder"', f'checkpoint="{name}"'), store.card["source"]
    return page + "\n".join([
        "", "## What it is for", "",
        "Vectors for research on recordings of one's own, and a start for training. The head's probabilities come from",
        f"the training part of {source['family']} alone and are not calibrated for other hospitals, devices or people.",
        "They are research output, not a diagnosis.", "",
        "## How it was made", "",
        "`config.json` holds the recipe; `einthoven pretrain` runs it, and",
        f"`python recipes/ship.py RUN COHORT {name}` fits the head on `{TASK}` and writes this folder.", "",
        "## Licences", "",
        "Code and weights: Apache-2.0. Training data: "
        f"{source['family']} {source['version']}, {source['licence']}.", "",
    ])  # fmt: skip


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        raise SystemExit((__doc__ or "").partition("\n\n")[0])
    words = [Path(word) for word in sys.argv[1:]]
    print(ship(words[0], words[1], sys.argv[3], words[3] if len(words) == 4 else None))
