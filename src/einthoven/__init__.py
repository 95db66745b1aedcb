"""einthoven: electrocardiograms into representations that know medicine, with honest statistics.

Each verb of the command line is a function here with the same name and arguments: `einthoven.embed("ecg.hea", ...)`.
`import einthoven` imports nothing heavy; a verb brings what it needs when it is called.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

VERBS = (
    "doctor", "list", "schema", "check", "plot", "prepare", "audit", "pretrain", "evaluate", "report", "embed",
    "predict", "demo",
)  # fmt: skip
"""Names of the functions in `app/`, one file each (`list` lives in `app/listing.py`)."""

_NOUNS = {"Record": "record", "Lead": "leads", "Layout": "layout", "Batch": "batch", "EinthovenError": "errors"}


def __getattr__(name: str) -> Any:
    if name in VERBS:
        module = "listing" if name == "list" else name
        return getattr(importlib.import_module(f"einthoven.app.{module}"), name)
    if name in _NOUNS:
        return getattr(importlib.import_module(f"einthoven.core.{_NOUNS[name]}"), name)
    raise AttributeError(f"module 'einthoven' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*VERBS, *_NOUNS, "__version__"])
