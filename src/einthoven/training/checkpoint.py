"""Checkpoint: an encoder with all that it takes to use it, in a folder, proving itself at every load.

`config.json` is the card, `model.safetensors` the weights (`encoder.*`, `head.*`) and what the objective fitted
(`objective.*`), `proof.safetensors` one stored input and its output, `README.md` a page written from the card (the
Hugging Face convention). Weights that are silently not loaded are the field's worst failure, so every tensor must be
there, none may be left over, and the stored input must give the stored output. No pickle is ever read.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from einthoven import __version__
from einthoven.core import fingerprint, random, registry
from einthoven.core import recipe as recipes
from einthoven.core.errors import CheckpointError, EinthovenError
from einthoven.core.layout import Layout
from einthoven.core.output import replaced
from einthoven.objectives import Head
from einthoven.training import model_card
from einthoven.training.head import from_card

SCHEMA = 1
CARD, WEIGHTS, PROOF, PAGE = "config.json", "model.safetensors", "proof.safetensors", "README.md"
LARGEST_CARD = 1 << 24
TOLERANCE = 1e-4
"""Share of the output's largest number by which another machine's arithmetic may differ (measured: below 1e-5)."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """An encoder in evaluation mode, its layout, its card, and perhaps a head.

    statistics: what its objective fitted on the training recordings, by name; the card says what they are.
    """

    path: Path
    card: dict[str, Any]
    layout: Layout
    encoder: Any
    head: Head | None
    statistics: dict[str, Tensor] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Digest of everything that decides an output: the numbers, the network, the layout, the head's names."""
        parts = {key: self.card[key] for key in ("layout", "encoder", "head")}
        tensors = {
            name: fingerprint.of_array(_array(tensor)) for name, tensor in _tensors(self.encoder, self.head).items()
        }
        return fingerprint.of_json({"card": parts, "tensors": tensors})

    @property
    def stages(self) -> list[dict[str, Any]]:
        """The data that its weights have seen, in order: cohort, family, split, part, counts."""
        return [*self.card.get("earlier", []), *([self.card["data"]] if "data" in self.card else [])]

    @property
    def engines(self) -> dict[str, str]:
        """By what was derived (`physiology`), the engine whose facts it learnt from."""
        return {what: engine for stage in self.stages for what, engine in stage.get("engines", {}).items()}

    @property
    def recipe(self) -> dict[str, Any]:
        """The recipe it was trained by; empty for a network from another loop."""
        return self.card.get("recipe", {})


def save(
    folder: Path, *, encoder: nn.Module, encoder_name: str, encoder_settings: Mapping[str, Any], layout: Layout,
    head: Head | None = None, statistics: tuple[Mapping[str, Tensor], Mapping[str, Any]] = ({}, {}),
    card: Mapping[str, Any],
) -> Path:  # fmt: skip
    """Write a checkpoint; what stood in `folder` is replaced when the new one is whole.

    Args:
        encoder_settings: the constructor's keyword arguments.
        statistics: what the objective fitted, tensors by name and words for the card.
        card: what else the card shall say (`name`, `recipe`, `data`, ...).

    Raises:
        CheckpointError: `folder` holds something else than a checkpoint.
    """
    refuse_other(folder)
    kept, words = statistics
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in _tensors(encoder, head, kept).items()}
    whole = {
        "schema": SCHEMA,
        "model_type": "einthoven",
        "einthoven": __version__,
        "layout": layout.to_dict(),
        "encoder": {"name": encoder_name, "settings": dict(encoder_settings)},
        "head": head.describe() if head else None,
        "statistics": {"shapes": {name: list(t.shape) for name, t in kept.items()}, **words} if kept else None,
        "parameters": sum(parameter.numel() for parameter in encoder.parameters()),
        **card,
    }
    again = _build(whole["encoder"], layout, folder)  # what the settings make must be what was trained
    again.load_state_dict(
        {name.removeprefix("encoder."): t for name, t in tensors.items() if name.startswith("encoder.")}
    )
    signal = torch.from_numpy(
        random.generator(0, 0, "proof").normal(0, 0.3, (1, len(layout.leads), layout.samples)).astype(np.float32)
    )
    with replaced(Path(folder)) as scratch:
        save_file(tensors, scratch / WEIGHTS)
        save_file({"signal": signal, **_outputs(again, head, signal, layout)}, scratch / PROOF)
        (scratch / CARD).write_text(fingerprint.to_json(whole, indent=2) + "\n", encoding="utf-8")
        (scratch / PAGE).write_text(model_card.page(whole), encoding="utf-8")
    return Path(folder)


def load(path: str | Path) -> Checkpoint:
    """Load a checkpoint folder, or the best checkpoint of a run folder, and let it prove itself.

    Raises:
        CheckpointError: no checkpoint, a pickle, another schema version, wrong, missing or extra tensors, or an output
            that is not the stored one.
    """
    place = _locate(Path(path))
    card = _card(place)
    layout, encoder, head = _empty(card, place)
    kept = _statistics(card, place)
    tensors = _load_tensors(place / WEIGHTS, _tensors(encoder, head, kept))
    for prefix, part in (("encoder.", encoder), ("head.", head)):
        if part is not None:
            part.load_state_dict({n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)})
    checkpoint = Checkpoint(
        place, card, layout, encoder.eval().requires_grad_(False), head.eval() if head else None,
        {name: tensors[f"objective.{name}"] for name in kept},
    )  # fmt: skip
    _prove(checkpoint)
    return checkpoint


