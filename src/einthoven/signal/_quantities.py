"""The names of the measurements, their units, and the ranges within which a value is believed (physiology.md 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_P, _QRS, _T = 0, 1, 2
_ON, _OFF = 0, 2

INTERVALS = {
    "p_duration": (_P, _OFF, _P, _ON), "pr": (_QRS, _ON, _P, _ON), "qrs": (_QRS, _OFF, _QRS, _ON),
    "qt": (_T, _OFF, _QRS, _ON), "t_duration": (_T, _OFF, _T, _ON),
}  # fmt: skip
"""Wave and point that an interval ends with, and those that it begins with."""

AXES = ("axis_p", "axis_qrs", "axis_t")
DEFLECTIONS = ("amp_p", "amp_q", "amp_r", "amp_s", "amp_r2", "amp_t")
ST_NAMES = ("st_j", "st_j20", "st_j60", "st_j80")
AMPLITUDES = (*DEFLECTIONS, *ST_NAMES, "st_slope", "r_peak_time")
"""Measured in each lead: the lead's name is put behind, `amp_r_V5`."""

_MS = (
    "rr_mean", "rr_sd", "rr_min", "rr_max", "rmssd", "p_duration", "pr", "qrs", "qt", "jt", "t_duration", "t_peak_end",
    "qtc_bazett", "qtc_fridericia", "qtc_framingham", "qtc_hodges", "r_peak_time",
)  # fmt: skip

UNITS: dict[str, str] = {
    "hr": "1/min", "hr_mean": "1/min", "rr_cv": "1", "pnn50": "%",
    **dict.fromkeys(_MS, "ms"), **dict.fromkeys((*AXES, "qrs_t_angle"), "deg"),
    **dict.fromkeys((*DEFLECTIONS, *ST_NAMES, "sokolow_lyon", "cornell"), "mV"), "st_slope": "mV/s",
    **dict.fromkeys(("sokolow_lyon_product", "cornell_product", "cornell_product_women", "ptf_v1"), "mV ms"),
    **dict.fromkeys(("beat_corr_mean", "beat_corr_min", "p_present_share", "f_wave_index"), "1"),
    **dict.fromkeys(("ectopy_share", "ectopy_share_narrow", "ectopy_share_wide"), "1"), "regularity": "label",
    **dict.fromkeys(("pacing", "pacing_ventricular", "pacing_atrial"), "count"),
}  # fmt: skip

LIMITS: dict[str, tuple[float, float]] = {
    "hr": (20, 300), "hr_mean": (20, 300), **dict.fromkeys(("rr_mean", "rr_min", "rr_max"), (200.0, 3000.0)),
    "rmssd": (0, 1000), "p_duration": (40, 200), "pr": (60, 400), "qrs": (40, 250), "qt": (200, 700), "jt": (100, 600),
    "t_duration": (60, 400), "t_peak_end": (20, 250), **dict.fromkeys(DEFLECTIONS, (-10.0, 10.0)),
    **dict.fromkeys(ST_NAMES, (-2.0, 2.0)), "r_peak_time": (0, 200),
    **dict.fromkeys(("qtc_bazett", "qtc_fridericia", "qtc_framingham", "qtc_hodges"), (200.0, 800.0)),
}  # fmt: skip
"""A value outside is withheld as `implausible`."""

ONE_NUMBER: tuple[str, ...] = (
    "hr", "hr_mean", "rr_mean", "rr_sd", "rr_min", "rr_max", "rr_cv", "rmssd", "pnn50", "regularity", "p_duration",
    "pr", "qrs", "qt", "jt", "t_duration", "qtc_bazett", "qtc_fridericia", "qtc_framingham", "qtc_hodges", "t_peak_end",
    "axis_p", "axis_qrs", "axis_t", "qrs_t_angle", "sokolow_lyon", "sokolow_lyon_product", "cornell", "cornell_product",
    "cornell_product_women", "ptf_v1", "beat_corr_mean", "beat_corr_min", "ectopy_share", "ectopy_share_narrow",
    "ectopy_share_wide", "p_present_share", "f_wave_index", "pacing", "pacing_ventricular", "pacing_atrial",
)  # fmt: skip
"""Measured once a recording."""


@dataclass(frozen=True)
class Measurement:
    """value: a number or a word, None where not measured, and then `reason` says why (docs/measure.md lists them).
    unit: as in `UNITS`. n_beats: beats (or intervals) that it rests on. quality: 0 to 1. spread: the interquartile
    range over these, None where there is none. flag: what to know about a value that is given."""

    value: float | str | None
    unit: str
    n_beats: int = 0
    quality: float = 0.0
    reason: str = ""
    spread: float | None = None
    flag: str = ""


def per_lead(kind: str, leads: Sequence[str]) -> list[str]:
    """The names of a measurement of each lead."""
    return [f"{kind}_{lead}" for lead in leads]
