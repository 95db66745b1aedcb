"""`embed`: one vector a recording from a file, a folder or a cohort."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from einthoven.app import inference
from einthoven.core.errors import DONE
from einthoven.formats import Mapping

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, eq=False)
class Embedding:
    """`frame`: a row a recording with `e0000` ... the pooled vector; `refused`: file, reason, message."""

    frame: pl.DataFrame
    refused: list[dict[str, str]]
    model: str
    out: Path | None = None
    beside: Path | None = None
    exit_code: int = DONE

    def to_dict(self) -> dict[str, Any]:
        about = {"model": self.model, "pooling": "mean over valid tokens, then over windows"}
        return about | {"rows": self.frame.to_dicts(), "refused": self.refused}

    def __str__(self) -> str:
        width = sum(name.startswith("e0") or name[1:].isdigit() for name in self.frame.columns)
        lines = [f"{width} numbers a recording, mean over valid tokens and windows, from {self.model}"]
        if self.out is None:
            for row in self.frame.head(20).to_dicts():
                first = ", ".join(f"{row[name]:.4f}" for name in self.frame.columns[len(inference.ROW) :][:4])
                lines.append(f"  {row['file']}  {inference.shape(row)}  [{first}, ...]")
                lines += inference.doubts(row)
        of_them = inference.counted(self.frame, self.out)
        return "\n".join(lines + inference.closing(len(self.frame), self.refused, self.out, self.beside, of_them))


def embed(
    path: str | Path,
    *,
    checkpoint: str | Path | None = None,
    out: str | Path | None = None,
    strict: bool = False,
    rate: float | None = None,
    unit: str | None = None,
    lead: str | None = None,
    column: str | None = None,
) -> Embedding:
    """Embed recordings with a checkpoint, in evaluation mode, always with the same result.

    Args:
        path: a recording, a folder or a cohort.
        checkpoint: checkpoint, export or run folder, or the name of a shipped encoder; the one that ships without it.
        out: `.parquet` or `.csv`; refusals go beside it.
        strict: exit code 1 when a recording was refused.
        rate, unit, lead, column: what the files do not state.

    Raises:
        EinthovenError: the path is one recording that cannot be used, or holds none.
    """
    import polars as pl

    inference.refuse_table(path, out)
    model = inference.load(checkpoint, "embed")
    encoded = inference.encode(path, model, Mapping(rate=rate, unit=unit, lead=lead, column=column))
    names = [f"e{i:04d}" for i in range(encoded.pooled_ND.shape[1])]
    numbers = pl.DataFrame(encoded.pooled_ND, schema=dict.fromkeys(names, pl.Float32))
    frame = pl.concat([pl.DataFrame(encoded.rows, schema=inference.ROW), numbers], how="horizontal")
    beside = inference.write_table(frame, encoded.refused, out) if out else None
    refused = inference.plain(encoded.refused)
    code = inference.code(frame, refused, strict)
    return Embedding(frame, refused, model.fingerprint[:16], Path(out) if out else None, beside, code)
