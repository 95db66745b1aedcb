"""What einthoven says when an input is wrong: one line, one class a noun.

Every message has the same order: where, what, expected, got, what to do. `reason` is a short word for tables of
refused files (`truncated`, `unit`, `range`, ...). An exception that is none of these is a bug: exit code 70.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

DONE, FOUND, WRONG, INTERRUPTED, BUG = 0, 1, 2, 3, 70
"""Exit codes: done; a check found something; input or settings are wrong; interrupted and resumable; a bug."""

EXTRAS = {
    "torch": "train", "lightning_fabric": "train", "sklearn": "train", "wfdb": "formats", "matplotlib": "plot",
    "onnx": "export", "onnxscript": "export",
}  # fmt: skip
"""Which extra brings a module that the core does without."""


class EinthovenError(Exception):
    """An input or a setting that cannot be used, said in one line."""

    exit_code = WRONG

    def __init__(
        self, where: Any, what: str, *, expected: Any = "", got: Any = "", fix: str = "", reason: str = "invalid"
    ) -> None:
        self.where, self.what, self.expected, self.got, self.fix = (
            _line(where), _line(what), _line(expected), _line(got), _line(fix),
        )  # fmt: skip
        self.reason = reason
        super().__init__(str(self))

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        if self.expected:
            text += f", expected {self.expected}"
        if self.got:
            text += f", got {self.got}"
        return f"{text}; {self.fix}" if self.fix else text

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), dict(self.__dict__)))

    def to_dict(self) -> dict[str, str]:
        """The same as fields, for `--json` and for `refused.parquet`."""
        return {
            "error": type(self).__name__,
            **{field: getattr(self, field) for field in ("reason", "where", "what", "expected", "got", "fix")},
        }


class RecordError(EinthovenError, ValueError):
    """A recording breaks a rule of `Record`."""


class LeadError(EinthovenError, ValueError):
    """A lead name is unknown, doubled or missing."""


class FormatError(EinthovenError, ValueError):
    """A file cannot be read: damaged, of an unknown kind, or it does not state what we need."""


class SourceError(EinthovenError, ValueError):
    """A data set is not in its published layout."""


class CohortError(EinthovenError, ValueError):
    """A cohort is damaged, of another schema version, or lacks a fact."""


class LayoutError(EinthovenError, ValueError):
    """A recording cannot be brought into the layout that a model wants."""


class RecipeError(EinthovenError, ValueError):
    """A recipe or a setting has an unknown key, a wrong type or a value out of range."""


class RegistryError(EinthovenError, LookupError):
    """There is no plug-in of that name, or there are two."""


class CheckpointError(EinthovenError, ValueError):
    """A checkpoint is damaged, of another schema version, or not what its card says."""


class TrainingError(EinthovenError, ArithmeticError):
    """Training cannot go on: the loss or the gradient is no number."""


class TaskError(EinthovenError, ValueError):
    """A task, split or probe cannot be evaluated on this cohort."""


class OutputError(EinthovenError, OSError):
    """A result cannot be written: no such folder, no permission, disk full."""


class ExtraError(EinthovenError, ImportError):
    """The verb needs an optional part of the installation."""

    @classmethod
    def of(cls, verb: str, extra: str) -> ExtraError:
        """The one command that brings the extra which `verb` lacks."""
        return cls(verb, f"needs the extra [{extra}]", fix=f"pip install 'einthoven[{extra}]'", reason="extra")

    @classmethod
    def behind(cls, verb: str, error: ImportError) -> ExtraError | None:
        """The same for a module that was not found, or None where no extra of ours brings that module."""
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        return cls.of(verb, extra) if extra else None


class Interrupted(EinthovenError):
    """Stopped by the user at a point from which the same command goes on."""

    exit_code = INTERRUPTED


def nearest(wrong: str, known: Iterable[str]) -> str:
    """`did you mean resnet?`, or the list of what there is when nothing is near."""
    names = sorted(known)
    close = difflib.get_close_matches(wrong, names, n=1, cutoff=0.5) or difflib.get_close_matches(
        wrong.lower(), [name.lower() for name in names], n=1, cutoff=0.4
    )
    if close:
        found = next(name for name in names if name.lower() == close[0].lower())
        return f"did you mean {found}?"
    return f"there are: {', '.join(names) or 'none'}"


def _line(text: Any) -> str:
    return " ".join(str(text).split())


def _rebuild(cls: type[EinthovenError], state: dict[str, str]) -> EinthovenError:
    error = cls.__new__(cls)
    error.__dict__.update(state)
    Exception.__init__(error, str(error))
    return error
