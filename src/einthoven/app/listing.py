"""`list`: the plug-ins by kind, ours and those of other packages, without importing any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from einthoven.core import registry


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
        )
        return "\n\n".join(blocks)


def list(kind: str | None = None) -> Listing:
    """List the plug-ins of one kind, or of all.

    Raises:
        RegistryError: no such kind; the nearest is named.
    """
    kinds = registry.KINDS if kind is None else (kind,)
    return Listing({each: {name: registry.summary(each, name) for name in registry.names(each)} for each in kinds})
