"""Two neighbouring stretches of a window, for objectives that compare them (CMSC of CLOCS, arXiv 2005.13249).

`anchor` and `adjacent` are of one length and follow each other; which comes first is drawn. `shuffled` is the anchor
with its beats in another order (`data.shuffle`), `clean` the anchor as it is. Shapes: B windows, L leads, T samples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from einthoven.cohort.store import Cohort
from einthoven.core.errors import RecipeError
from einthoven.core.random import generator
from einthoven.data.shuffle import Cuts, Shuffle, reorder

NAMES = ("anchor", "adjacent", "shuffled", "clean")


class Segments:
    """Cuts stretches from windows.

    Args:
        cohort: whose waves say where beats may be cut; looked at only for `shuffled`.
        names: the stretches that are wanted, out of `NAMES`.
        seconds: length of a stretch; 0 for half of the window. A window in which two do not fit, that of a short
            recording, is halved.
        window_seconds: length of a window.
        shuffle: how `shuffled` is made.

    Raises:
        CohortError: `shuffled` is wanted and the cohort has no waves. RecipeError: two stretches do not fit.
    """

    def __init__(
        self, cohort: Cohort, names: Sequence[str], seconds: float, window_seconds: float, shuffle: Shuffle
    ) -> None:
        if 2 * seconds > window_seconds:
            raise RecipeError(
                "[augment] crop_seconds", "does not fit twice in a window", expected=f"up to {window_seconds / 2:g}",
                got=seconds, fix="set it lower, or [layout] seconds higher", reason="value",
            )  # fmt: skip
        self.names, self.seconds = tuple(names), seconds
        self.shuffle = shuffle
        self.cuts = Cuts(cohort, shuffle) if "shuffled" in names else None

    def cut(
        self, signal_BLT: Tensor, valid_BLT: Tensor, row_B: np.ndarray, start_B: np.ndarray, rate: float, seed: int,
        step: int,
    ) -> tuple[dict[str, tuple[Tensor, Tensor]], np.ndarray, int, np.ndarray]:  # fmt: skip
        """The stretches of these windows.

        Args:
            row_B: the recordings. start_B: seconds from each recording's start to its window.

        Returns:
            signal and validity by name; the anchors' first samples in their windows (B,); their length; and what became
            of the shuffle, (B,): 1 shuffled, 0 not drawn, -1 not eligible.
        """
        B, _, T = signal_BLT.shape
        length = min(round(self.seconds * rate) or T // 2, T // 2)
        draw = generator(seed, step, "segments")
        first_B = draw.integers(0, T - 2 * length + 1, B)
        swapped_B = draw.random(B) < 0.5
        anchor_B, other_B = first_B + length * swapped_B, first_B + length * ~swapped_B
        clean = _stretch(signal_BLT, valid_BLT, anchor_B, length)
        found, fate_B = {"anchor": clean, "clean": clean}, np.full(B, -1)
        if "adjacent" in self.names:
            found["adjacent"] = _stretch(signal_BLT, valid_BLT, other_B, length)
        if self.cuts is not None:
            cut_BJ = self.cuts.of(row_B, start_B + anchor_B / rate, length, rate)
            drawn_B = draw.random(B) < self.shuffle.p
            signal, valid, moved_B = reorder(
                *clean, np.where(drawn_B[:, None], cut_BJ, -1), rate, draw, self.shuffle.anywhere
            )
            found["shuffled"] = signal, valid
            fate_B = np.where(moved_B, 1, np.where((cut_BJ >= 0).any(axis=1), 0, -1))
        return {name: found[name] for name in self.names}, anchor_B, length, fate_B


def _stretch(signal_BLT: Tensor, valid_BLT: Tensor, first_B: np.ndarray, length: int) -> tuple[Tensor, Tensor]:
    rows = torch.arange(len(first_B), device=signal_BLT.device)
    first = torch.from_numpy(first_B).to(signal_BLT.device)
    valid = valid_BLT
    if valid_BLT.stride(-1) != 0:
        valid = valid_BLT.unfold(-1, length, 1)[rows, :, first]
    return signal_BLT.unfold(-1, length, 1)[rows, :, first], valid[..., :length]
