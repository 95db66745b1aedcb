"""The loop in the documentation runs as it is printed."""

from __future__ import annotations

import re
from pathlib import Path

import torch

from einthoven.training import checkpoint
from tests.training.given import cohort as make_cohort

PAGE = Path(__file__).parents[2] / "docs" / "plain-loop.md"


def test_the_plain_loop_of_the_documentation_learns_and_its_checkpoint_loads(tmp_path, monkeypatch):
    loop, save = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    body = loop.partition("\n\n")[2]
    assert len(body.splitlines()) <= 15
    small = make_cohort(tmp_path).path
    for there, here in (
        ('"runs/cohorts/ptbxl"', repr(str(small))), ("seconds=10", "seconds=4"), ("crop_seconds=5", "crop_seconds=3"),
        ("width=32", "width=4"), ("batch=64", "batch=16"), ("(0, 1000)", "(0, 30)"),
    ):  # fmt: skip
        assert there in loop, there
        loop = loop.replace(there, here)
    torch.manual_seed(0)
    losses: list[float] = []
    loop = loop.replace("    loss.backward()\n", "    loss.backward()\n    losses.append(float(loss.detach()))\n")
    space = {"losses": losses}
    monkeypatch.chdir(tmp_path)
    exec(compile(loop, str(PAGE), "exec"), space)
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    exec(compile(save.replace('"width": 32', '"width": 4'), str(PAGE), "exec"), space)
    assert checkpoint.load(tmp_path / "model").card["name"] == "my loop"
