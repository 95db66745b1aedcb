"""kill -9 at any moment and the same command again: the same weights, optimiser state and log, bit by bit."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from einthoven.core import recipe as recipes
from einthoven.training import loop, settings
from tests.training.given import cohort as make_cohort
from tests.training.given import leftovers, log

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "recipes" / "kill-test.toml"
PATIENCE = 120.0


def write_recipe(folder: Path, steps: int) -> Path:
    """The committed recipe on a small cohort."""
    table = recipes.read(RECIPE, [f'data.cohort="{make_cohort(folder).path}"', f"training.steps={steps}"])
    path = folder / "kill-test.toml"
    path.write_text(settings.to_toml(settings.check({**table, "name": "kill-test"})))
    return path


def start(recipe: Path, out: Path, *more: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "tests.training.killed", str(recipe), str(out), *more]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.PIPE)


def finish(recipe: Path, out: Path) -> dict[str, bytes]:
    child = start(recipe, out)
    _, said = child.communicate(timeout=600)
    assert child.returncode == 0, said.decode()[-3000:]
    return leftovers(out)


def wait_for(child: subprocess.Popen, happened) -> bool:
    """Whether it happened before the child ended."""
    end = time.monotonic() + PATIENCE
    while child.poll() is None:
        if happened():
            return True
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.002)
    assert child.returncode == 0, child.stderr.read().decode()[-3000:]
    return False


def lines(out: Path) -> int:
    path = out / "log.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def kill(child: subprocess.Popen) -> None:
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert child.returncode == -signal.SIGKILL


def kill_at_a_random_moment(recipe: Path, out: Path, draw: random.Random, furthest: int) -> bool:
    """Kill when the log has grown by a drawn number of lines, plus a drawn part of a step; False if it ended before."""
    child = start(recipe, out)
    target = lines(out) + draw.randint(1, furthest)
    if not wait_for(child, lambda: lines(out) >= target):
        return False
    time.sleep(draw.uniform(0, 0.1))
    kill(child)
    return True


def kill_inside_a_write(recipe: Path, out: Path, marker: Path, writes: int) -> bool:
    """Kill while the file of that number, of this process's writes, is half-written; False if it ended before."""
    marker.unlink(missing_ok=True)
    child = start(recipe, out, "--slow-writes", str(marker))
    for i in range(writes):
        if not wait_for(child, marker.exists):
            return False
        if i + 1 < writes:
            marker.unlink()
    assert any(out.rglob(".*/*.safetensors")), "the write was not half-way"
    kill(child)
    return True


def check(tmp_path: Path, steps: int, moments: int, writes: list[int], furthest: int) -> None:
    recipe = write_recipe(tmp_path, steps)
    want = leftovers(loop.train(recipes.read(recipe), tmp_path / "whole").path)
    out, draw = tmp_path / "killed", random.Random(0)
    plan = [*["moment"] * moments, *writes]
    draw.shuffle(plan)
    killed = 0
    for each in plan:
        if each == "moment":
            killed += kill_at_a_random_moment(recipe, out, draw, furthest)
        else:
            killed += kill_inside_a_write(recipe, out, tmp_path / "marker", each)
    assert killed == len(plan), "the run ended before it was killed so often; give it more steps"
    assert finish(recipe, out) == want
    assert [line["step"] for line in log(out) if "loss" in line] == list(range(1, steps + 1))
    assert not list(out.rglob(".*"))  # nothing half-written is left


def test_two_kills_one_of_them_inside_a_write_change_no_bit(tmp_path):
    check(tmp_path, steps=48, moments=1, writes=[3], furthest=20)


@pytest.mark.slow
def test_twenty_kills_five_of_them_inside_a_write_change_no_bit(tmp_path):
    assert recipes.read(RECIPE)["training"]["steps"] >= 200
    check(tmp_path, steps=320, moments=15, writes=[1, 2, 3, 1, 2], furthest=24)
