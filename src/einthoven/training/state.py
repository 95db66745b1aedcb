"""The state of a run on disk: tensors as safetensors, the rest as JSON, whole or not there.

`state/step-00000200/` holds everything from which step 200 goes on; the two newest are kept, and one that cannot be
read is passed over for the one before. `state/best/` holds the weights of the best validation. No pickle is written or
read.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from einthoven.core import fingerprint
from einthoven.core.errors import CheckpointError
from einthoven.core.output import replaced

SCHEMA = 1
KEPT = 2
TENSORS, FACTS = "tensors.safetensors", "state.json"


def write(place: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write a folder of tensors and facts under a temporary name, force it to the disk, then give it its name."""
    with replaced(place) as scratch:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, scratch / TENSORS)
        whole = {"schema": SCHEMA, "sha256": fingerprint.of_file(scratch / TENSORS), **facts}
        (scratch / FACTS).write_text(fingerprint.to_json(whole, indent=1) + "\n", encoding="utf-8")
        for file in (scratch / TENSORS, scratch / FACTS):
            with open(file, "r+b") as stream:  # Windows forces only what may be written
                os.fsync(stream.fileno())


def read(place: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and facts of a folder that `write` wrote.

    Raises:
        CheckpointError: another schema version, or damaged.
    """
    try:
        facts = json.loads((place / FACTS).read_text("utf-8"))
        if facts["schema"] != SCHEMA:
            raise CheckpointError(
                place, "is of another schema version", expected=SCHEMA, got=facts["schema"],
                fix="go on with the einthoven that began it, or begin in another folder", reason="schema",
            )  # fmt: skip
        if fingerprint.of_file(place / TENSORS) != facts["sha256"]:
            raise CheckpointError(place / TENSORS, "is damaged", expected="the digest in state.json", reason="damaged")
        return load_file(place / TENSORS), facts
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(place, "is damaged", got=error, reason="damaged") from error


def save_step(folder: Path, step: int, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write the state after a step and drop all but the newest two."""
    write(folder / f"step-{step:08d}", tensors, {"step": step, **facts})
    for old in _steps(folder)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def newest(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """The newest state that is whole; None where the run has not got that far.

    Raises:
        CheckpointError: there are states and none can be used (the newest one's error).
    """
    first: CheckpointError | None = None
    for place in reversed(_steps(folder)):
        try:
            return read(place)
        except CheckpointError as error:
            if error.reason == "schema":
                raise
            first = first or error
    if first:
        raise first
    return None


def sweep(run: Path) -> None:
    """Remove what a killed process left in a run folder under temporary names."""
    for left in (*run.glob("state/.*"), *run.glob(".best-*"), *run.glob(".last-*")):
        shutil.rmtree(left, ignore_errors=True)


def _steps(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*"))


def optimiser_tensors(module: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's state under the names of the parameters: `optimiser/encoder.stem.conv.weight/exp_avg`."""
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    return {
        f"optimiser/{names[id(parameter)]}/{key}": value
        for parameter, state in optimiser.state.items()
        for key, value in state.items()
    }


def restore_optimiser(module: nn.Module, optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what `optimiser_tensors` gave."""
    parameters = dict(module.named_parameters())
    for full, value in tensors.items():
        _, name, key = full.split("/")
        parameter = parameters[name]
        # in the memory format of the parameter, as the optimiser makes it itself
        like = parameter if value.shape == parameter.shape else value
        held = torch.empty_like(like, device=parameter.device)
        optimiser.state[parameter][key] = held.copy_(value)
