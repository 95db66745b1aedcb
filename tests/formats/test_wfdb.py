"""WFDB: equal to slow decoders written after signal(5), to the wfdb package, and to what was written; or refused."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import numpy as np
import pytest

from einthoven.core.errors import EinthovenError, FormatError
from einthoven.core.facts import Category, Text, Value
from einthoven.core.leads import STANDARD
from einthoven.core.record import Record
from einthoven.formats import Mapping, find, read
from einthoven.formats.wfdb import Wfdb

PLAIN = Mapping()


def put(folder: Path, header: str | bytes, **files: bytes) -> Path:
    """A record `r` with its signal files; the name of a file is that of the keyword with a dot for the underline."""
    path = folder / "r.hea"
    path.write_bytes(header if isinstance(header, bytes) else header.encode())
    for name, data in files.items():
        (folder / name.replace("_", ".")).write_bytes(data)
    return path


def sixteen(*samples: int) -> bytes:
    return np.array(samples, "<i2").tobytes()


def refusal(path: Path, mapping: Mapping = PLAIN) -> FormatError:
    with pytest.raises(FormatError) as caught:
        read(path, mapping)
    assert "\n" not in str(caught.value)
    return caught.value


def signed(number: int, bits: int) -> int:
    return number - (1 << bits) if number >= 1 << (bits - 1) else number


def slow_212(data: bytes, count: int) -> list[int]:
    data += b"\0" * 3
    return [
        signed(data[3 * k] | (data[3 * k + 1] & 15) << 8, 12) if i % 2 == 0
        else signed(data[3 * k + 2] | (data[3 * k + 1] >> 4) << 8, 12)
        for i in range(count) for k in [i // 2]
    ]  # fmt: skip


def slow_310(data: bytes, count: int) -> list[int]:
    data += b"\0" * 4
    words = [
        (data[4 * k] | data[4 * k + 1] << 8, data[4 * k + 2] | data[4 * k + 3] << 8) for k in range(count // 3 + 1)
    ]
    triples = [(w >> 1 & 1023, v >> 1 & 1023, (w >> 11 & 31) | (v >> 11 & 31) << 5) for w, v in words]
    return [signed(triples[i // 3][i % 3], 10) for i in range(count)]


def slow_311(data: bytes, count: int) -> list[int]:
    data += b"\0" * 4
    words = [int.from_bytes(data[4 * k : 4 * k + 4], "little") for k in range(count // 3 + 1)]
    return [signed(words[i // 3] >> 10 * (i % 3) & 1023, 10) for i in range(count)]


def slow_8(data: bytes, count: int) -> list[int]:
    return [int(total) for total in np.cumsum([signed(byte, 8) for byte in data[:count]]) + 100]


def whole(size: int, order: str, middle: int = 0):
    def decode(data: bytes, count: int) -> list[int]:
        parts = (int.from_bytes(data[size * i : size * (i + 1)], order) for i in range(count))
        return [part - middle if middle else signed(part, 8 * size) for part in parts]

    return decode


SLOW = {
    8: slow_8, 16: whole(2, "little"), 24: whole(3, "little"), 32: whole(4, "little"), 61: whole(2, "big"),
    80: whole(1, "little", 128), 160: whole(2, "little", 1 << 15), 212: slow_212, 310: slow_310, 311: slow_311,
}  # fmt: skip


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("form", SLOW)
def test_every_format_is_decoded_as_signal_5_describes_it(tmp_path: Path, form: int, channels: int):
    data = np.random.default_rng(form).bytes(400)
    line = f"r.dat {form} 200/mV 12 0 100 0 0"
    path = put(tmp_path, "\n".join([f"r {channels} 250 31", *[f"{line} c{i}" for i in range(channels)]]), r_dat=data)
    _, samples = Wfdb().digital(path)
    count = 31 * channels
    for i, row in enumerate(samples):
        own = SLOW[form](data, count)[i::channels]
        if form == 8:  # differences run within a channel
            own = list(np.cumsum([signed(byte, 8) for byte in data[:count][i::channels]]) + 100)
        assert row.tolist() == own


@pytest.mark.parametrize("form", ["80", "212", "16", "24", "32"])
def test_what_the_wfdb_package_writes_is_read_as_it_reads_it(tmp_path: Path, form: str):
    wfdb = pytest.importorskip("wfdb")
    signal = np.random.default_rng(1).normal(0, 0.3, (777, 3))
    signal[5, 1] = np.nan
    wfdb.wrsamp("r", 360, ["mV"] * 3, ["I", "MLII", "V5"], signal, fmt=[form] * 3, write_dir=str(tmp_path))
    theirs = wfdb.rdrecord(str(tmp_path / "r")).p_signal.T
    ours = read(tmp_path / "r.hea")
    assert ours.leads == ("I", "MLII", "V5")
    assert ours.rate == 360
    np.testing.assert_allclose(ours.signal, theirs, rtol=2e-7, atol=1e-9)  # float32 has 24 bits
    assert np.isnan(ours.signal[1, 5])


def test_several_samples_a_frame_and_skew_agree_with_the_wfdb_package(tmp_path: Path):
    wfdb = pytest.importorskip("wfdb")
    data = np.random.default_rng(2).integers(-900, 900, 4 * 100).astype("<i2").tobytes()
    lines = ["r 3 125 100", "r.dat 16 200 12 0 0 0 0 I", "r.dat 16x2:2 200 12 0 0 0 0 II", "r.dat 16 200 12 0 0 0 0 V"]
    path = put(tmp_path, "\n".join(lines), r_dat=data)  # one skew only: wfdb 4.3.1 stops at two different ones
    theirs = wfdb.rdrecord(str(tmp_path / "r"), physical=False, smooth_frames=False).e_d_signal
    ours = Wfdb().digital(path)[1]
    assert (
        ours[1][-4:].tolist() == [-32768] * 4
    )  # two frames of two samples are not in the file (wfdb leaves junk here)
    for mine, row in zip(ours, theirs, strict=True):
        assert mine[:196].tolist() == row[:196].tolist()


def test_the_lead_with_more_samples_a_frame_has_the_higher_rate(tmp_path: Path):
    lines = ["r 2 125 4", "r.dat 16x4 200/mV 12 0 0 0 0 II", "r.dat 16 2/mmHg 12 0 0 0 0 ABP"]
    path = put(tmp_path, "\n".join(lines), r_dat=sixteen(*range(20)))
    record = read(path)
    assert (record.leads, record.rate) == (("II",), 500)
    assert record.signal[0, :5].tolist() == pytest.approx([0, 0.005, 0.01, 0.015, 5 / 200])


@pytest.mark.parametrize(
    ("gain", "millivolts"),
    [("200(1024)/mV", -5.12), ("200(-24)/mV", 0.12), ("1(0)/uV", 0.0), ("2(10)/V", -5000), ("-200(1024)/mV", 5.12),
     ("200", 0.0), ("2.5e+02(250)", -1.0), ("1000/mv", 0.0)],
)  # fmt: skip
def test_gain_baseline_and_unit_scale_the_samples(tmp_path: Path, gain: str, millivolts: float):
    path = put(tmp_path, f"r 1 250 2\nr.dat 16 {gain} 12 0 0 0 0 I\n", r_dat=sixteen(0, 0))
    if abs(millivolts) > 32.767:
        with pytest.raises(EinthovenError, match="amplitude is not that of an ECG"):
            read(path)
    else:
        assert read(path).signal.tolist() == [[pytest.approx(millivolts, abs=1e-6)] * 2]


def test_the_adc_zero_is_the_baseline_where_none_is_stated(tmp_path: Path):
    assert read(put(tmp_path, "r 1 250 1\nr.dat 16 200 11 1024 0 0 0 I\n", r_dat=sixteen(1224))).signal == 1


def test_headers_as_they_are_published_are_read(tmp_path: Path):
    for header in (
        b"# a comment first\r\nr 1 250 2\r\n\r\nr.dat 16 200/mV 11 0 1 3 0 ECG lead II\r\n#age: 61\r\n#sex: F\r\n",
        b"r.mat 1 250/128(0) 2 05-May-2020 14:50:55\nr.dat 16 200/mV 11 0 1 3 0 II\n#Age: 61\n#Sex: Female\n#Dx: 1,2\n",
        b"\xef\xbb\xbfr 1 250 2 11:05:48 1/05/2000 \nr.dat 16 200/mV 16 0 1 3 0 II \n# <age>: 61  <sex>: F \xc3\xa9",
    ):
        record = read(put(tmp_path, header, r_dat=sixteen(1, 2)))
        assert record.leads == ("II",)
        assert Value("age", 61, "years") in record.facts
        assert Category("sex", "female") in record.facts
        assert any(isinstance(fact, Text) and fact.name == "comments" for fact in record.facts)


def test_an_age_that_is_not_stated_is_no_fact(tmp_path: Path):
    path = put(tmp_path, "r 1 250 1\nr.dat 16 200 11 0 0 0 0 I\n#Age: NaN\n#Sex: Unknown\n", r_dat=sixteen(1))
    assert [fact.name for fact in read(path).facts] == ["comments"]


def test_bytes_to_skip_and_files_of_several_channels_are_followed(tmp_path: Path):
    path = put(
        tmp_path, "r 3 250 2\na.mat 16+24 100 16 0 1 0 0 I\na.mat 16+24 100 16 0 1 0 0 II\nb.dat 80 100 8 0 1 0 0 V1\n",
        a_mat=b"x" * 24 + sixteen(1, 2, 3, 4), b_dat=bytes([129, 130]),
    )  # fmt: skip
    np.testing.assert_allclose(read(path).signal * 100, [[1, 3], [2, 4], [1, 2]], atol=1e-6)


def test_a_length_that_is_not_stated_is_that_of_the_file(tmp_path: Path):
    path = put(tmp_path, "r 2 250\nr.dat 212 200 12 0 0 0 0 I\nr.dat 212 200 12 0 0 0 0 II\n", r_dat=bytes(3 * 7))
    assert read(path).samples == 7
    path = put(tmp_path, "r 1 250\nr.dat 212 200 12 0 0 0 0 I\n", r_dat=bytes(5))  # two, and one in the last two bytes
    assert read(path).samples == 3


def test_the_lowest_value_of_a_format_is_a_lost_sample(tmp_path: Path):
    path = put(tmp_path, "r 1 250 3\nr.dat 16 200 16 0 0 0 0 I\n", r_dat=sixteen(1, -32768, 3))
    assert np.isnan(read(path).signal).tolist() == [[False, True, False]]


def test_only_voltages_that_are_no_other_signal_become_leads(tmp_path: Path):
    lines = ["r 5 250 1", *(f"r.dat 16 100/{unit} 16 0 0 0 0 {name}" for unit, name in (
        ("mV", "II"), ("mmHg", "ABP"), ("uV", "EEG (C4-A1)"), ("mV", "Resp chest"), ("uV", "V5")))]  # fmt: skip
    assert read(put(tmp_path, "\n".join(lines), r_dat=sixteen(1, 2, 3, 4, 5))).leads == ("II", "V5")


HEAD = "r 1 250 4\n"
LINE = "r.dat 16 200/mV 16 0 0 0 0 I\n"


@pytest.mark.parametrize(
    ("reason", "header"),
    [
        ("header", ""), ("header", "# only a comment\n"), ("header", "r\n"), ("header", "r x 250 4\n"),
        ("header", "r -1 250 4\n"), ("header", "r 2 250 4\n" + LINE), ("header", "r 1 0 4\n" + LINE),
        ("header", "r 1 nan 4\n" + LINE), ("header", "r 1 250 -4\n" + LINE), ("header", "r 1 250 4.5\n" + LINE),
        ("header", HEAD + "r.dat\n"), ("header", HEAD + "r.dat 16x0 200\n"), ("header", HEAD + "r.dat q 200\n"),
        ("header", HEAD + "r.dat 16 1e999/mV\n"), ("header", HEAD + "r.dat 16 twohundred\n"),
        ("header", "r 999999 250 4\n" + LINE), ("header", "r/2 1 250 8\na 4\n"), ("empty", "r 0 250 4\n"),
        ("header", "r 3 250 1\nr.dat 16 9 9 0 0 0 0 I\ns.dat 16 9 9 0 0 0 0 II\nr.dat 16 9 9 0 0 0 0 III\n"),
        ("unsupported", HEAD + "r.dat 17 200/mV\n"), ("empty", HEAD + "~ 0 200/mV 16 0 0 0 0 I\n"),
        ("path", HEAD + "../r.dat 16 200/mV\n"), ("path", HEAD + "/etc/passwd 16 200/mV\n"),
        ("path", HEAD + "a\\b.dat 16 200/mV\n"), ("path", HEAD + "C:r.dat 16 200/mV\n"),
        ("path", "r/1 1 250 4\n../x 4\n"),
        ("missing", HEAD + "other.dat 16 200/mV 16 0 0 0 0 I\n"), ("missing", "r/1 1 250 4\nother 4\n"),
        ("truncated", "r 1 250 5\n" + LINE), ("truncated", "r 1 250 4\nr.dat 16+2 200/mV 16 0 0 0 0 I\n"),
        ("size", "r 1 250 900000000000\n" + LINE), ("empty", "r 1 250\nr.dat 16+8 200/mV 16 0 0 0 0 I\n"),
        ("checksum", HEAD + "r.dat 16 200/mV 16 0 0 11 0 I\n"), ("rate", "r 1\n" + LINE),
        ("unit", HEAD + "r.dat 16 0 16 0 0 0 0 I\n"), ("unit", HEAD + "r.dat 16\n"),
        ("lead", HEAD + "r.dat 16 9/mmHg 16 0 0 0 0 ABP\n"),
        ("rate", "r 2 250 1\nr.dat 16x2 9 16 0 0 0 0 I\nr.dat 16x1 9 16 0 0 0 0 II\n"),
    ],
)  # fmt: skip
def test_a_header_that_cannot_be_trusted_is_refused_with_its_reason(tmp_path: Path, reason: str, header: str):
    assert refusal(put(tmp_path, header, r_dat=sixteen(1, 2, 3, 4), s_dat=sixteen(1, 2))).reason == reason


def test_the_checksum_of_the_samples_is_accepted_signed_or_unsigned(tmp_path: Path):
    for checksum in (-10, 65526, 0):
        path = put(tmp_path, f"r 1 250 4\nr.dat 16 200/mV 16 0 0 {checksum} 0 I\n", r_dat=sixteen(-1, -2, -3, -4))
        assert read(path).samples == 4


def test_a_header_that_is_not_utf_8_is_refused(tmp_path: Path):
    path = put(tmp_path, (HEAD + LINE).encode() + b"# M\xfcller", r_dat=sixteen(1, 2, 3, 4))
    error = refusal(path)
    assert error.reason == "encoding"
    assert "0xfc" in str(error)


def test_a_mapping_says_what_is_missing_and_contradicts_nothing(tmp_path: Path):
    path = put(tmp_path, "r 1\nr.dat 16 0 16 100 0 0 0 ECG\n", r_dat=sixteen(300, 500))
    record = read(path, Mapping(rate=250, unit="200/mV", lead="II"))
    assert (record.leads, record.rate, record.signal.tolist()) == (("II",), 250, [[1, 2]])
    path = put(tmp_path, "r 1 250 2\nr.dat 16 200/mV 16 0 0 0 0 II\n", r_dat=sixteen(200, 400))
    assert read(path, Mapping(rate=250, unit="200/mV", lead="II")).signal.tolist() == [[1, 2]]
    assert refusal(path, Mapping(rate=360)).reason == "contradiction"
    assert refusal(path, Mapping(unit="uV")).reason == "contradiction"
    assert refusal(path, Mapping(lead="V1")).reason == "lead"
    assert refusal(path, Mapping(unit="bananas")).reason == "unit"
    assert read(path, Mapping(rate=360, unit="uV", strict=False)).rate == 250  # in a folder, the file's word counts


def test_a_record_goes_by_its_signal_file_or_its_bare_name_too(tmp_path: Path):
    put(tmp_path, HEAD + LINE, r_dat=sixteen(1, 2, 3, 4))
    assert read(tmp_path / "r.dat").samples == read(tmp_path / "r").samples == read(tmp_path / "r.hea").samples == 4


def test_writing_is_read_back_with_lost_samples_age_sex_and_comments(tmp_path: Path):
    signal = np.random.default_rng(3).normal(0, 1, (12, 500)).astype(np.float32)
    signal[3, 7] = np.nan
    facts = (Text("comments", "after exercise"), Value("age", 61, "years"), Category("sex", "female"))
    record = Record("r", STANDARD, signal, 499.5, facts=facts)
    assert Wfdb().write(record, tmp_path / "r.hea") == [tmp_path / "r.hea", tmp_path / "r.dat"]
    back = read(tmp_path / "r.hea")
    assert (back.leads, back.rate) == (record.leads, record.rate)
    np.testing.assert_allclose(back.signal, signal, atol=0.000501)  # half a count of 1 uV, and float32
    assert Value("age", 61, "years") in back.facts
    assert Category("sex", "female") in back.facts
    wfdb = pytest.importorskip("wfdb")
    np.testing.assert_allclose(wfdb.rdrecord(str(tmp_path / "r")).p_signal.T, back.signal, atol=1e-6)


def test_a_name_with_a_space_cannot_be_written(tmp_path: Path):
    with pytest.raises(EinthovenError, match="cannot hold a space"):
        Wfdb().write(Record("r", ("I",), np.zeros((1, 9)) + 0.1, 250), tmp_path / "my file.hea")
    assert list(tmp_path.iterdir()) == []


def test_segments_are_joined_and_are_no_recordings_by_themselves(tmp_path: Path):
    pytest.importorskip("wfdb")
    for name, gain in (("a", 100), ("b", 200)):
        (tmp_path / f"{name}.hea").write_text(f"{name} 1 250 2\n{name}.dat 16 {gain}/mV 16 0 0 0 0 II\n")
        (tmp_path / f"{name}.dat").write_bytes(sixteen(100, 200))
    (tmp_path / "layout.hea").write_text("layout 1 250 0\n~ 0 100/mV 16 0 0 0 0 II\n")
    path = put(tmp_path, "r/4 1 250 7\nlayout 0\na 2\n~ 3\nb 2\n")
    assert find(tmp_path) == [path]
    np.testing.assert_allclose(read(path).signal, [[1, 2, np.nan, np.nan, np.nan, 0.5, 1]], atol=1e-6)
    (tmp_path / "b.hea").write_text("b 1 250 2\nb.dat 16 0 16 0 0 0 0 II\n")
    assert refusal(path).reason == "unit"  # the wfdb package would take 200/mV


def test_a_gap_that_would_fill_the_memory_is_refused(tmp_path: Path):
    (tmp_path / "a.hea").write_text("a 1 250 4\nr.dat 16 100/mV 16 0 0 0 0 II\n")
    path = put(tmp_path, "r/2 1 250 900000000004\na 4\n~ 900000000000\n", r_dat=sixteen(1, 2, 3, 4))
    assert refusal(path).reason == "size"


EXPECTED_REFUSALS = {"multi-segment/p000878/3269321_layout": "empty", "multi-segment/s25047/3234460_layout": "empty"}


@pytest.mark.shared
def test_every_conformance_record_reads_as_expected_or_is_refused_with_its_reason(shared_data: Path):
    pytest.importorskip("wfdb")  # FLAC and several segments
    folder = shared_data / "wfdb_conformance"
    expected: dict[str, list[dict[str, str]]] = {}
    with open(folder / "expected.csv", newline="") as stream:
        for row in csv.DictReader(stream):
            expected.setdefault(row["record"], []).append(row)
    headers = sorted(folder.rglob("*.hea"))
    assert len(headers) >= 54
    for path in headers:
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in EXPECTED_REFUSALS:
            with pytest.raises(FormatError) as caught:
                Wfdb().digital(path)
            assert caught.value.reason == EXPECTED_REFUSALS[name], name
        elif name.endswith("-no-len"):  # the same files as the record of the bare name
            whole = Wfdb().digital(path.with_name(path.name.replace("-no-len", "")))[1]
            assert all((a == b).all() for a, b in zip(Wfdb().digital(path)[1], whole, strict=True)), name
        elif expected[name][0]["kind"] == "physical":
            _compare_physical(read(path), expected[name], name)
        else:
            _compare_digital(path, expected[name], name)


def _compare_digital(path: Path, rows: list[dict[str, str]], name: str) -> None:
    header, samples = Wfdb().digital(path)
    for row, channel, found in zip(rows, header.channels, samples, strict=True):
        assert (channel.name, channel.format, len(found)) == (row["signal"], int(row["format"]), int(row["samples"])), (
            name
        )
        assert header.rate == pytest.approx(float(row["fs"])), name
        assert int(found.sum(dtype=np.int64)) == int(row["sum"]), name
        assert hashlib.sha256(found.astype("<i8").tobytes()).hexdigest()[:32] == row["sha256_32"], name


def _compare_physical(record: Record, rows: list[dict[str, str]], name: str) -> None:
    """Ours is float32, so the digest of float64 rounded to 6 decimals is that of the nearest count over the gain."""
    by_lead = {row["signal"]: row for row in rows}
    for lead, found in zip(record.leads, record.signal, strict=True):
        row = by_lead[lead]
        assert (len(found), record.rate) == (int(row["samples"]), float(row["fs"])), name
        assert found[-1] == pytest.approx(float(row["last"]), abs=1e-6)
        filled = np.where(np.isnan(found), -9e9, _nearest_counts(found, name))
        assert hashlib.sha256(np.round(filled, 6).astype("<f8").tobytes()).hexdigest()[:32] == row["sha256_32"], name


def _nearest_counts(found: np.ndarray, name: str) -> np.ndarray:
    """Float64 values whose float32 rounding `found` is: whole counts over one of the gains of the segments."""
    gains = (86, 67, 53, 49, 66, 22, 11, 40, 20, 35, 69, 81, 60)
    out = np.full(len(found), np.nan)
    for gain in gains:
        exact = np.round(found.astype(np.float64) * gain) / gain
        out = np.where(np.isnan(out) & (exact.astype(np.float32) == found), exact, out)
    assert not np.isnan(out[~np.isnan(found)]).any(), name
    return out
