"""`list`: the plug-ins by kind, ours and those of other packages, and the shipped encoders, without importing any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from einthoven.app import shipped
from einthoven.core import registry
from einthoven.core.errors import RegistryError, nearest
from einthoven.core.fingerprint import read_json

SHIPPED = "shipped"


@dataclass(frozen=True)
class Listing:
    """Names of plug-ins and what each says of itself, by kind."""

    kinds: dict[str, dict[str, str]]
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {"kinds": self.kinds}

    def __str__(self) -> str:
        blocks = (
            "\n".join([kind, *(f"  {name:14} {says}" for name, says in plugins.items())])
            for kind, plugins in self.kinds.items()
            if plugins
        )
        return "\n\n".join(blocks)


def list(kind: str | None = None) -> Listing:
    """List the plug-ins of one kind, the encoders that ship (`shipped`), or all.

    Raises:
        RegistryError: no such kind; the nearest is named.
    """
    kinds = (*registry.KINDS, SHIPPED)
    if kind is not None and kind not in kinds:
        raise RegistryError("list", f"knows no '{kind}'", expected=", ".join(kinds), fix=nearest(kind, kinds))
    wanted = kinds if kind is None else (kind,)
    return Listing({each: _shipped() if each == SHIPPED else _plugins(each) for each in wanted})


def _plugins(kind: str) -> dict[str, str]:
    return {name: registry.summary(kind, name) for name in registry.names(kind)}


def _shipped() -> dict[str, str]:
    """What each takes and gives, from its card."""
    found = {}
    for name in shipped.names():
        card = read_json(shipped.folder(name) / "layout.json")
        layout, head = card["layout"], card["head"]
        wants = f"{len(layout['leads'])} leads at {layout['rate']:g} Hz, {layout['seconds']:g} s"
        predicts = f"; predicts {', '.join(head['labels'])}" if head else ""
        found[name] = f"{card['encoder']['name']}, {wants}{predicts}"
    return found
