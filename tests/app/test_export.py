"""Exported checkpoints give what torch gives, for any encoder, and run in a process without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import einthoven
from einthoven.app.export import export
from einthoven.core import registry
from einthoven.core.errors import CheckpointError
from einthoven.core.layout import Layout
from einthoven.objectives import Head
from einthoven.training import checkpoint

pytest.importorskip("onnx")
torch.set_num_threads(1)

RUN = """
import json, sys
import numpy as np, onnxruntime
folder = sys.argv[1]
test = np.load(folder + "/test.npz")
session = onnxruntime.InferenceSession(folder + "/model.onnx", providers=["CPUExecutionProvider"])
names = [output.name for output in session.get_outputs()]
got = session.run(names, {entry.name: test[entry.name] for entry in session.get_inputs()})
assert "torch" not in sys.modules
print(json.dumps({name: float(np.abs(a - test[name]).max() / np.abs(test[name]).max()) for name, a in zip(names, got)}))
"""


def saved(folder, name: str, leads: tuple[str, ...], head: Head | None = None, **settings) -> str:
    torch.manual_seed(0)
    encoder = registry.load("encoders", name)(len(leads), **settings).eval()
    for part in encoder.modules():  # running statistics that are not 0 and 1
        if hasattr(part, "running_mean"):
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 2)
    checkpoint.save(folder / "model", encoder=encoder, encoder_name=name, encoder_settings=settings,
                    layout=Layout(leads, 100, 4), head=head, card={"name": name})  # fmt: skip
    return str(folder / "model")


@pytest.mark.parametrize("name", registry.names("encoders"))
def test_every_encoder_runs_without_torch_and_gives_its_numbers(name, tmp_path):
    done = export(saved(tmp_path, name, ("I", "II")), out=tmp_path / "onnx")
    said = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path / "onnx")], capture_output=True, text=True, check=True
    )
    far = json.loads(said.stdout)
    assert set(far) == set(done.outputs) == {"tokens", "pooled"}
    assert max(far.values()) < 1e-4
    assert json.loads((tmp_path / "onnx" / "layout.json").read_text())["shorter"]  # and other lengths


def test_a_head_gives_scores_and_the_layout_says_their_names(tmp_path):
    arrays = {"weight": np.ones((2, 16), np.float32), "bias": np.zeros(2, np.float32)}
    head = Head.of(arrays, ("A", "B"), "multilabel", "")
    done = export(saved(tmp_path, "resnet", ("I",), head, width=2), out=tmp_path / "onnx")
    card = json.loads((tmp_path / "onnx" / "layout.json").read_text())
    assert done.outputs["scores"] == [3, 2]
    assert card["head"]["labels"] == ["A", "B"]
    assert card["layout"]["rate"] == 100


def test_the_convention_is_an_input(tmp_path):
    import onnxruntime

    export(saved(tmp_path, "wave_unet", ("any",), widths=(4, 8), conventions=("a", "b"), convention="b"),
           out=tmp_path / "onnx")  # fmt: skip
    session = onnxruntime.InferenceSession(str(tmp_path / "onnx" / "model.onnx"))
    test = np.load(tmp_path / "onnx" / "test.npz")
    feed = {name: test[name][:1] for name in ("signal", "valid")}
    one, two = (session.run(["tokens"], feed | {"convention": np.array([c])})[0] for c in (0, 1))
    assert np.abs(one - two).max() > 1e-3
    assert json.loads((tmp_path / "onnx" / "layout.json").read_text())["convention"] == 1


def test_the_file_says_nothing_of_the_machine_it_was_written_on(tmp_path):
    model = saved(tmp_path, "resnet", ("I",), width=2)
    files = []
    for folder in ("one", "two"):
        export(model, out=tmp_path / folder)
        files.append((tmp_path / folder / "model.onnx").read_bytes())
    assert files[0] == files[1]
    for place in (Path(einthoven.__file__).parent, tmp_path, Path(torch.__file__).parent):
        assert str(place).encode() not in files[0]
    assert b"stack_trace" not in files[0]


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(CheckpointError, match="something else"):
        export("nowhere", out=tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"
