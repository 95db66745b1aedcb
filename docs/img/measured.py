"""Draw the ten marked ECGs of docs/measure.md again: python docs/img/measured.py [DATA]

DATA holds the sets as they were published. Nobody chose the recordings for how well they come out: each is the first by
the SHA-256 of its key among those that have the statement (PTB-XL at 500 Hz).
"""

from __future__ import annotations

import hashlib
import io
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from einthoven.app import _measured
from einthoven.core.facts import Label
from einthoven.core.record import Record
from einthoven.report import canvas, marked, paper
from einthoven.signal.analysis import analyse
from einthoven.sources import Item
from einthoven.sources.challenge2011 import Challenge2011
from einthoven.sources.cinc2017 import Cinc2017
from einthoven.sources.ptbxl import Ptbxl

SPEED, WIDTH, COLOURS = 25.0, 1400, 64


def codes(item: Item) -> set[str]:
    return {fact.code for fact in item.facts if isinstance(fact, Label)}


def first(source, folder: Path, wanted: Callable[[Item], bool]) -> Record:
    """The recording whose key has the least hash."""
    items = [item for item in source.plan(folder).items if wanted(item)]
    least = min(items, key=lambda item: hashlib.sha256(item.key.encode()).hexdigest())
    record = next(iter(source.read(folder, [least])))
    assert isinstance(record, Record), record
    return record


def chosen(data: Path) -> Iterable[tuple[str, str, Record]]:
    """Name of the picture, what stands above it, and the recording."""
    ptbxl, folder = Ptbxl(rate=500), data / "ptbxl"

    def of(code: str, *without: str) -> Record:
        return first(ptbxl, folder, lambda item: code in codes(item) and not codes(item) & set(without))

    sinus = of("NORM")
    yield "sinus", "sinus rhythm", sinus
    yield "af", "atrial fibrillation", of("AFIB", "PACE")
    yield "lbbb", "left bundle branch block", of("CLBBB", "PACE", "AFIB")
    yield "paced", "pacemaker", of("PACE")
    yield "pvc", "ventricular premature beats", of("PVC", "AFIB", "PACE")
    noisy = first(Challenge2011(), data / "challenge2011", lambda item: "unacceptable" in codes(item))
    yield "noise", "not acceptable to its readers", noisy
    at = {name: i for i, name in enumerate(sinus.leads)}
    swapped = sinus.signal.copy()
    swapped[at["I"]] *= -1
    swapped[[at[name] for name in ("II", "III", "aVR", "aVL")]] = sinus.signal[
        [at[name] for name in ("III", "II", "aVL", "aVR")]
    ]
    yield "reversal", "the first recording with its arm cables swapped (by algebra)", replace(sinus, signal=swapped)
    yield "one-lead", "lead II of the first alone", replace(sinus, leads=("II",), signal=sinus.signal[[at["II"]]])
    flat = sinus.signal.copy()
    flat[at["V3"]] = 0
    yield "flat-lead", "the first with V3 off", replace(sinus, signal=flat)
    held = first(Cinc2017(), data / "challenge2017", lambda item: "N" in codes(item))
    yield "hand-held", "hand-held, 300 Hz", held


def main() -> None:
    data = Path(sys.argv[1] if len(sys.argv) > 1 else ".data")
    for name, title, record in chosen(data):
        analysis = analyse(record)
        sheet = paper.lay(record, f"{title} ({record.key})", speed=SPEED)
        sheet = marked.mark(sheet, analysis.found, analysis.leads, analysis.rate, SPEED, _measured.brief(analysis))
        place = Path(__file__).with_name(f"measured-{name}.png")
        drawn = Image.open(io.BytesIO(canvas.write(sheet, ".png"))).convert("RGB")
        drawn.resize((WIDTH, round(WIDTH * drawn.height / drawn.width)), Image.Resampling.LANCZOS).quantize(
            COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
        ).save(place, optimize=True)
        p = int(np.isfinite(analysis.found.whole[:, 0, 1]).sum())
        print(name, record.key, f"{len(analysis.found.beats)} beats, {p} P", analysis.quality.verdict, sep="\t")


if __name__ == "__main__":
    main()
