"""An export is a checkpoint: the same numbers and words as with torch, without torch, by path and by shipped name."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from einthoven import embed, predict, simulate
from einthoven.app import doctor as doctors
from einthoven.app import inference, models, shipped
from einthoven.app.listing import list as list_plugins
from einthoven.cli import main
from einthoven.core.errors import CheckpointError, RegistryError
from einthoven.core.layout import Layout
from einthoven.core.registry import load
from einthoven.signal import processing

LEADS = ("I", "II", "V2")
BARE = """
import sys
class Bare:
    def find_spec(self, name, path=None, target=None):
        if name in ("torch", "sklearn", "lightning_fabric"):
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Bare())
from einthoven.cli import main
sys.exit(main(sys.argv[1:]))
"""
CLOSE = {"rtol": 0, "atol": 1e-4}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A tiny checkpoint with a head, its export, and three recordings: a strip, a short one, one of several windows."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    from einthoven.app.export import export
    from einthoven.objectives import Head
    from einthoven.training import checkpoint

    torch.set_num_threads(1)
    torch.manual_seed(1)
    place, settings = tmp_path_factory.mktemp("made"), {"width": 4, "blocks": 1}
    encoder = load("encoders", "resnet")(3, **settings).eval()
    rng = np.random.default_rng(0)
    arrays = {"weight": rng.normal(size=(2, 32)), "bias": np.array([0.2, -0.3]), "thresholds": np.array([0.5, np.nan])}
    checkpoint.save(
        place / "model", encoder=encoder, encoder_name="resnet", encoder_settings=settings,
        layout=Layout(leads=LEADS, seconds=4), head=Head.of(arrays, ("AFIB", "LBBB"), "multilabel"),
        card={"name": "tiny"},
    )  # fmt: skip
    export(place / "model", out=place / "onnx")
    (place / "files").mkdir()
    for name, seconds, rate in (("a", 4, 250), ("b", 3.1, 100), ("c", 11, 500)):
        record = simulate.record(seed=ord(name), seconds=seconds, rate=rate)
        load("formats", "wfdb")().write(record, place / "files" / f"{name}.hea")
    return place


@pytest.fixture
def ships(made, tmp_path, monkeypatch):
    """A package with one shipped encoder, `tiny-heart`: checkpoint and export in one folder."""
    for part in ("model", "onnx"):
        shutil.copytree(made / part, tmp_path / "shipped" / "tiny-heart", dirs_exist_ok=True)
    monkeypatch.setattr(shipped, "HERE", tmp_path / "shipped")
    return "tiny-heart"


def numbers(frame):
    return frame.select([name for name in frame.columns if name[0] == "e" or name.startswith("probability:")])


@pytest.mark.parametrize("verb", [embed, predict])
def test_an_export_gives_what_its_checkpoint_gives(made, verb):
    with_torch = verb(made / "files", checkpoint=made / "model")
    without = verb(made / "files", checkpoint=made / "onnx")
    assert with_torch.frame["windows"].to_list() == [1, 1, 3]
    assert without.frame.schema == with_torch.frame.schema
    np.testing.assert_allclose(numbers(without.frame).to_numpy(), numbers(with_torch.frame).to_numpy(), **CLOSE)
    want, got = with_torch.to_dict(), without.to_dict()
    assert {**got, "rows": 0} == {**want, "rows": 0}  # the fingerprint and the labels among them
    assert [list(row) for row in got["rows"]] == [list(row) for row in want["rows"]]


@pytest.mark.parametrize("verb", ["embed", "predict"])
def test_an_export_needs_no_torch_and_leaves_nothing_in_the_home_folder(made, verb, tmp_path):
    words = [verb, str(made / "files"), "--checkpoint", str(made / "onnx"), "--json"]
    said = {**os.environ, "HOME": str(tmp_path), "USERPROFILE": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "c")}
    said.pop("ORT_DISABLE_TELEMETRY", None)
    done = subprocess.run([sys.executable, "-c", BARE, *words], env=said, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["rows"]) == 3
    assert not list(tmp_path.rglob("*"))


def test_windows_are_made_one_at_a_time(made, monkeypatch):
    record = simulate.record(seed=2, seconds=23.5, rate=250)
    made_so_far, condition = [], processing.condition
    monkeypatch.setattr(processing, "condition", lambda *given: made_so_far.append(1) or condition(*given))
    stream = processing.stream(record, Layout(leads=("I", "aVF", "V2"), seconds=4, scale="per_lead"))
    next(stream)
    assert len(made_so_far) == 1
    assert len([*stream]) == 5


def test_hours_go_through_in_blocks(made, tmp_path):
    record = simulate.record(seed=2, seconds=10, rate=100, leads=("I",))
    record = type(record)(key="long", leads=("I",), signal=np.tile(record.signal, 60), rate=100.0)
    model, sizes = models.Exported(made / "onnx"), []
    real = model.pooled
    model.pooled = lambda signal, valid: (sizes.append(len(signal)), real(signal, valid))[1]
    encoded = inference._encode([("long", record)], model)
    assert encoded.rows[0]["windows"] == sum(sizes) == 150
    assert max(sizes) == inference.BLOCK


def test_the_encoder_that_ships_is_taken_without_a_checkpoint(made, ships):
    file = made / "files" / "c.hea"
    for verb in (embed, predict):
        here = numbers(verb(file, checkpoint=made / "onnx").frame).to_numpy()
        for named in (None, ships):
            np.testing.assert_array_equal(numbers(verb(file, checkpoint=named).frame).to_numpy(), here)
    found = predict(file)
    assert "not a diagnosis" in str(found)
    assert "not a diagnosis" in found.to_dict()["notice"]


def test_a_path_that_exists_wins_over_a_name(made, ships, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shipped.folder(ships) == shipped.HERE / ships
    (tmp_path / ships).mkdir()
    assert shipped.folder(ships) == shipped.Path(ships)


def test_a_wrong_name_gets_the_nearest(ships, made):
    with pytest.raises(CheckpointError, match="did you mean tiny-heart"):
        embed(made / "files", checkpoint="tiny-hart")
    with pytest.raises(CheckpointError, match="is no checkpoint"):
        predict(made / "files", checkpoint=made / "nowhere")


def test_several_shipped_encoders_are_not_chosen_from(ships, made):
    shutil.copytree(shipped.HERE / ships, shipped.HERE / "other")
    with pytest.raises(CheckpointError, match="several encoders ship, got other, tiny-heart"):
        embed(made / "files")


def test_none_ships_is_said_in_one_line(made, tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "HERE", tmp_path)
    with pytest.raises(CheckpointError, match="no encoder ships; einthoven embed PATH --checkpoint FOLDER"):
        embed(made / "files")


def test_what_ships_is_listed(ships):
    assert list_plugins("shipped").kinds == {"shipped": {ships: "resnet, 3 leads at 100 Hz, 4 s; predicts AFIB, LBBB"}}
    assert ships in str(list_plugins())
    with pytest.raises(RegistryError):
        list_plugins("ships")


def test_the_doctor_proves_what_ships(ships):
    found = doctors.doctor()
    assert found.exit_code == 0
    assert any(ships in check.name and "test vector" in check.finding for check in found.checks)


def test_the_doctor_finds_an_encoder_whose_files_do_not_belong_together(ships):
    place = shipped.HERE / ships / models.TEST
    with np.load(place) as file:
        stored = dict(file)
    np.savez(place, **stored | {"pooled": stored["pooled"] * 1.01})
    found = doctors.doctor()
    assert found.exit_code == 1
    assert "does not give its stored pooled" in str(found)


def test_training_begins_from_a_shipped_name(ships, tmp_path, monkeypatch):
    from einthoven import pretrain
    from einthoven.training import checkpoint, loop

    class Stop(Exception):
        pass

    def train(recipe, out, progress):
        assert checkpoint.load(recipe["encoder"]["weights"]).card["name"] == "tiny"
        raise Stop

    monkeypatch.setattr(loop, "train", train)
    recipe = tmp_path / "r.toml"
    recipe.write_text(
        '[data]\ncohort = "c"\n[layout]\nleads = ["I", "II", "V2"]\nseconds = 4\n[encoder]\nname = "resnet"\n'
        'width = 4\nblocks = 1\n[objective]\nname = "simclr"\n[training]\nsteps = 1\n'
    )
    with pytest.raises(Stop):
        pretrain(recipe, out=tmp_path / "run", set=(f"encoder.weights={ships}",))


def cut(name):
    def damage(folder):
        (folder / name).write_bytes((folder / name).read_bytes()[:100])

    return damage


def older(folder):
    card = json.loads((folder / models.LAYOUT).read_text())
    (folder / models.LAYOUT).write_text(json.dumps(card | {"schema": 0}))


def other_leads(folder):
    card = json.loads((folder / models.LAYOUT).read_text())
    (folder / models.LAYOUT).write_text(json.dumps(card | {"layout": card["layout"] | {"leads": ["I"]}}))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (cut(models.MODEL), "is no ONNX file"),
        (cut(models.HEAD), "is no ONNX file"),
        (cut(models.LAYOUT), "cannot be read"),
        (cut(models.TEST), "cannot be tried"),
        (lambda folder: (folder / models.HEAD).unlink(), "head.onnx: is missing"),
        (lambda folder: (folder / models.TEST).unlink(), "test.npz: is missing"),
        (older, "another version"),
        (other_leads, "does not give its stored"),
    ],
)
def test_a_damaged_export_is_one_line(made, tmp_path, capsys, damage, words):
    shutil.copytree(made / "onnx", tmp_path / "onnx")
    damage(tmp_path / "onnx")
    assert main(["predict", str(made / "files"), "--checkpoint", str(tmp_path / "onnx")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


def test_the_file_instead_of_its_folder_is_told(made):
    with pytest.raises(CheckpointError, match="--checkpoint"):
        embed(made / "files", checkpoint=made / "onnx" / models.MODEL)


@pytest.mark.parametrize(
    ("leads", "signal", "words", "says"),
    [
        ("V5,V6", np.ones, (), "none of the leads"),
        ("ecg", np.ones, (), "none of the leads"),
        ("I", np.zeros, (), "flat"),
        ("I", np.full, (), "no column of numbers"),
        ("I", np.ones, ("--rate", "-5"), "rate"),
    ],
)
def test_a_recording_that_cannot_be_used_is_one_line(made, tmp_path, capsys, leads, signal, words, says):
    shape = (900, leads.count(",") + 1)
    found = np.full(shape, np.nan) if signal is np.full else signal(shape) * np.sin(np.arange(900) / 20)[:, None]
    np.savetxt(tmp_path / "a.csv", found, delimiter=",", header=leads, comments="", fmt="%.4f")
    words = words or ("--rate", "100")
    line = ["embed", str(tmp_path / "a.csv"), "--unit", "mV", *words, "--checkpoint", str(made / "onnx")]
    assert main(line) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert says in said


def test_one_lead_is_enough_and_the_rest_is_said_to_be_missing(made, tmp_path):
    np.savetxt(tmp_path / "a.csv", np.sin(np.arange(900) / 20), header="ecg", comments="", fmt="%.4f")
    row = embed(tmp_path / "a.csv", rate=100, unit="mV", lead="II", checkpoint=made / "onnx").frame.row(0, named=True)
    assert row["missing"] == "I V2"


def test_the_text_says_which_leads_were_not_there(made, tmp_path):
    whole = np.random.default_rng(0).normal(size=(900, 3))
    np.savetxt(tmp_path / "a.csv", whole[:, 1:], delimiter=",", header="II,V2", comments="", fmt="%.4f")
    np.savetxt(tmp_path / "b.csv", whole, delimiter=",", header="I,II,V2", comments="", fmt="%.4f")
    settings = {"rate": 100, "unit": "mV", "checkpoint": made / "onnx"}
    for verb in (embed, predict):
        assert "without I, which the model wants" in str(verb(tmp_path / "a.csv", **settings))
    assert "1 of them without leads" in str(embed(tmp_path / "a.csv", out=tmp_path / "e.csv", **settings))
    assert "without" not in str(predict(tmp_path / "b.csv", **settings))


@pytest.mark.parametrize("name", shipped.names())
def test_what_ships_here_is_small_and_proves_itself_both_ways(name):
    pytest.importorskip("torch")
    from einthoven.training import checkpoint

    place = shipped.HERE / name
    assert max(file.stat().st_size for file in place.iterdir()) < 8 << 20
    model, trained = models.Exported(place), models.Trained(checkpoint.load(place))
    assert model.fingerprint == trained.fingerprint
    assert model.labels == trained.labels
    record = simulate.record(seed=1, seconds=7.3, rate=500)
    pooled = [inference._encode([("a", record)], kind).pooled_ND for kind in (model, trained)]
    np.testing.assert_allclose(*pooled, **CLOSE)
    np.testing.assert_allclose(model.scores(pooled[0]), trained.scores(pooled[1]), **CLOSE)
    assert str(shipped.HERE.parents[3]) not in (place / "config.json").read_text()
