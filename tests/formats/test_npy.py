"""NumPy arrays: leads are told from samples by a stated rule, and nothing but numbers is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from einthoven.core.errors import FormatError
from einthoven.formats import Mapping, read

SAID = Mapping(rate=250, unit="mV")


def save(folder: Path, array: np.ndarray) -> Path:
    np.save(folder / "a.npy", array)
    return folder / "a.npy"


def reason(path: Path, mapping: Mapping = SAID) -> str:
    with pytest.raises(FormatError) as caught:
        read(path, mapping)
    return caught.value.reason


def test_leads_are_the_short_axis(tmp_path: Path):
    wave_LT = np.random.default_rng(0).normal(size=(12, 100))
    for array in (wave_LT, wave_LT.T, np.asfortranarray(wave_LT), wave_LT.astype(">f4")):
        np.testing.assert_allclose(read(save(tmp_path, array), SAID).signal, wave_LT, rtol=1e-6)
    assert read(save(tmp_path, wave_LT[0]), Mapping(250, "mV", "II")).leads == ("II",)


@pytest.mark.parametrize("shape", [(12, 12), (32, 2), (100, 100), (2, 3, 100), (), (0,), (0, 100)])
def test_a_shape_that_may_be_either_is_refused(tmp_path: Path, shape: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"shape|leads|no sample"):
        read(save(tmp_path, np.ones(shape)), SAID)


def test_integers_are_counts_of_the_unit_said(tmp_path: Path):
    path = save(tmp_path, np.array([[200, -400, 600]] * 2, np.int16).repeat(20, axis=1))
    assert read(path, Mapping(100, "200/mV", "I,II")).signal[:, ::20].tolist() == [[1, -2, 3]] * 2


def test_rate_unit_and_lead_names_are_asked_for(tmp_path: Path):
    path = save(tmp_path, np.ones(100))
    assert reason(path, Mapping(unit="mV")) == "rate"
    assert reason(path, Mapping(rate=250)) == "unit"
    assert reason(path, Mapping(250, "mV", "I,II")) == "lead"


def test_what_is_no_array_of_numbers_is_refused(tmp_path: Path):
    for array in (np.array(["a"] * 50), np.ones(50, complex), np.ones(50, bool), np.zeros(50, "M8[s]")):
        assert reason(save(tmp_path, array)) == "dtype"
    np.save(tmp_path / "o.npy", np.array([{}] * 50), allow_pickle=True)
    assert reason(tmp_path / "o.npy") == "damaged"  # a pickle, and it was not opened
    (tmp_path / "b.npy").write_bytes(b"not an array")
    assert reason(tmp_path / "b.npy") == "damaged"


def test_a_cut_file_and_a_lying_header_are_refused_before_anything_is_allocated(tmp_path: Path):
    path = save(tmp_path, np.ones((2, 1000)))
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert reason(path) == "truncated"
    path.write_bytes(whole[:40])
    assert reason(path) in ("truncated", "damaged")
    path.write_bytes(whole.replace(b"(2, 1000)", b"(2, 10**9)").replace(b"1000)", b"9000)"))
    assert reason(path) in ("truncated", "damaged")
