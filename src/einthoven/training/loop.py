"""The training loop. A step is a function of the state before it and of (recipe, step), never of what this process did.

So a run that was killed goes on from its newest state and ends with the bits of a run that was not (same machine, same
threads). Order within a step: forward and backward passes, one optimiser step, log, validation, state.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from einthoven.core import random, registry
from einthoven.core.errors import CheckpointError, Interrupted, RecipeError, TrainingError
from einthoven.core.layout import Layout
from einthoven.core.output import writing
from einthoven.objectives import Objective
from einthoven.training import checkpoint as checkpoints
from einthoven.training import folder, settings, state
from einthoven.training import optimiser as optimisers
from einthoven.training.logs import Log, Times
from einthoven.training.material import Material
from einthoven.training.progress import Bar
from einthoven.training.requests import requests
from einthoven.training.runtime import Runtime, join

FINISHED = Path("state", "finished")
"""Stands when both checkpoints do: the same command then has nothing left to do."""


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, steps done, the step and validation loss of its best, and seconds of training."""

    path: Path
    steps: int
    best_step: int
    best_loss: float | None
    seconds: float


def train(recipe: Mapping[str, Any], out: str | Path, *, progress: bool = False) -> Run:
    """Train by a recipe, or go on where the same command was stopped.

    Args:
        recipe: sections as in a recipe file (`settings.check`).
        out: the run folder: `recipe.toml`, `log.jsonl`, `times.jsonl`, `state/`, and checkpoints `best/` and `last/`.
        progress: draw a bar on standard error if that is a terminal.

    Raises:
        RecipeError: the recipe is wrong, or the folder holds another recipe's run.
        TrainingError: the loss or the gradient is no number.
        Interrupted: stopped by Ctrl-C or by a request to end; the same command goes on.
    """
    resolved = settings.check(recipe)
    training = resolved["training"]
    runtime = Runtime(training["device"], training["devices"], training["precision"])
    out = Path(out)
    devices = [runtime.device] if runtime.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):  # the caller's random numbers stay as they were
        trainer = _Trainer(resolved, out, runtime, progress)  # what the cohort cannot give is said before the folder is
        if runtime.rank == 0:
            folder.claim(out, resolved)
        runtime.barrier()
        return trainer.run()


