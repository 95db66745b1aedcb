"""A file with one public class is a plug-in; other packages join through entry points; wrong names get help."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import einthoven
from einthoven.core import registry
from einthoven.core.errors import ExtraError, RegistryError

FOLDER = Path(einthoven.__file__).parent


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Installs a package with plug-ins for the time of a test: foreign(kind, {plugin name: source of its module})."""

    def install(kind: str, modules: dict[str, str], package: str = "strangers") -> None:
        place = tmp_path / package
        (place / package).mkdir(parents=True)
        (place / package / "__init__.py").touch()
        info = place / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        points = [f"[einthoven.{kind}]"]
        for name, source in modules.items():
            (place / package / f"{name}_.py").write_text(source)
            points.append(f"{name} = {package}.{name}_:Plugin")
        (info / "entry_points.txt").write_text("\n".join(points) + "\n")
        monkeypatch.syspath_prepend(place)

    yield install
    for module in [name for name in sys.modules if name.partition(".")[0] in ("strangers", "others")]:
        del sys.modules[module]


@pytest.mark.parametrize("kind", registry.KINDS)
def test_every_file_without_an_underscore_is_a_plugin_with_one_public_class(kind: str):
    files = {path.stem for path in (FOLDER / kind).glob("[!_]*.py")}
    assert files
    assert {name for name in registry.names(kind) if (FOLDER / kind / f"{name}.py").exists()} == files
    for name in files:
        cls = registry.load(kind, name)
        assert cls.__module__ == f"einthoven.{kind}.{name}"
        assert registry.summary(kind, name)


def test_a_plugin_of_another_package_is_listed_without_being_imported_and_loads(foreign):
    foreign("encoders", {"theirs": '"""Their encoder."""\nclass Plugin:\n    """It."""\n'})
    assert "theirs" in registry.names("encoders")
    assert registry.summary("encoders", "theirs") == "strangers.theirs_:Plugin"
    assert "strangers" not in sys.modules
    assert registry.load("encoders", "theirs").__name__ == "Plugin"


def test_two_plugins_of_one_name_are_an_error_that_names_both(foreign):
    foreign("encoders", {"theirs": "class Plugin: ..."})
    foreign("encoders", {"theirs": "class Plugin: ..."}, package="others")
    with pytest.raises(RegistryError, match=r"two plug-ins called 'theirs'.*(strangers.*others|others.*strangers)"):
        registry.load("encoders", "theirs")


def test_a_foreign_plugin_does_not_take_the_name_of_ours(foreign):
    ours = registry.names("encoders")[0]
    foreign("encoders", {ours: "class Plugin: ..."})
    with pytest.raises(RegistryError, match=rf"einthoven\.encoders\.{ours} and strangers"):
        registry.load("encoders", ours)


def test_a_wrong_name_gets_the_nearest(foreign):
    foreign("encoders", {"wavelets": "class Plugin: ..."})
    with pytest.raises(RegistryError, match="no encoder called 'wavelet'; did you mean wavelets"):
        registry.load("encoders", "wavelet")


def test_a_wrong_kind_gets_the_nearest():
    with pytest.raises(RegistryError, match="no kind called 'encoder'; did you mean encoders"):
        registry.names("encoder")


def test_a_plugin_whose_extra_is_missing_names_the_command_that_brings_it(foreign, monkeypatch):
    foreign("encoders", {"theirs": "import sklearn\nclass Plugin: ..."})
    monkeypatch.setitem(sys.modules, "sklearn", None)  # as if it were not installed
    with pytest.raises(ExtraError, match=r"pip install 'einthoven\[train\]'"):
        registry.load("encoders", "theirs")


def test_a_plugin_that_lacks_something_else_fails_as_python_does(foreign):
    foreign("encoders", {"theirs": "import no_such_package_anywhere\nclass Plugin: ..."})
    with pytest.raises(ModuleNotFoundError, match="no_such_package_anywhere"):
        registry.load("encoders", "theirs")


@pytest.mark.parametrize(
    ("source", "got"),
    [
        ("class _Helper: ...", "none"),
        ("class One: ...\nclass Two: ...", "One.*Two"),
        ("from pathlib import Path", "none"),
    ],
)
def test_a_file_without_exactly_one_public_class_is_no_plugin(tmp_path, monkeypatch, source: str, got: str):
    (tmp_path / "strangers.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    try:
        with pytest.raises(RegistryError, match=f"expected one public class, got .*{got}"):
            registry.public_class("strangers")
    finally:
        sys.modules.pop("strangers", None)
