"""Put a Sheet down as SVG: text only, true millimetres, no ids and no references, so that many fit into one page.

Coordinates are whole hundredths of a millimetre, written as steps from the point before: five bytes a sample.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

from einthoven.report.sheet import FACES, PENS, Box, Curve, Role, Sheet, Text

UNIT = 0.01  # mm
_FAMILY = "Helvetica, Arial, Liberation Sans, sans-serif"


def write(sheet: Sheet) -> str:
    """The drawing as one `<svg>` element; it is a whole file too. Equal sheets give equal text."""
    width, height = f"{sheet.width:g}", f"{sheet.height:g}"
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" class="ecg" role="img" width="{width}mm" height="{height}mm" '
        f'viewBox="0 0 {width} {height}" font-family="{_FAMILY}">',
        f"<title>{escape(sheet.title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        _lines(sheet.ruling, sheet.grid),
        *map(_text, sheet.texts),
        _lines(sheet.curves, sheet.grid),
        "</svg>\n",
    ])  # fmt: skip


def _lines(curves: Sequence[Curve], grid: Box) -> str:
    """One path for each pen, in a box of its own: that cuts at the grid's edge without naming a clip."""
    x, y, width, height = (f"{value:g}" for value in grid)
    paths = [_path(role, same) for role in PENS if (same := [curve for curve in curves if curve.role == role])]
    box = f'<svg x="{x}" y="{y}" width="{width}" height="{height}" viewBox="{x} {y} {width} {height}">'
    return "\n".join([box, *paths, "</svg>"])


def _path(role: Role, curves: Iterable[Curve]) -> str:
    pen = PENS[role]
    return (
        f'<path class="{role}" transform="scale({UNIT:g})" fill="none" stroke="{pen.colour}" '
        f'stroke-width="{pen.width / UNIT:g}" stroke-linejoin="round" stroke-linecap="round" '
        f'd="{"".join(map(_steps, curves))}"/>'
    )


def _steps(curve: Curve) -> str:
    points = np.rint(curve.points / UNIT).astype(int)
    x, y = points[0].tolist()
    steps = np.diff(points, axis=0).tolist() or [[0, 0]]  # a lone sample is a dot
    return f"M{x} {y}l{' '.join(f'{right} {down}' for right, down in steps)}".replace(" -", "-")


def _text(text: Text) -> str:
    face = FACES[text.kind]
    weight = ' font-weight="bold"' if face.heavy else ""
    # the white rim keeps the ruling out of the letters
    return (
        f'<text x="{text.x:.6g}" y="{text.y:.6g}" font-size="{face.size:g}"{weight} fill="{face.colour}" stroke="#fff" '
        f'stroke-width="0.7" stroke-linejoin="round" paint-order="stroke">{escape(text.text)}</text>'
    )
