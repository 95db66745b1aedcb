"""Folds of the delineation sets: dealt evenly, by person, and those that are committed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from einthoven.evaluate import folds
from einthoven.sources import Item
from einthoven.sources.ludb import Ludb
from einthoven.sources.qtdb import Qtdb


def test_each_stratum_is_dealt_evenly_whatever_the_order():
    groups = {f"r{i}": f"stratum {i % 7}" for i in range(203)}
    dealt = folds.deal(groups)
    assert dealt == folds.deal(dict(sorted(groups.items(), reverse=True)))
    assert max(Counter(dealt.values()).values()) - min(Counter(dealt.values()).values()) <= 1
    for name in set(groups.values()):
        sizes = Counter(dealt[group] for group in groups if groups[group] == name)
        assert max(sizes.values()) - min(sizes.values()) <= 1


def test_one_person_is_in_one_fold():
    items = [Item(f"k{i}", f"db p{i // 3}", "") for i in range(90)]
    fold = folds.of_qtdb(items)
    for person in range(30):
        assert len({fold[f"k{3 * person + i}"] for i in range(3)}) == 1


@pytest.mark.parametrize(
    ("said", "want"),
    [
        (["Atrial fibrillation", "Unipolar ventricular pacing"], "paced"),
        (["Sinus rhythm", "Iii degree av-block", "Left anterior hemiblock"], "third-degree block"),
        (["Atrial flutter, typical"], "fibrillation or flutter"),
        (["Sinus rhythm", "Left ventricular hypertrophy"], "sinus"),
    ],
)
def test_the_first_class_that_applies_decides(said, want):
    assert folds.stratum(said) == want


@pytest.mark.shared
def test_the_committed_folds_are_those_that_the_function_makes(shared_data: Path):
    committed = folds.read()
    assert committed["ludb"] == folds.of_ludb(Ludb().plan(shared_data / "ludb").items)
    assert committed["qtdb"] == folds.of_qtdb(Qtdb().plan(shared_data / "qtdb").items)
