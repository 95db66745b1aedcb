"""Views: renderings of a batch's windows that an objective asks for by name.

`a` and `b` are two independent augmentations of the same window; `anchor`, `adjacent` and `shuffled` are augmentations
of stretches of it, and `clean` is the anchor undisturbed (`data.segments`). Each name is a random stream of its own, so
asking for one more view changes none of the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from einthoven.core.batch import View
from einthoven.core.errors import RecipeError, nearest
from einthoven.core.layout import Layout
from einthoven.data import segments
from einthoven.data.augment import Augment
from einthoven.signal import processing

NAMES = ("a", "b", *segments.NAMES)


def check(names: Sequence[str]) -> tuple[str, ...]:
    """The names, refused if the data path cannot make one of them."""
    for name in names:
        if name not in NAMES:
            raise RecipeError("views", f"no view called '{name}'", fix=nearest(name, NAMES), reason="view")
    return tuple(names)


def make(
    names: Sequence[str], signal: Tensor, valid: Tensor, layout: Layout, augment: Augment | None, seed: int, step: int
) -> dict[str, View]:
    """The named views of conditioned windows (B, L, T) in millivolts, scaled to the layout's unit."""
    if augment is None:
        rendered = [(signal, valid)] * len(names)
    else:
        rendered = augment.views(signal, valid, layout.rate, seed, step, names, layout.leads)
    return {name: View(processing.scale(seen, there, layout), there) for name, (seen, there) in zip(names, rendered)}


def of_segments(
    parts: Mapping[str, tuple[Tensor, Tensor]], layout: Layout, augment: Augment | None, seed: int, step: int
) -> dict[str, View]:
    """The views of stretches in millivolts: each disturbed by itself, but for `clean`."""
    found = {}
    for name, (signal, valid) in parts.items():
        plain = name == "clean"
        found |= make((name,), signal, valid, layout, None if plain else augment, seed, step)
    return found
