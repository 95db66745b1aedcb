from __future__ import annotations

import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from einthoven import plot
from einthoven.core.errors import ExtraError, FormatError, LayoutError, OutputError


@pytest.fixture
def strip(tmp_path: Path) -> Path:
    """Two leads of 12 s at 100 Hz, 200 counts a millivolt, in WFDB's format 16."""
    counts = np.rint(200 * np.sin(2 * np.pi * np.arange(1200) / 100))
    np.column_stack([counts, counts / 2]).astype("<i2").tofile(tmp_path / "strip.dat")
    line = "strip.dat 16 200/mV 16 0 0 0 0"
    (tmp_path / "strip.hea").write_text(f"strip 2 100 1200\n{line} II\n{line} V1\n")
    return tmp_path / "strip.hea"


def test_a_file_becomes_a_drawing_in_true_millimetres(strip: Path, tmp_path: Path):
    drawn = plot(strip, out=tmp_path / "new" / "strip.svg")
    root = ElementTree.parse(tmp_path / "new" / "strip.svg").getroot()
    assert root.attrib["width"] == "275mm"  # 10 s at 25 mm/s, 10 mm pulse, 5 mm behind, margins of 5 mm
    assert drawn.to_dict() == {
        "out": str(tmp_path / "new" / "strip.svg"), "format": "all", "width_mm": 275.0, "height_mm": drawn.height_mm,
        "leads": ("II", "V1"), "notes": (),
    }  # fmt: skip
    assert drawn.exit_code == 0
    assert "275 x" in str(drawn)
    json.dumps(drawn.to_dict())


@pytest.mark.parametrize(("suffix", "begin"), [("png", b"\x89PNG\r\n"), ("pdf", b"%PDF-"), ("SVG", b"<svg ")])
def test_the_suffix_says_what_is_written(strip: Path, tmp_path: Path, suffix: str, begin: bytes):
    plot(strip, out=tmp_path / f"strip.{suffix}")
    assert (tmp_path / f"strip.{suffix}").read_bytes().startswith(begin)


def test_three_by_four_speed_gain_and_one_lead_can_be_asked_for(strip: Path, tmp_path: Path):
    wide = plot(strip, out=tmp_path / "a.svg", format="3x4", speed=50, gain=20)
    assert (wide.format, wide.width_mm, wide.leads) == ("3x4", 530.0, ("V1", "II"))
    assert "missing: I III aVR aVL aVF V2 V3 V4 V5 V6" in wide.notes
    assert "first 10 s of 12 s" in str(wide)
    assert plot(strip, out=tmp_path / "a.svg", lead="V1").leads == ("V1",)


def test_another_suffix_is_refused_and_nothing_is_written(strip: Path, tmp_path: Path):
    with pytest.raises(OutputError, match=r"expected \.svg \.png \.pdf, got \.jpg"):
        plot(strip, out=tmp_path / "a.jpg")
    assert not list(tmp_path.glob("a*"))


def test_a_place_that_cannot_be_written_is_one_line(strip: Path, tmp_path: Path):
    (tmp_path / "taken").write_text("a file, not a folder")
    with pytest.raises(OutputError, match="cannot be written"):
        plot(strip, out=tmp_path / "taken" / "a.svg")


def test_what_cannot_be_read_or_drawn_leaves_an_older_drawing_alone(strip: Path, tmp_path: Path):
    out = tmp_path / "a.svg"
    out.write_text("older")
    with pytest.raises(LayoutError):
        plot(strip, out=out, speed=0)
    (tmp_path / "strip.dat").write_bytes(b"")
    with pytest.raises(FormatError):
        plot(strip, out=out)
    assert out.read_text() == "older"


def test_png_without_matplotlib_names_the_command_that_brings_it(
    strip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):  # fmt: skip
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ExtraError, match=r"pip install 'einthoven\[plot\]'"):
        plot(strip, out=tmp_path / "a.png")
    plot(strip, out=tmp_path / "a.svg")


@pytest.mark.shared
def test_real_recordings_are_drawn(shared_data: Path, tmp_path: Path):
    twelve = plot(next((shared_data / "ptbxl" / "records500").rglob("*.hea")), out=tmp_path / "a.svg")
    assert (twelve.format, len(twelve.leads)) == ("3x4", 12)
    assert 40_000 < (tmp_path / "a.svg").stat().st_size < 120_000
    single = plot(shared_data / "challenge2017" / "A00004.hea", out=tmp_path / "b.svg")
    assert (single.format, single.leads) == ("all", ("unknown",))
