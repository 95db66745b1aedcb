"""Bad input through the command line: one line that says where and what, exit code 2, and nothing half-written."""

import errno
import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from einthoven import simulate
from einthoven.cli import main
from einthoven.core.registry import load

torch = pytest.importorskip("torch")

RECIPE = """
name = "tiny"
[data]
cohort = "{cohort}"
[layout]
seconds = 3
[encoder]
name = "resnet"
width = 4
[objective]
name = "simclr"
[training]
steps = 1
batch = 8
validate_every = 0
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A cohort, a run, and a good recording: what the bad cases are made from."""
    place = tmp_path_factory.mktemp("made")
    cohort = place / "cohort"
    settings = ["--set", "patients=40", "--set", "rate=100", "--set", "seconds=3", "--workers", "1"]
    assert main(["prepare", "simulated", str(place), str(cohort), *settings]) == 0
    (place / "recipe.toml").write_text(RECIPE.format(cohort=cohort))
    assert main(["pretrain", str(place / "recipe.toml"), "--out", str(place / "run")]) == 0
    load("formats", "wfdb")().write(simulate.record(seconds=3, rate=250), place / "good.hea")
    return place


@pytest.fixture
def refuse(capsys, tmp_path):
    """Run a command that must be refused in one line; return that line."""

    def run(*words, code=2):
        before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
        capsys.readouterr()
        got = main([str(word) for word in words])
        said = capsys.readouterr()
        assert got == code, said.err
        assert said.err.count("\n") == 1, said.err
        assert "Traceback" not in said.err + said.out
        assert said.out == ""
        assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before  # nothing was left behind
        return said.err

    return run


def recipe(made, tmp_path, old, new):
    text = (made / "recipe.toml").read_text()
    assert old in text
    (tmp_path / "bad.toml").write_text(text.replace(old, new))
    return tmp_path / "bad.toml"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("width = 4", "widht = 4", "did you mean width?"),
        ("width = 4", 'width = "wide"', "'wide'"),
        ('name = "resnet"', 'name = "resnt"', "did you mean resnet?"),
        ("seconds = 3", 'seconds = 3\nleads = ["I", "IV"]', "no lead called 'IV'"),
        ("seconds = 3", "seconds = 3\nrate = -100", "above 0"),
        ('name = "simclr"', 'name = "supervised"\ntarget = "labels:superclas"', "no label set called 'superclas'"),
        ("[training]", "[trainig]", "did you mean training?"),
        ("steps = 1", "steps = 1 1", "is not TOML"),
    ],
)
def test_a_wrong_recipe_is_refused_and_no_run_folder_appears(made, tmp_path, refuse, old, new, words):
    assert words in refuse("pretrain", recipe(made, tmp_path, old, new), "--out", tmp_path / "run")


def test_a_wrong_set_names_itself_and_not_the_file(made, tmp_path, refuse):
    line = refuse("pretrain", made / "recipe.toml", "--out", tmp_path / "run", "--set", "training.stepps=5")
    assert "did you mean steps?" in line


def csv(path: Path, signal: np.ndarray, heading: str = "I") -> Path:
    np.savetxt(path, signal, header=heading, comments="", fmt="%.4f")
    return path


def test_a_csv_without_a_unit_asks_for_it(made, tmp_path, refuse):
    file = csv(tmp_path / "a.csv", np.sin(np.arange(750) / 10))
    assert "--unit" in refuse("embed", file, "--checkpoint", made / "run", "--rate", 250)


def test_a_csv_without_a_rate_asks_for_it(made, tmp_path, refuse):
    file = csv(tmp_path / "a.csv", np.sin(np.arange(750) / 10))
    assert "--rate" in refuse("embed", file, "--checkpoint", made / "run", "--unit", "mV")


def test_an_ecg_of_300_mv_is_taken_for_a_wrong_unit(made, tmp_path, refuse):
    file = csv(tmp_path / "a.csv", 300 * np.sin(np.arange(750) / 10))
    line = refuse("embed", file, "--checkpoint", made / "run", "--rate", 250, "--unit", "mV")
    assert "--unit uV" in line


@pytest.mark.parametrize("value", [np.nan, 0.0])
def test_a_recording_without_any_signal_is_refused(made, tmp_path, refuse, value):
    np.save(tmp_path / "a.npy", np.full((1, 750), value, np.float32))
    words = ("--rate", 250, "--unit", "mV", "--lead", "I")
    refuse("embed", tmp_path / "a.npy", "--checkpoint", made / "run", *words)


def test_a_rate_that_contradicts_the_file_is_refused(made, tmp_path, refuse):
    assert "250" in refuse("embed", made / "good.hea", "--checkpoint", made / "run", "--rate", 500)


