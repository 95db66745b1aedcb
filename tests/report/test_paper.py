"""Geometry against millimetres worked out by hand: 25 mm/s, 10 mm/mV, 5 mm margin, 10 mm for the calibration pulse."""

from __future__ import annotations

import numpy as np
import pytest

from einthoven.core.errors import LayoutError
from einthoven.core.leads import STANDARD
from einthoven.core.record import Record
from einthoven.report.paper import Mark, lay, thin
from einthoven.report.sheet import Sheet


def twelve(seconds: float = 10.0, rate: float = 100.0) -> Record:
    signal = 0.1 * np.random.default_rng(0).standard_normal((12, round(seconds * rate)))
    signal[2], signal[3] = signal[1] - signal[0], -(signal[0] + signal[1]) / 2
    signal[4], signal[5] = signal[0] - signal[1] / 2, signal[1] - signal[0] / 2
    return Record("r", STANDARD, signal, rate)


def traces(sheet: Sheet, lead: str) -> list[np.ndarray]:
    return [curve.points for curve in sheet.curves if curve.role == "trace" and curve.lead == lead]


def test_one_millivolt_is_ten_millimetres_and_one_second_is_twenty_five():
    signal = np.zeros((1, 1000))
    signal[0, 400] = 1.0  # at 4 s
    signal[0, 800] = -0.5
    sheet = lay(Record("r", ("II",), signal, 100))
    (points,) = traces(sheet, "II")
    assert sheet.grid[:2] == (5, 15)
    assert points[0, 0] == 5 + 10
    peak, trough = points[points[:, 1].argmin()], points[points[:, 1].argmax()]
    assert peak[0] == pytest.approx(15 + 4 * 25)
    assert trough[0] == pytest.approx(15 + 8 * 25)
    middle = sheet.strips[0].middle
    assert (middle - peak[1], trough[1] - middle) == pytest.approx((10, 5), abs=1e-5)  # float32 samples


@pytest.mark.parametrize(("speed", "gain"), [(25, 10), (50, 20), (12.5, 5)])
def test_the_calibration_pulse_is_one_millivolt_for_a_fifth_of_a_second(speed: float, gain: float):
    sheet = lay(twelve(), speed=speed, gain=gain)
    pulses = [curve.points for curve in sheet.curves if curve.role == "pulse"]
    assert len(pulses) == 4
    for points, middle in zip(pulses, sorted({strip.middle for strip in sheet.strips})):
        top = points[points[:, 1] == points[:, 1].min()]
        assert np.ptp(top[:, 0]) == pytest.approx(0.2 * speed)
        assert (points[0, 1], points[0, 1] - top[0, 1]) == (middle, gain)


def test_columns_are_two_and_a_half_seconds_and_time_runs_on_through_them():
    record = twelve()
    sheet = lay(record, format="3x4")
    place = {(strip.lead, strip.end - strip.begin): strip for strip in sheet.strips}
    for column, leads in enumerate([("I", "II", "III"), ("aVR", "aVL", "aVF"), ("V1", "V2", "V3"), ("V4", "V5", "V6")]):
        for lead in leads:
            strip = place[lead, 2.5]
            assert strip.left == 15 + 62.5 * column
            assert strip.begin == 2.5 * column
            piece = record.signal[STANDARD.index(lead), 250 * column : 250 * (column + 1)]
            (points,) = [points for points in traces(sheet, lead) if len(points) == 250]
            assert points[:, 0] == pytest.approx(strip.left + 0.25 * np.arange(250))
            assert points[:, 1] == pytest.approx(strip.middle - 10 * (piece - np.median(piece)), abs=1e-5)
    rhythm = place["II", 10.0]
    assert rhythm.left == 15
    assert rhythm.middle == max(strip.middle for strip in sheet.strips)
    assert [place["I", 2.5].middle, place["II", 2.5].middle, place["III", 2.5].middle] == sorted(
        {strip.middle for strip in sheet.strips}
    )[:3]


def test_a_short_recording_gets_shorter_columns_and_no_second_pass():
    sheet = lay(twelve(seconds=6), format="3x4")
    assert {strip.begin for strip in sheet.strips} == {0, 1.5, 3, 4.5}
    assert max(points[:, 0].max() for lead in STANDARD for points in traces(sheet, lead)) < 15 + 6 * 25