class _Model(nn.Module):
    """Encoder and objective as one module: a forward pass is one call for every way of training in parallel."""

    def __init__(self, encoder: nn.Module, objective: Objective) -> None:
        super().__init__()
        self.encoder, self.objective = encoder, objective

    def forward(self, batch: Any, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        # the batch comes in a call: Fabric would take a frozen dataclass of tensors apart
        return self.objective.loss(self.encoder, batch(), step)


class _Trainer:
    """One process's part of a run."""

    def __init__(self, recipe: dict[str, Any], out: Path, runtime: Runtime, progress: bool) -> None:
        self.recipe, self.training, self.out, self.runtime, self.progress = (
            recipe, recipe["training"], out, runtime, progress,
        )  # fmt: skip
        if self.training["batch"] % runtime.world:
            raise RecipeError(
                "[training] batch", "cannot be shared equally", expected=f"a multiple of {runtime.world} processes",
                got=self.training["batch"],
            )  # fmt: skip
        torch.manual_seed(random.number(recipe["seed"], 0, "weights"))
        layout = recipe["layout"]
        encoder_settings = {k: v for k, v in recipe["encoder"].items() if k not in ("name", "weights")}
        encoder = registry.load("encoders", recipe["encoder"]["name"])(len(layout["leads"]), **encoder_settings)
        objective_settings = {k: v for k, v in recipe["objective"].items() if k != "name"}
        objective = registry.load("objectives", recipe["objective"]["name"])(encoder.width_out, **objective_settings)
        objective.attach(encoder, Layout(**layout))
        self.material = Material.of(recipe, objective)
        self.loader = self.material.loader(str(runtime.device), runtime.rank, runtime.world)
        self.validates = self.material.validates and self.training["validate_every"] > 0
        self.earlier = _begin_from(recipe["encoder"].get("weights"), encoder, recipe, self.material.engines())
        self.model = _Model(encoder, objective)
        rates = (self.training["lr"], self.training["body_lr"], self.training["weight_decay"])
        self.optimiser = optimisers.adamw(encoder, objective, *rates)
        self.step = 0
        self.best: dict[str, Any] = {"step": None, "loss": None, "waited": 0}
        self.spent = 0.0
        self.stopped = False

    def run(self) -> Run:
        wrapped, optimiser = self.runtime.setup(self.model, self.optimiser)
        size = self._restore()
        if (self.out / FINISHED).exists():
            return Run(self.out, self.step, self.best["step"] or self.step, self.best["loss"], self.spent)
        first = self.runtime.rank == 0
        self.log = Log(self.out / "log.jsonl", size) if first else None
        self.times = Times(
            self.out / "times.jsonl" if first else None, step=self.step, device=str(self.runtime.device),
            processes=self.runtime.world, threads=torch.get_num_threads(), torch=torch.__version__,
        )  # fmt: skip
        try:
            with requests() as asked, Bar(self.training["steps"], self.step, self.progress and first) as self.bar:
                self._train(wrapped, optimiser, asked)
                self._finish()
        finally:
            if self.log:
                self.log.close()
        seconds = self.spent + self.times.seconds()
        return Run(self.out, self.step, self.best["step"] or self.step, self.best["loss"], seconds)

    def _train(self, wrapped: Any, optimiser: Any, asked: threading.Event) -> None:
        passes, steps = self.training["accumulate"], self.training["steps"]
        if self.step >= steps or self.stopped:
            return
        stream = self.loader.iterate(self.step * passes, steps * passes)
        try:
            while self.step < steps and not self.stopped:
                line = self._one_step(wrapped, optimiser, stream, passes)
                self.step += 1
                self._note({"step": self.step, **line})
                self.times.step(self.step, self.training["batch"] * passes)
                self.bar.step(self.training["batch"] * passes, line["loss"])
                if self._due("validate_every"):
                    self._validate()
                stop = bool(self.runtime.mean(torch.tensor(float(asked.is_set()), device=self.runtime.device)) > 0)
                if stop or self._due("save_every"):
                    self._save()
                if stop and self.step < steps:
                    raise Interrupted(
                        self.out, f"stopped after step {self.step} of {steps}", fix="the same command goes on",
                        reason="stopped",
                    )  # fmt: skip
        finally:
            stream.close()  # type: ignore[attr-defined]  # ends the thread that makes batches

    def _one_step(self, wrapped: Any, optimiser: Any, stream: Iterator[Any], passes: int) -> dict[str, Any]:
        """Forward and backward passes and one optimiser step; what the log says of them."""
        share = optimisers.rate(self.step, self.training["steps"], self.training["warmup"])
        optimisers.set_rate(self.optimiser, share)
        self.model.train()
        self._join(self.runtime.world > 1)
        total = torch.zeros((), device=self.runtime.device)
        noted: dict[str, Tensor] = {}
        for i in range(passes):
            torch.manual_seed(random.number(self.recipe["seed"], self.step * passes + i, f"torch.{self.runtime.rank}"))
            batch = next(stream)
            with self.runtime.accumulating(wrapped, i + 1 < passes):
                loss, diagnostics = wrapped(lambda batch=batch: batch, self.step)
                self.runtime.backward(loss / passes)
            total += loss.detach() / passes
            for key, value in diagnostics.items():
                noted[key] = noted.get(key, 0) + value.detach().float() / passes
        loss = float(self.runtime.mean(total))
        gradient = float(self.runtime.clip(wrapped, optimiser, self.training["clip"]))
        for name, number in (("loss", loss), ("gradient", gradient)):
            if not math.isfinite(number):
                raise TrainingError(
                    self.out, f"the {name} is no number at step {self.step + 1}", got=number,
                    fix="lower [training] lr, or look for damaged recordings with einthoven audit", reason="nan",
                )  # fmt: skip
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        self.model.objective.after_step(self.model.encoder, self.step)
        line = {"loss": loss, "gradient": gradient, "lr": self.training["lr"] * share}
        return line | {key: float(self.runtime.mean(value)) for key, value in noted.items()}

    def _due(self, every: str) -> bool:
        period = self.training[every]
        return period > 0 and (self.step % period == 0 or self.step == self.training["steps"] or self.stopped)

    def _join(self, together: bool) -> None:
        join(self.model, self.runtime.gather if together else None, self.runtime.rank if together else 0)

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        """Evaluation mode without gradient; every process does the whole, so that all know the same."""
        self.model.eval()
        self._join(False)
        with torch.no_grad(), self.runtime.autocast():
            yield

    def _validate(self) -> None:
        """Validation loss; keep the weights if it is the best so far, stop if it has not improved for long."""
        if not self.validates:
            return
        total, count = 0.0, 0
        with self._evaluating():
            for batch in self.material.validation_batches(str(self.runtime.device)):
                loss, _ = self.model.objective.loss(self.model.encoder, batch, self.step)
                total, count = total + float(loss) * len(batch), count + len(batch)
        loss = total / count
        if not math.isfinite(loss):
            raise TrainingError(
                self.out, f"the validation loss is no number after step {self.step}", got=loss,
                fix="lower [training] lr, or look for damaged recordings with einthoven audit", reason="nan",
            )  # fmt: skip
        better = self.best["loss"] is None or loss < self.best["loss"]
        waited = 0 if better else self.best["waited"] + 1
        self.best = {"step": self.step, "loss": loss, "waited": 0} if better else self.best | {"waited": waited}
        self.stopped = 0 < self.training["patience"] <= waited
        self._note({"step": self.step, "validation": loss, **({"stopped": True} if self.stopped else {})})
        self.bar.say(f"step {self.step}: validation {loss:.4f}{', best' if better else ''}")
        if better and self.runtime.rank == 0:
            state.write(self.out / "state" / "best", self.model.state_dict(), {"step": self.step, "loss": loss})
            self._publish("best", self.step)

    def _note(self, line: dict[str, Any]) -> None:
        if self.log:
            self.log.write(line)

    def _save(self) -> None:
        if self.log is None:
            return
        tensors = {f"model/{name}": tensor for name, tensor in self.model.state_dict().items()}
        tensors |= state.optimiser_tensors(self.model, self.optimiser)
        facts = {
            "best": self.best, "stopped": self.stopped, "log_bytes": self.log.size(),
            "cohort": self.material.cohort.fingerprint, "derived": self.material.derived(),
            "seconds": self.spent + self.times.seconds(),
        }  # fmt: skip
        state.save_step(self.out / "state", self.step, tensors, facts)

    def _restore(self) -> int:
        """Take up the newest state; return how long the log was then."""
        folder = self.out / "state"
        if self.runtime.rank == 0:
            with writing(folder):
                folder.mkdir(exist_ok=True)
            state.sweep(self.out)
        self.runtime.barrier()
        found = state.newest(folder)
        if found is None:
            return 0
        tensors, facts = found
        if facts["cohort"] != self.material.cohort.fingerprint:
            raise RecipeError(
                self.material.cohort.path, "is not the cohort that this run began with",
                expected=facts["cohort"][:12], got=self.material.cohort.fingerprint[:12],
                fix="choose another run folder", reason="other",
            )  # fmt: skip
        if facts.get("derived", self.material.derived()) != self.material.derived():
            raise RecipeError(
                self.material.cohort.path, "was measured anew since this run began", expected="the same measurements",
                got=f"others, by {', '.join(self.material.engines().values())}", fix="choose another run folder",
                reason="other",
            )  # fmt: skip
        model = {name.removeprefix("model/"): t for name, t in tensors.items() if name.startswith("model/")}
        self.model.load_state_dict(model)
        optimiser = {name: tensor for name, tensor in tensors.items() if name.startswith("optimiser/")}
        state.restore_optimiser(self.model, self.optimiser, optimiser)
        self.step, self.best, self.stopped, self.spent = (
            facts["step"], facts["best"], facts["stopped"], facts["seconds"],
        )  # fmt: skip
        return facts["log_bytes"]

    def _finish(self) -> None:
        """Fit what predictions need on validation, for the last and the best weights, and write both checkpoints."""
        first = self.runtime.rank == 0
        self._fit()
        if first:
            self._publish("last", self.step)
        best = self.best["step"] or self.step  # where nothing was validated the last weights are the best known
        if best != self.step:
            self.model.load_state_dict(state.read(self.out / "state" / "best")[0])
            self._fit()
        if first:
            self._publish("best", best)
            with writing(self.out):
                (self.out / FINISHED).touch()
        self.runtime.barrier()

    def _fit(self) -> None:
        if len(self.material.validation):
            with self._evaluating():
                batches = self.material.plain_validation(str(self.runtime.device))
                self.model.objective.finish(self.model.encoder, batches)

    def _publish(self, name: str, step: int) -> None:
        """Write the present weights, which are those after `step`, as a checkpoint."""
        encoder = self.recipe["encoder"]
        card = {
            "name": self.recipe["name"], "recipe": self.recipe, "step": step,
            "validation": self.best["loss"] if step == self.best["step"] else None,
            "data": self.material.card(), "earlier": self.earlier, "device": str(self.runtime.device),
            "seconds": round(self.spent + self.times.seconds(), 1),
        }  # fmt: skip
        checkpoints.save(
            self.out / name, encoder=self.model.encoder, encoder_name=encoder["name"],
            encoder_settings={k: v for k, v in encoder.items() if k not in ("name", "weights")},
            layout=self.material.layout, head=self.model.objective.head(),
            statistics=self.model.objective.statistics(), card=card,
        )  # fmt: skip


def _begin_from(
    weights: str | None, encoder: nn.Module, recipe: Mapping[str, Any], engines: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Load an encoder's weights from a checkpoint; return what that one was trained on."""
    if weights is None:
        return []
    found = checkpoints.load(weights)
    for what, engine in found.engines.items():
        if engines.get(what, engine) != engine:
            raise CheckpointError(
                weights, f"learnt from {what} of another engine than the cohort's", expected=engine, got=engines[what],
                fix=f"einthoven derive {what} with the einthoven that made the checkpoint", reason="engine",
            )  # fmt: skip
    asked = {k: v for k, v in recipe["encoder"].items() if k != "weights"}
    held = {"name": found.card["encoder"]["name"], **found.card["encoder"]["settings"]}
    for section, want, have in (("encoder", asked, held), ("layout", recipe["layout"], found.layout.to_dict())):
        for key in want:
            if want[key] != have.get(key) and (section == "encoder" or key in ("leads", "rate")):
                raise CheckpointError(
                    weights, f"does not fit [{section}] {key}", expected=want[key], got=have.get(key),
                    fix="write the checkpoint's own settings into the recipe", reason="other",
                )  # fmt: skip
    encoder.load_state_dict(found.encoder.state_dict())
    return found.stages
