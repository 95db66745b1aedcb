"""A Layout that cannot be met cannot be made, and travels through JSON unchanged."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from einthoven.core import recipe
from einthoven.core.errors import EinthovenError, LeadError, RecipeError
from einthoven.core.layout import Layout
from einthoven.core.leads import KNOWN

layouts = st.builds(
    Layout,
    leads=st.lists(st.sampled_from(KNOWN), min_size=1, unique=True) | st.just(["any"]),
    rate=st.sampled_from([100, 250, 500]),
    seconds=st.floats(0.5, 60),
    band=st.sampled_from([None, (0.5, 0.0), (0.0, 40.0), (0.67, 40.0)]),
    order=st.integers(1, 4),
    scale=st.sampled_from(["none", "per_lead", "per_record", "fixed"]),
    divisor=st.floats(0.1, 10),
)


@given(layouts)
def test_a_layout_comes_whole_out_of_json(layout: Layout):
    again = Layout(**json.loads(json.dumps(layout.to_dict())))
    assert again == layout
    assert again.samples == round(layout.seconds * layout.rate)


@pytest.mark.parametrize(
    "settings",
    [
        {"leads": []},
        {"leads": ["I", "i"]},
        {"leads": ["any", "I"]},
        {"rate": 0},
        {"rate": float("nan")},
        {"seconds": -1},
        {"seconds": float("inf")},
        {"band": (40.0, 0.5)},
        {"band": (0.5, 60.0)},
        {"band": (50.0, 0.0)},
        {"band": (-1.0, 40.0)},
        {"band": (0.5, 20.0, 40.0)},
        {"scale": "zscore"},
        {"seconds": 0.001},
        {"divisor": 0},
        {"divisor": float("nan")},
        {"order": 0},
    ],
    ids=str,
)
def test_a_layout_that_cannot_be_met_is_refused(settings: dict):
    with pytest.raises(EinthovenError):
        Layout(**settings)


def test_a_wrong_lead_gets_the_nearest_name():
    with pytest.raises(LeadError, match="no lead called 'aVX'; did you mean aVR"):
        Layout(leads=["aVX"])


def test_a_recipe_may_say_every_setting_of_a_layout_and_nothing_else():
    assert Layout(**recipe.check(Layout, {"leads": ["II"], "rate": 250}, "x.toml [layout]")).leads == ("II",)
    with pytest.raises(RecipeError, match="no key 'lead'; did you mean leads"):
        recipe.check(Layout, {"lead": ["II"]}, "x.toml [layout]")


def test_a_band_open_at_both_ends_is_no_filter():
    assert Layout(band=(0, 0)) == Layout(band=None)
