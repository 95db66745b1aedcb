"""What every format promises, over the whole registry: what was written is read, and damage never gets through."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from einthoven.core import registry
from einthoven.core.errors import EinthovenError
from einthoven.core.leads import STANDARD
from einthoven.core.record import Record
from einthoven.formats import Mapping, find, format_of, read

FORMATS = registry.names("formats")
SAID = Mapping(rate=250, unit="mV", strict=False)
"""For those formats that do not state it."""


def plugin(name: str) -> Any:
    return registry.load("formats", name)()


def record(leads: tuple[str, ...] = STANDARD, samples: int = 400) -> Record:
    wave_LT = (
        np.sin(np.arange(samples) / 7 + np.arange(len(leads))[:, None]) * np.linspace(0.2, 1.5, len(leads))[:, None]
    )
    return Record("strip", leads, wave_LT, 250)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("leads", [STANDARD, ("V5", "II"), ("MLII",), ("unknown", "unknown-2")])
def test_what_was_written_is_found_and_read_back(tmp_path: Path, name: str, leads: tuple[str, ...]):
    original = record(leads)
    path = tmp_path / f"strip{plugin(name).suffixes[0]}"
    assert set(plugin(name).write(original, path)) == set(tmp_path.iterdir())
    assert find(tmp_path) == [path]
    assert format_of(path) == name
    back = read(path, SAID)
    assert (back.key, back.rate, back.samples) == ("strip", 250, 400)
    np.testing.assert_allclose(back.signal, original.signal, atol=0.000501)  # WFDB stores whole microvolts
    assert back.leads == original.leads or back.leads[0] == "unknown"  # .npy holds no names


@pytest.mark.parametrize("name", FORMATS)
def test_lost_samples_stay_lost(tmp_path: Path, name: str):
    signal = record(("I", "II")).signal.copy()
    signal[1, [0, 5, 399]] = np.nan
    path = tmp_path / f"strip{plugin(name).suffixes[0]}"
    plugin(name).write(Record("strip", ("I", "II"), signal, 250), path)
    assert np.argwhere(np.isnan(read(path, SAID).signal)).tolist() == [[1, 0], [1, 5], [1, 399]]


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_is_written_where_nothing_can_be(tmp_path: Path, name: str):
    (tmp_path / "taken").write_text("a file, not a folder")
    with pytest.raises(EinthovenError, match="cannot be written"):
        plugin(name).write(record(("I",)), tmp_path / "taken" / f"strip{plugin(name).suffixes[0]}")


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
def test_flipped_and_cut_bytes_give_a_record_or_one_line(tmp_path_factory, name: str, data: st.DataObject):
    folder = tmp_path_factory.mktemp(name)
    first, *others = plugin(name).write(record(("I", "II"), 40), folder / f"strip{plugin(name).suffixes[0]}")
    for path in data.draw(st.sampled_from([[first], others, [first, *others]])):
        whole = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(0, 4))):
            whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))] if data.draw(st.booleans()) else whole)
    try:
        assert read(first, SAID).samples > 0
    except EinthovenError as error:
        assert "\n" not in str(error)  # noqa: PT017


SLOW = {
    "blank lines": ("a.hea", "\n" * 16_000 + "r"),
    "comments": ("a.hea", "#\n \n" * 4_000 + "r"),
    "a long gain": ("a.hea", f"r 1 250 4\nr.dat 16 {'1' * 10**6}x"),
    "an age without end": ("a.hea", "r 1 250 4\nr.dat 16 200\n#age" + "\n#" * 10**5 + "x"),
    "a long number of signals": ("a.hea", f"r {'9' * 10**6} 250 4\n"),
    "a long name": ("a.hea", "r 1 250 4\nr.dat 16 200 0 0 0 0 0 " + "ecg " * 10**6),
    "too few signals": ("a.hea", "r 4000 250 4\n" + "r.dat 16 200\n" * 3999),
    "a long cell": ("a.csv", "1" * 60_000 + "x\n" + "1\n" * 20),
    "a long heading": ("a.csv", "a (" + " " * 60_000 + "x\n" + "1\n" * 20),
    "a long quoted cell": ("a.csv", '"' + "1" * 200_000 + "\n0.1\n"),
    "a long last row": ("a.csv", "0.1,0.2\n" * 20 + "1" * 200_000 + "\n"),
    "other line ends": ("a.txt", "\u2028\x0b\x0c\x1c1\n2\n"),
}


@pytest.mark.parametrize(("name", "text"), SLOW.values(), ids=SLOW)
def test_text_made_to_be_slow_is_refused_at_once(tmp_path: Path, name: str, text: str):
    (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "r.dat").write_bytes(bytes(8))
    begin = time.process_time()
    find(tmp_path)
    with contextlib.suppress(EinthovenError):
        read(tmp_path / name, SAID)
    assert time.process_time() - begin < 1  # a quadratic pattern takes minutes
