"""The defects of the published code (physioclr.md 9) that are not answered by the numbers: each would fail on them.

Of the others: 2, 7 in test_features; 3 to 5 in test_physioclr_numbers; 13, 14 in tests/data/test_shuffle; 16 to 20 are
of configuration and evaluation and have no counterpart here; 21 is in docs/methods/physioclr.md.
"""

from __future__ import annotations

import numpy as np
import torch

from einthoven import simulate
from einthoven.core.leads import STANDARD
from einthoven.core.record import Record
from einthoven.objectives._features import GROUPS, PREFIX, Features
from einthoven.objectives._pairs import pairs
from einthoven.signal.analysis import analyse

KINDS = ("sinus", "lbbb", "af", "pvc", "av1", "tachycardia", "lvh", "low-voltage", "st-depression")


def measured(records: list[Record]) -> dict[str, np.ndarray]:
    """The needs of the core features of these recordings."""
    needs = Features("core", (), 0).needs
    found = [analyse(record).measurements for record in records]
    values = [[one[need.removeprefix(PREFIX)].value for one in found] for need in needs]
    return {
        need: np.array([np.nan if v is None else v for v in value], np.float32)
        for need, value in zip(needs, values)
    }  # fmt: skip


def mixed() -> dict[str, np.ndarray]:
    return measured([simulate.record(kind, seed=seed, rate=250) for kind in KINDS for seed in range(3)])


def test_every_feature_varies_on_a_mixed_cohort():
    """1: the release asks its library for keys that it does not have, so PR, QRS, QTc and ST are all zero."""
    features = Features("core", (), 0)
    facts = mixed()
    features.fit(facts)
    f, known = features({need: torch.from_numpy(value) for need, value in facts.items()})
    assert features.constant == ()
    spread = torch.where(known, f, 0.0).std(0)
    assert (spread > 0).all(), [name for name, s in zip(features.names, spread) if not s > 0]
    assert known.float().mean() > 0.8


def test_likeness_tells_hearts_apart_where_raw_numbers_do_not():
    """3: milliseconds and millivolts in one raw vector have a cosine above .7 for every pair: no negative is left."""
    facts = mixed()
    raw = torch.from_numpy(np.stack([np.nan_to_num(value) for value in facts.values()], axis=1))
    raw = torch.nn.functional.normalize(raw, dim=1)
    assert float((raw @ raw.T).min()) > 0.25
    features = Features("core", (), 0)
    features.fit(facts)
    f, known = features({need: torch.from_numpy(value) for need, value in facts.items()})
    ids = torch.arange(len(f))
    found = pairs(f, known, ids, ids, rule="cosine", delta=0.25, q=0.05, k=3, neutral=(), same_patient=False)
    assert found.negative.any(1).all()
    kind = ids // 3
    likeness = found.likeness.masked_fill(torch.eye(len(f), dtype=torch.bool), -2)
    assert (kind[likeness.argmax(1)] == kind).float().mean() > 0.5


def test_an_absent_p_wave_is_measured_as_absent_and_not_guessed_from_zeros():
    """8: the release counts any failure of its delineator as an absent P wave."""
    facts = measured([simulate.record(kind, seed=2, rate=250) for kind in ("sinus", "af")])
    share, pr = facts[f"{PREFIX}p_present_share"], facts[f"{PREFIX}pr"]
    assert share[0] > 0.9 > 0.1 > share[1]
    assert np.isfinite(pr[0])
    assert np.isnan(pr[1])


def test_leads_are_measured_each_by_itself():
    """9: the mean of twelve leads is no lead: V1 upside down must change what is said of V1, and nothing of V5."""
    whole = simulate.record("sinus", seed=1, rate=250)
    turned = whole.signal.copy()
    turned[STANDARD.index("V1")] *= -1
    a, b = (measured([Record("x", STANDARD, x, 250.0)]) for x in (whole.signal, turned))
    assert abs(a[f"{PREFIX}amp_r_V1"][0] - b[f"{PREFIX}amp_r_V1"][0]) > 0.3
    assert a[f"{PREFIX}amp_r_V5"][0] == b[f"{PREFIX}amp_r_V5"][0]


def test_the_vector_holds_fridericias_qtc_and_no_other():
    """10: Bazett's ties QTc to the rate."""
    assert [name for names in GROUPS.values() for name in names if "qtc" in name] == ["qtc_fridericia"]


def test_a_beat_is_compared_with_the_others_aligned_on_r():
    """12: beats cut to the shorter one and not aligned look unlike in an irregular rhythm."""
    facts = measured([simulate.record(kind, seed=3, rate=250, noise=0.2) for kind in ("sinus", "sinus-arrhythmia")])
    assert facts[f"{PREFIX}beat_corr_mean"].min() > 0.9
