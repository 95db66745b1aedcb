"""Both writers put down the same millimetres, and nothing that a stranger named gets out of its text."""

from __future__ import annotations

import re
import struct
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from einthoven.core.leads import STANDARD
from einthoven.core.record import Record
from einthoven.report import canvas, svg
from einthoven.report.paper import Mark, lay
from einthoven.report.sheet import PENS, Curve, Role, Sheet

SVG = "{http://www.w3.org/2000/svg}"
WAVES: tuple[Role, ...] = ("p", "qrs", "t")
NASTY = "<script>alert(1)</script>&\"'$x^2$\x00]]>"


@pytest.fixture(scope="module")
def sheet() -> Sheet:
    signal = 0.3 * np.random.default_rng(0).standard_normal((12, 5000))
    signal[1, 1000:1200] = np.nan
    signal[1, 1100] = 0.1
    record = Record("r", (*STANDARD[:11], "E<1>"), signal, 500)
    laid = lay(record, NASTY, format="3x4", marks=[Mark("II", 300, NASTY)])
    waves = [Curve(np.array([[20.0, 30.0], [21.0, 31.5], [22.0, 30.0]]) + i, role) for i, role in enumerate(WAVES)]
    return replace(laid, curves=(*laid.curves, *waves))


def drawn(path: ElementTree.Element) -> list[np.ndarray]:
    """The polylines of an SVG path, in millimetres."""
    scale = float(re.fullmatch(r"scale\((.*)\)", path.attrib["transform"])[1])  # type: ignore[index]
    lines = []
    for piece in path.attrib["d"].split("M")[1:]:
        begin, steps = (np.array(re.findall(r"-?\d+", part), int).reshape(-1, 2) for part in piece.split("l"))
        lines.append(np.cumsum(np.concatenate([begin, steps]), axis=0) * scale)
    return lines


def test_svg_is_well_formed_and_measures_millimetres(sheet: Sheet):
    root = ElementTree.fromstring(svg.write(sheet))
    assert root.attrib["width"] == f"{sheet.width:g}mm"
    assert root.attrib["height"] == f"{sheet.height:g}mm"
    assert root.attrib["viewBox"] == f"0 0 {sheet.width:g} {sheet.height:g}"


def test_svg_and_canvas_put_down_the_same_lines(sheet: Sheet):
    root = ElementTree.fromstring(svg.write(sheet))
    axes = canvas.figure(sheet).axes[0]
    collections = {collection.get_gid(): collection for collection in axes.collections}
    paths = {path.attrib["class"]: path for path in root.iter(f"{SVG}path")}
    assert set(paths) == set(PENS)
    for role, pen in PENS.items():
        ours = [curve.points for curve in (*sheet.ruling, *sheet.curves) if curve.role == role]
        in_svg, on_canvas = drawn(paths[role]), collections[role].get_segments()
        assert len(ours) == len(in_svg) == len(on_canvas) > 0
        for a, b, c in zip(ours, in_svg, on_canvas):
            np.testing.assert_array_equal(a, c)
            np.testing.assert_allclose(a, b[: len(a)], atol=0.00501)  # rounded to hundredths of a millimetre
        assert collections[role].get_linewidth()[0] / 72 * 25.4 == pytest.approx(pen.width)
        assert float(paths[role].attrib["stroke-width"]) * 0.01 == pytest.approx(pen.width)


def test_svg_and_canvas_put_down_the_same_words(sheet: Sheet):
    root = ElementTree.fromstring(svg.write(sheet))
    in_svg = [(float(t.attrib["x"]), float(t.attrib["y"]), t.text) for t in root.iter(f"{SVG}text")]
    on_canvas = [(*text.get_position(), text.get_text()) for text in canvas.figure(sheet).axes[0].texts]
    assert len(in_svg) == len(on_canvas)
    for (x, y, words), (x2, y2, words2) in zip(in_svg, on_canvas):
        assert (x, y) == pytest.approx((x2, y2), abs=1e-3)
        assert words == words2


def test_a_figure_is_as_large_as_the_sheet_and_its_data_are_millimetres(sheet: Sheet):
    figure = canvas.figure(sheet)
    assert figure.get_size_inches() * 25.4 == pytest.approx([sheet.width, sheet.height])
    corner = figure.axes[0].transData.transform((0, 0))
    inch = figure.axes[0].transData.transform((25.4, 25.4))
    assert (inch - corner) / figure.dpi == pytest.approx([1, -1])


def test_what_a_stranger_named_stays_text(sheet: Sheet):
    text = svg.write(sheet)
    assert "<script" not in text
    root = ElementTree.fromstring(text)
    assert next(root.iter(f"{SVG}title")).text == NASTY.replace("\x00", "\N{REPLACEMENT CHARACTER}")
    assert {element.tag.removeprefix(SVG) for element in root.iter()} == {"svg", "title", "rect", "path", "text"}


def test_svg_has_no_ids_and_refers_to_nothing(sheet: Sheet):
    text = svg.write(sheet).replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"""\b(id|href|src|style)=|url\(|http|@import""", text.replace("<", " <"))


def test_equal_sheets_are_equal_bytes():
    record = Record("r", ("I",), np.sin(np.arange(3000) / 30)[None], 300)
    for write in (lambda s: svg.write(s), lambda s: canvas.write(s, ".png"), lambda s: canvas.write(s, ".pdf")):
        assert write(lay(record)) == write(lay(record))


def test_png_has_eight_dots_a_millimetre_and_pdf_true_size():
    small = lay(Record("r", ("I",), np.zeros((1, 100)), 100))
    width, height = struct.unpack(">II", canvas.write(small, ".png")[16:24])
    assert (width, height) == pytest.approx((small.width * 200 / 25.4, small.height * 200 / 25.4), abs=1)
    box = re.search(rb"/MediaBox \[\s*0 0 ([\d.]+) ([\d.]+)", canvas.write(small, ".pdf"))
    assert box is not None
    assert [float(side) for side in box.groups()] == pytest.approx(
        [small.width / 25.4 * 72, small.height / 25.4 * 72], abs=0.01
    )


def test_a_huge_sheet_gets_fewer_dots(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(canvas, "MOST_PIXELS", 1e5)
    sheet = lay(Record("r", ("I",), np.zeros((1, 100)), 100))
    width, height = struct.unpack(">II", canvas.write(sheet, ".png")[16:24])
    assert width * height == pytest.approx(1e5, rel=0.01)
    assert width / height == pytest.approx(sheet.width / sheet.height, rel=0.01)