def test_the_grid_has_a_line_each_millimetre_and_a_bold_one_each_fifth():
    sheet = lay(twelve())
    down = sorted(float(c.points[0, 0]) for c in sheet.ruling if c.points[0, 0] == c.points[1, 0])
    bold = sorted(float(c.points[0, 0]) for c in sheet.ruling if c.role == "bold" and c.points[0, 0] == c.points[1, 0])
    assert down == list(range(5, 5 + 265 + 1))
    assert bold == list(range(5, 5 + 265 + 1, 5))
    assert sheet.grid.height % 5 == 0
    assert all((strip.middle - sheet.grid.y) % 5 == 0 for strip in sheet.strips)


def test_derived_leads_are_drawn_from_two_limb_leads_and_marked():
    whole = twelve()
    keep = [0, 1, 6, 7, 8, 9, 10, 11]
    few = Record("r", tuple(STANDARD[i] for i in keep), whole.signal[keep], 100)
    sheet, full = lay(few, format="3x4"), lay(whole, format="3x4")
    assert sheet.format == lay(few).format == "3x4"
    assert sheet.notes == ("derived: III aVR aVL aVF",)
    assert [text.text for text in sheet.texts].count("derived") == 4
    for lead in ("III", "aVR", "aVL", "aVF"):
        assert traces(sheet, lead)[0] == pytest.approx(traces(full, lead)[0], abs=1e-4)


def test_a_missing_lead_leaves_its_place_empty_with_a_word():
    whole = twelve()
    sheet = lay(Record("r", STANDARD[:9], whole.signal[:9], 100), format="3x4")
    assert traces(sheet, "V5") == []
    assert {strip.lead for strip in sheet.strips} == set(STANDARD)
    name = next(text for text in sheet.texts if text.text == "V5")
    word = next(text for text in sheet.texts if text.text == "missing" and abs(text.y - name.y) < 5)
    assert word.x == name.x == pytest.approx(15 + 3 * 62.5 + 1.2)
    assert "missing: V4 V5 V6" in sheet.notes


def test_a_gap_breaks_the_line_and_a_lone_sample_stays():
    signal = np.sin(np.arange(1000) / 10)[None]
    signal[0, 300:320] = np.nan
    signal[0, 310] = 0.3
    sheet = lay(Record("r", ("I",), signal, 100))
    pieces = traces(sheet, "I")
    assert [len(points) for points in pieces] == [300, 1, 680]
    assert [points[0, 0] for points in pieces] == pytest.approx([15, 15 + 77.5, 15 + 80])


def test_a_gap_in_one_lead_leaves_the_others_whole():
    whole = twelve()
    signal = whole.signal.copy()
    signal[6, 600:650] = np.nan  # V1
    sheet = lay(Record("r", STANDARD, signal, 100), format="3x4")
    assert [len(traces(sheet, lead)) for lead in ("V1", "V2", "aVR", "I")] == [2, 1, 1, 1]


def test_a_column_that_begins_between_two_samples_keeps_their_time():
    sheet = lay(twelve(rate=99), format="3x4")  # 2.5 s is sample 247.5
    (points,) = traces(sheet, "aVR")
    assert points[0, 0] == pytest.approx(15 + 25 * 248 / 99)


def test_a_lead_that_is_all_missing_says_so():
    signal = np.ones((2, 500))
    signal[1] = np.nan
    sheet = lay(Record("r", ("I", "V1"), signal, 100))
    assert traces(sheet, "V1") == []
    assert "no sample" in [text.text for text in sheet.texts]


def test_a_long_recording_goes_on_below_in_rows_of_ten_seconds():
    sheet = lay(Record("r", ("unknown",), np.zeros((1, 9150)), 300))
    assert [(strip.begin, strip.end) for strip in sheet.strips] == [(0, 10), (10, 20), (20, 30), (30, 30.5)]
    assert [strip.left for strip in sheet.strips] == [15] * 4
    assert "from 20 s" in [text.text for text in sheet.texts]
    assert sheet.notes == ()


def test_what_does_not_fit_on_the_sheet_is_named():
    hour = lay(Record("r", ("MLII", "V5"), np.zeros((2, 36000)), 10))
    assert len(hour.strips) == 24
    assert hour.notes == ("first 120 s of 3600 s",)
    assert hour.notes[0] in [text.text for text in hour.texts]
    many = lay(Record("r", tuple(f"E{i}" for i in range(30)), np.zeros((30, 100)), 100))
    assert len(many.strips) == 24
    assert many.notes == ("also in the file: E24 E25 E26 E27 E28 E29",)
    frank = Record("r", (*STANDARD, "X"), np.zeros((13, 100)), 100)
    assert lay(frank).notes == ("also in the file: X",)
    assert lay(frank, format="all").notes == ()


