"""Keep the links of the pages at the lines they mean: `[Loader.batch](../src/einthoven/data/loader.py#L87)`.

The text of a link is the name of a function or class; its line is looked up in the file. `python docs/lines.py`
rewrites the pages, and a test fails while any link is behind.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
LINK = re.compile(r"\[`([\w.]+)`\]\((\.\./src/[\w/]+\.py)(?:#L\d+)?\)")


def refreshed(text: str) -> str:
    """The text with every link at its line; a name that is not there raises LookupError."""
    return LINK.sub(lambda match: f"[`{match[1]}`]({match[2]}#L{line(HERE / match[2], match[1])})", text)


def line(path: Path, name: str) -> int:
    """Line of `function`, `Class` or `Class.method` in a file."""
    scope: list[ast.stmt] = ast.parse(path.read_text(encoding="utf-8")).body
    found: ast.stmt | None = None
    for part in name.split("."):
        kinds = (ast.FunctionDef, ast.ClassDef)
        found = next((node for node in scope if isinstance(node, kinds) and node.name == part), None)
        if found is None:
            raise LookupError(f"{path}: no '{part}' of {name}")
        scope = found.body  # type: ignore[attr-defined]
    assert found is not None
    return found.lineno


if __name__ == "__main__":
    for page in sorted(HERE.glob("**/*.md")):
        page.write_text(refreshed(page.read_text(encoding="utf-8")), encoding="utf-8")
