"""Draw the picture of the README again: python docs/img/draw.py (a simulated recording, so no patient's)."""

from pathlib import Path

from einthoven import simulate
from einthoven.report import paper, svg

record = simulate.record("wenckebach", seed=4, rate=250)
sheet = paper.lay(record, "Simulated: second degree AV block, Wenckebach")
Path(__file__).with_name("ecg-3x4.svg").write_text(svg.write(sheet), encoding="utf-8")