def test_a_truncated_signal_file_is_refused(made, tmp_path, refuse):
    for name in ("good.hea", "good.dat"):
        (tmp_path / name).write_bytes((made / name).read_bytes())
    data = (tmp_path / "good.dat").read_bytes()
    (tmp_path / "good.dat").write_bytes(data[: len(data) // 2])
    refuse("embed", tmp_path / "good.hea", "--checkpoint", made / "run")


def test_a_header_that_names_a_file_outside_its_folder_is_refused(made, tmp_path, refuse):
    header = (made / "good.hea").read_text()
    (tmp_path / "sub").mkdir()
    (tmp_path / "secret.dat").write_bytes((made / "good.dat").read_bytes())
    (tmp_path / "sub" / "bad.hea").write_text(header.replace("good.dat", "../secret.dat"))
    refuse("embed", tmp_path / "sub" / "bad.hea", "--checkpoint", made / "run")


def test_a_header_in_another_encoding_is_read_or_refused_but_no_crash(made, tmp_path, capsys):
    header = (made / "good.hea").read_bytes()
    (tmp_path / "good.dat").write_bytes((made / "good.dat").read_bytes())
    (tmp_path / "bad.hea").write_bytes(header.replace(b"good ", b"g\xff\xfed ", 1))
    assert main(["embed", str(tmp_path / "bad.hea"), "--checkpoint", str(made / "run")]) in (0, 2)
    assert "bug" not in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["check", "embed"])
def test_an_empty_folder_is_refused(made, tmp_path, refuse, verb):
    (tmp_path / "empty").mkdir()
    words = ("--checkpoint", made / "run") if verb == "embed" else ()
    refuse(verb, tmp_path / "empty", *words)


def test_preparing_an_empty_folder_is_refused_and_leaves_no_cohort(tmp_path, refuse):
    (tmp_path / "empty").mkdir()
    refuse("prepare", "folder", tmp_path / "empty", tmp_path / "cohort")


def copied(source: Path, target: Path) -> Path:
    target.mkdir()
    for path in source.rglob("*"):
        if path.is_file():
            (target / path.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
            (target / path.relative_to(source)).write_bytes(path.read_bytes())
    return target


def test_a_cohort_of_another_schema_version_is_refused(made, tmp_path, refuse):
    place = copied(made / "cohort", tmp_path / "cohort")
    card = json.loads((place / "card.json").read_text())
    (place / "card.json").write_text(json.dumps(card | {"schema": 99}))
    assert "99" in refuse("audit", place)


def test_a_checkpoint_of_another_schema_version_is_refused(made, tmp_path, refuse):
    place = copied(made / "run" / "best", tmp_path / "model")
    card = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps(card | {"schema": 99}))
    assert "99" in refuse("embed", made / "good.hea", "--checkpoint", place)


@pytest.mark.parametrize("how", ["missing", "extra", "misshapen", "other"])
def test_a_checkpoint_whose_tensors_do_not_fit_is_refused_by_name(made, tmp_path, refuse, how):
    from safetensors.torch import load_file, save_file

    place = copied(made / "run" / "best", tmp_path / "model")
    tensors = load_file(place / "model.safetensors")
    name = next(name for name in tensors if name.endswith("conv.weight"))
    if how == "missing":
        del tensors[name]
    elif how == "extra":
        name = "encoder.surplus"
        tensors[name] = torch.zeros(3)
    elif how == "misshapen":
        tensors[name] = tensors[name][:1].clone()
    else:
        tensors[name] = tensors[name] + 0.5
    save_file(tensors, place / "model.safetensors")
    line = refuse("embed", made / "good.hea", "--checkpoint", place)
    assert "stored" in line if how == "other" else name in line


def test_a_pickle_in_the_place_of_weights_is_refused_unread(made, tmp_path, refuse):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "trapped"),))

    place = copied(made / "run" / "best", tmp_path / "model")
    (place / "model.safetensors").write_bytes(pickle.dumps(Trap()))
    assert "pickle" in refuse("embed", made / "good.hea", "--checkpoint", place)
    assert not (tmp_path / "trapped").exists()


def test_a_full_disk_is_one_line_and_leaves_nothing(made, tmp_path, refuse, monkeypatch):
    def full(*args, **settings):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    line = refuse("embed", made / "good.hea", "--checkpoint", made / "run", "--out", tmp_path / "e.parquet")
    assert "No space left" in line


@pytest.mark.parametrize("verb", ["embed", "predict"])
def test_a_table_of_an_unknown_kind_is_refused_before_anything_is_read(made, tmp_path, refuse, verb):
    words = ("--checkpoint", tmp_path / "nowhere", "--out", tmp_path / "e.xlsx")
    assert "expected .parquet or .csv, got .xlsx" in refuse(verb, made / "good.hea", *words)


def test_a_folder_that_cannot_be_written_is_one_line(made, tmp_path, refuse):
    (tmp_path / "file").write_text("not a folder")
    refuse("prepare", "simulated", tmp_path, tmp_path / "file" / "cohort", "--set", "patients=2")


def test_one_bad_file_never_stops_a_folder(made, tmp_path, capsys):
    for name in ("good.hea", "good.dat"):
        (tmp_path / name).write_bytes((made / name).read_bytes())
    (tmp_path / "bad.hea").write_text("bad 1 250 750\nbad.dat 16 200 16 0 0 0 0 I\n")
    words = ["embed", str(tmp_path), "--checkpoint", str(made / "run")]
    assert main(words) == 0
    assert "1 refused" in capsys.readouterr().out
    assert main([*words, "--strict"]) == 1
    out = tmp_path / "out" / "e.csv"
    assert main([*words, "--out", str(out)]) == 0
    assert (tmp_path / "out" / "e.refused.csv").exists()
    assert main(["embed", str(tmp_path / "good.hea"), *words[2:], "--out", str(out)]) == 0
    assert not (tmp_path / "out" / "e.refused.csv").exists()  # it would speak of another table
