"""The simulated source keeps the contract of sources without any file, and its control of permuted labels works."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from einthoven.core.errors import EinthovenError
from einthoven.core.facts import Label
from einthoven.core.record import Record
from einthoven.core.registry import load, names
from einthoven.sources.simulated import Simulated

NOWHERE = Path("/does/not/exist")


def small(**settings):
    return Simulated(**{"patients": 30, "rate": 100, "seconds": 3, **settings})


def test_it_is_a_plug_in():
    assert "simulated" in names("sources")
    assert load("sources", "simulated") is Simulated


def test_the_plan_needs_no_files_and_groups_recordings_by_patient():
    plan = small().plan(NOWHERE)
    subjects = [item.subject for item in plan.items]
    assert len(set(subjects)) == 30 < len(subjects)
    assert max(map(subjects.count, subjects)) <= 3
    assert len({item.key for item in plan.items}) == len(plan.items)
    assert not any(item.path or item.facts for item in plan.items)
    assert plan.absent == 0


def test_reading_gives_one_record_an_item_in_order():
    source = small()
    items = source.plan(NOWHERE).items
    made = list(source.read(NOWHERE, items))
    assert [record.key for record in made] == [item.key for item in items]
    assert [record.subject for record in made] == [item.subject for item in items]
    assert all(isinstance(record, Record) and record.signal.shape == (12, 300) for record in made)


def test_any_pieces_of_the_plan_give_the_same_bytes():
    source = small()
    items = source.plan(NOWHERE).items
    whole = list(source.read(NOWHERE, items))
    for size in (1, 11):
        pieces = [r for start in range(0, len(items), size) for r in small().read(NOWHERE, items[start : start + size])]
        assert all(a.signal.tobytes() == b.signal.tobytes() for a, b in zip(whole, pieces, strict=True))


def test_more_patients_leave_the_first_ones_as_they_are():
    few, many = small(patients=5), small(patients=30)
    items = few.plan(NOWHERE).items
    assert many.plan(NOWHERE).items[: len(items)] == items


def test_permuted_labels_leave_signal_truth_age_and_sex_and_move_the_rest():
    plain, control = small(patients=200), small(patients=200, permute_labels=True)
    items = plain.plan(NOWHERE).items
    pairs = list(zip(plain.read(NOWHERE, items), control.read(NOWHERE, items)))
    assert all(a.signal.tobytes() == b.signal.tobytes() for a, b in pairs)
    for kept in ("truth.rhythm", "truth.finding", "truth.qrs", "age", "sex"):
        assert all(_facts(a, kept) == _facts(b, kept) for a, b in pairs)
    normal = np.array([["NORM" in _facts(record, "condition") for record in pair] for pair in pairs])
    assert normal[:, 0].mean() == pytest.approx(normal[:, 1].mean(), abs=0.1)
    assert abs(np.corrcoef(normal.T)[0, 1]) < 0.2  # 3 standard errors of 200 patients
    assert "dealt to other patients" in " ".join(control.plan(NOWHERE).notes)


def _facts(record, name):
    return sorted(
        str(f.code if isinstance(f, Label) else getattr(f, "value", "")) for f in record.facts if f.name == name
    )


@pytest.mark.parametrize("settings", [{"patients": 0}, {"rate": 5}, {"noise": -1}, {"prevalence": {"NOPE": 1.0}}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(EinthovenError):
        Simulated(**settings)
