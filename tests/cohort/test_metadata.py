import numpy as np
import pytest

from einthoven.cohort.build import build
from einthoven.core.facts import Category, Label, LabelSet
from einthoven.sources import Item, Plan
from tests.cohort.generated import ecg

pytest.importorskip("sklearn")

from einthoven.cohort.metadata import giveaways


class Hospital:
    """Device A sees `sick` four times as often as device B; `chance` is tossed; `rare` has too few persons."""

    family, licence, citation, version = "hospital", "CC0-1.0", "made up", "1"

    def plan(self, path):
        draw = np.random.default_rng(0)
        items = []
        for i in range(600):
            device = "AB"[i % 2]
            present = {"sick": draw.random() < (0.8 if device == "A" else 0.2), "chance": draw.random() < 0.5}
            present["rare"] = device == "A" and i < 30
            labels = [Label("finding", code, float(there)) for code, there in present.items()]
            items.append(Item(f"k{i}", None, "", (Category("device", device), *labels), extra=i))
        return Plan(items, (LabelSet("finding", "made up", ("sick", "chance", "rare"), closed=False),))

    def read(self, path, items):
        return (ecg(item.extra, seconds=0.5, facts=item.facts) for item in items)


def test_a_label_that_the_device_tells_is_reported_and_no_other(tmp_path):
    found = giveaways(build(Hospital(), tmp_path, tmp_path / "out", workers=1))
    assert [(one.label_set, one.code, one.by[:6]) for one in found] == [("finding", "sick", "device")]
    assert found[0].auroc == pytest.approx(0.8, abs=0.07)  # closed form: 0.8 of each class is on its side; 300 scored


def test_a_cohort_of_one_device_rate_and_length_gives_nothing_away(tmp_path, monkeypatch):
    plan = Hospital().plan(tmp_path)
    items = [Item(item.key, None, "", item.facts[1:], extra=item.extra) for item in plan.items]
    monkeypatch.setattr(Hospital, "plan", lambda self, path: Plan(items, plan.label_sets))
    assert giveaways(build(Hospital(), tmp_path, tmp_path / "out", workers=1)) == []
