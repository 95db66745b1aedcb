"""Tables of numbers as text (.csv, .tsv, .txt): a row a sample, a column a lead.

With a heading or without, separated by ; tab , or blanks. A unit in the heading (`II [uV]`, `lead_II (mV)`) is used;
the rate, and a unit that is not stated, come from the Mapping. Columns of time or counters are no signal, and one
without a heading is asked about; a rate that no unit of a time column agrees with is refused. Empty cells are lost
samples; a column of them only is no lead.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np

from einthoven.core.errors import FormatError, nearest
from einthoven.core.output import replaced_file
from einthoven.core.record import Record
from einthoven.formats._csv_dialect import MISSING, Dialect, dialect_of, refuse_doubtful_commas, text_of
from einthoven.formats._mapping import MOST_VALUES, Mapping, millivolts

_MOST_BYTES = 1 << 30
_HEAD = 1 << 16
_LONGEST_NAME = 200
_MOST_LEADS = 512
_CLOCKED = 200
_TICKS = (1.0, 1e3, 1e6, 1e9, 1 / 60, 1 / 3600, 1 / 86400)
"""What a second is in a column of time: seconds, milliseconds, and so on to minutes, hours and days."""
_UNIT = re.compile(r"^(.*?)\s*[\[(]\s*([^\])]*?)\s*[\])]\s*$")
_NO_VOLTAGE = re.compile(r"^(bpm|%|mmhg|m?s|sec(onds?)?|g|°?c|ohm|hz|nu|l/min|/min)$", re.IGNORECASE)
_CLOCK = re.compile(
    r"^('?elapsed\b.*|time.*|t|date.*|seconds?|secs?|ms|millis.*|samples?\W*(no|nr|number|index|idx)?\W*|index|idx|"
    r"row|nr|no|n|#|counter|unnamed: 0)$",
    re.IGNORECASE,
)
_FACTS = re.compile(
    r"^(file(name.*)?|path|id|subject|patient.*|ecg_id|record(ing)?|sex|age|dx|(label|value|category|outcome):.*)$",
    re.I,
)


class Csv:
    """Delimited text. Writes a heading with units and one column a lead, in millivolts."""

    suffixes = (".csv", ".tsv", ".txt")

    def sniff(self, path: Path, head: bytes) -> bool:
        """Whether at least half of the columns hold numbers and the heading is not that of a table about recordings.

        A `.csv` or `.tsv` without a column of numbers is taken too: it is a damaged one.
        """
        named = path.suffix.lower() in (".csv", ".tsv")
        try:
            text = text_of(head, path)
        except FormatError:
            return named
        if len(head) > 1 << 10 and "\n" in text:  # the last line may be cut
            text = text[: text.rindex("\n")]
        dialect = dialect_of(text)
        if dialect is None:
            return named and not _is_about_recordings(text)
        return not _is_about_recordings(text) and 2 * len(dialect.numeric) >= dialect.columns

    def read(self, path: Path, mapping: Mapping) -> Record:
        """The signal columns as leads.

        Raises:
            FormatError: no table of numbers (`encoding`, `empty`, `table`), a cell is no number (`damaged`), a row is
                short (`truncated`), the signal cannot be told (`column`, `decimal`), too large (`size`), or rate, unit
                or lead are not stated or contradicted (`rate`, `unit`, `lead`, `contradiction`).
        """
        data = _load(path)
        text = text_of(data[:_HEAD], path)
        dialect = dialect_of(text if len(data) <= _HEAD else text[: text.rfind("\n")])
        if dialect is None:
            raise FormatError(
                path, "holds no column of numbers", expected="a row a sample, a column a lead",
                got="other text" if data.strip() else "an empty file",  # not which: it may be about a person
                fix="delete what is not the signal; a table about recordings: prepare folder --table",
                reason="table" if data.strip() else "empty",
            )  # fmt: skip
        refuse_doubtful_commas(dialect, text, path)
        if dialect.heading and len(dialect.heading) != dialect.columns:
            raise FormatError(
                path, "heading and rows differ", expected=f"{len(dialect.heading)} cells a row", got=dialect.columns,
                fix="decimal commas need ; or tab as separator", reason="table",
            )  # fmt: skip
        _refuse_rows(dialect, data.count(b"\n"), path)
        names, stated = _names(dialect)
        columns = _chosen(dialect, names, stated, mapping, path)
        table_TC = _numbers(data, dialect, columns, path)
        if mapping.column is None:
            keep = [i for i in range(len(columns)) if not np.isnan(table_TC[:, i]).all()]
            columns, table_TC = [columns[i] for i in keep], table_TC[:, keep]
            _refuse_clock(table_TC, dialect, columns, path)
        take, leads = mapping.leads_of([names[i] for i in columns], path)
        scale = [mapping.millivolts_of(stated[columns[i]], path, f"column {columns[i] + 1}") for i in take]
        signal_LT = table_TC.T[take] * np.array(scale)[:, None]
        rate = mapping.rate_of(None, path)
        _refuse_other_rate(text, dialect, names, rate, path)
        return Record(path.stem, leads, signal_LT, rate)

    def describe(self, path: Path) -> str:
        """Separator, decimal mark and heading."""
        data = _load(path)
        dialect = dialect_of(text_of(data[:_HEAD], path))
        if dialect is None:
            return "no table of numbers"
        separator = {" ": "blanks", "\t": "tabs", "\n": "line ends", ",": "commas", ";": "semicolons"}.get(
            dialect.separator, dialect.separator
        )
        mark = ", decimal commas" if dialect.decimal_comma else ""
        heading = f"heading {', '.join(dialect.heading)}" if dialect.heading else "no heading"
        return f"{dialect.columns} columns separated by {separator}{mark}, {heading[:120]}"

    def write(self, record: Record, path: Path) -> list[Path]:
        """Write `path`; raises OutputError when it cannot be written."""
        import polars as pl

        path = path if path.suffix.lower() in self.suffixes else path.with_suffix(".csv")
        frame = pl.DataFrame({f"{lead} [mV]": row for lead, row in zip(record.leads, record.signal, strict=True)})
        with replaced_file(path) as scratch:
            frame.fill_nan(None).write_csv(scratch, separator="\t" if path.suffix.lower() == ".tsv" else ",")
        return [path]


def _load(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise FormatError(
                path, "is too large for a table of text", expected=f"at most {_MOST_BYTES >> 20} MiB",
                got=f"{size >> 20} MiB", fix="convert it to WFDB or .npy", reason="size",
            )  # fmt: skip
        data = path.read_bytes()
    except OSError as error:
        raise FormatError(
            path, "cannot be read", got=error.strerror or error, fix="check the path", reason="missing"
        ) from error
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").removeprefix(b"\xef\xbb\xbf")


def _is_about_recordings(text: str) -> bool:
    """Whether the heading has columns such as file, subject, age: a table of facts, not a signal."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return any(_FACTS.match(cell.strip(" \"'")) for cell in re.split(r"[;,\t]", first))


