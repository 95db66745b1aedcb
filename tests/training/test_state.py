"""States on disk are whole or not there, and carry every bit of the optimiser."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from einthoven.core.errors import CheckpointError
from einthoven.encoders.resnet import Resnet
from einthoven.training import state
from einthoven.training.optimiser import adamw


def trained(steps: int) -> tuple[torch.nn.Module, torch.optim.AdamW]:
    torch.manual_seed(0)
    model = Resnet(2, width=4)
    optimiser = adamw(model, torch.nn.Module(), 1e-2, None, 0.1)
    step(model, optimiser, steps)
    return model, optimiser


def step(model: torch.nn.Module, optimiser: torch.optim.AdamW, steps: int) -> None:
    for _ in range(steps):
        signal = torch.randn(4, 2, 100)
        model(signal, torch.ones(1, 1, 1, dtype=torch.bool), 100.0).pooled.square().sum().backward()
        optimiser.step()
        optimiser.zero_grad()


def test_a_restored_optimiser_goes_on_with_the_same_bits(tmp_path):
    model, optimiser = trained(3)
    tensors = {f"model/{n}": t for n, t in model.state_dict().items()} | state.optimiser_tensors(model, optimiser)
    state.write(tmp_path / "s", tensors, {"step": 3})
    found, facts = state.read(tmp_path / "s")
    assert facts["step"] == 3

    other, fresh = trained(0)
    other.load_state_dict({n.removeprefix("model/"): t for n, t in found.items() if n.startswith("model/")})
    state.restore_optimiser(other, fresh, {n: t for n, t in found.items() if n.startswith("optimiser/")})
    for pair in ((model, optimiser), (other, fresh)):
        torch.manual_seed(9)
        step(*pair, 2)
    for (name, want), got in zip(model.named_parameters(), other.parameters()):
        assert torch.equal(got, want), name


def test_the_two_newest_states_are_kept_and_the_newest_whole_one_is_read(tmp_path):
    for number in (1, 2, 3):
        state.save_step(tmp_path, number, {"x": torch.full((2,), float(number))}, {"log_bytes": number})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000002", "step-00000003"]
    assert state.newest(tmp_path)[1]["step"] == 3
    (tmp_path / "step-00000003" / "state.json").write_text("{")
    tensors, facts = state.newest(tmp_path)
    assert (facts["step"], float(tensors["x"][0])) == (2, 2)


def test_no_state_is_none_and_only_damaged_states_are_an_error(tmp_path):
    assert state.newest(tmp_path) is None
    state.save_step(tmp_path, 1, {"x": torch.ones(2)}, {})
    path = tmp_path / "step-00000001" / "tensors.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(CheckpointError, match="is damaged, expected the digest"):
        state.newest(tmp_path)


def test_a_state_of_another_schema_is_refused_and_not_passed_over(tmp_path):
    for number in (1, 2):
        state.save_step(tmp_path, number, {"x": torch.ones(2)}, {})
    path = tmp_path / "step-00000002" / "state.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 9}))
    with pytest.raises(CheckpointError, match="another schema version, expected 1, got 9"):
        state.newest(tmp_path)


def test_what_a_killed_process_left_is_swept(tmp_path):
    for name in ("state/.step-00000002-abc", ".best-abc", ".best-abc.old", ".last-x", ".git", "best"):
        (tmp_path / name).mkdir(parents=True)
    state.save_step(tmp_path / "state", 1, {"x": torch.ones(2)}, {})
    state.sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".git", "best", "state"]
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["step-00000001"]


def test_a_write_that_fails_leaves_the_old_state(tmp_path: Path, monkeypatch):
    state.write(tmp_path / "best", {"x": torch.ones(2)}, {"step": 1})

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(state, "save_file", full)
    with pytest.raises(OSError, match="cannot be written, got No space left on device"):
        state.write(tmp_path / "best", {"x": torch.zeros(2)}, {"step": 2})
    monkeypatch.undo()
    assert state.read(tmp_path / "best")[1]["step"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["best"]