@pytest.mark.parametrize("size", [0.2, 1.4, 2.9])
def test_rows_make_room_for_their_waves(size: float):
    signal = np.zeros((3, 1000))
    signal[0, 500::100], signal[1, 550::100] = size, -size
    sheet = lay(Record("r", ("V1", "V2", "V3"), signal, 100))
    middles = [strip.middle for strip in sheet.strips]
    assert middles[1] - 10 >= middles[0]
    assert traces(sheet, "V2")[0][:, 1].max() <= middles[2] - 10  # the next row's pulse
    assert traces(sheet, "V1")[0][:, 1].min() >= sheet.grid.y
    assert sheet.notes == ()


def test_what_leaves_the_paper_is_named_and_the_sheet_stays_small():
    signal = np.zeros((2, 1000))
    signal[0, 500] = 30.0
    sheet = lay(Record("r", ("V1", "V2"), signal, 100))
    assert sheet.notes == ("cut at the edge of the paper: V1",)
    assert sheet.height < 150


def test_a_name_stands_clear_of_the_wave_below_it():
    signal = np.zeros((1, 1000))
    signal[0, 10:30] = 1.5  # a plateau where the name is written
    sheet = lay(Record("r", ("II",), signal, 100))
    name = next(text for text in sheet.texts if text.text == "II")
    assert traces(sheet, "II")[0][:, 1].min() > name.y


def test_marks_stand_at_their_sample_in_their_lead():
    sheet = lay(twelve(), format="3x4", marks=[Mark("V2", 600, "QRS on"), Mark("", 100, "beat"), Mark("V2", 100, "no")])
    marks = [curve for curve in sheet.curves if curve.role == "mark"]
    (in_v2,) = [curve.points for curve in marks if curve.lead == "V2"]
    assert in_v2[:, 0] == pytest.approx(15 + 6 * 25)  # 6 s: column three begins at 5 s and 15 + 125 mm
    assert sorted(curve.lead for curve in marks) == ["I", "II", "II", "III", "V2"]  # 1 s shows the first column
    words = [text.text for text in sheet.texts if text.kind == "mark"]
    assert words.count("beat") == 4
    assert "no" not in words


def test_the_head_says_what_is_drawn():
    texts = {text.kind: text.text for text in lay(twelve(), "a0412.hea").texts if text.y < 15}
    assert texts == {"title": "a0412.hea", "head": "100 Hz · 12 leads · 10 s · unfiltered"}
    assert any("25 mm/s · 10 mm/mV" in text.text for text in lay(twelve()).texts)


def test_a_long_name_is_cut_and_control_characters_are_replaced():
    title = lay(twelve(), "x" * 500 + "\x00\x1b[31m\n").title
    assert len(title) * 0.6 * 4.0 <= 250
    assert title.isprintable()


@pytest.mark.parametrize(("settings", "word"), [
    ({"speed": 0}, "speed"), ({"speed": float("nan")}, "speed"), ({"gain": 1e6}, "gain"), ({"format": "3x5"}, "3x4"),
])  # fmt: skip
def test_a_setting_that_is_not_of_paper_is_refused(settings: dict, word: str):
    with pytest.raises(LayoutError, match=word):
        lay(twelve(), **settings)


def test_three_by_four_of_a_recording_without_standard_leads_is_refused():
    with pytest.raises(LayoutError, match="use format all"):
        lay(Record("r", ("MLII",), np.zeros((1, 100)), 100), format="3x4")


def test_thinning_keeps_every_peak_and_all_of_a_slow_signal():
    x = np.arange(100_000) * 0.001
    y = np.random.default_rng(1).standard_normal(100_000)
    kept = thin(x, y, 0.25)
    assert len(kept) <= 2 * 401 + 2
    for column in range(400):  # slow, obvious: each step on its own
        inside = np.floor(x / 0.25) == column
        seen = kept[np.floor(kept[:, 0] / 0.25) == column, 1]
        assert (seen.min(), seen.max()) == (y[inside].min(), y[inside].max())
    assert np.all(np.diff(kept[:, 0]) > 0)
    assert np.array_equal(thin(x[:50] * 1000, y[:50], 0.25)[:, 1], y[:50])