def _refuse_rows(dialect: Dialect, rows: int, path: Path) -> None:
    """A file with a row a lead has thousands of columns."""
    if dialect.columns > _MOST_LEADS and dialect.columns > rows:
        raise FormatError(
            path, "has more columns than rows", expected="a row a sample, a column a lead",
            got=f"{rows} rows of about {dialect.columns} cells", fix="transpose it", reason="table",
        )  # fmt: skip


def _names(dialect: Dialect) -> tuple[list[str], list[float | None]]:
    """Names of the columns without their units, and the millivolts that 1 stands for (0: no voltage, None: unsaid)."""
    names: list[str] = []
    stated: list[float | None] = []
    for cell in dialect.heading or [""] * dialect.columns:
        cell = cell[:_LONGEST_NAME]
        match = _UNIT.match(cell)
        scale = millivolts(match[2]) if match else None
        other = match is not None and scale is None and _NO_VOLTAGE.match(match[2]) is not None
        names.append(match[1] if match and (scale or other) else cell)
        stated.append(0.0 if other or _CLOCK.match(names[-1] or " ") else scale)
    return names, stated


def _chosen(dialect: Dialect, names: list[str], stated: list[float | None], mapping: Mapping, path: Path) -> list[int]:
    """Positions of the signal columns: those asked for, or all that are neither clock nor of another unit."""
    if mapping.column is None:
        columns = [i for i in range(dialect.columns) if stated[i] != 0]
        if not columns:
            raise FormatError(
                path, "holds no column of a signal", expected="a lead or a voltage", got=", ".join(names),
                fix="name it, for example --column 2", reason="column",
            )  # fmt: skip
        return columns
    heading = list(dialect.heading or ())
    parts = [mapping.column] if mapping.column in heading else [part.strip() for part in mapping.column.split(",")]
    columns = []
    for part in parts:
        if part in heading:
            columns.append(heading.index(part))
        elif part in names and part:
            columns.append(names.index(part))
        elif part.isascii() and part.isdigit() and 1 <= int(part) <= dialect.columns:
            columns.append(int(part) - 1)
        else:
            raise FormatError(
                path, f"no column '{part}'", expected=f"a heading or a number from 1 to {dialect.columns}",
                fix=nearest(part, names) if heading else "", reason="column",
            )  # fmt: skip
        if stated[columns[-1]] == 0:
            raise FormatError(
                path, f"column '{part}' is no voltage", expected="a lead", got=heading[columns[-1]],
                fix="choose another column", reason="column",
            )  # fmt: skip
    return columns


