"""Four short trials an arm, judged on validation only: where the augmentations and rates of the recipes come from.

    python recipes/trials.py COHORT OUT [ARM ...]        about 3 minutes of one core a trial, 800 steps each
    python recipes/trials.py COHORT judge RUN ...        the same judgement of finished runs

An encoder is judged by a linear probe fitted on 10 % of the labelled training subjects (mean of three draws), a
supervised network by its own head: superclass macro-AUROC on fold 9 of PTB-XL. Test recordings are never read.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch

from einthoven import pretrain
from einthoven.cohort import splits
from einthoven.cohort.store import Cohort
from einthoven.evaluate import probes, tasks
from einthoven.evaluate.metrics import auroc
from einthoven.training import checkpoint
from einthoven.training.embedding import embed_cohort

STEPS = 800
NO_MASKS = ["augment.lead_mask=0", "augment.time_mask=0"]
MASKS = ["augment.lead_mask=0.3", "augment.time_mask=0.4"]
NOISE = ["augment.wander=0.3", "augment.mains=0.05", "augment.noise=0.05", "augment.muscle=0.05"]
CONTRAST = [NO_MASKS, MASKS, MASKS + NOISE, [*MASKS, "training.lr=3e-3"]]
ONE_LEAD = [[word for word in trial if "lead_mask" not in word] for trial in CONTRAST]
LABELS = [NO_MASKS, MASKS, [*NO_MASKS, "training.lr=3e-4"], [*MASKS, "training.weight_decay=0.1"]]
ALONE, BESIDE = ["objective.neighbours=0"], ["objective.neighbours=1"]
PHYSIOLOGY = [
    [*NO_MASKS, *ALONE], [*MASKS, *ALONE], [*MASKS, *ALONE, "objective.form=group"], [*MASKS, *BESIDE],
]  # fmt: skip
REGRESS = ["objective.control=regress", "objective.alpha=0", "objective.beta=0", *ALONE]
TRIALS = {
    "simclr-ptbxl": CONTRAST, "simclr-ptbxl-gain": CONTRAST, "simclr-one-lead": ONE_LEAD, "supervised-ptbxl": LABELS,
    "physioclr-ptbxl": PHYSIOLOGY, "physioclr-ptbxl-regress": [[*REGRESS, *trial] for trial in CONTRAST],
}  # fmt: skip


def judge(run: Path, cohort: Cohort) -> float:
    """Validation macro-AUROC of the five superclasses."""
    task, parts = tasks.read(cohort, "ptbxl/superclass"), splits.parts(cohort, "official")
    train, validation = (np.flatnonzero((parts == part) & task.known) for part in ("train", "validation"))
    arm = checkpoint.load(run)
    held_VD, truth_VK = embed_cohort(arm, cohort, validation), task.truth_NK[validation]
    if arm.head is not None:
        with torch.no_grad():
            return _macro(truth_VK, arm.head(torch.from_numpy(held_VD)).double().numpy())
    seen_ND, found = np.full((len(cohort), held_VD.shape[1]), np.nan, np.float32), []
    seen_ND[train] = embed_cohort(arm, cohort, train)
    for draw in range(3):
        few = splits.few(cohort, train, 0.1, draw)
        probe = probes.fit(seen_ND[few], task.truth_NK[few], held_VD, truth_VK, task.kind)
        found.append(_macro(truth_VK, probe.scores(held_VD)))
    return float(np.mean(found))


def _macro(truth_VK: np.ndarray, score_VK: np.ndarray) -> float:
    return float(np.mean([auroc(truth_V, score_V) for truth_V, score_V in zip(truth_VK.T, score_VK.T)]))


def main(place: str, out: str, *arms: str) -> None:
    cohort = Cohort.open(Path(place))
    if out == "judge":
        for run in arms:
            print(json.dumps({"run": run, "validation": round(judge(Path(run), cohort), 4)}), flush=True)
        return
    for arm in arms or TRIALS:
        for i, trial in enumerate(TRIALS[arm]):
            run = Path(out, f"{arm}-{i}")
            fixed = [f"data.cohort={place}", f"training.steps={STEPS}", "training.validate_every=100"]
            recipe = arm.removesuffix("-regress")  # the same recipe with its measurements regressed, not contrasted
            pretrain(Path(__file__).parent / f"{recipe}.toml", out=run, set=fixed + trial)
            print(json.dumps({"arm": arm, "trial": trial, "validation": round(judge(run, cohort), 4)}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
