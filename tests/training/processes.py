"""Two processes against one: `torchrun --nproc-per-node 2 -m tests.training.processes COHORT OUT`.

Each process makes the joint gradient by itself, in float64, and compares it with what two halves give through the
runtime. Then both train a short run together into OUT/run. Each writes what it found to OUT/RANK.json.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from einthoven.cohort.store import Cohort
from einthoven.core.batch import Batch, View
from einthoven.core.facts import LabelSet
from einthoven.core.layout import Layout
from einthoven.encoders.resnet import Resnet
from einthoven.objectives import Objective
from einthoven.objectives.physioclr import PEAKS, Physioclr
from einthoven.objectives.simclr import Simclr
from einthoven.objectives.supervised import Supervised
from einthoven.training import loop
from einthoven.training.optimiser import adamw
from einthoven.training.runtime import Runtime, join
from tests.training.given import OFF, recipe

ROWS = 8


OBJECTIVES = {
    "simclr": lambda width: Simclr(width, temperature=0.5),
    "supervised": lambda width: Supervised(width),
    "physioclr": lambda width: Physioclr(width, temperature=0.5, q=0.2, form="group"),
    "regress": lambda width: Physioclr(width, control="regress", peak="amplitude"),
}
VIEWS = ("a", "b", "anchor", "shuffled", "adjacent", "clean")


def joint_recipe(cohort: Cohort) -> dict:
    """A run of which one and two processes see the same: no augmentation (each process draws its own), no dropout."""
    table = recipe(cohort, steps=4, accumulate=2)
    table["encoder"]["dropout"] = 0.0
    table["augment"] = OFF
    return table


def model(kind: str) -> loop._Model:
    torch.manual_seed(0)
    encoder = Resnet(2, width=4, kernel=3)
    objective: Objective = OBJECTIVES[kind](encoder.width_out)
    objective.attach(encoder, Layout(("I", "II"), 100, 1.5))
    target = "labels:superclass"
    facts = {target: torch.eye(3).numpy()} | {name: fact.numpy() for name, fact in batch().facts.items()}
    objective.prepare(facts, {target: LabelSet("superclass", "test", tuple("ABC"))}, {})
    return loop._Model(encoder, objective).double()


def batch() -> Batch:
    generator = torch.Generator().manual_seed(1)
    seen = torch.randn(len(VIEWS), ROWS, 2, 150, dtype=torch.float64, generator=generator)
    seen[:, : ROWS // 2] = 3 * seen[:, : ROWS // 2] + 1  # halves of different statistics
    truth = torch.randint(0, 2, (ROWS, 3), generator=generator).double()
    truth[:3] = float("nan")  # and of different numbers of known rows
    facts = {"labels:superclass": truth}
    for need in Physioclr(2).needs:
        facts[need] = 50 + 10 * torch.randn(ROWS, generator=generator)
        facts[need][:2] = float("nan")
    facts[PEAKS] = torch.randint(0, 150, (ROWS, 3, 2), generator=generator)
    facts[PEAKS][:3, 0] = -1
    here = torch.ones(1, 1, 1, dtype=torch.bool)
    ids = torch.arange(ROWS)
    views = {name: View(signal, here) for name, signal in zip(VIEWS, seen)}
    return Batch(seen[0], here, 100.0, ids, ids, facts, views)


def half(whole: Batch, rank: int) -> Batch:
    mine = slice(rank * ROWS // 2, (rank + 1) * ROWS // 2)
    views = {name: View(view.signal[mine], view.valid) for name, view in whole.views.items()}
    facts = {name: fact[mine] for name, fact in whole.facts.items()}
    return Batch(whole.signal[mine], whole.valid, 100.0, whole.row[mine], whole.subject[mine], facts, views)


def compare(runtime: Runtime, kind: str) -> dict[str, float]:
    """Largest differences of loss, gradients and running statistics from those of the joint batch."""
    alone, whole = model(kind), batch()
    want, _ = alone(lambda: whole, 0)
    want.backward()
    together = model(kind)
    wrapped, _ = runtime.setup(together, adamw(together.encoder, together.objective, 1e-3, None, 0))
    join(together, runtime.gather, runtime.rank)
    loss, _ = wrapped(lambda: half(whole, runtime.rank), 0)
    runtime.backward(loss)
    pairs = list(zip(together.parameters(), alone.parameters()))
    return {
        "loss": abs(float(runtime.mean(loss)) - float(want.detach())),
        "gradient": max(float((got.grad - one.grad).abs().max()) for got, one in pairs),
        "size": max(float(one.grad.abs().max()) for _, one in pairs),
        "buffers": max(float((a - b).abs().sum()) for a, b in zip(together.buffers(), alone.buffers())),
    }


def main(place: Path, out: Path) -> None:
    torch.set_num_threads(1)
    runtime = Runtime("cpu", 1, "float32")
    found = {kind: compare(runtime, kind) for kind in OBJECTIVES}
    run = loop.train(joint_recipe(Cohort.open(place)), out / "run")
    (out / f"{runtime.rank}.json").write_text(json.dumps({"world": runtime.world, "steps": run.steps, **found}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
