"""Several processes equal one: values, gradients, running statistics, and a whole run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from einthoven.training import checkpoint, loop
from tests.training.given import log
from tests.training.processes import OBJECTIVES, joint_recipe

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="torch for Windows starts no processes by torchrun")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def together(cohort, tmp_path_factory) -> Path:
    """What two processes of torchrun left."""
    out = tmp_path_factory.mktemp("processes")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    done = subprocess.run(
        [*command, "tests.training.processes", str(cohort.path), str(out)], cwd=ROOT, capture_output=True, text=True,
        timeout=300, env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return out


@pytest.mark.parametrize("kind", OBJECTIVES)
@pytest.mark.parametrize("rank", [0, 1])
def test_two_halves_give_loss_gradient_and_statistics_of_the_joint_batch(together, rank, kind):
    found = json.loads((together / f"{rank}.json").read_text())
    assert found["world"] == 2
    far = found[kind]
    assert far["size"] > 1e-3  # there is a gradient to be compared
    # float64; sums in another order. A missing factor or a lost gradient would be of the size of the gradient itself
    assert max(far["loss"], far["gradient"], far["buffers"]) < 1e-12


def test_a_run_of_two_processes_is_that_of_one(together, cohort, tmp_path):
    one = loop.train(joint_recipe(cohort), tmp_path / "run")
    got, want = log(together / "run"), log(one.path)
    assert [line["step"] for line in got] == [line["step"] for line in want]
    for mine, theirs in zip(got, want):
        for key in theirs.keys() - {"cosine", "spread"}:  # those two are means over a process's own rows
            assert mine[key] == pytest.approx(theirs[key], rel=2e-3), (theirs["step"], key)  # float32 over four steps
    assert checkpoint.load(together / "run").card["step"] == checkpoint.load(one.path).card["step"]
