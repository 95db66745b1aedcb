"""einthoven: electrocardiograms into representations that know medicine, with honest statistics.

Each verb of the command line is a function here with the same name and arguments: `einthoven.embed("ecg.hea", ...)`.
`import einthoven` imports nothing heavy; a verb brings what it needs when it is called.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

__version__ = "0.1.0"

VERBS = (
    "doctor", "list", "schema", "check", "plot", "measure", "prepare", "audit", "derive", "pretrain", "evaluate",
    "report", "embed", "predict", "export", "demo",
)  # fmt: skip
"""Names of the functions in `app/`, one file each (`list` lives in `app/listing.py`)."""

_NOUNS = {"Record": "record", "Lead": "leads", "Layout": "layout", "Batch": "batch", "EinthovenError": "errors"}


def __getattr__(name: str) -> Any:
    if name in VERBS:
        return _verb(name)
    if name in _NOUNS:
        return getattr(importlib.import_module(f"einthoven.core.{_NOUNS[name]}"), name)
    raise AttributeError(f"module 'einthoven' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*VERBS, *_NOUNS, "__version__"])


def _verb(name: str) -> Any:
    return importlib.import_module("einthoven.app").verb(name)


class _Folder(ModuleType):
    """The folders `evaluate` and `report` bear the names of verbs: calling the folder calls the verb."""

    def __call__(self, *args: Any, **settings: Any) -> Any:
        return _verb(self.__name__.rpartition(".")[2])(*args, **settings)


class _Package(ModuleType):
    """Importing a folder binds it here, over what `__getattr__` would have given; a verb stays callable."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in VERBS and type(value) is ModuleType:
            value.__class__ = _Folder
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