def untrained(like: Checkpoint, seed: int) -> Checkpoint:
    """The same architecture and layout with fresh weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = _build(like.card["encoder"], like.layout, like.path)
    card = like.card | {"name": f"random {like.card['encoder']['name']}", "head": None}
    return Checkpoint(like.path, card, like.layout, encoder.eval().requires_grad_(False), None)


def with_head(checkpoint: Checkpoint, head: Head, folder: Path, **facts: Any) -> Path:
    """Write a checkpoint's encoder with another head; `facts` go into the card."""
    encoder = checkpoint.card["encoder"]
    own = ("layout", "encoder", "head", "statistics")
    kept = {key: value for key, value in checkpoint.card.items() if key not in own}
    words = {key: value for key, value in (checkpoint.card.get("statistics") or {}).items() if key != "shapes"}
    return save(
        folder, encoder=checkpoint.encoder, encoder_name=encoder["name"], encoder_settings=encoder["settings"],
        layout=checkpoint.layout, head=head, statistics=(checkpoint.statistics, words), card=kept | facts,
    )  # fmt: skip


def copy(path: Path, folder: Path) -> Path:
    """Copy a checkpoint that proves itself."""
    refuse_other(folder)
    place = load(path).path
    with replaced(Path(folder)) as scratch:
        for name in (CARD, WEIGHTS, PROOF, PAGE):
            shutil.copyfile(place / name, scratch / name)
    return Path(folder)


def refuse_other(folder: str | Path) -> None:
    """Nothing but a checkpoint, or an empty folder, is ever replaced by one.

    Raises:
        CheckpointError: there is something else.
    """
    folder = Path(folder)
    there = list(folder.iterdir()) if folder.is_dir() else [folder] if folder.exists() else []
    other = sorted(path.name for path in there if path.name not in (CARD, WEIGHTS, PROOF, PAGE))
    if other:
        raise CheckpointError(
            folder, "holds something else than a checkpoint and is not replaced", got=", ".join(other[:3]),
            fix="choose another folder", reason="other",
        )  # fmt: skip


def _locate(path: Path) -> Path:
    for place in (path, path / "best"):
        if (place / CARD).is_file():
            return place
    if path.is_file() or any((path / name).exists() for name in ("pytorch_model.bin", "model.pt", "model.pth")):
        raise CheckpointError(
            path, "is no checkpoint folder, and pickles are never read", expected=f"a folder with {CARD} and {WEIGHTS}",
            fix="name a checkpoint folder, or save one: docs/plain-loop.md", reason="pickle",
        )  # fmt: skip
    if (path / "recipe.toml").is_file():
        raise CheckpointError(path, "is a run without a checkpoint yet", fix="the same pretrain command goes on",
                              reason="missing")  # fmt: skip
    raise CheckpointError(
        path, "is no checkpoint", expected=f"a folder with {CARD}", got="" if path.exists() else "nothing there",
        fix="name a checkpoint folder or a run folder", reason="missing",
    )  # fmt: skip


def _card(place: Path) -> dict[str, Any]:
    path = place / CARD
    try:
        if path.stat().st_size > LARGEST_CARD:
            raise CheckpointError(
                path, "is too large for a card", expected=f"up to {LARGEST_CARD} bytes", reason="card"
            )
        card = json.loads(path.read_bytes())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise CheckpointError(path, "cannot be read", got=error, reason="card") from error
    if not isinstance(card, dict) or "schema" not in card:
        raise CheckpointError(path, "is no card of einthoven", expected="the key 'schema'", reason="card")
    if card["schema"] != SCHEMA:
        raise CheckpointError(
            place, "is of another schema version", expected=SCHEMA, got=card["schema"],
            fix="use the einthoven that made it, or make it again", reason="schema",
        )  # fmt: skip
    missing = [key for key in ("layout", "encoder", "head", "name") if key not in card]
    if missing:
        raise CheckpointError(path, "lacks keys", expected=", ".join(missing), reason="card")
    return card


def _empty(card: Mapping[str, Any], place: Path) -> tuple[Layout, Any, Head | None]:
    """Layout, encoder and head as the card describes them; nothing large is allocated before shapes fit the file."""
    try:
        layout = Layout(**recipes.check(Layout, card["layout"], f"{place / CARD} layout"))
        with torch.device("meta"):
            shapes = {f"encoder.{k}": v.shape for k, v in _build(card["encoder"], layout, place).state_dict().items()}
    except CheckpointError:
        raise
    except (EinthovenError, TypeError, AttributeError, KeyError) as error:
        raise CheckpointError(place / CARD, "describes no model", got=error, reason="card") from error
    _compare(
        {name: tuple(shape) for name, shape in shapes.items()}, _shapes(place / WEIGHTS, "encoder."), place / WEIGHTS
    )
    encoder = _build(card["encoder"], layout, place)
    return layout, encoder, from_card(card["head"], encoder.width_out, place / CARD) if card["head"] else None