def _numbers(data: bytes, dialect: Dialect, columns: list[int], path: Path) -> np.ndarray:
    """The chosen columns, (T, C) float64, NaN where a cell is empty."""
    import polars as pl

    body = b"\n".join(data.rstrip().split(b"\n", dialect.skip)[dialect.skip :])
    body = body.replace(b'"', b"")  # numbers need no quotes, and polars 2.1 panics on stray ones
    if dialect.separator == " ":
        body = re.sub(rb"[ \t]*\n[ \t]*", b"\n", re.sub(rb"[ \t]+", b" ", body.strip()))
    rows = body.count(b"\n") + 1
    if rows * dialect.columns > MOST_VALUES:
        raise FormatError(
            path, "holds too many samples", expected=f"at most {MOST_VALUES}", got=rows * dialect.columns,
            fix="cut the recording into parts", reason="size",
        )  # fmt: skip
    if dialect.columns > 1 and body.count(dialect.separator.encode()) != rows * (dialect.columns - 1):
        raise _culprit(body, dialect, columns, path)  # polars would fill short rows up
    separator = dialect.separator if dialect.columns > 1 else ";"
    if separator != " ":
        body = body.replace(b" ", b"")
    try:
        frame = pl.read_csv(
            io.BytesIO(body), has_header=False, separator=separator, decimal_comma=dialect.decimal_comma,
            quote_char=None, columns=columns, null_values=list(MISSING[1:]),
            schema={f"{i}": pl.Float64 for i in range(dialect.columns)},
        )  # fmt: skip
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise _culprit(body, dialect, columns, path) from error
    if frame.height != rows:
        raise _culprit(body, dialect, columns, path)
    # by name, because older polars gives the columns in the file's order whatever was asked for
    return frame.select(pl.col(f"{i}").fill_null(np.nan) for i in columns).to_numpy()


def _culprit(body: bytes, dialect: Dialect, columns: list[int], path: Path) -> FormatError:
    """The first row or cell that cannot be read, found the slow way."""
    lines = body.decode("utf-8", "replace").split("\n")
    for number, line in enumerate(lines, dialect.skip + 1):
        cells = dialect.cells(line) if line else []
        if len(cells) != dialect.columns:
            last = number == len(lines) + dialect.skip
            return FormatError(
                path, f"row {number} is {'cut short' if last else 'of another length'}",
                expected=f"{dialect.columns} cells", got=len(cells), reason="truncated" if last else "damaged",
                fix="copy the file again" if last else "mend or delete the row",
            )  # fmt: skip
        for i in columns:
            if not dialect.is_number(cells[i]):
                name = dialect.heading[i] if dialect.heading else str(i + 1)
                return FormatError(
                    path, f"row {number}, column '{name}' is no number", expected="a number", got=cells[i][:40],
                    fix="choose the signal with --column", reason="damaged",
                )  # fmt: skip
    return FormatError(
        path, "cannot be read as a table", expected="a number in each cell",
        fix="write it without quotes", reason="damaged",
    )  # fmt: skip


def _refuse_clock(table_TC: np.ndarray, dialect: Dialect, columns: list[int], path: Path) -> None:
    """A column that only counts up is a time or a sample number; whether it is, and in what, is asked, not guessed."""
    for i, column in enumerate(columns):
        if len(table_TC) > 10 and (np.diff(table_TC[:, i]) > 0).all():
            signal = ",".join(str(other + 1) for other in range(dialect.columns) if other != column)
            raise FormatError(
                path, f"column {column + 1} only counts up, as a time or a sample number does",
                expected="columns of a signal", fix=f"choose them, for example --column {signal}", reason="column",
            )  # fmt: skip


def _refuse_other_rate(text: str, dialect: Dialect, names: list[str], rate: float, path: Path) -> None:
    """A time column whose steps fit the rate in no unit: one of the two is wrong. Steps of 1 may count samples."""
    lines = [line for line in text.splitlines()[dialect.skip :] if line.strip()][:-1][:_CLOCKED]  # the last may be cut
    rows = [cells for line in lines if len(cells := dialect.cells(line)) == dialect.columns]
    for i in dialect.numeric:
        if not _CLOCK.match(names[i] or " "):
            continue
        cells = [row[i].replace(",", ".") for row in rows if row[i] not in MISSING]
        time = np.array([float(cell) for cell in cells if re.fullmatch(r"[-+.0-9eE]+", cell)])
        steps = np.diff(time)
        if len(steps) < 10 or not (steps > 0).all() or not np.isfinite(steps).all():
            continue
        found = (float(np.median(steps)), float(steps.mean()))
        if found == (1.0, 1.0) or any(abs(tick / step / rate - 1) < 0.1 for tick in _TICKS for step in found):
            continue
        meant = [f", {tick / found[0]:g} Hz" for tick in _TICKS[:3] if 20 <= tick / found[0] <= 20_000]
        raise FormatError(
            path, f"column '{dialect.heading[i] if dialect.heading else i + 1}' goes at another rate",
            expected=f"{rate:g} Hz as asked for", got=f"steps of {found[0]:g}{''.join(meant[:1])}",
            fix="correct --rate; where the column is no time, give it another heading", reason="contradiction",
        )  # fmt: skip
