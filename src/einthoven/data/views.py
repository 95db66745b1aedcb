"""Views: renderings of a batch's windows that an objective asks for by name.

`a` and `b` are two independent augmentations of the same window; each name is a random stream of its own, so asking for
one more view changes none of the others.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from einthoven.core.batch import View
from einthoven.core.errors import RecipeError, nearest
from einthoven.core.layout import Layout
from einthoven.data.augment import Augment
from einthoven.signal import processing

NAMES = ("a", "b")


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
    views = {}
    for name in names:
        seen, there = (signal, valid)
        if augment is not None:
            seen, there = augment(signal, valid, layout.rate, seed, step, name, layout.leads)
        views[name] = View(processing.scale(seen, there, layout), there)
    return views
