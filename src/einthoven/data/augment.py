"""Disturb windows as electrodes, arms and loose contacts do, batchwise in torch, keyed by (seed, step, stream).

Order: crop or shift -> amplitude -> noise, muscle, wander, mains -> masks. Each recording draws its own strength, uniform
between 0 and the setting, on the CPU, so a GPU sees the same disturbances. What each step may not change is stated beside
its setting and tested. Shapes: B recordings, L leads, E electrodes, K tones, T samples in, V out.
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

WANDER_HERTZ = (0.05, 0.15, 0.3, 0.5, 0.7)
"""Breathing and electrode drift."""
MAINS_HERTZ = (50.0, 60.0)


class Augment:
    def __init__(
        self,
        *,
        amplitude: float = 0.0,  # +- share of the gain, one for all leads; 0.2 = 0.8 to 1.2. Off: voltage is diagnosis
        wander: float = 0.1,  # mV SD, 0.05-0.7 Hz; leaves everything above 1 Hz alone
        mains: float = 0.02,  # mV SD, 50 or 60 Hz if below half the rate; leaves all but that line alone
        noise: float = 0.02,  # mV SD, white
        muscle: float = 0.02,  # mV SD, 20 Hz to 150 Hz or 90 % of Nyquist, swelling and ebbing; leaves below 5 Hz alone
        shift_seconds: float = 0.0,  # at most so far, either way; what moves in is invalid; without crop only
        crop_seconds: float = 0.0,  # length of the view, at a random place; 0 = whole window; samples stay as they are
        lead_mask: float = 0.0,  # chance of each lead to be taken away; one always stays
        time_mask: float = 0.0,  # longest share of the time that is taken away, one block in all leads
    ) -> None:
        self.amplitude, self.wander, self.mains = amplitude, wander, mains
        self.noise, self.muscle = noise, muscle
        self.shift_seconds, self.crop_seconds = shift_seconds, crop_seconds
        self.lead_mask, self.time_mask = lead_mask, time_mask
        for name, limit in {"amplitude": 1.0, "lead_mask": 1.0, "time_mask": 1.0}.items():
            if not 0 <= getattr(self, name) < limit:
                raise RecipeError("[augment]", f"{name} is out of range", expected=f"0 to below {limit:g}",
                                  got=getattr(self, name), reason="value")  # fmt: skip
        for name in ("wander", "mains", "noise", "muscle", "shift_seconds", "crop_seconds"):
            if not 0 <= getattr(self, name) < math.inf:
                raise RecipeError("[augment]", f"{name} is out of range", expected="0 (off) or more",
                                  got=getattr(self, name), reason="value")  # fmt: skip

    def __call__(
        self,
        signal_BLT: Tensor,
        valid_BLT: Tensor,
        rate: float,
        seed: int,
        step: int,
        stream: str,
        leads: Sequence[str] = (),
    ) -> tuple[Tensor, Tensor]:
        """Another rendering of the same windows; the input stays as it is.

        Args:
            signal_BLT: millivolts, 0 where not valid. valid_BLT: boolean, same shape.
            rate: samples per second.
            seed, step, stream: the same three give the same bits.
            leads: names in order, for the wiring of the electrodes; without them each lead is an electrode.

        Returns:
            signal (B, L, V) in millivolts, 0 where not valid, and its validity, same shape. V is T without a crop.
        """
        draw = generator(seed, step, f"augment.{stream}")
        # validity that is constant in time, the usual case, is carried as one flag a lead
        constant = valid_BLT.stride(-1) == 0 or valid_BLT.shape[-1] == 1
        valid = valid_BLT[..., :1] if constant else valid_BLT
        signal, valid, kept_BV = self._place(signal_BLT, valid, rate, draw)
        if signal.data_ptr() == signal_BLT.data_ptr():
            signal = signal.clone()  # from here on it is changed in place
        if self.amplitude:
            gain_B11 = draw.uniform(1 - self.amplitude, 1 + self.amplitude, (len(signal), 1, 1))
            signal *= _tensor(gain_B11, signal.device)
        self._disturb(signal, rate, draw, leads)
        self._take_time(kept_BV, draw)
        lost_BL = self._take_leads(valid, draw)
        return _keep(signal, valid, kept_BV, lost_BL)

    def _place(
        self, signal: Tensor, valid: Tensor, rate: float, draw: np.random.Generator
    ) -> tuple[Tensor, Tensor, np.ndarray]:
        """Crop or shift; with it, which samples of each recording lie within the window that came in, (B, V)."""
        B, _, T = signal.shape
        crop, far = round(self.crop_seconds * rate), min(round(self.shift_seconds * rate), T - 1)
        if 0 < crop < T:
            starts_B = draw.integers(0, T - crop + 1, B)
            return _cut(signal, starts_B, crop), _cut(valid, starts_B, crop), np.ones((B, crop), bool)
        kept_BV = np.ones((B, T), bool)
        if far > 0:
            starts_B = draw.integers(0, 2 * far + 1, B)
            for kept, start in zip(kept_BV, starts_B):
                kept[: max(far - start, 0)] = False
                kept[min(T + far - start, T) :] = False
            signal = _cut(functional.pad(signal, (far, far)), starts_B, T)
            if valid.shape[-1] > 1:
                valid = _cut(functional.pad(valid, (far, far)), starts_B, T)
        return signal, valid, kept_BV

    def _disturb(self, signal: Tensor, rate: float, draw: np.random.Generator, leads: Sequence[str]) -> None:
        """Add noise, wander and mains hum in place, as they come in at the electrodes."""
        B, L, V = signal.shape
        wiring_LE = interference.wiring(tuple(leads)) if leads else np.eye(L)
        E = wiring_LE.shape[1]
        for kind, strength in (("white", self.noise), ("muscle", self.muscle)):
            if strength:
                bank_EN = interference.bank(kind, rate, E, max(interference.BANK_SAMPLES, 2 * V), signal.device)
                starts_B = draw.integers(0, bank_EN.shape[1] - V + 1, B)
                noise_EBV = bank_EN.unfold(1, V, 1)[:, _tensor(starts_B, signal.device)]
                weight_BLE = wiring_LE * draw.choice([-1.0, 1.0], (B, 1, E)) * draw.uniform(0, strength, (B, 1, 1))
                signal.baddbmm_(_tensor(weight_BLE, signal.device), noise_EBV.transpose(0, 1))
        lines = tuple(line for line in MAINS_HERTZ if line < rate / 2) if self.mains else ()
        hertz = (WANDER_HERTZ if self.wander else ()) + lines
        if hertz:
            strength_BK = np.tile(draw.uniform(0, self.wander, (B, 1)) / math.sqrt(len(WANDER_HERTZ)), len(hertz))
            if lines:
                line_B = draw.integers(0, len(lines), B)
                strength_BK[:, -len(lines) :] = draw.uniform(0, self.mains, (B, 1)) * (
                    line_B[:, None] == range(len(lines))
                )
            # a cosine and a sine with normal weights: any phase, and the power of noise of SD 1
            weight_BE2K = draw.standard_normal((B, E, 2 * len(hertz))) * np.repeat(strength_BK, 2, axis=1)[:, None]
            weight = _tensor(wiring_LE @ weight_BE2K, signal.device).reshape(B * L, -1)
            signal.view(B * L, V).addmm_(weight, interference.tones(hertz, V, rate, signal.device))

    def _take_time(self, kept_BV: np.ndarray, draw: np.random.Generator) -> None:
        """Take one block of time away from each recording, in place."""
        if self.time_mask:
            B, V = kept_BV.shape
            length_B = draw.uniform(0, self.time_mask * V, B)
            start_B = draw.uniform(0, V - length_B)
            for kept, start, end in zip(kept_BV, start_B.astype(int), (start_B + length_B).astype(int)):
                kept[start:end] = False

    def _take_leads(self, valid: Tensor, draw: np.random.Generator) -> np.ndarray:
        """Which leads of which recordings are taken away, (B, L)."""
        if not self.lead_mask:
            return np.zeros(valid.shape[:2], bool)
        lost_BL = draw.random(valid.shape[:2]) < self.lead_mask
        there_BL = valid.any(-1).cpu().numpy()
        lost_BL[~(there_BL & ~lost_BL).any(1)] = False  # a recording that would lose its last lead keeps all
        return lost_BL


def _cut(signal_BLT: Tensor, starts_B: np.ndarray, samples: int) -> Tensor:
    """From each recording `samples` samples from its own start on; what is constant in time stays as it is."""
    if signal_BLT.shape[-1] == 1:
        return signal_BLT
    rows = torch.arange(len(starts_B), device=signal_BLT.device)
    return signal_BLT.unfold(-1, samples, 1)[rows, :, _tensor(starts_B, signal_BLT.device)]


def _keep(signal: Tensor, valid: Tensor, kept_BV: np.ndarray, lost_BL: np.ndarray) -> tuple[Tensor, Tensor]:
    """Signal (changed in place) and validity (B, L, V), with everything else at 0 and False."""
    kept_B1V = torch.from_numpy(kept_BV)[:, None].to(signal.device)
    if valid.shape[-1] == 1 and bool(valid.all()):
        valid = kept_B1V.expand(signal.shape)
        if not kept_BV.all():
            signal *= kept_B1V.view(torch.uint8).to(signal.dtype)  # from bool it takes six times as long
    else:
        valid = valid & kept_B1V
        signal *= valid
    if lost_BL.any():
        rows, leads = np.nonzero(lost_BL)
        valid = valid.contiguous()
        valid[rows, leads], signal[rows, leads] = False, 0.0
    return signal, valid


def _tensor(array: np.ndarray, device: torch.device) -> Tensor:
    """The array on that device; fractions as float32."""
    return torch.from_numpy(array.astype(np.float32) if array.dtype == np.float64 else array).to(device)
