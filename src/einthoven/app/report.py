"""`report`: evaluation folders as one HTML page that needs nothing else, or their main figures as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from einthoven.core.output import replaced_file


@dataclass(frozen=True)
class Report:
    """The page written, and how much is on it."""

    out: str
    tasks: tuple[str, ...]
    arms: tuple[str, ...]
    figures: int
    absent: tuple[str, ...]
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {
            "out": self.out, "tasks": list(self.tasks), "arms": list(self.arms), "figures": self.figures,
            "absent": list(self.absent),
        }  # fmt: skip

    def __str__(self) -> str:
        lines = [f"{self.out}: {len(self.arms)} arms on {', '.join(self.tasks)}, {self.figures} figures"]
        return "\n  ".join([*lines, *self.absent])


def report(folders: str | Path | Sequence[str | Path], *, out: str | Path) -> Report:
    """Write the page.

    Args:
        folders: what `evaluate --out` wrote, one folder or several; they are put side by side.
        out: the HTML file, or `.md` for the main tables alone.

    Raises:
        TaskError: a folder holds no evaluation, or one of another schema version.
        OutputError: the page cannot be written.
    """
    from einthoven.report import markdown, page, results

    several = [folders] if isinstance(folders, str | Path) else list(folders)
    found = results.read([Path(folder) for folder in several])
    text = markdown.build(found) if Path(out).suffix == ".md" else page.build(found)
    with replaced_file(out) as scratch:
        scratch.write_text(text, encoding="utf-8")
    tasks = tuple(dict.fromkeys(setting.task for setting in found.settings))
    return Report(str(out), tasks, tuple(found.roles()), len(found.scores), found.absent)
