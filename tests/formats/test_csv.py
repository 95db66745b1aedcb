"""CSV: the same numbers in every dialect give the same record; what a file does not state is asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from einthoven.core.errors import EinthovenError, FormatError
from einthoven.formats import Mapping, format_of, read
from einthoven.formats._csv_dialect import dialect_of

SAID = Mapping(rate=250, unit="mV")
WAVE = [round(float(value), 3) for value in np.sin(np.arange(40) / 5)]


def put(folder: Path, text: str | bytes, name: str = "strip.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def rows(separator: str, columns: int = 2, comma: bool = False, head: str = "", end: str = "\n") -> str:
    lines = [separator.join([f"{value:.3f}".replace(".", "," if comma else ".")] * columns) for value in WAVE]
    return end.join([head] * bool(head) + lines) + end


def refusal(path: Path, mapping: Mapping = SAID) -> FormatError:
    with pytest.raises(FormatError) as caught:
        read(path, mapping)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        rows(","), rows(", "), rows(";"), rows("\t"), rows(" "), rows("   "), rows(",", end="\r\n"),
        rows(",", end="\r"), rows(";", comma=True), rows("\t", comma=True), rows(" ", comma=True),
        "# made by hand\n\n" + rows(","), "sep=;\n" + rows(";"), rows(",").rstrip(), rows(",") + "\n\n",
        "\ufeff" + rows(","), '"' + rows('","').replace("\n", '"\n"')[:-1],
    ],
)  # fmt: skip
def test_the_same_numbers_in_every_dialect_are_the_same_record(tmp_path: Path, text: str):
    record = read(put(tmp_path, text), SAID)
    assert record.leads == ("unknown", "unknown-2")
    np.testing.assert_allclose(record.signal, [WAVE, WAVE], atol=1e-6)


@pytest.mark.parametrize("comma", [False, True])
def test_one_column_needs_no_separator(tmp_path: Path, comma: bool):
    text = rows("", 1, comma).replace(",", ".")
    assert read(put(tmp_path, text), Mapping(rate=250, unit="mV", lead="I")).leads == ("I",)


def test_decimal_commas_between_commas_are_refused(tmp_path: Path):
    assert refusal(put(tmp_path, rows(",", 1, comma=True))).reason == "decimal"
    assert refusal(put(tmp_path, rows(",", 2, comma=True))).reason == "decimal"


@pytest.mark.parametrize(
    ("heading", "scale"),
    [
        ("II [uV]", 1e-3), ("II (µV)", 1e-3), ("lead_II (mV)", 1), ("ECG II [V]", 1e3), ("II[nV]", 1e-6),
        ("II [200/mV]", 1 / 200),
    ],
)  # fmt: skip
def test_a_unit_in_the_heading_scales_the_column(tmp_path: Path, heading: str, scale: float):
    text = "\n".join([heading, *(f"{value / 1000:.9f}" for value in WAVE)])
    record = read(put(tmp_path, text), Mapping(rate=250))
    assert record.leads == ("II",)
    np.testing.assert_allclose(record.signal[0], np.array(WAVE) * scale / 1000, rtol=1e-5, atol=1e-9)


def test_a_heading_in_latin_1_is_read(tmp_path: Path):
    assert read(put(tmp_path, ("I [µV]\n" + rows("", 1)).encode("latin-1")), Mapping(rate=250)).leads == ("I",)


def test_clocks_counters_and_other_units_are_no_leads(tmp_path: Path):
    head = "time [s],'sample #',hr [bpm],I [mV],II [mV]"
    lines = [f"{i / 250},{i},60,{value},{value}" for i, value in enumerate(WAVE)]
    assert read(put(tmp_path, "\n".join([head, *lines])), Mapping(rate=250)).leads == ("I", "II")


@pytest.mark.parametrize(
    ("head", "step"), [("time", 0.002), ("time_ms", 2), ("Time [s]", 0.002), ("Elapsed time", 2e3)]
)
def test_a_time_column_that_contradicts_the_rate_is_refused(tmp_path: Path, head: str, step: float):
    path = put(tmp_path, "\n".join([f"{head},II [mV]", *(f"{i * step:g},{v}" for i, v in enumerate(WAVE))]))
    assert read(path, Mapping(rate=500)).rate == 500
    error = refusal(path, Mapping(rate=250))
    assert error.reason == "contradiction"
    assert "500 Hz" in error.got


def test_a_counter_and_a_clock_of_whole_seconds_contradict_no_rate(tmp_path: Path):
    path = put(tmp_path, "\n".join(["sample,time,II [mV]", *(f"{i},{i // 7},{v}" for i, v in enumerate(WAVE))]))
    assert read(path, Mapping(rate=250)).rate == 250


def test_a_row_a_lead_is_refused_and_not_read_as_thousands_of_leads(tmp_path: Path):
    assert "transpose it" in str(refusal(put(tmp_path, "\n".join(",".join(["0.1", "0.2"] * 300) for _ in range(12)))))


def test_a_message_about_text_does_not_repeat_it(tmp_path: Path):
    assert "Jane" not in str(refusal(put(tmp_path, "Name,Jane\nBorn,Jan 1 1980\nWard,B\n")))


def test_a_nameless_counter_is_asked_about_not_guessed(tmp_path: Path):
    text = "\n".join(f"{i},{value}" for i, value in enumerate(WAVE))
    error = refusal(put(tmp_path, text))
    assert error.reason == "column"
    assert "--column 2" in str(error)
    np.testing.assert_allclose(read(put(tmp_path, text), Mapping(250, "mV", "I", "2")).signal, [WAVE], atol=1e-6)


def test_a_column_is_chosen_by_heading_or_number_and_several_in_the_order_asked(tmp_path: Path):
    text = "\n".join(["stamp,ecg,V1 [mV]", *(f"12:00:{i},{value},{2 * value}" for i, value in enumerate(WAVE))])
    path = put(tmp_path, text)
    assert read(path, Mapping(250, "mV", None, "ecg")).leads == ("unknown",)
    assert read(path, Mapping(250, "mV", "I", "2")).leads == ("I",)
    np.testing.assert_allclose(read(path, Mapping(250, None, None, "V1")).signal[0], 2 * np.array(WAVE), atol=1e-6)
    both = read(path, Mapping(250, "mV", None, "V1,ecg"))
    assert both.leads == ("V1", "unknown")
    np.testing.assert_allclose(both.signal, [2 * np.array(WAVE), WAVE], atol=1e-6)
    assert refusal(path, Mapping(250, "mV", None, "egc")).fix == "did you mean ecg?"
    assert "row 2, column 'stamp'" in str(refusal(path, Mapping(250, "mV")))


def test_empty_cells_are_lost_samples_and_an_empty_column_is_no_lead(tmp_path: Path):
    text = "I,II,V1\n0.1,,\n0.2,0.5,\nNaN,0.6,\n" + "0.1,0.2,\n" * 9
    record = read(put(tmp_path, text), SAID)
    assert record.leads == ("I", "II")
    assert np.argwhere(np.isnan(record.signal)).tolist() == [[0, 2], [1, 0]]


def test_rate_unit_and_lead_are_asked_for_and_not_overridden(tmp_path: Path):
    path = put(tmp_path, rows(",", head="I,II"))
    assert refusal(path, Mapping(unit="mV")).reason == "rate"
    assert refusal(path, Mapping(rate=250)).reason == "unit"
    assert "--rate" not in str(refusal(path, Mapping(rate=250)))
    asked = str(refusal(path, Mapping()))  # for both at once
    assert "--unit uV" in asked
    assert "--rate" in asked
    assert read(path, Mapping(250, "mV", "II")).leads == ("II",)
    assert refusal(path, Mapping(250, "mV", "V6")).reason == "lead"
    stated = put(tmp_path, rows(",", head="I [mV],II [mV]"))
    assert refusal(stated, Mapping(250, "uV")).reason == "contradiction"
    assert read(stated, Mapping(250, "uV", strict=False)).signal[0, 1] == pytest.approx(WAVE[1])
    nameless = put(tmp_path, rows(","))
    assert read(nameless, Mapping(250, "mV", "V1,II")).leads == ("V1", "II")
    assert refusal(nameless, Mapping(250, "mV", "V1")).reason == "lead"


def test_a_damaged_table_is_refused_by_row_and_column(tmp_path: Path):
    good = rows(",", head="I,II")
    cut = refusal(put(tmp_path, good + "0.1"))
    assert (cut.reason, "row 42 is cut short" in str(cut)) == ("truncated", True)
    long = refusal(put(tmp_path, good.replace("0.389,0.389\n", "0.389,0.389,7\n", 1)))
    assert (long.reason, "row 4 " in str(long)) == ("damaged", True)
    word = refusal(put(tmp_path, good + "0.1,oops\n" + rows(",")))
    assert (word.reason, "row 42, column 'II'" in str(word)) == ("damaged", True)
    assert refusal(put(tmp_path, "I,II,III\n" + rows(","))).reason == "table"
    assert refusal(put(tmp_path, "")).reason == "empty"
    assert refusal(put(tmp_path, "hello\nworld\n")).reason == "table"
    assert refusal(put(tmp_path, b"\0\1\2" * 99)).reason == "encoding"
    assert refusal(put(tmp_path, rows(",").encode("utf-16"))).reason == "encoding"


def test_a_late_bad_cell_is_found_beyond_the_lines_that_were_sniffed(tmp_path: Path):
    text = rows(",", head="I,II") + "0.1,0.2\n" * 30_000
    assert "row 30042, column 'I'" in str(refusal(put(tmp_path, text + "x,0.1\n" + "0.1,0.2\n")))


def test_tables_about_recordings_are_no_recordings(tmp_path: Path):
    for text in (
        "file,subject,label:AF\na.hea,1,1\n", "ecg_id,patient_id,age\n1,2,3\n", "file;subject;value:x\na;1;2\n",
        "ID,Sex,Age\n1,M,50\n",
    ):  # fmt: skip
        with pytest.raises(FormatError):
            format_of(put(tmp_path, text))
    with pytest.raises(FormatError):
        format_of(put(tmp_path, "a licence, in words\n", "LICENSE.txt"))
    assert format_of(put(tmp_path, rows(" "), "strip.txt")) == "csv"


@given(
    signal=st.lists(st.lists(st.floats(-30, 30, width=32), min_size=2, max_size=2), min_size=12, max_size=40),
    separator=st.sampled_from([";", "\t", ",", " "]), heading=st.booleans(), end=st.sampled_from(["\n", "\r\n"]),
)  # fmt: skip
def test_any_numbers_come_back(tmp_path_factory, signal: list[list[float]], separator: str, heading: bool, end: str):
    head = [separator.join(["I", "V2"])] if heading else []
    text = end.join(head + [separator.join(map(repr, row)) for row in signal])
    path = put(tmp_path_factory.mktemp("csv"), text)
    if (np.diff(np.array(signal), axis=0) > 0).all(axis=0).any():
        assert refusal(path).reason == "column"
    else:
        np.testing.assert_array_equal(read(path, SAID).signal, np.array(signal, np.float32).T)


@given(st.text(alphabet="0123456789.,;\t eE+-\n\"'aI[]", max_size=200))
def test_any_text_is_a_record_or_one_line(tmp_path_factory, text: str):
    path = put(tmp_path_factory.mktemp("csv"), text)
    try:
        assert read(path, SAID).samples > 0
    except EinthovenError as error:
        assert "\n" not in str(error)  # noqa: PT017


def test_the_separator_is_found_even_where_a_text_column_holds_another():
    dialect = dialect_of("a;b\n" + "x,y;0.5\n" * 5)
    assert dialect is not None
    assert (dialect.separator, dialect.numeric) == (";", (1,))


@pytest.mark.shared
def test_a_cart_s_own_text_file_is_read(shared_data: Path):
    path = shared_data / "formats" / "csv" / "0000050.ECG.csv"
    record = read(path, Mapping(rate=800, unit="uV", lead="I,II,III,aVR,aVL,aVF"))
    assert record.samples == 37_855
    # III = II - I, each rounded to the file's whole microvolts
    np.testing.assert_allclose(record.signal[2], record.signal[1] - record.signal[0], atol=0.0021)
