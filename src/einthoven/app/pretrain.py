"""`pretrain`: one training run by a recipe; the same command goes on where it was stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from einthoven.app import need_training, shipped
from einthoven.core import recipe as recipes
from einthoven.core.errors import DONE


@dataclass(frozen=True)
class Pretrained:
    """Where the run is, what was trained for how long, and its best validation loss (None if nothing was validated)."""

    run: str
    name: str
    steps: int
    best_step: int
    validation: float | None
    seconds: float
    exit_code: int = DONE

    def to_dict(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if key != "exit_code"}

    def __str__(self) -> str:
        lines = [f"{self.name}: {self.steps} steps in {self.seconds:.0f} s"]
        if self.validation is not None:
            lines.append(f"best validation loss {self.validation:.4f} after step {self.best_step}")
        lines.append(f"checkpoints: {self.run}/best and {self.run}/last")
        lines.append(f"einthoven evaluate {self.run} COHORT --task T --out DIR says what it is worth")
        return "\n".join(lines)


def pretrain(recipe: str | Path, *, out: str | Path, set: Sequence[str] = (), smoke: bool = False) -> Pretrained:
    """Train by a recipe; where standard error is a terminal, a bar shows how far it is.

    Args:
        recipe: TOML file; its name names the run unless it says `name`.
        out: run folder; one that holds the same recipe's run goes on, another one's is refused.
        set: overrides such as `training.steps=100`.
        smoke: a few steps of small batches, to see that everything runs.

    Raises:
        RecipeError: the recipe, or the folder. CohortError: no such cohort or fact. Interrupted: stopped, resumable.
    """
    need_training("pretrain")
    from einthoven.training import loop, settings

    table = recipes.read(recipe, set)
    table.setdefault("name", Path(recipe).stem)
    if smoke:
        table["training"] = {**table.get("training", {}), **settings.SMOKE}
    encoder = table.get("encoder")
    if isinstance(encoder, dict) and isinstance(encoder.get("weights"), str):
        table["encoder"] = encoder | {"weights": str(shipped.folder(encoder["weights"]))}
    run = loop.train(settings.check(table, Path(recipe).name), out, progress=True)
    return Pretrained(str(run.path), table["name"], run.steps, run.best_step, run.best_loss, round(run.seconds, 1))
