"""A checkpoint proves itself, and whatever is not exactly what its card says is refused by name."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from einthoven.core import fingerprint
from einthoven.core.errors import CheckpointError
from einthoven.core.layout import Layout
from einthoven.encoders.resnet import Resnet
from einthoven.objectives import Head
from einthoven.training import checkpoint
from einthoven.training.embedding import embed_windows

SETTINGS = {"width": 4, "kernel": 3, "stages": 2, "blocks": 1, "dropout": 0.1, "norm": "batch"}
LAYOUT = Layout(leads=("I", "V2"), rate=100, seconds=3)
HEAD = Head.of(
    {"weight": np.ones((2, 8)), "bias": np.zeros(2), "thresholds": np.array([0.3, np.nan])}, ("AF", "SR"), "multilabel"
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> tuple[Path, Resnet]:
    torch.manual_seed(0)
    encoder = Resnet(2, **SETTINGS)
    with torch.no_grad():  # running statistics that differ from those of a fresh network
        encoder(torch.randn(16, 2, 300) * 2, torch.ones(1, 1, 1, dtype=torch.bool), 100.0)
    folder = tmp_path_factory.mktemp("checkpoint") / "model"
    card = {"name": "tiny", "recipe": {"seed": 1}}
    checkpoint.save(
        folder, encoder=encoder, encoder_name="resnet", encoder_settings=SETTINGS, layout=LAYOUT, head=HEAD, card=card
    )
    return folder, encoder.eval()


@pytest.fixture
def folder(saved, tmp_path) -> Path:
    """A copy to be damaged."""
    return Path(shutil.copytree(saved[0], tmp_path / "model"))


def edit(path: Path, change) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def test_what_is_loaded_computes_what_was_saved(saved):
    folder, encoder = saved
    found = checkpoint.load(folder)
    signal, here = torch.randn(3, 2, 300), torch.ones(1, 1, 1, dtype=torch.bool)
    with torch.no_grad():
        pooled = encoder(signal, here, 100.0).pooled
        assert torch.equal(found.encoder(signal, here, 100.0).pooled, pooled)
        assert torch.equal(found.head(pooled), HEAD(pooled))
    assert (found.head.labels, found.head.thresholds) == (("AF", "SR"), (0.3, None))
    assert found.layout == LAYOUT
    assert not found.encoder.training
    assert not any(p.requires_grad for p in found.encoder.parameters())


def test_the_folder_follows_the_hub_convention_and_the_page_is_written_from_the_card(saved):
    folder, _ = saved
    assert {path.name for path in folder.iterdir()} == {
        "config.json", "model.safetensors", "proof.safetensors", "README.md",
    }  # fmt: skip
    card = json.loads((folder / "config.json").read_text())
    assert (card["model_type"], card["schema"], card["layout"]) == ("einthoven", 1, LAYOUT.to_dict())
    page = (folder / "README.md").read_text()
    assert page.startswith("---\nlibrary_name: einthoven")
    assert "leads I V2; 100 Hz, 3 s, above 0.5 Hz" in page
    assert "AF, SR" in page


def test_the_fingerprint_is_of_what_decides_outputs(saved, folder):
    want = checkpoint.load(saved[0]).fingerprint
    edit(folder / "config.json", lambda card: card.update(seconds=99, name="other"))
    assert checkpoint.load(folder).fingerprint == want
    changed = checkpoint.load(folder)
    with torch.no_grad():
        next(changed.encoder.parameters())[0, 0, 0, 0] += 1
    assert changed.fingerprint != want


def test_a_run_folder_is_its_best_checkpoint(saved, tmp_path):
    shutil.copytree(saved[0], tmp_path / "best")
    assert checkpoint.load(tmp_path).path == tmp_path / "best"


def _tensors(folder: Path, change) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


NAME = "encoder.blocks.0.first.conv.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.pop(NAME), rf"tensor {NAME} is missing, expected \(4, 4, 1, 3\)"),
        (
            lambda t: t.update({"encoder.more": torch.ones(3)}),
            r"tensor encoder.more is none of the model's, got \(3,\)",
        ),
        (lambda t: t.update({"other": torch.ones(3)}), "tensor other is none of the model's"),
        (lambda t: t.update({NAME: torch.ones(4, 4, 1, 5)}), f"tensor {NAME} has another shape, expected"),
        (lambda t: t.update({NAME: t[NAME].double()}), f"tensor {NAME} has another type, expected torch.float32"),
        (lambda t: t.pop("head.bias"), "tensor head.bias is missing"),
        (lambda t: t.update({NAME: t[NAME] * 1.01}), "does not give its stored pooled for its stored input"),
        (lambda t: t.update({"encoder.stem.norm.running_var": torch.ones(4)}), "does not give its stored pooled"),
        (lambda t: t.update({"head.weight": t["head.weight"] + 1}), "does not give its stored scores"),
        (lambda t: t.update({NAME: t[NAME] * float("nan")}), "does not give its stored pooled"),
    ],
)
def test_wrong_missing_and_extra_tensors_are_refused_by_name(folder, change, message):
    _tensors(folder, change)
    with pytest.raises(CheckpointError, match=message):
        checkpoint.load(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(schema=2), "is of another schema version, expected 1, got 2"),
        (lambda c: c.pop("layout"), "lacks keys, expected layout"),
        (lambda c: c["encoder"].update(name="resnt"), "no encoder called 'resnt'; did you mean resnet"),
        (lambda c: c["encoder"]["settings"].update(widht=3), "no key 'widht'; did you mean width"),
        (lambda c: c["encoder"]["settings"].update(width=4096, stages=8), "has another shape"),
        (lambda c: c["layout"].update(leads=["I", "W"]), "no lead called 'W'"),
        (lambda c: c["layout"].update(leads=["I"]), r"tensor encoder.stem.conv.weight has another shape"),
        (lambda c: c["head"].update(thresholds=[0.1]), "the card's head is unusable"),
        (lambda c: c["head"].update(labels=["AF"], thresholds=None), "tensor head.bias has another shape"),
        (lambda c: c.update(encoder="resnet"), "describes no model"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(folder, change, message):
    edit(folder / "config.json", change)
    with pytest.raises(CheckpointError, match=message):
        checkpoint.load(folder)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"layers": 12}', "\xff", "[" * 100_000])
def test_a_config_of_something_else_is_refused(folder, text):
    (folder / "config.json").write_text(text, encoding="latin-1")
    with pytest.raises(CheckpointError, match=r"config.json"):
        checkpoint.load(folder)


class _Harm:
    def __reduce__(self):
        return (Path.touch, (Path("harm"),))


@pytest.mark.parametrize("protocol", ["pickle", "torch"])
def test_a_pickle_is_refused_without_being_opened(folder, protocol, monkeypatch):
    monkeypatch.chdir(folder)
    path = folder / "model.safetensors"
    if protocol == "pickle":
        path.write_bytes(pickle.dumps(_Harm()))
    else:
        torch.save({"x": _Harm()}, path)
    with pytest.raises(CheckpointError, match="is a pickle, and pickles are never read"):
        checkpoint.load(folder)
    assert not (folder / "harm").exists()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: p.mkdir(), "is no checkpoint, expected a folder with config.json"),
        (lambda p: None, "got nothing there"),
        (lambda p: p.write_bytes(b"x"), "pickles are never read"),
        (lambda p: (p.mkdir(), (p / "pytorch_model.bin").touch()), "pickles are never read"),
        (lambda p: (p.mkdir(), (p / "recipe.toml").touch()), "is a run without a checkpoint yet"),
    ],
)
def test_what_is_no_checkpoint_is_said(tmp_path, make, message):
    make(tmp_path / "model")
    with pytest.raises(CheckpointError, match=message):
        checkpoint.load(tmp_path / "model")


@pytest.mark.parametrize("name", ["model.safetensors", "proof.safetensors"])
@pytest.mark.parametrize("damage", ["gone", "short", "empty"])
def test_damaged_files_are_refused(folder, name, damage):
    path = folder / name
    data = path.read_bytes()
    path.unlink() if damage == "gone" else path.write_bytes(data[: len(data) // 2] if damage == "short" else b"")
    with pytest.raises(CheckpointError, match=name):
        checkpoint.load(folder)


def test_saving_over_a_checkpoint_replaces_it_whole(saved, folder):
    before = checkpoint.load(folder)
    checkpoint.with_head(before, HEAD, folder, evaluated={"task": "t"})
    after = checkpoint.load(folder)
    assert after.card["evaluated"] == {"task": "t"}
    assert after.card["name"] == "tiny"
    assert after.fingerprint == before.fingerprint
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_a_copy_is_the_same_checkpoint(saved, tmp_path):
    checkpoint.copy(saved[0], tmp_path / "copy")
    for path in saved[0].iterdir():
        assert fingerprint.of_file(path) == fingerprint.of_file(tmp_path / "copy" / path.name)


def test_settings_that_do_not_make_the_trained_network_are_not_saved(saved, tmp_path):
    with pytest.raises(RuntimeError, match="size mismatch"):
        checkpoint.save(
            tmp_path / "model", encoder=saved[1], encoder_name="resnet", encoder_settings=SETTINGS | {"width": 8},
            layout=LAYOUT, card={"name": "wrong"},
        )  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_untrained_has_the_architecture_and_fresh_weights_by_seed(saved):
    found = checkpoint.load(saved[0])
    a, b, again = (checkpoint.untrained(found, seed) for seed in (1, 2, 1))
    assert a.fingerprint == again.fingerprint != b.fingerprint
    assert a.head is None
    assert {n: t.shape for n, t in a.encoder.state_dict().items()} == {
        n: t.shape for n, t in found.encoder.state_dict().items()
    }


def test_embedding_windows_does_not_depend_on_the_batch(saved):
    found = checkpoint.load(saved[0])
    signal = np.random.default_rng(0).normal(size=(70, 2, 300)).astype(np.float32)
    valid = np.ones_like(signal, bool)
    pooled = embed_windows(found, signal, valid)
    assert pooled.shape == (70, 8)
    assert pooled.dtype == np.float32
    np.testing.assert_allclose(embed_windows(found, signal[65:66], valid[65:66]), pooled[65:66], rtol=1e-5, atol=1e-6)
    assert embed_windows(found, signal[:0], valid[:0]).shape == (0, 8)
