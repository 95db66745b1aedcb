"""The folder is the registry: `encoders/resnet.py` with one public class is the encoder `resnet`.

Nothing is imported until it is asked for. Other packages join through entry points (`einthoven.encoders`, ...).
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

from einthoven.core.errors import ExtraError, RegistryError, nearest

KINDS = ("formats", "sources", "encoders", "objectives")
"""Folders whose files are plug-ins."""


def names(kind: str) -> list[str]:
    """Names of all plug-ins of a kind, sorted, without importing any."""
    return sorted({*_own(kind), *(point.name for point in _foreign(kind))})


def load(kind: str, name: str) -> type:
    """The class of one plug-in.

    Raises:
        RegistryError: no such kind or name (the nearest is named), or two plug-ins of one name (both are named).
        ExtraError: the plug-in needs an optional part of the installation.
    """
    foreign = [point for point in _foreign(kind) if point.name == name]
    own = name in _own(kind)
    if own + len(foreign) > 1:
        places = [f"einthoven.{kind}.{name}"] * own + [point.value for point in foreign]
        raise RegistryError(kind, f"two plug-ins called '{name}'", got=" and ".join(places), fix="rename one of them")
    if not own and not foreign:
        raise RegistryError("", f"no {kind.removesuffix('s')} called '{name}'", fix=nearest(name, names(kind)))
    try:
        return foreign[0].load() if foreign else public_class(f"einthoven.{kind}.{name}")
    except ModuleNotFoundError as error:
        lacking = ExtraError.behind(f"{kind.removesuffix('s')} {name}", error)
        if lacking:
            raise lacking from error
        raise


def summary(kind: str, name: str) -> str:
    """The first line of a plug-in's file, read without importing it; for another package's, where it comes from."""
    for point in _foreign(kind):
        if point.name == name:
            return point.value
    folder = find_spec(f"einthoven.{kind}").submodule_search_locations[0]  # type: ignore[union-attr, index]
    text = Path(folder, f"{name}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]


def public_class(module: str) -> type:
    """The one class without a leading underscore that a module defines itself."""
    found = [
        value
        for key, value in vars(importlib.import_module(module)).items()
        if inspect.isclass(value) and value.__module__ == module and not key.startswith("_")
    ]
    if len(found) != 1:
        raise RegistryError(
            module, "is no plug-in", expected="one public class", got=[cls.__name__ for cls in found] or "none",
            fix="begin the names of helpers with an underscore",
        )  # fmt: skip
    return found[0]


def _own(kind: str) -> list[str]:
    if kind not in KINDS:
        raise RegistryError("", f"no kind called '{kind}'", fix=nearest(kind, KINDS))
    spec = find_spec(f"einthoven.{kind}")
    paths = spec.submodule_search_locations if spec else []
    return [module.name for module in pkgutil.iter_modules(paths) if not module.name.startswith("_")]


def _foreign(kind: str) -> list[EntryPoint]:
    return [point for point in entry_points(group=f"einthoven.{kind}") if not point.value.startswith("einthoven.")]
