"""`plot`: draw one recording on ECG paper, in true millimetres, as SVG, PNG or PDF."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from einthoven.core.errors import OutputError, nearest
from einthoven.core.output import replaced_file

if TYPE_CHECKING:
    from einthoven.report.paper import Format

SUFFIXES = (".svg", ".png", ".pdf")


@dataclass(frozen=True)
class Plot:
    """What was drawn: the file written, its size in millimetres, the leads on it, and what it leaves out or adds."""

    out: str
    format: str
    width_mm: float
    height_mm: float
    leads: tuple[str, ...]
    notes: tuple[str, ...]
    exit_code: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if key != "exit_code"}

    def __str__(self) -> str:
        said = "".join(f"\n  {note}" for note in self.notes)
        return f"{self.out}: {self.format}, {self.width_mm:g} x {self.height_mm:g} mm, {' '.join(self.leads)}{said}"


def plot(
    file: str | Path,
    *,
    out: str | Path,
    format: Format = "auto",
    speed: float = 25.0,
    gain: float = 10.0,
    rate: float | None = None,
    unit: str | None = None,
    lead: str | None = None,
    column: str | None = None,
) -> Plot:
    """Draw a recording.

    Args:
        file: a recording of any readable format.
        out: where to; the suffix says what: .svg, .png or .pdf.
        format: `3x4` with a rhythm strip, `all` leads one below the other, `auto` for the one that fits the leads.
        speed: mm/s. gain: mm/mV.
        rate, unit, lead, column: what the file does not state itself; a `lead` of a file with several is drawn alone.

    Raises:
        OutputError: another suffix, or a place that cannot be written.
        FormatError, RecordError, LayoutError: the recording cannot be read or not drawn so.
        ExtraError: PNG and PDF need the extra [plot].
    """
    from einthoven import formats
    from einthoven.report import canvas, paper, svg

    file, out = Path(file), Path(out)
    suffix = out.suffix.lower()
    if suffix not in SUFFIXES:
        raise OutputError(
            out, "a drawing of this kind is not made", expected=" ".join(SUFFIXES), got=suffix or "no suffix",
            fix=nearest(suffix, SUFFIXES), reason="suffix",
        )  # fmt: skip
    formats.refuse_overwriting(file, out)
    record = formats.read(file, formats.Mapping(rate=rate, unit=unit, lead=lead, column=column))
    sheet = paper.lay(record, file.name, format=format, speed=speed, gain=gain)
    content = svg.write(sheet).encode() if suffix == ".svg" else canvas.write(sheet, suffix)
    with replaced_file(out) as scratch:
        scratch.write_bytes(content)
    leads = tuple(dict.fromkeys(strip.lead for strip in sheet.strips if strip.status != "missing"))
    return Plot(str(out), sheet.format, sheet.width, sheet.height, leads, sheet.notes)
