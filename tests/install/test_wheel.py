"""The built wheel in clean environments: the core alone does its part without torch, [train] brings the rest.

Needs a package index; pip alone, as users have it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "sklearn", "lightning_fabric", "wfdb", "matplotlib")

pytestmark = [pytest.mark.slow, pytest.mark.install]


class Environment:
    """A virtual environment with the wheel, and an empty folder to work in."""

    def __init__(self, folder: Path, wheel: Path, extra: str) -> None:
        self.folder = folder / "work"
        self.folder.mkdir()
        self.bin = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
        pip = [self.bin / "python", "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt"]
        subprocess.run([*pip, f"einthoven{extra} @ {wheel.as_uri()}"], check=True)

    def python(self, code: str) -> str:
        done = self._run(self.bin / "python", "-c", code)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def einthoven(self, *words: str, code: int = 0) -> str:
        """Standard output of one command, or standard error where the exit code is another than 0."""
        done = self._run(self.bin / "einthoven", *words)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr if code else done.stdout

    def _run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        clean = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
        return subprocess.run(
            [*map(str, command)],
            cwd=self.folder,
            env=clean,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--outdir", out, ROOT], check=True, capture_output=True)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Environment:
    environment = Environment(tmp_path_factory.mktemp("core"), wheel, "")
    environment.python(
        "from einthoven import simulate; from einthoven.core.registry import load; from pathlib import Path;"
        "Path('files').mkdir();"
        "[load('formats', 'wfdb')().write(simulate.record(kind, seed=i), Path(f'files/{kind}.hea'))"
        " for i, kind in enumerate(('sinus', 'af', 'lbbb'))]"
    )
    return environment


def test_the_core_brings_none_of_the_heavy_packages(core: Environment):
    found = core.python(f"from importlib.util import find_spec; print([n for n in {HEAVY} if find_spec(n)])")
    assert found.strip() == "[]"


def test_the_package_is_typed_and_carries_its_tables(core: Environment):
    code = "from importlib.resources import files; p = files('einthoven'); print([(p / n).is_file() for n in {}])"
    assert core.python(code.format(["py.typed", "simulate/parameters.toml"])).strip() == "[True, True]"


def test_every_folder_that_needs_no_torch_imports_without_it(core: Environment):
    folders = ["core", "formats", "signal", "simulate", "sources", "cohort", "report", "app"]
    code = f"""
import importlib, pkgutil
for folder in {folders}:
    package = importlib.import_module(f"einthoven.{{folder}}")
    for module in pkgutil.iter_modules(package.__path__, f"einthoven.{{folder}}."):
        importlib.import_module(module.name)
import einthoven.cli
"""
    core.python(code)


def test_help_and_the_doctor_answer_and_name_the_commands_for_the_rest(core: Environment):
    assert "prepare" in core.einthoven("--help")
    found = json.loads(core.einthoven("doctor", "--json"))
    assert all(check["works"] for check in found["checks"])
    assert {extra["command"] for extra in found["extras"] if extra["name"] == "train"} == {
        "pip install 'einthoven[train]'"
    }


def test_the_core_checks_draws_prepares_and_audits(core: Environment):
    assert "3" in core.einthoven("check", "files")
    core.einthoven("plot", "files/af.hea", "--out", "af.svg")
    assert (core.folder / "af.svg").read_text(encoding="utf-8").startswith("<")
    core.einthoven("prepare", "folder", "files", "cohort")
    assert (core.folder / "cohort" / "card.json").is_file()
    core.einthoven("audit", "cohort", "--out", "audit.html")
    assert "encoders" in core.einthoven("list")


def test_the_encoder_that_ships_embeds_and_predicts_without_torch(core: Environment):
    found = json.loads(core.einthoven("list", "shipped", "--json"))["kinds"]["shipped"]
    assert len(found) == 1
    assert len(json.loads(core.einthoven("embed", "files", "--json"))["rows"]) == 3
    said = json.loads(core.einthoven("predict", "files", "--checkpoint", *found, "--json"))
    assert (len(said["rows"]), said["notice"]) == (3, "research output, not a diagnosis")


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (["embed", "files", "--checkpoint", "run"], "train"),
        (["predict", "files", "--checkpoint", "run"], "train"),
        (["pretrain", "a.toml", "--out", "run"], "train"),
        (["schema", "simclr"], "train"),
        (["demo"], "train"),
        (["plot", "files/af.hea", "--out", "af.png"], "plot"),
    ],
    ids=lambda words: words if isinstance(words, str) else words[0],
)
def test_what_needs_an_extra_says_the_one_command_that_brings_it(core: Environment, words: list[str], extra: str):
    (core.folder / "run").mkdir(exist_ok=True)
    (core.folder / "a.toml").write_text('[data]\ncohort = "cohort"\n[encoder]\nname = "resnet"\n'
                                        '[objective]\nname = "simclr"\n[training]\nsteps = 1\n')  # fmt: skip
    (said,) = core.einthoven(*words, code=2).splitlines()
    assert f"pip install 'einthoven[{extra}]'" in said


def test_with_train_the_whole_path_runs(tmp_path_factory: pytest.TempPathFactory, wheel: Path):
    train = Environment(tmp_path_factory.mktemp("train"), wheel, "[train]")
    train.einthoven("demo", "--smoke", "--out", "demo")
    assert (train.folder / "demo" / "report.html").stat().st_size > 10_000
