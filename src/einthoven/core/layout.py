"""Layout: what a model wants as its input. It travels in the checkpoint and is applied by `signal.processing`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from einthoven.core.errors import LayoutError
from einthoven.core.leads import ANY, STANDARD, known

Scale = Literal["none", "per_lead", "per_record", "fixed"]


@dataclass(frozen=True)
class Layout:
    """Leads in order, rate, length, filter and scaling.

    Args:
        leads: canonical names in order, or `["any"]` for one lead whatever its name.
        rate: samples per second.
        seconds: length of a window.
        band: edges of the zero-phase band-pass in hertz, low then high (0 = open end); None, or both 0, for no filter.
        order: order of the Butterworth whose |H|^2 is the gain.
        scale: `none` keeps millivolts; `per_lead` and `per_record` are z-scores over valid samples; `fixed` divides by
            `divisor` millivolts.
        divisor: millivolts that become 1 with `scale = "fixed"`.
    """

    leads: Sequence[str] = STANDARD
    rate: float = 100.0
    seconds: float = 10.0
    band: tuple[float, float] | None = (0.5, 0.0)
    order: int = 2
    scale: Scale = "none"
    divisor: float = 1.0

    def __post_init__(self) -> None:
        put = object.__setattr__
        leads = tuple(known(name, "layout") for name in self.leads)
        put(self, "leads", leads)
        put(self, "rate", float(self.rate))
        put(self, "seconds", float(self.seconds))
        band = tuple(float(edge) for edge in self.band or ())
        put(self, "band", None if band in ((), (0.0, 0.0)) else band)  # TOML has no word for None
        if not leads or len(set(leads)) < len(leads) or (ANY in leads and len(leads) > 1):
            raise LayoutError("layout", "leads are unusable", expected="each lead once, or any alone", got=list(leads))
        if not (0 < self.rate < math.inf and 0 < self.seconds < math.inf and self.samples):
            raise LayoutError(
                "layout", "rate and seconds are unusable", expected="both above 0 and at least one sample",
                got=f"{self.rate} Hz, {self.seconds} s",
            )  # fmt: skip
        if self.band is not None and not self._band_fits():
            raise LayoutError(
                "layout", "band is unusable", expected=f"0 <= low < high < {self.rate / 2} Hz, 0 for an open end",
                got=list(self.band), fix="lower the upper edge or raise the rate",
            )  # fmt: skip
        if self.scale not in ("none", "per_lead", "per_record", "fixed") or not self.divisor > 0 or self.order < 1:
            raise LayoutError(
                "layout", "scale, divisor or order is unusable",
                expected="none, per_lead, per_record or fixed; above 0; 1 or more",
                got=(self.scale, self.divisor, self.order),
            )  # fmt: skip

    def _band_fits(self) -> bool:
        if self.band is None or len(self.band) != 2:
            return False
        low, high = self.band
        nyquist = self.rate / 2
        return 0 <= low < nyquist and 0 <= high < nyquist and (low < high or low > high == 0)

    @property
    def samples(self) -> int:
        """Samples of a window at the layout's rate."""
        return round(self.seconds * self.rate)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"leads": list(self.leads), "band": list(self.band) if self.band else None}
