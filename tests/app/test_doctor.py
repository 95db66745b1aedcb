"""The doctor says what is here, what is not and how to get it, and finds what does not work."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

from einthoven import simulate
from einthoven.app import doctor as module
from einthoven.app.doctor import doctor
from einthoven.core.facts import Value

ROOT = Path(__file__).resolve().parents[2]


def test_a_complete_installation_is_well():
    found = doctor()
    assert found.exit_code == 0
    assert len(found.checks) >= 2
    assert all(check.works for check in found.checks)
    assert json.loads(json.dumps(found.to_dict()))["packages"]["numpy"] == np.__version__


def test_the_extras_are_those_of_the_project_file():
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {extra.name for extra in doctor().extras} == set(stated) - {"dev", "all"}


def test_a_missing_package_leads_to_the_one_command_that_brings_it(monkeypatch):
    real = module._version
    monkeypatch.setattr(module, "_version", lambda name: None if name == "wfdb" else real(name))
    found = doctor()
    (formats,) = (extra for extra in found.extras if extra.name == "formats")
    assert (formats.lacking, formats.command) == (("wfdb",), "pip install 'einthoven[formats]'")
    assert "pip install 'einthoven[formats]'" in str(found)
    assert found.exit_code == 0


def test_a_recording_that_comes_back_in_another_unit_is_found(monkeypatch):
    import einthoven.formats as formats

    real = formats.read

    def in_microvolts(path: Path):
        record = real(path)
        record.signal[:] *= 0.999
        return record

    monkeypatch.setattr(formats, "read", in_microvolts)
    found = doctor()
    assert found.exit_code == 1
    assert "FAIL a recording is written, read and measured" in str(found)


def test_a_folder_that_cannot_be_written_is_found(monkeypatch, tmp_path):
    monkeypatch.setattr(module.Path, "cwd", lambda: tmp_path / "gone")
    found = doctor()
    assert found.exit_code == 1
    assert "FAIL a result can be written here" in str(found)


@pytest.mark.parametrize("kind", ["sinus", "bradycardia", "tachycardia", "rbbb"])
def test_the_heart_rate_of_a_regular_rhythm_is_that_of_its_beats(kind: str):
    record = simulate.record(kind, seed=3, noise=0.0)
    true = next(fact.value for fact in record.facts if isinstance(fact, Value) and fact.name == "truth.hr")
    assert module._heart_rate(record.signal[record.leads.index("II")], record.rate) == pytest.approx(true, abs=2)
