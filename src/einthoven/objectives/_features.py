"""The physiological vector of a recording: measurements as numbers of like weight, and which of them are known.

Medians over beats, never slots of single beats. Standardised by median and IQR of the training rows, clipped, and
weighted so that each group contributes equal expected energy. Shapes: B rows, F features, M measurements, P components.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from einthoven.core.errors import RecipeError, nearest
from einthoven.core.leads import STANDARD
from einthoven.signal._quantities import AMPLITUDES, AXES, ONE_NUMBER, per_lead

PREFIX = "value:physiology."
CLIP = 4.0
"""Standardised values beyond this count as this."""

GROUPS: dict[str, tuple[str, ...]] = {
    "rhythm": ("log_rr", "log1p_rmssd", "rr_cv", "ectopy_share", "p_present_share"),
    "intervals": ("p_duration", "pr", "qrs", "qtc_fridericia", "t_duration"),
    "axes": tuple(f"{axis}.{part}" for axis in AXES for part in ("cos", "sin")),
    "amplitudes": (
        "amp_r_V1", "amp_r_V5", "amp_s_V1", "amp_s_V5", "st_j60_II", "st_j60_V2", "st_j60_V5", "amp_t_II", "amp_t_V2",
        "amp_t_V5", "sokolow_lyon", "cornell",
    ),
    "morphology": ("beat_corr_mean",),
}  # fmt: skip
"""The default set `core`, by group."""

FULL = tuple(
    part for name in (*ONE_NUMBER, *(one for kind in AMPLITUDES for one in per_lead(kind, STANDARD)))
    for part in ((f"{name}.cos", f"{name}.sin") if name in AXES else (name,)) if name != "regularity"
)  # fmt: skip
"""The whole measurement vector, for `features = "full"`."""


class Features(nn.Module):
    """Measurements to features. Everything fitted is a buffer, so that it travels with the run and the checkpoint.

    Args:
        kind: `core`, or `full` for all measurements, unmeasured at the training median and with flags that say so.
        exclude: groups or single features that are left out.
        pca: principal components of the training rows; 0 for none.

    Attributes:
        needs: the measurements, as facts. names: of the features. constant: those that do not vary in training.

    Raises:
        RecipeError: an unknown name in `exclude`, nothing left, or more components than features.
    """

    centre: Tensor
    scale: Tensor
    weight: Tensor
    mean: Tensor
    components: Tensor

    def __init__(self, kind: str, exclude: Sequence[str], pca: int) -> None:
        super().__init__()
        groups = GROUPS if kind == "core" else {"all": FULL}
        known = [*groups, *(name for names in groups.values() for name in names)]
        for word in exclude:
            if word not in known:
                raise RecipeError(
                    "[objective] exclude", f"no {'group or ' if kind == 'core' else ''}feature called '{word}'",
                    fix=nearest(word, known), reason="value",
                )  # fmt: skip
        self.group = {
            name: group for group, names in groups.items() for name in names
            if group not in exclude and name not in exclude
        }  # fmt: skip
        self.names = tuple(self.group)
        self.flagged, self.pca = kind == "full", pca
        columns = len(self.names) * (1 + self.flagged)
        if not 0 <= pca <= columns or not columns:
            raise RecipeError(
                "[objective] pca", "asks for more components than there are features",
                expected=f"0 to {columns} (29 with core, more with features = \"full\")", got=pca, reason="value",
            )  # fmt: skip
        self.measurements = tuple(dict.fromkeys(_measurement(name) for name in self.names))
        self.needs = tuple(PREFIX + name for name in self.measurements)
        for name, rows in (("centre", columns), ("scale", columns), ("weight", columns), ("mean", columns)):
            self.register_buffer(name, torch.zeros(rows) if name in ("centre", "mean") else torch.ones(rows))
        self.register_buffer("components", torch.zeros(columns, pca))
        self.constant: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Features that come out."""
        return self.pca or len(self.centre)

    def fit(self, facts: Mapping[str, np.ndarray]) -> None:
        """Learn centre, scale, group weights and components from training rows (by need).

        Raises:
            RecipeError: no feature varies.
        """
        raw_BF = self._raw({need: torch.from_numpy(facts[need]) for need in self.needs}).double()
        seen_BF = ~raw_BF.isnan()
        quartile_3F = _nanquantile(raw_BF, (0.25, 0.5, 0.75))
        spread_F = (quartile_3F[2] - quartile_3F[0]) / 1.349
        centred_BF = torch.where(seen_BF, raw_BF - quartile_3F[1], 0.0)
        deviation_F = (centred_BF.square().sum(0) / seen_BF.sum(0).clamp(min=1)).sqrt()
        spread_F = torch.where(spread_F > 0, spread_F, deviation_F)  # shares that are mostly 0 or 1 have no IQR
        varies_F = spread_F > 0
        self.constant = tuple(name for name, varies in zip(self._columns(), varies_F.tolist()) if not varies)
        if not varies_F.any():
            raise RecipeError(
                "[objective] features", "no measurement varies over the training recordings",
                got=f"{len(raw_BF)} recordings", fix="prepare more recordings", reason="features",
            )  # fmt: skip
        self.centre.copy_(quartile_3F[1].nan_to_num())
        self.scale.copy_(torch.where(varies_F, spread_F, torch.inf))
        self.weight.fill_(1.0)
        standard_BF, known_BF = self._standard(raw_BF.float())
        energy_F = standard_BF.square().sum(0) / known_BF.sum(0).clamp(min=1)
        groups = [self.group[name.partition("?")[0]] for name in self._columns()]
        for group in set(groups):
            mine_F = torch.tensor([one == group for one in groups])
            self.weight[mine_F] = float(energy_F[mine_F].sum().clamp(min=1e-12) ** -0.5)
        if self.pca:
            whole_BF = self._standard(raw_BF.float())[0] * self.weight
            self.mean.copy_(whole_BF.mean(0))
            _, _, axes_FF = torch.linalg.svd((whole_BF - self.mean).double(), full_matrices=False)
            self.components[:, : min(self.pca, len(axes_FF))] = axes_FF[: self.pca].T.float()

    def forward(self, facts: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Features (B, F) float32, 0 where not known, and whether they are (B, F)."""
        standard_BF, known_BF = self._standard(self._raw(facts))
        weighted_BF = standard_BF * self.weight
        if not self.pca:
            return weighted_BF, known_BF
        found_BP = (weighted_BF - self.mean) @ self.components
        return found_BP, known_BF.any(1, keepdim=True).expand_as(found_BP)

    def card(self) -> dict[str, Any]:
        """What a checkpoint's card says of them."""
        return {"features": list(self._columns()), "constant": list(self.constant), "pca": self.pca}

    def _columns(self) -> tuple[str, ...]:
        return self.names + tuple(f"{name}?" for name in self.names) * self.flagged

    def _raw(self, facts: Mapping[str, Tensor]) -> Tensor:
        """(B, F): the features in their own units, NaN where not measured; behind them the flags of `full`."""
        value = {name: facts[PREFIX + name].float() for name in self.measurements}
        raw_BF = torch.stack([_feature(name, value[_measurement(name)]) for name in self.names], dim=1)
        if not self.flagged:
            return raw_BF
        return torch.cat([raw_BF, (~raw_BF.isnan()).to(raw_BF.dtype)], dim=1)

    def _standard(self, raw_BF: Tensor) -> tuple[Tensor, Tensor]:
        known_BF = ~raw_BF.isnan() & self.scale.isfinite()
        standard_BF = ((raw_BF - self.centre) / self.scale).clamp(-CLIP, CLIP)
        standard_BF = torch.where(known_BF, standard_BF, 0.0)
        if self.flagged:  # unmeasured is the training median, and the flag says so
            measured_B1 = known_BF[:, : len(self.names)].any(1, keepdim=True)
            known_BF = measured_B1 & self.scale.isfinite()
        return standard_BF, known_BF


def _measurement(name: str) -> str:
    """The measurement that a feature is made of."""
    return {"log_rr": "hr", "log1p_rmssd": "rmssd"}.get(name, name.partition(".")[0])


def _feature(name: str, value_B: Tensor) -> Tensor:
    if name == "log_rr":
        return torch.log(60000 / value_B)
    if name == "log1p_rmssd":
        return torch.log1p(value_B)
    part = name.partition(".")[2]
    if part:
        radians_B = value_B * (math.pi / 180)
        return radians_B.cos() if part == "cos" else radians_B.sin()
    return value_B


def _nanquantile(raw_BF: Tensor, at: Sequence[float]) -> Tensor:
    """(quantiles, F), NaN for a column without a number; column by column, since torch's own is limited in size."""
    columns = []
    for column_B in raw_BF.T.numpy():
        seen = column_B[~np.isnan(column_B)]
        columns.append(np.quantile(seen, at) if len(seen) else np.full(len(at), np.nan))
    return torch.from_numpy(np.stack(columns, axis=1))
