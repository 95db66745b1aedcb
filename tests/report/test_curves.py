from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from einthoven.evaluate.calibration import Bins
from einthoven.report import curves
from einthoven.report.curves import Point, Scale, Series
from einthoven.report.markup import Html, join, tag
from einthoven.report.predicted import bins

AXIS = Scale(0.5, 1.0, (0.5, 0.75, 1.0), 2)


def numbers(markup: str, name: str) -> list[float]:
    return [float(value.rstrip("%")) for value in re.findall(rf' {name}="([^"]+)"', markup)]


def test_an_interval_stands_where_its_numbers_are():
    drawn = curves.interval(0.75, 0.6, 0.9, AXIS, "arm k0")
    assert numbers(drawn, "cx") == [50]
    assert numbers(drawn, "x1") == [0, 50, 100, 20]  # three guides, then the lower limit
    assert numbers(drawn, "x2")[-1] == 80


def test_a_point_without_interval_has_no_line_and_an_undefined_one_is_not_drawn():
    assert "whisker" not in curves.interval(0.75, None, None, AXIS, "arm")
    assert "point" not in curves.interval(None, None, None, AXIS, "arm")


def test_what_lies_beyond_the_axis_is_an_arrow_at_its_end():
    below, above = curves.interval(0.4, 0.4, 0.4, AXIS, "ref"), curves.interval(1.2, None, None, AXIS, "ref")
    assert "<circle" not in below + above
    assert numbers(below, "x") == [0]
    assert numbers(above, "x") == [100]


def test_efficiency_puts_more_labels_to_the_right_and_higher_figures_up():
    points = Point(0, 0.6, 0.5, 0.7), Point(1, 0.8, None, None)
    drawn = curves.efficiency([Series("a", "arm k0", points)], ["100", "all"], "what")
    across, down = numbers(drawn, "cx"), numbers(drawn, "cy")
    assert across[:2] == [25, 75]
    assert down[0] > down[1]
    assert down[0] - down[1] == pytest.approx(0.2 / 0.3 * curves.PLOT, abs=0.1)  # the axis runs from 0.5 to 0.8


@given(st.lists(st.floats(-1e3, 1e3, allow_nan=False), min_size=1, max_size=20))
def test_an_axis_holds_its_values_and_has_few_even_ticks(values: list[float]):
    axis = curves.scale(values)
    hair = 1e-6 * (axis.high - axis.low)
    assert axis.low - hair <= min(values)
    assert max(values) <= axis.high + hair
    assert 2 <= len(axis.ticks) <= 8
    assert np.allclose(np.diff(axis.ticks), axis.ticks[1] - axis.ticks[0])
    assert [f"{t:.{axis.digits}f}" for t in axis.ticks] == sorted(
        {f"{t:.{axis.digits}f}" for t in axis.ticks}, key=float
    )


def test_an_axis_of_nothing_is_from_0_to_1():
    assert (curves.scale([None]).low, curves.scale([]).high) == (0, 1)


def test_reliability_bins_are_those_of_the_calibration_error():
    draw = np.random.default_rng(0)
    score_n = np.round(draw.random(500), 2)  # ties
    truth_n = (draw.random(500) < score_n**2).astype(float)
    points = bins(truth_n, score_n)
    error, largest = Bins(truth_n, score_n).errors(np.ones((500, 1)))
    assert max(abs(x - y) for x, y in points) == pytest.approx(largest[0], rel=1e-12)
    assert len(points) == 10
    assert np.mean([abs(x - y) for x, y in points]) == pytest.approx(error[0], rel=0.05)  # masses equal but for ties


def test_one_constant_score_is_one_bin():
    assert bins(np.array([0.0, 1, 1, 0]), np.full(4, 0.3)) == [(pytest.approx(0.3), 0.5)]


def test_text_is_escaped_and_markup_is_not():
    assert tag("td", "a<b", Html("<i>c</i>"), [None, 3, "&"], title='"x"', class_=None) == (
        '<td title="&quot;x&quot;">a&lt;b<i>c</i>3&amp;</td>'
    )
    assert join("<", tag("br")) == "&lt;<br>"
