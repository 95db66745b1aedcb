"""Recipes with published constants run on data in the published layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from einthoven.app.derive import derive
from einthoven.app.prepare import prepare
from einthoven.app.pretrain import pretrain
from einthoven.training import checkpoint

ROOT = Path(__file__).parents[2]


@pytest.mark.shared
def test_physioclr_runs_on_challenge_2021(shared_data: Path, tmp_path: Path):
    cohort, run = tmp_path / "cohort", tmp_path / "run"
    prepare("challenge2021", shared_data / "challenge2021", cohort, rate=500, workers=1)
    derive("physiology", cohort, workers=1)
    recipe = ROOT / "recipes" / "published" / "physioclr.toml"
    sets = [f"data.cohort={cohort}", "encoder.width=8"]  # narrow: 500 Hz takes minutes otherwise
    pretrain(recipe, out=run, smoke=True, set=sets)
    found = checkpoint.load(run)
    assert found.statistics["components"].shape[1] == 50
    assert np.isfinite(found.card["validation"])
