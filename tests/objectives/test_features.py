"""The physiological vector: what is known, how it is scaled, and what must not stand in it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from einthoven.core.errors import RecipeError
from einthoven.objectives._features import CLIP, FULL, GROUPS, Features

CORE = [name for names in GROUPS.values() for name in names]


def facts(features: Features, rows: int = 400, seed: int = 0) -> dict[str, np.ndarray]:
    """Made-up measurements, 5 % of each unknown."""
    draw = np.random.default_rng(seed)
    out = {}
    for need in features.needs:
        value = draw.normal(100, 10, rows).astype(np.float32)
        value[draw.random(rows) < 0.05] = np.nan
        out[need] = value
    return out


def tensors(found: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return {need: torch.from_numpy(value) for need, value in found.items()}


def fitted(kind: str = "core", exclude: tuple[str, ...] = (), pca: int = 0, **changes: np.ndarray):
    features = Features(kind, exclude, pca)
    given = facts(features) | {f"value:physiology.{name}": value for name, value in changes.items()}
    features.fit(given)
    return features, given


def test_core_has_29_features_in_five_groups():
    assert len(CORE) == 29
    assert {group: len(names) for group, names in GROUPS.items()} == {
        "rhythm": 5, "intervals": 5, "axes": 6, "amplitudes": 12, "morphology": 1,
    }  # fmt: skip


def test_groups_contribute_equal_energy():
    """Defect 2: in the released vector RR alone held 62 % of the energy."""
    features, given = fitted(hr=np.random.default_rng(1).normal(70, 400, 400).astype(np.float32) ** 2 + 1)
    f, known = features(tensors(given))
    energy = f.square().sum(0) / known.sum(0)
    by_group = [float(energy[[CORE.index(name) for name in names]].sum()) for names in GROUPS.values()]
    np.testing.assert_allclose(by_group, 1.0, rtol=1e-4)


def test_unmeasured_is_unknown_and_never_a_value():
    """Defect 7: zeros meant both missing and padded."""
    features, given = fitted()
    given["value:physiology.pr"][:] = np.nan
    f, known = features(tensors(given))
    at = CORE.index("pr")
    assert not known[:, at].any()
    assert (f[:, at] == 0).all()
    assert known[:, CORE.index("qrs")].float().mean() > 0.9


def test_a_recording_of_which_nothing_is_measured_knows_nothing():
    features, given = fitted()
    for value in given.values():
        value[7] = np.nan
    assert not features(tensors(given))[1][7].any()


def test_an_axis_has_no_jump_at_180_degrees():
    features, given = fitted(axis_qrs=np.linspace(-180, 180, 400).astype(np.float32))
    given["value:physiology.axis_qrs"][:2] = [179.9, -179.9]
    f, _ = features(tensors(given))
    places = [CORE.index(f"axis_qrs.{part}") for part in ("cos", "sin")]
    assert (f[0, places] - f[1, places]).abs().max() < 0.02


def test_outliers_are_clipped_and_the_training_median_is_zero():
    features, given = fitted()
    given["value:physiology.qrs"][:2] = [1e6, float(np.nanmedian(given["value:physiology.qrs"]))]
    f, _ = features(tensors(given))
    column = f[:, CORE.index("qrs")]
    assert float(column[0]) == pytest.approx(CLIP * float(features.weight[CORE.index("qrs")]))
    assert abs(float(column[1])) < 0.02


def test_shares_that_are_mostly_zero_still_count():
    """Their IQR is 0; by IQR alone ectopy and absent P waves would be no features."""
    share = np.where(np.arange(400) % 20 == 0, 0.5, 0.0).astype(np.float32)
    features, given = fitted(ectopy_share=share)
    f, known = features(tensors(given))
    at = CORE.index("ectopy_share")
    assert features.constant == ()
    assert known[:, at].all()
    assert float(f[0, at] - f[1, at]) > 0.1


def test_a_constant_feature_leaves_and_is_named_and_all_constant_is_refused():
    features, given = fitted(qrs=np.full(400, 90, np.float32))
    f, known = features(tensors(given))
    assert features.constant == ("qrs",)
    assert features.card()["constant"] == ["qrs"]
    assert not known[:, CORE.index("qrs")].any()
    assert f.isfinite().all()
    with pytest.raises(RecipeError, match="no measurement varies"):
        Features("core", (), 0).fit({need: np.full(20, 5, np.float32) for need in features.needs})
    with pytest.raises(RecipeError, match="no measurement varies"):
        Features("core", (), 0).fit({need: np.full(20, np.nan, np.float32) for need in features.needs})


def test_excluded_groups_and_names_are_not_even_asked_for():
    features = Features("core", ("intervals", "log_rr"), 0)
    assert len(features.names) == 29 - 5 - 1
    for name in ("pr", "qrs", "qtc_fridericia", "hr"):
        assert f"value:physiology.{name}" not in features.needs
    with pytest.raises(RecipeError, match="did you mean intervals"):
        Features("core", ("interval",), 0)
    with pytest.raises(RecipeError, match="more components than there are features"):
        Features("core", tuple(GROUPS), 0)


def test_the_vector_has_no_slot_of_a_single_beat():
    """Defects 1, 7: beat k of one recording has nothing in common with beat k of another."""
    assert not [name for name in (*CORE, *FULL) if "beat_" in name and name[-1].isdigit()]


def test_components_are_of_the_training_rows_and_need_the_full_vector():
    features, given = fitted("full", pca=50)
    f, known = features(tensors(given))
    assert f.shape == (400, 50)
    assert known.all()
    np.testing.assert_allclose(f.mean(0), 0, atol=1e-3)
    spread = f.var(0)
    assert (spread[:-1] >= spread[1:] - 1e-6).all()
    with pytest.raises(RecipeError, match="more components"):
        Features("core", (), 30)


def test_the_fit_is_in_the_state():
    features, given = fitted("full", pca=5)
    again = Features("full", (), 5)
    again.load_state_dict(features.state_dict())
    assert torch.equal(features(tensors(given))[0], again(tensors(given))[0])