def _build(entry: Mapping[str, Any], layout: Layout, where: Path) -> Any:
    cls = registry.load("encoders", entry["name"])
    settings = recipes.check(cls, entry["settings"], f"{Path(where) / CARD} encoder")
    return cls(len(layout.leads), **settings)


def _tensors(encoder: nn.Module, head: Head | None, statistics: Mapping[str, Tensor] = {}) -> dict[str, Tensor]:
    found = {f"encoder.{name}": tensor for name, tensor in encoder.state_dict().items()}
    found |= {f"head.{name}": tensor for name, tensor in head.state_dict().items()} if head else {}
    return found | {f"objective.{name}": tensor for name, tensor in statistics.items()}


def _statistics(card: Mapping[str, Any], place: Path) -> dict[str, Tensor]:
    """Tensors of the shapes that the card names; nothing is allocated before they fit the file."""
    try:
        shapes = (card.get("statistics") or {}).get("shapes", {})
        want = {f"objective.{name}": tuple(map(int, shape)) for name, shape in shapes.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise CheckpointError(place / CARD, "describes no statistics", got=error, reason="card") from error
    _compare(want, _shapes(place / WEIGHTS, "objective."), place / WEIGHTS)
    return {name: torch.zeros(tuple(map(int, shape))) for name, shape in shapes.items()}


def _shapes(path: Path, prefix: str = "") -> dict[str, tuple[int, ...]]:
    """Names and shapes in a safetensors file, from its head alone."""
    try:
        with safe_open(path, framework="pt") as file:
            names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118  # it is no dictionary
            return {name: tuple(file.get_slice(name).get_shape()) for name in names}
    except FileNotFoundError as error:
        raise CheckpointError(path, "is missing", fix="copy the whole folder", reason="missing") from error
    except (OSError, SafetensorError) as error:
        with open(path, "rb") as stream:
            start = stream.read(2)
        if start == b"PK" or start[:1] == b"\x80":  # torch.save writes a zip, pickle a protocol byte
            raise CheckpointError(
                path, "is a pickle, and pickles are never read", expected="safetensors",
                fix="name a checkpoint folder, or save one: docs/plain-loop.md", reason="pickle",
            ) from error  # fmt: skip
        raise CheckpointError(
            path, "is no safetensors file", got=error, fix="copy it again", reason="damaged"
        ) from error


def _compare(want: Mapping[str, tuple[int, ...]], have: Mapping[str, tuple[int, ...]], path: Path) -> None:
    """Refuse the first tensor, by name, that is missing, left over or of another shape."""
    for name in sorted(want.keys() | have.keys()):
        if name not in have:
            raise CheckpointError(path, f"tensor {name} is missing", expected=want[name], reason="tensors")
        if name not in want:
            raise CheckpointError(path, f"tensor {name} is none of the model's", got=have[name], reason="tensors")
        if want[name] != have[name]:
            raise CheckpointError(
                path, f"tensor {name} has another shape", expected=want[name], got=have[name], reason="tensors"
            )


def _load_tensors(path: Path, want: Mapping[str, Tensor]) -> dict[str, Tensor]:
    _compare({name: tuple(tensor.shape) for name, tensor in want.items()}, _shapes(path), path)
    tensors = load_file(path)
    for name, tensor in tensors.items():
        if tensor.dtype != want[name].dtype:
            raise CheckpointError(
                path, f"tensor {name} has another type", expected=want[name].dtype, got=tensor.dtype, reason="tensors"
            )
    return tensors


def _outputs(encoder: Any, head: Head | None, signal_1LT: Tensor, layout: Layout) -> dict[str, Tensor]:
    encoder.eval()
    with torch.no_grad():
        pooled_1D = encoder(signal_1LT, torch.ones((1, 1, 1), dtype=torch.bool), layout.rate).pooled
        return {"pooled": pooled_1D, **({"scores": head(pooled_1D)} if head else {})}


def _prove(checkpoint: Checkpoint) -> None:
    path = checkpoint.path / PROOF
    layout, head = checkpoint.layout, checkpoint.head
    want = {"signal": (1, len(layout.leads), layout.samples), "pooled": (1, checkpoint.encoder.width_out)}
    _compare(want | ({"scores": (1, len(head.labels))} if head else {}), _shapes(path), path)
    stored = load_file(path)
    for name, got in _outputs(checkpoint.encoder, head, stored["signal"].float(), layout).items():
        far = float((got - stored[name]).abs().max() / stored[name].abs().max().clamp(min=1e-6))
        if not far <= TOLERANCE:  # NaN is far
            raise CheckpointError(
                checkpoint.path, f"does not give its stored {name} for its stored input",
                expected=f"within {TOLERANCE:g} of the largest number", got=f"{far:.2g}",
                fix="the weights are not those of the card; copy the whole folder again", reason="proof",
            )  # fmt: skip


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().contiguous().numpy()
