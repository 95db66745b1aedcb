"""`demo`: the whole path on simulated recordings, from files to a report and a prediction, trained in this run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from einthoven.app import need_training
from einthoven.app.audit import audit
from einthoven.app.embed import embed
from einthoven.app.evaluate import Evaluation, evaluate
from einthoven.app.plot import plot
from einthoven.app.predict import Prediction, predict
from einthoven.app.prepare import prepare
from einthoven.app.pretrain import pretrain
from einthoven.app.report import report
from einthoven.core.output import replaced_file

RECIPE = Path(__file__).with_name("demo.toml")
TASK = "simulated/condition"
PATIENTS, SMOKE_PATIENTS = 600, 200


@dataclass(frozen=True)
class Demo:
    """What the demo made and where."""

    out: Path
    evaluation: Evaluation
    prediction: Prediction
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {
            "out": str(self.out), "evaluation": self.evaluation.to_dict(), "prediction": self.prediction.to_dict()
        }  # fmt: skip

    def __str__(self) -> str:
        return "\n".join([
            self.evaluation.table,
            "mechanism check on simulated data: no claim about patients",
            f"report:      {self.out / 'report.html'}",
            f"an ECG:      {self.out / 'ecg.svg'}",
            f"your file:   einthoven embed FILE --checkpoint {self.out / 'run'}",
        ])  # fmt: skip


def demo(
    *,
    out: str | Path = "demo",
    seed: int = 0,
    permute_labels: bool = False,
    smoke: bool = False,
    progress: Callable[[str], None] = lambda text: print(text, file=sys.stderr, flush=True),
) -> Demo:
    """Simulate, prepare, audit, pretrain, evaluate, report, plot, embed and predict in one folder.

    Args:
        seed: another seed is another hospital, another initialisation and other numbers.
        permute_labels: labels are dealt to other patients; every figure must fall to chance.
        smoke: a few patients and steps.
    """
    need_training("demo")
    folder = Path(out)
    cohort, run = folder / "cohort", folder / "run"
    progress("1/7 prepare: simulated patients to a cohort")
    patients = SMOKE_PATIENTS if smoke else PATIENTS
    settings = {"patients": patients, "seed": seed, "rate": 250, "permute_labels": permute_labels}
    progress(str(prepare("simulated", folder, cohort, settings=settings)))
    progress("2/7 audit: leakage, gains, leads")
    progress(str(audit(cohort, out=folder / "audit.html")))
    progress("3/7 pretrain: SimCLR, a ResNet of width 16")
    with replaced_file(folder / "recipe.toml") as scratch:
        scratch.write_bytes(RECIPE.read_bytes())
    pretrain(folder / "recipe.toml", out=run, set=[f"data.cohort={cohort}", f"seed={seed}"], smoke=smoke)
    progress("4/7 evaluate: a linear probe beside its reference rows")
    evaluation = evaluate(
        run, cohort, task=TASK, out=folder / "evaluation", seed=seed, save=folder / "model", smoke=smoke,
        progress=progress,
    )  # fmt: skip
    progress("5/7 report")
    report([folder / "evaluation"], out=folder / "report.html")
    progress("6/7 one recording as a file: plot, embed")
    file = _one_file(folder, seed)
    plot(file, out=folder / "ecg.svg")
    embed(file, checkpoint=run, out=folder / "embedding.csv")
    progress("7/7 predict")
    prediction = predict(file, checkpoint=folder / "model", out=folder / "prediction.csv")
    progress(str(prediction))
    return Demo(folder, evaluation, prediction)


def _one_file(folder: Path, seed: int) -> Path:
    """A recording of a patient outside the cohort, written as WFDB."""
    from einthoven import simulate
    from einthoven.core.registry import load

    record = simulate.record("lbbb", seed=seed + 1)
    return load("formats", "wfdb")().write(record, folder / "strip.hea")[0]
