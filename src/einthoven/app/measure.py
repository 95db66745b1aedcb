"""`measure`: beats, waves, intervals, amplitudes and quality of a file, a folder or a cohort."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from einthoven import formats
from einthoven.core.errors import DONE, EinthovenError, FormatError, OutputError, RecipeError, nearest
from einthoven.core.output import replaced_file
from einthoven.core.record import Record
from einthoven.formats import Mapping
from einthoven.signal._order import median_known, quantiles_known

if TYPE_CHECKING:
    import polars as pl

    from einthoven.cohort.store import Cohort
    from einthoven.signal.analysis import Analysis

_SHOWN = 20
_SWING_MV = 1.5
"""A recording without unit is brought to this size, so that it can be looked at; its amplitudes are withheld."""


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured. analysis: of the one recording, None for a folder or cohort. frame: a row a recording.

    refused: file, reason, message. out, beside, plot: what was written.
    """

    path: str
    frame: pl.DataFrame
    refused: list[dict[str, str]]
    engine: str
    analysis: Analysis | None = None
    stated: dict[str, tuple[str, ...]] | None = None
    out: Path | None = None
    beside: Path | None = None
    plot: Path | None = None
    exit_code: int = DONE

    def to_dict(self) -> dict[str, Any]:
        from einthoven.app import _measured

        return _measured.listed(self.to_stream())

    def to_stream(self) -> dict[str, Any]:
        """The same with iterators for what grows with the recording: beats, and waves of each lead."""
        from einthoven.app import _measured

        if self.analysis is not None:
            return _measured.document(Path(self.path).name, self.analysis) | {"ranges": self.stated or {}}
        return {"path": self.path, "engine": self.engine, "rows": self.frame.to_dicts(), "refused": self.refused}

    def __str__(self) -> str:
        from einthoven.app import _measured, inference

        if self.analysis is not None:
            found = self.analysis
            seconds = found.samples / found.rate
            head = f"{self.path}: {' '.join(found.leads)}, {seconds:g} s at {found.rate:g} Hz; {_measured.brief(found)}"
            lines = [head, *_measured.lines(found, self.stated or {})]
            lines += [f"written: {self.out}"] if self.out else []
        else:
            lines = [
                f"{row['file']}  " + "  ".join(_cell(row, name) for name in ("hr", "pr", "qrs", "qt", "axis_qrs"))
                + f"  {row['verdict']}"
                for row in self.frame.head(_SHOWN).to_dicts()
            ]  # fmt: skip
            if len(self.frame) > _SHOWN:
                lines.append(f"and {len(self.frame) - _SHOWN} more" + ("" if self.out else "; --out T.parquet has all"))
            lines += inference.closing(len(self.frame), self.refused, self.out, self.beside)
        return "\n".join(lines + ([f"drawn: {self.plot}"] if self.plot else []))


def measure(
    path: str | Path,
    *,
    out: str | Path | None = None,
    plot: str | Path | None = None,
    strict: bool = False,
    rate: float | None = None,
    unit: str | None = None,
    lead: str | None = None,
    column: str | None = None,
) -> Measured:
    """Measure recordings. Nothing leaves the machine and nothing is guessed: what is not measured has a reason.

    Args:
        path: a recording of any length, a folder or a cohort.
        out: `.parquet` or `.csv`, a row a recording; refusals go beside it.
        plot: `.svg`, `.png` or `.pdf`: the recording on paper with its waves; for one recording.
        strict: exit code 1 when a recording was refused.
        rate, unit, lead, column: what the files do not state. Without a unit amplitudes are withheld.

    Raises:
        EinthovenError: the path is one recording that cannot be read, or holds none.
    """
    from einthoven.app import _measured, inference
    from einthoven.cohort.store import Cohort
    from einthoven.signal import waves
    from einthoven.signal.analysis import analyse

    path = Path(path)
    inference.refuse_table(path, out)
    one = not path.is_dir()
    if plot is not None:
        _refuse_plot(plot, one)
    mapping = Mapping(rate=rate, unit=unit, lead=lead, column=column)
    table = _measured.Table()
    refused: list[tuple[str, EinthovenError]] = []
    record: Record | None = None
    analysis: Analysis | None = None
    if (path / "card.json").is_file():
        stream = _of_cohort(Cohort.open(path))
    elif one:
        stream = iter([(path.name, *_read(path, mapping))])
    else:
        stream = _of_folder(path, replace(mapping, strict=False))
    for name, found, units in stream:
        if isinstance(found, EinthovenError):
            refused.append((name, found))
            continue
        analysis = analyse(found, units=units)
        record = found if one else None
        table.add(_measured.row(name, found.key, analysis))
    if one and refused:
        raise refused[0][1]
    frame = table.frame()
    beside = inference.write_table(frame, refused, out) if out else None
    if one and record is not None and analysis is not None and plot is not None:
        _draw(record, path.name, analysis, Path(plot))
    stated = _stated(record, analysis) if one and record is not None and analysis is not None else None
    plain = inference.plain(refused)
    return Measured(
        str(path), frame, plain, waves.ENGINE, analysis if one else None, stated,
        Path(out) if out else None, beside, Path(plot) if plot else None, inference.code(frame, plain, strict),
    )  # fmt: skip


