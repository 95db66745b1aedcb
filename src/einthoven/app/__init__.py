"""One function a verb, one file a function: what the command line, notebooks and other programs call.

Comes in: paths and settings, as on the command line. Goes out: a small dataclass with `to_dict()` (what `--json`
prints), `__str__` (what people read) and `exit_code` (0, or 1 where a check found something).
Contract: importing a file here imports nothing heavy; wrong input raises an error of `core.errors`.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any, Protocol

from einthoven.core.errors import ExtraError


class Result(Protocol):
    """What every verb returns."""

    @property
    def exit_code(self) -> int: ...

    def to_dict(self) -> dict[str, Any]: ...


def need_training(verb: str) -> None:
    """Say the one command that brings the extra [train] before a verb that needs it begins any work."""
    for module in ("torch", "sklearn", "lightning_fabric"):
        if importlib.util.find_spec(module) is None:
            raise ExtraError.of(verb, "train")


def verb(name: str) -> Callable[..., Any]:
    """The function of that verb, imported now; `list` lives in `listing.py`, because `list` is a word of Python."""
    return getattr(importlib.import_module(f"einthoven.app.{'listing' if name == 'list' else name}"), name)
