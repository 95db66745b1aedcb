"""Disturb windows as electrodes, arms and loose contacts do, batchwise in torch, keyed by (seed, step, stream).

Order: crop or shift -> amplitude -> noise, muscle, wander, mains -> masks. Each recording draws its own strength,
uniform between 0 and the setting, on the CPU, so a GPU sees the same. What each step may not change is said
beside its setting and tested. Shapes: B recordings, L leads, E electrodes, T samples in, V out, N rows of the bank.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from einthoven.core.errors import RecipeError
from einthoven.core.random import generator
from einthoven.data import interference


class Augment:
    """The disturbances of a recipe. Strengths of noise are SDs in a bipolar limb lead, or in a single lead.

    Raises:
        RecipeError: a setting is out of range.
    """

    def __init__(
        self,
        *,
        amplitude: float = 0.0,  # +- share of the gain, one for all leads; 0.2 = 0.8 to 1.2. Off: voltage is diagnosis
        wander: float = 0.1,  # mV, 0.05-0.7 Hz; leaves all above alone
        mains: float = 0.02,  # mV, 50 or 60 Hz where the rate can hold it; leaves all but that line alone
        noise: float = 0.02,  # mV, white
        muscle: float = 0.02,  # mV, 20-150 Hz, swelling and ebbing; leaves all below 19 Hz alone
        shift_seconds: float = 0.0,  # at most so far, either way; what moves in is 0 and invalid; only without crop
        crop_seconds: float = 0.0,  # length of the view, at a random place; 0 = whole window; samples stay as they are
        lead_mask: float = 0.0,  # chance of each lead to be 0 and invalid; one stays, and the others keep their bits
        time_mask: float = 0.0,  # longest share of time that is 0 and invalid, one block in all leads; the rest stays
    ) -> None:
        self.amplitude, self.wander, self.mains, self.noise, self.muscle = amplitude, wander, mains, noise, muscle
        self.shift_seconds, self.crop_seconds = shift_seconds, crop_seconds
        self.lead_mask, self.time_mask = lead_mask, time_mask
        for name, value in vars(self).items():
            share = name in ("amplitude", "lead_mask", "time_mask")
            if not 0 <= value < (1 if share else math.inf):
                raise RecipeError(
                    "[augment]", f"{name} is out of range", expected="0 (off) or more" + ", below 1" * share, got=value,
                    reason="value",
                )  # fmt: skip

    def __call__(
        self, signal_BLT: Tensor, valid_BLT: Tensor, rate: float, seed: int, step: int, stream: str,
        leads: Sequence[str] = (),
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Another rendering of the same windows; the input stays as it is.

        Args:
            signal_BLT: millivolts, 0 where not valid. valid_BLT: boolean, same shape.
            rate: samples per second.
            seed, step, stream: the same three give the same bits.
            leads: names in order, for the wiring of the electrodes; without them each lead is an electrode.

        Returns:
            signal (B, L, V) in millivolts, 0 where not valid, and its validity, same shape. V is T without a crop.
        """
        return self.views(signal_BLT, valid_BLT, rate, seed, step, (stream,), leads)[0]

    def views(
        self, signal_BLT: Tensor, valid_BLT: Tensor, rate: float, seed: int, step: int, streams: Sequence[str],
        leads: Sequence[str] = (),
    ) -> list[tuple[Tensor, Tensor]]:  # fmt: skip
        """One rendering a stream, each as `__call__` gives it."""
        B, L, T = signal_BLT.shape
        crop = round(self.crop_seconds * rate)
        V = crop if 0 < crop < T else T
        far = min(round(self.shift_seconds * rate), T - 1) if V == T else 0
        signal = functional.pad(signal_BLT, (far, far)) if far else signal_BLT
        # validity that is constant in time, the usual case, is carried as one flag a lead
        constant = valid_BLT.stride(-1) == 0 or T == 1
        valid = valid_BLT[..., :1] if constant else functional.pad(valid_BLT, (far, far))
        wiring_LE = interference.wiring(tuple(leads)) if leads else np.eye(L)
        found = []
        for stream in streams:
            draw = generator(seed, step, f"augment.{stream}")
            start_B = draw.integers(0, T + 2 * far - V + 1, B)
            view, there = _cut(signal, start_B, V), _cut(valid, start_B, V)
            if self.amplitude:
                gain_B11 = draw.uniform(1 - self.amplitude, 1 + self.amplitude, (B, 1, 1))
                view *= _tensor(gain_B11, view.device)
            self._disturb(view, rate, draw, wiring_LE)
            kept_BV = self._kept_time(far - start_B, T, V, draw) if far or self.time_mask else None
            found.append(_keep(view, there, kept_BV, self._lost_leads(there, draw)))
        return found

    def _disturb(self, view: Tensor, rate: float, draw: np.random.Generator, wiring_LE: np.ndarray) -> None:
        """Add noise, wander and mains hum in place, as they come in at the electrodes."""
        B, _, V = view.shape
        E = wiring_LE.shape[1]
        most = {"white": self.noise, "muscle": self.muscle, "wander": self.wander}
        kinds = [kind for kind, strength in most.items() if strength]
        weights = []  # of the rows of the bank in each lead, (B, L, rows)
        for kind in kinds:
            strength_B1E = draw.random((B, 1, 1)) * most[kind] * (1 - 2 * draw.integers(0, 2, (B, 1, E)))
            weights.append(wiring_LE * strength_B1E)
        lines = [line for line in interference.MAINS_HERTZ if line < rate / 2]
        if self.mains and lines:  # a batch hums at one of them
            kinds.append(f"{draw.choice(lines):g}")
            phase_BE = 2 * np.pi * draw.random((B, E))
            strength_BE2 = draw.random((B, 1, 1)) * self.mains * np.stack([np.cos(phase_BE), np.sin(phase_BE)], axis=-1)
            weights.append(wiring_LE @ strength_BE2)
        if not kinds:
            return
        bank_NS = interference.bank(tuple(kinds), E, V, rate, view.device)
        # recordings begin `hop` samples apart from a random place, so that the bank is read where it lies, not copied
        widest = (bank_NS.shape[1] - V) // B
        hop = int(draw.integers(widest // 2, widest + 1))
        start = int(draw.integers(0, bank_NS.shape[1] - V - (B - 1) * hop + 1))
        heard_BNV = bank_NS.as_strided((B, len(bank_NS), V), (hop, bank_NS.stride(0), 1), start)
        view.baddbmm_(_tensor(np.concatenate(weights, axis=-1), view.device), heard_BNV)

    def _kept_time(self, first_B: np.ndarray, T: int, V: int, draw: np.random.Generator) -> np.ndarray:
        """Which samples of the views stay, (B, V): those of the window, from `first` on, without one block."""
        kept_BV = np.zeros((len(first_B), V), bool)
        length_B = (draw.random(len(first_B)) * self.time_mask * V).astype(np.int64)
        block_B = (draw.random(len(first_B)) * (V - length_B + 1)).astype(np.int64)
        limits = (first_B, block_B, block_B + length_B)
        for kept, first, start, end in zip(kept_BV, *(limit.tolist() for limit in limits)):
            kept[max(first, 0) : first + T] = True
            kept[start:end] = False
        return kept_BV

    def _lost_leads(self, valid: Tensor, draw: np.random.Generator) -> np.ndarray | None:
        """Which leads of which recordings are taken away, (B, L)."""
        if not self.lead_mask:
            return None
        lost_BL = draw.random(valid.shape[:2]) < self.lead_mask
        there_BL = valid.any(-1).cpu().numpy()
        lost_BL[~(there_BL & ~lost_BL).any(1)] = False  # a recording that would lose its last lead keeps all
        return lost_BL


def _cut(signal_BLT: Tensor, start_B: np.ndarray, samples: int) -> Tensor:
    """From each recording `samples` samples from its own start on, copied; what is constant in time stays as it is."""
    if signal_BLT.shape[-1] == 1:
        return signal_BLT
    rows = torch.arange(len(start_B), device=signal_BLT.device)
    return signal_BLT.unfold(-1, samples, 1)[rows, :, _tensor(start_B, signal_BLT.device)]


def _keep(view: Tensor, valid: Tensor, kept_BV: np.ndarray | None, lost_BL: np.ndarray | None) -> tuple[Tensor, Tensor]:
    """The view (changed in place) and its validity, (B, L, V), with everything else at 0 and False."""
    whole = valid.shape[-1] == 1 and bool(valid.all())
    if kept_BV is not None:
        kept_B1V = torch.from_numpy(kept_BV)[:, None].to(view.device)
        valid = kept_B1V if whole else valid & kept_B1V
    if kept_BV is not None or not whole:
        view *= valid.view(torch.uint8)  # bytes become numbers six times as fast as booleans do
    valid = valid.expand(view.shape)
    if lost_BL is not None and lost_BL.any():
        lost = tuple(torch.from_numpy(place).to(view.device) for place in np.nonzero(lost_BL))
        valid = valid.contiguous()
        valid[lost], view[lost] = False, 0.0
    return view, valid


def _tensor(array: np.ndarray, device: torch.device) -> Tensor:
    """The array on that device; fractions as float32."""
    return torch.from_numpy(array.astype(np.float32) if array.dtype == np.float64 else array).to(device)