def _of_folder(folder: Path, mapping: Mapping) -> Iterator[tuple[str, Record | EinthovenError, bool]]:
    files = formats.find(folder)
    if not files:
        raise FormatError(
            folder, "holds no recording", expected="files of a known format", reason="empty",
            fix=f"einthoven check {folder}",
        )  # fmt: skip
    for file in files:
        yield file.relative_to(folder).as_posix(), *_read(file, mapping)


def _of_cohort(cohort: Cohort) -> Iterator[tuple[str, Record | EinthovenError, bool]]:
    from einthoven.cohort.derive import bare

    for row in range(len(cohort)):
        record = bare(cohort, row)
        yield record.key, record, True


def _read(file: Path, mapping: Mapping) -> tuple[Record | EinthovenError, bool]:
    """The recording and whether its unit is known; numbers without unit are brought to a usual size."""
    try:
        return formats.read(file, mapping), True
    except EinthovenError as error:
        if error.reason != "unit" or mapping.unit is not None:
            return error, True
        first = error
    for scale in ("1000/mV", "1000000/mV", "1000000000/mV"):
        try:
            record = formats.read(file, replace(mapping, unit=scale))
        except EinthovenError as error:
            if error.reason == "range":
                continue
            return error, True
        low, high = quantiles_known(record.signal, (0.005, 0.995), axis=1)[0]
        swing = median_known(high - low, 0)
        factor = np.float32(_SWING_MV / swing) if swing > 0 else np.float32(1)
        usual = np.clip(record.signal * factor, -32, 32)
        return Record(record.key, record.leads, usual, record.rate, record.subject, record.facts), False
    return first, True


def _refuse_plot(plot: str | Path, one: bool) -> None:
    from einthoven.app.plot import SUFFIXES

    suffix = Path(plot).suffix.lower()
    if not one:
        raise RecipeError("measure", "--plot draws one recording", got="a folder", fix="name a file", reason="plot")
    if suffix not in SUFFIXES:
        raise OutputError(
            plot, "a drawing of this kind is not made", expected=" ".join(SUFFIXES), got=suffix or "no suffix",
            fix=nearest(suffix, SUFFIXES), reason="suffix",
        )  # fmt: skip


def _draw(record: Record, name: str, analysis: Analysis, place: Path) -> None:
    from einthoven.app import _measured
    from einthoven.report import canvas, marked, paper, svg

    speed = 25.0
    sheet = paper.lay(record, name, speed=speed)
    sheet = marked.mark(sheet, analysis.found, analysis.leads, analysis.rate, speed, _measured.brief(analysis))
    suffix = place.suffix.lower()
    content = svg.write(sheet).encode() if suffix == ".svg" else canvas.write(sheet, suffix)
    with replaced_file(place) as scratch:
        scratch.write_bytes(content)


def _stated(record: Record, analysis: Analysis) -> dict[str, tuple[str, ...]]:
    """Where values stand among healthy people, by age and sex where the file tells them."""
    from einthoven.signal.ranges import place

    values = {fact.name: fact.value for fact in record.facts if hasattr(fact, "value")}  # type: ignore[union-attr]
    age, sex = values.get("age"), values.get("sex")
    return place(analysis.measurements, age if isinstance(age, float) else None, sex if isinstance(sex, str) else None)


def _cell(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    word = {"axis_qrs": "axis"}.get(name, name)
    return f"{word} {value:.0f}" if isinstance(value, float) else f"{word} –"
