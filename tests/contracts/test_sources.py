"""What every source promises, over the whole registry: its terms, a plan from tables alone, records in order."""

from __future__ import annotations

import inspect
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from einthoven.core import registry
from einthoven.core.errors import EinthovenError, SourceError
from einthoven.core.facts import Label
from einthoven.core.record import Record
from einthoven.formats.wfdb import Wfdb
from einthoven.sources import Plan
from tests.sources import (
    test_challenge2011,
    test_challenge2021,
    test_cinc2017,
    test_ludb,
    test_mitdb,
    test_ptbxl,
    test_qtdb,
)

SOURCES = registry.names("sources")


def make(name: str, folder: Path) -> tuple[Any, Path]:
    """Each source with a small data set in its layout."""
    cls = registry.load("sources", name)
    if name == "ptbxl":
        return cls(), test_ptbxl.write(folder, [{}, {"scp_codes": "{'NORM': 100.0, 'SR': 0.0}"}, {"age": ""}])
    if name == "cinc2017":
        return cls(), test_cinc2017.write(folder, {"A00001": "N", "A00002": "A", "A00003": "~"})
    if name == "ludb":
        return cls(), test_ludb.write(folder, ("1", "2", "3"))
    if name == "qtdb":
        return cls(), test_qtdb.write(folder, ("sel100", "sel30", "sele0104"))
    if name == "mitdb":
        return cls(), test_mitdb.write(folder, ("100", "201", "202"))
    if name == "challenge2011":
        return cls(), test_challenge2011.write(folder, {"1": "acceptable", "2": "unacceptable", "3": "acceptable"})
    if name == "challenge2021":
        return cls(), test_challenge2021.write(folder, {"E00001": {}, "HR00002": {}, "JS00003": {"Dx": ""}})
    if name == "folder":
        for key in ("a", "b", "c"):
            Wfdb().write(Record(key, ("II",), np.sin(np.arange(999) / 20)[None], 250), folder / f"{key}.hea")
        return cls(), folder
    return cls(patients=3), folder


@pytest.mark.parametrize("name", SOURCES)
def test_terms_are_stated_and_settings_are_attributes(name: str):
    cls = registry.load("sources", name)
    assert all(isinstance(getattr(cls, key), str) for key in ("family", "licence", "citation", "version"))
    assert cls.family
    assert cls.licence
    source = cls()
    for setting, parameter in inspect.signature(cls).parameters.items():
        assert parameter.kind == parameter.KEYWORD_ONLY
        assert getattr(source, setting) == parameter.default


@pytest.mark.parametrize("name", SOURCES)
def test_a_plan_is_the_same_every_time_and_its_records_follow_in_order(tmp_path: Path, name: str):
    source, folder = make(name, tmp_path)
    plan = source.plan(folder)
    assert isinstance(plan, Plan)
    assert len(plan.items) >= 3
    again = pickle.loads(pickle.dumps(source)).plan(folder)  # as in another process
    assert list(again.items) == list(plan.items)
    keys = [item.key for item in plan.items]
    assert len(set(keys)) == len(keys)
    sets = {labels.name: labels.codes for labels in plan.label_sets}
    for item in plan.items:
        assert not item.path or (folder / item.path).is_file()
        assert all(fact.code in sets[fact.name] for fact in item.facts if isinstance(fact, Label))
    for part in (list(plan.items), list(plan.items)[2:0:-1]):
        records = list(source.read(folder, part))
        assert [record.key for record in records if isinstance(record, Record)] == [item.key for item in part]
        for item, record in zip(part, records, strict=True):
            assert record.subject == item.subject
            assert set(map(repr, item.facts)) <= set(map(repr, record.facts))


@pytest.mark.parametrize("name", [name for name in SOURCES if name != "simulated"])
def test_a_damaged_file_yields_its_error_and_the_next_record_follows(tmp_path: Path, name: str):
    source, folder = make(name, tmp_path)
    plan = source.plan(folder)
    (folder / plan.items[1].path).write_bytes(b"\xff\xfe")
    first, second, third = source.read(folder, plan.items[:3])
    assert isinstance(second, EinthovenError)
    assert isinstance(first, Record)
    assert isinstance(third, Record)


@pytest.mark.parametrize("name", [name for name in SOURCES if name != "simulated"])
def test_an_empty_folder_is_refused(tmp_path: Path, name: str):
    with pytest.raises(SourceError):
        registry.load("sources", name)().plan(tmp_path)
