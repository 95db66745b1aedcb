"""Markup in which a stranger's text cannot become markup: `tag` escapes every child and attribute that is not Html."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TypeAlias

_VOID = {"br", "col", "hr", "meta"}

Child: TypeAlias = "str | int | Iterable[Child] | None"
"""What a tag may hold: text (escaped), Html (as it is), nothing, or several of these."""


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def tag(name: str, /, *children: Child, **attributes: str | int | float | None) -> Html:
    """One element. `class_` and `stroke_width` become `class` and `stroke-width`; None leaves an attribute out.

    >>> tag("td", "5 < 6", class_="number")
    '<td class="number">5 &lt; 6</td>'
    """
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_number(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{said}>" if name in _VOID else f"<{name}{said}>{join(*children)}</{name}>")


def join(*children: Child) -> Html:
    """Several children one after the other."""
    parts = []
    for child in children:
        if isinstance(child, Html):
            parts.append(child)
        elif isinstance(child, str | int):
            parts.append(escape(str(child), quote=False))
        elif child is not None:
            parts.append(join(*child))
    return Html("".join(parts))


def _number(value: str | int | float) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
