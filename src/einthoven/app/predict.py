"""`predict`: named probabilities (or values) for each recording of a file, a folder or a cohort."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from einthoven.app import inference
from einthoven.app.models import Labels
from einthoven.core.errors import DONE, CheckpointError
from einthoven.formats import Mapping

if TYPE_CHECKING:
    import polars as pl

NOTICE = "research output, not a diagnosis"


@dataclass(frozen=True, eq=False)
class Prediction:
    """`frame`: a row a recording; `labels`: name, kind (probability or value), unit and threshold of each column."""

    frame: pl.DataFrame
    labels: list[dict[str, Any]]
    refused: list[dict[str, str]]
    model: str
    out: Path | None = None
    beside: Path | None = None
    exit_code: int = DONE

    def to_dict(self) -> dict[str, Any]:
        about = {"model": self.model, "notice": NOTICE, "labels": self.labels}
        return about | {"rows": self.frame.to_dicts(), "refused": self.refused}

    def __str__(self) -> str:
        lines = [f"{NOTICE}; model {self.model}"]
        if self.out is None:
            for row in self.frame.head(20).to_dicts():
                lines.append(f"{row['file']}  ({inference.shape(row)})")
                lines += inference.doubts(row)
                lines += [f"  {_say(label, row)}" for label in self.labels]
        of_them = inference.counted(self.frame, self.out)
        return "\n".join(lines + inference.closing(len(self.frame), self.refused, self.out, self.beside, of_them))


def _say(label: dict[str, Any], row: dict[str, Any]) -> str:
    number = f"{label['label']:12} {row[label['column']]:8.3f} {label['unit']}".rstrip()
    if label["threshold"] is None:
        return number
    if row["missing"]:
        return f"{number}  its threshold {label['threshold']:.3f} was set with all leads"
    return (
        f"{number}  {'above' if row['positive:' + label['label']] else 'below'} its threshold {label['threshold']:.3f}"
    )


def predict(
    path: str | Path,
    *,
    checkpoint: str | Path | None = None,
    out: str | Path | None = None,
    strict: bool = False,
    rate: float | None = None,
    unit: str | None = None,
    lead: str | None = None,
    column: str | None = None,
) -> Prediction:
    """Predict with a checkpoint that has a head: shipped (the one that ships, without a word), supervised, or of
    `evaluate --save`.

    Columns: `probability:NAME` and, where a threshold was fitted on validation, `positive:NAME` (empty where a lead of
    the layout is missing, since it was fitted with all; under half of them a recording is refused); `class` for
    exclusive sets; `value:NAME [unit]` for numbers. Before them stand what was done to the recording, and its quality
    (`verdict` good, usable or poor, `causes`, suspected `reversal` of cables): to noise too a network has an answer.

    Raises:
        CheckpointError: the checkpoint has no head.
        EinthovenError: the path is one recording that cannot be used, or holds none.
    """
    import polars as pl

    inference.refuse_table(path, out)
    model = inference.load(checkpoint, "predict")
    if model.labels is None:
        raise CheckpointError(
            checkpoint, "has no head, so it embeds but does not predict", expected="a checkpoint with labels",
            fix="einthoven evaluate CHECKPOINT COHORT --task T --out DIR --save FOLDER", reason="head",
        )  # fmt: skip
    encoded = inference.encode(path, model, Mapping(rate=rate, unit=unit, lead=lead, column=column), predict=True)
    complete_N = np.array([not row["missing"] for row in encoded.rows], bool)
    labels, columns = _columns(model.labels, model.scores(encoded.pooled_ND), complete_N)
    about = pl.DataFrame(encoded.rows, schema=inference.ROW | inference.QUALITY)
    frame = pl.concat([about, pl.DataFrame(columns)], how="horizontal")
    beside = inference.write_table(frame, encoded.refused, out) if out else None
    refused = inference.plain(encoded.refused)
    code = inference.code(frame, refused, strict)
    return Prediction(frame, labels, refused, model.fingerprint[:16], Path(out) if out else None, beside, code)


def _columns(head: Labels, score_NK: np.ndarray, complete_N: np.ndarray) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Columns of the table, and what each of them means; no threshold holds for a recording that is not complete."""
    labels: list[dict[str, Any]] = []
    columns: dict[str, Any] = {}
    value = head.kind == "value"
    for k, name in enumerate(head.labels):
        column = f"value:{name} [{head.unit}]" if value else f"probability:{name}"
        threshold = head.thresholds[k] if head.thresholds else None
        columns[column] = score_NK[:, k]
        if threshold is not None:
            above_N = score_NK[:, k] >= threshold
            columns[f"positive:{name}"] = [bool(above) if whole else None for above, whole in zip(above_N, complete_N)]
        labels.append(
            {"label": name, "column": column, "kind": "value" if value else "probability", "unit": head.unit,
             "threshold": threshold}
        )  # fmt: skip
    if head.kind in ("exclusive", "one_vs_rest"):
        columns["class"] = [head.labels[k] for k in score_NK.argmax(axis=1)]
    return labels, columns
