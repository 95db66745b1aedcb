"""Delineation: which wave each sample of each lead lies in, and how far the waves' limits are.

Shapes: B rows, L leads, K beats, T samples; marks (B, L, K, 9) are seconds from the window's start in the order of
`core.facts.WAVE_COLUMNS`, NaN where a wave has no such mark. Loss: cross-entropy + soft Dice of P, QRS and T
(Milletari 2016) + Huber of the distance to limits within 80 ms. Only the annotated span counts: what lies before the
first and after the last marked beat is nobody's statement.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from einthoven.core.batch import Batch
from einthoven.core.errors import RecipeError
from einthoven.core.random import generator
from einthoven.encoders.wave_unet import CLASSES, LIMITS, REACH_SECONDS
from einthoven.objectives import Objective

MARGIN_SECONDS = 0.08
"""So far beyond its outermost marks the annotated span reaches."""

MISSED_BEAT = 1.7
"""Marked beats further apart than so many medians have an unmarked beat between them."""

NO_T_SECONDS = 0.5
"""So long after a QRS complex without a marked T wave nothing counts, where marks are partial."""

USUAL_SECONDS = (0.15, 0.15, 0.3)
"""Lengths of P, QRS and T that are not often exceeded."""

SHARP_SECONDS = 0.02
"""An error of a distance beyond this counts by its size, within it by its square."""

P_ON, P_OFF, QRS_ON, QRS_OFF, T_ON, T_PEAK, T_OFF = 0, 2, 3, 5, 6, 7, 8
WAVES = ((P_ON, P_OFF), (QRS_ON, QRS_OFF), (T_ON, T_OFF))
EDGES = (P_ON, P_OFF, QRS_ON, QRS_OFF, T_ON, T_OFF)


class Waves(Objective):
    """Learns from marks of several conventions at once; each row's marks are of one of them.

    Args:
        width: of the encoder's pooled vector; not used, the encoder has the heads (`wave_unet`).
        truth: by convention, the fact that holds its marks. A row takes the first that it knows.
        partial: conventions by which not every beat, and not every wave, is marked; what lies between marked beats that
            are not neighbours, and where an unmarked wave may be, has no weight, and a row half of it.
        flip: chance of a row to be turned upside down (training only, as all of these).
        stretch: time runs faster or slower by up to this share, marks too.
        shift_seconds: the window is moved by up to this; what moves in is not valid.
        dice, limits, absent: weights of the terms beside cross-entropy.

    Raises:
        RecipeError: no convention is given, or `partial` names an unknown one.
    """

    def __init__(
        self,
        width: int,
        /,
        *,
        truth: dict[str, str] | None = None,
        partial: tuple[str, ...] = ("qtdb",),
        flip: Annotated[float, Field(ge=0, le=1)] = 0.3,
        stretch: Annotated[float, Field(ge=0, lt=0.5)] = 0.1,
        shift_seconds: Annotated[float, Field(ge=0)] = 1.0,
        dice: Annotated[float, Field(ge=0)] = 1.0,
        limits: Annotated[float, Field(ge=0)] = 0.5,
        absent: Annotated[float, Field(ge=0)] = 0.1,
    ) -> None:
        super().__init__()
        self.truth = truth or {"ludb": "waves:reference.waves", "qtdb": "waves:reference.waves.global"}
        self.partial = tuple(partial)
        self.needs = tuple(self.truth.values())
        self.flip, self.stretch, self.shift_seconds = flip, stretch, shift_seconds
        self.dice, self.limits, self.absent = dice, limits, absent

    def loss(self, encoder: Any, batch: Batch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """The sum of the terms, and each; `unknown` counts rows without a mark, `weight` the share of samples."""
        if not hasattr(encoder, "waves"):
            raise RecipeError(
                "waves", "needs an encoder that speaks of each sample", expected="wave_unet",
                got=type(encoder).__name__, fix='name = "wave_unet" in [encoder]',
            )  # fmt: skip
        marks, convention_B, partial_B = self._marks(encoder, batch)
        signal, valid = batch.signal, batch.valid.expand(batch.signal.shape)
        if self.training:
            draw = generator(int(batch.row.sum()), step, "waves")
            signal, valid, marks = self._disturb(signal, valid, marks, batch.rate, draw)
        found = encoder.waves(signal, valid, batch.rate, convention_B)
        R, T = signal.shape[0] * signal.shape[1], signal.shape[2]
        marks_RK9 = marks.reshape(R, -1, 9)
        partial_R = partial_B.repeat_interleave(signal.shape[1])
        kind_RT, weight_RT = targets(marks_RK9, partial_R, T, batch.rate)
        weight_RT = weight_RT * valid.reshape(R, T) * torch.where(partial_R, 0.5, 1.0)[:, None]
        away_R6T, near_R6T = distances(marks_RK9, T, batch.rate)

        count = weight_RT.sum()
        count = (self.gather(count[None]).mean() if self.gather else count).clamp(min=1)
        logit_R4T = found.logit.reshape(R, len(CLASSES), T)
        cross = (F.cross_entropy(logit_R4T, kind_RT, reduction="none") * weight_RT).sum() / count
        dice = _dice(logit_R4T, kind_RT, weight_RT)
        near_R6T = near_R6T * weight_RT[:, None]
        far = F.huber_loss(
            found.distance.reshape(R, len(LIMITS), T), away_R6T, reduction="none", delta=SHARP_SECONDS / REACH_SECONDS
        )
        limits = (far * near_R6T).sum() / near_R6T.sum().clamp(min=1) * (REACH_SECONDS / SHARP_SECONDS)
        lacks_R, known_R = _no_p(marks_RK9, partial_R)
        no_p = F.binary_cross_entropy_with_logits(found.no_p.reshape(R), lacks_R, reduction="none")
        absent = (no_p * known_R).sum() / known_R.sum().clamp(min=1)
        total = cross + self.dice * dice + self.limits * limits + self.absent * absent
        terms = {"cross": cross, "dice": dice, "limits": limits, "absent": absent}
        unknown = (~marks_RK9.isfinite().any(dim=2).any(dim=1)).sum().float()
        return total, {
            **{name: term.detach() for name, term in terms.items()}, "unknown": unknown,
            "weight": weight_RT.mean().detach(),
        }  # fmt: skip

    def _marks(self, encoder: Any, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Marks (B, L, K, 9), and of each row the place of its convention in the encoder and whether it is partial."""
        found = {name: batch.fact(need) for name, need in self.truth.items()}
        most = max(marks.shape[2] for marks in found.values())
        out = torch.full((*batch.signal.shape[:2], most, 9), torch.nan, device=batch.signal.device)
        place_B = torch.zeros(len(batch), dtype=torch.int64, device=batch.signal.device)
        partial_B = torch.zeros_like(place_B, dtype=torch.bool)
        for name, marks in reversed(found.items()):
            if name not in encoder.conventions:
                raise RecipeError(
                    "waves", f"the encoder does not know the convention '{name}'", expected=encoder.conventions,
                    fix="name it in [encoder] conventions",
                )  # fmt: skip
            known_B = marks.isfinite().flatten(1).any(dim=1)
            padded = F.pad(marks.to(out.dtype), (0, 0, 0, most - marks.shape[2]), value=torch.nan)
            out = torch.where(known_B[:, None, None, None], padded, out)
            place_B = torch.where(known_B, encoder.conventions.index(name), place_B)
            partial_B = torch.where(known_B, name in self.partial, partial_B)
        return out, place_B, partial_B

    def _disturb(
        self, signal_BLT: Tensor, valid_BLT: Tensor, marks_BLK9: Tensor, rate: float, draw: np.random.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The rows upside down, stretched and moved, and the marks with them; each lead of a row alike."""
        B, _, T = signal_BLT.shape
        device, dtype = signal_BLT.device, signal_BLT.dtype
        sign_B = torch.from_numpy(np.where(draw.random(B) < self.flip, -1.0, 1.0)).to(device, dtype)
        # an output sample i is taken from place start + i x speed
        speed_B = torch.from_numpy(draw.uniform(1 - self.stretch, 1 + self.stretch, B)).to(device, dtype)
        move_B = torch.from_numpy(draw.uniform(-self.shift_seconds, self.shift_seconds, B) * rate).to(device, dtype)
        start_B = move_B + (1 - speed_B) * (T - 1) / 2  # stretched about the middle
        place_BT = start_B[:, None] + speed_B[:, None] * torch.arange(T, device=device, dtype=dtype)
        signal, inside_BT = _taken(signal_BLT * sign_B[:, None, None], place_BT)
        nearest = place_BT.round().long().clamp(0, T - 1)[:, None].expand(signal_BLT.shape)
        valid = valid_BLT.gather(2, nearest) & inside_BT[:, None]
        marks = (marks_BLK9 - start_B[:, None, None, None] / rate) / speed_B[:, None, None, None]
        return torch.where(valid, signal, 0.0), valid, marks


def targets(marks_RK9: Tensor, partial_R: Tensor, samples: int, rate: float) -> tuple[Tensor, Tensor]:
    """The class of each sample, int64 (R, T), and its weight, float32 (R, T), 1 within the annotated span.

    A T wave without a marked onset begins at its peak (or 40 ms before its end), and from the QRS complex to there
    nothing counts.
    """
    R = len(marks_RK9)
    marks = marks_RK9.clone()
    blind = torch.zeros((R, samples), dtype=torch.bool, device=marks.device)
    begin_RK = torch.where(marks[..., T_PEAK].isnan(), marks[..., T_OFF] - 0.04, marks[..., T_PEAK])
    headless_RK = marks[..., T_ON].isnan() & marks[..., T_OFF].isfinite()
    marks[..., T_ON] = torch.where(headless_RK, begin_RK, marks[..., T_ON])
    after_RK = torch.where(marks[..., QRS_OFF].isnan(), begin_RK - 0.2, marks[..., QRS_OFF])
    blind |= _cover(torch.where(headless_RK, after_RK, torch.nan), begin_RK, samples, rate)
    bare_RK = partial_R[:, None] & marks[..., T_OFF].isnan() & marks[..., QRS_OFF].isfinite()
    lone_RK = torch.where(bare_RK, marks[..., QRS_OFF], torch.nan)
    blind |= _cover(lone_RK, lone_RK + NO_T_SECONDS, samples, rate)
    for (on, off), usual in zip(WAVES, USUAL_SECONDS):  # a wave with one end: so far from it nothing counts
        blind |= _cover(
            torch.where(marks[..., off].isnan(), marks[..., on], torch.nan), marks[..., on] + usual, samples, rate
        )
        blind |= _cover(
            torch.where(marks[..., on].isnan(), marks[..., off] - usual, torch.nan), marks[..., off], samples, rate
        )
    kind_RT = torch.zeros((R, samples), dtype=torch.int64, device=marks.device)
    for kind, (on, off) in enumerate(WAVES, start=1):
        kind_RT[_cover(marks[..., on], marks[..., off], samples, rate)] = kind
    span_RT = _span(marks_RK9, partial_R, samples, rate)
    # where marks are partial and no P is marked at all, it is not known where there is one
    silent_R = partial_R & ~marks_RK9[..., P_ON : P_OFF + 1].isfinite().flatten(1).any(dim=1)
    weight_RT = span_RT & ~(blind & (kind_RT == 0)) & ~(silent_R[:, None] & (kind_RT == 0))
    return kind_RT, weight_RT.float()


def distances(marks_RK9: Tensor, samples: int, rate: float) -> tuple[Tensor, Tensor]:
    """Distance to each of the six limits in units of 80 ms, (R, 6, T), and where one is near, (R, 6, T)."""
    R = len(marks_RK9)
    reach = round(REACH_SECONDS * rate)
    place_RK6 = marks_RK9[..., EDGES] * rate
    known_RK6 = place_RK6.isfinite()
    place_RK6 = torch.where(known_RK6, place_RK6, -1e6)
    around_J = torch.arange(-reach, reach + 1, device=marks_RK9.device)
    at_RK6J = place_RK6.round().long()[..., None] + around_J
    away_RK6J = (place_RK6[..., None] - at_RK6J) / (REACH_SECONDS * rate)
    at_R6N = at_RK6J.permute(0, 2, 1, 3).reshape(R, len(EDGES), -1)
    inside = (at_R6N >= 0) & (at_R6N < samples)
    at_R6N = torch.where(inside, at_R6N, samples)  # one place more takes what lies outside
    away_R6T = torch.zeros((R, len(EDGES), samples + 1), device=marks_RK9.device)
    away_R6T.scatter_(2, at_R6N, away_RK6J.permute(0, 2, 1, 3).reshape(R, len(EDGES), -1).float())
    near_R6T = torch.zeros_like(away_R6T).scatter_(2, at_R6N, 1.0)
    return away_R6T[..., :samples], near_R6T[..., :samples]


def _cover(on_RK: Tensor, off_RK: Tensor, samples: int, rate: float) -> Tensor:
    """(R, T) whether a sample lies from an onset to its offset, both included; pairs with a NaN cover nothing."""
    known_RK = on_RK.isfinite() & off_RK.isfinite()
    first = torch.where(known_RK, (on_RK * rate - 0.5).ceil(), 0.0).long().clamp(0, samples)
    after = torch.where(known_RK, (off_RK * rate + 0.5).floor() + 1, 0.0).long().clamp(0, samples)
    change = torch.zeros((len(on_RK), samples + 1), dtype=torch.int32, device=on_RK.device)
    one = known_RK.int()
    change.scatter_add_(1, first, one).scatter_add_(1, after, -one)
    return change.cumsum(1)[:, :samples] > 0


def _span(marks_RK9: Tensor, partial_R: Tensor, samples: int, rate: float) -> Tensor:
    """(R, T) whether a sample lies in the annotated span of its row."""
    known = marks_RK9.isfinite()
    beat_RK = known.any(dim=2)
    first_RK = torch.where(known, marks_RK9, torch.inf).amin(dim=2)
    last_RK = torch.where(known, marks_RK9, -torch.inf).amax(dim=2)
    first_RK, order = torch.where(beat_RK, first_RK, torch.inf).sort(dim=1)
    last_RK = last_RK.gather(1, order)
    # where marks are partial only neighbours are joined
    both_RK = first_RK[:, 1:].isfinite()
    step_RK = torch.where(both_RK, first_RK.diff(dim=1), torch.nan)
    usual_R1 = step_RK.nanmedian(dim=1, keepdim=True).values if step_RK.shape[1] else step_RK
    joined_RK = both_RK & (~partial_R[:, None] | (step_RK <= MISSED_BEAT * usual_R1))
    end_RK = last_RK + MARGIN_SECONDS
    end_RK = torch.cat([torch.where(joined_RK, first_RK[:, 1:], end_RK[:, :-1]), end_RK[:, -1:]], dim=1)
    begin_RK = torch.where(first_RK.isfinite(), first_RK - MARGIN_SECONDS, torch.nan)
    return _cover(begin_RK, end_RK, samples, rate)


def _dice(logit_R4T: Tensor, kind_RT: Tensor, weight_RT: Tensor) -> Tensor:
    """1 - the mean soft Dice of P, QRS and T over all samples of the batch."""
    share_R4T = logit_R4T.softmax(dim=1) * weight_RT[:, None]
    truth_R4T = F.one_hot(kind_RT, len(CLASSES)).movedim(2, 1) * weight_RT[:, None]
    both, each, own = (x.sum(dim=(0, 2))[1:] for x in (share_R4T * truth_R4T, share_R4T, truth_R4T))
    return 1 - ((2 * both + 1) / (each + own + 1)).mean()


def _no_p(marks_RK9: Tensor, partial_R: Tensor) -> tuple[Tensor, Tensor]:
    """(R,) 1 where no P wave is marked, and whether that can be known: three beats, and by partial marks never."""
    lacks_R = ~marks_RK9[..., P_ON : P_OFF + 1].isfinite().flatten(1).any(dim=1)
    beats_R = marks_RK9[..., QRS_ON].isfinite().sum(dim=1)
    return lacks_R.float(), ((beats_R >= 3) & ~(partial_R & lacks_R)).float()


def _taken(signal_BLT: Tensor, place_BT: Tensor) -> tuple[Tensor, Tensor]:
    """The signal at fractional places by cubic convolution (Catmull-Rom), and which places lie within it (B, T)."""
    T = signal_BLT.shape[2]
    low_BT = place_BT.floor()
    f = (place_BT - low_BT)[:, None]
    weights = (
        ((2 - f) * f - 1) * f / 2, ((3 * f - 5) * f * f + 2) / 2, ((4 - 3 * f) * f + 1) * f / 2, (f - 1) * f * f / 2,
    )  # fmt: skip
    out = torch.zeros_like(signal_BLT)
    for i, weight in enumerate(weights):
        at = (low_BT.long() + i - 1).clamp(0, T - 1)[:, None].expand(signal_BLT.shape)
        out += weight * signal_BLT.gather(2, at)
    return out, (place_BT >= 0) & (place_BT <= T - 1)
