"""Put a Sheet down as PNG or PDF through matplotlib (the extra `[plot]`); the same millimetres as `svg`."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

from einthoven.core.errors import ExtraError
from einthoven.report.sheet import FACES, PENS, Sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_INCH, _POINT = 25.4, 25.4 / 72  # mm
DOTS = 200
"""Dots an inch of a PNG: eight a millimetre, so that fine lines stay apart on a screen and in print."""
MOST_PIXELS = 50e6
"""A longer sheet gets fewer dots an inch."""


def figure(sheet: Sheet) -> Figure:
    """The drawing as a matplotlib figure whose data coordinates are the sheet's millimetres.

    Raises:
        ExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.collections import LineCollection
        from matplotlib.figure import Figure
        from matplotlib.patches import Rectangle
        from matplotlib.patheffects import withStroke
    except ModuleNotFoundError as error:
        raise ExtraError.of("plot to PNG or PDF", "plot") from error
    drawn = Figure(figsize=(sheet.width / _INCH, sheet.height / _INCH), facecolor="white")
    axes = drawn.add_axes((0, 0, 1, 1), xlim=(0, sheet.width), ylim=(sheet.height, 0))
    axes.set_axis_off()
    for role, pen in PENS.items():
        lines = LineCollection(
            [curve.points for curve in (*sheet.ruling, *sheet.curves) if curve.role == role], colors=pen.colour,
            linewidths=pen.width / _POINT, capstyle="round", joinstyle="round", gid=role,
            zorder=1 if role in ("fine", "bold") else 3,
        )  # fmt: skip
        axes.add_collection(lines, autolim=False)
        lines.set_clip_path(Rectangle(sheet.grid[:2], *sheet.grid[2:], transform=axes.transData))
    rim = withStroke(linewidth=0.7 / _POINT, foreground="white")
    for text in sheet.texts:
        face = FACES[text.kind]
        axes.text(
            text.x, text.y, text.text, size=face.size / _POINT, color=face.colour, family="DejaVu Sans",
            weight="bold" if face.heavy else "normal", parse_math=False, path_effects=[rim], zorder=2,
        )  # fmt: skip
    return drawn


def write(sheet: Sheet, suffix: str) -> bytes:
    """The drawing as the bytes of a `.png` or `.pdf` file, without date or author: equal sheets give equal bytes."""
    out = io.BytesIO()
    metadata = {"CreationDate": None, "Creator": None, "Producer": None} if suffix == ".pdf" else {"Software": None}
    dots = min(DOTS, _INCH * math.sqrt(MOST_PIXELS / (sheet.width * sheet.height)))
    figure(sheet).savefig(out, format=suffix.removeprefix("."), dpi=dots, metadata=metadata)
    return out.getvalue()
