"""Formulae of the textbooks: QT corrected for rate, and the frontal axis. Pure arithmetic; units in each."""

from __future__ import annotations

import numpy as np


def corrected(qt_ms: float, rr_s: float) -> dict[str, float]:
    """QT corrected for rate by four formulae, ms (Bazett 1920, Fridericia 1920, Sagie 1992, Hodges 1983).

    Args:
        qt_ms: QT in milliseconds. rr_s: RR interval in seconds.

    >>> {name: round(value, 6) for name, value in corrected(400, 0.8).items()}
    {'qtc_bazett': 447.213595, 'qtc_fridericia': 430.886938, 'qtc_framingham': 430.8, 'qtc_hodges': 426.25}
    """
    return {
        "qtc_bazett": qt_ms / rr_s**0.5, "qtc_fridericia": qt_ms / rr_s ** (1 / 3),
        "qtc_framingham": qt_ms + 154 * (1 - rr_s), "qtc_hodges": qt_ms + 1.75 * (60 / rr_s - 60),
    }  # fmt: skip


def axis_degrees(area_one, area_two):
    """Frontal axis in degrees from signed areas in I and II (any one unit): 0 to the left, 90 to the feet.

    >>> [round(float(axis_degrees(*pair)), 6) for pair in ((1, 1), (0, 1), (1, 0))]
    [30.0, 90.0, -30.0]
    """
    return np.degrees(np.arctan2((2 * area_two - area_one) / np.sqrt(3), area_one))


def folded(degrees: np.ndarray | float) -> np.ndarray:
    """An angle in degrees as one of -180 ... 180.

    >>> folded(np.array([190.0, -190.0, 30.0]))
    array([-170.,  170.,   30.])
    """
    return (np.asarray(degrees) + 180) % 360 - 180
