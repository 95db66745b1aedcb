"""`audit`: what is odd about a cohort, and whether a person or a recording stands on both sides of a split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from einthoven.core.errors import DONE, FOUND
from einthoven.core.output import replaced_file

if TYPE_CHECKING:
    from einthoven.cohort.audit import Audit

_SHOWN = 5


@dataclass(frozen=True, eq=False)
class Audited:
    """`audit`: all that was found. `out`: the page, if one was asked for."""

    path: str
    audit: Audit
    out: str | None

    @property
    def exit_code(self) -> int:
        """1 where something leaks or is damaged."""
        return FOUND if self.audit.leaks or self.audit.damaged else DONE

    def to_dict(self) -> dict[str, Any]:
        return {"path": self.path, "out": self.out, **self.audit.to_dict()}

    def __str__(self) -> str:
        counts = self.audit.card["counts"]
        lines = [f"{self.path}: {counts['records']:,} recordings of {counts['subjects']:,} subjects"]
        for finding in self.audit.findings:
            some = ", ".join(finding.keys[:_SHOWN]) + (", ..." if finding.count > _SHOWN and finding.keys else "")
            lines.append(f"  {finding.kind:<8}{finding.count:>6,}  {finding.what}{some and ': '}{some}")
        if self.audit.giveaways is None:
            lines.append("  whether metadata alone tell the labels needs: pip install 'einthoven[train]'")
        if self.exit_code == DONE:
            lines.append("no leak: no person and no recording is on both sides of a split")
        return "\n".join(lines + ([f"page: {self.out}"] if self.out else []))


def audit(cohort: str | Path, *, out: str | Path | None = None) -> Audited:
    """Examine a cohort.

    Args:
        cohort: its folder.
        out: an HTML page that needs nothing else.

    Returns:
        The findings; exit code 1 if a person is in two parts of a split, if identical recordings are under different
        persons or in different parts, or if samples are damaged.

    Raises:
        CohortError: no cohort, or a damaged one.
        OutputError: the page cannot be written.
    """
    from einthoven.app import audit_page
    from einthoven.cohort.audit import audit as examine
    from einthoven.cohort.store import Cohort

    found = examine(Cohort.open(cohort))
    if out is not None:
        with replaced_file(out) as scratch:
            scratch.write_text(audit_page.build(Path(cohort).name, found), encoding="utf-8")
    return Audited(str(cohort), found, None if out is None else str(out))
