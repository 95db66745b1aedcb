"""README.md of a checkpoint, written from its card alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def page(card: Mapping[str, Any]) -> str:
    """Markdown with the front matter that model hubs read."""
    layout, encoder, head = card["layout"], card["encoder"], card["head"]
    settings = ", ".join(f"{key} {value}" for key, value in encoder["settings"].items())
    lines = [
        "---", "library_name: einthoven", "tags: [ECG, electrocardiogram]", "---", "",
        f"# {card['name']}", "",
        "Research output, not a medical device.", "",
        f"- Encoder: {encoder['name']} ({settings}), {card['parameters']:,} parameters",
        f"- Input: leads {' '.join(layout['leads'])}; {layout['rate']:g} Hz, {layout['seconds']:g} s, "
        f"{_filter(layout)}, scaling {layout['scale']}",
    ]  # fmt: skip
    if head:
        unit = f" in {head['unit']}" if head["unit"] else ""
        lines.append(f"- Predicts ({head['kind']}{unit}): {', '.join(head['labels'])}")
    lines += [
        f"- Trained on the {stage['part']} part (split {stage['split']}) of {stage['family']}: "
        f"{stage['records']:,} recordings of {stage['subjects']:,} subjects, cohort {stage['cohort_fingerprint'][:12]}"
        + (f", facts {' '.join(stage['facts'])}" if stage["facts"] else "")
        for stage in [*card.get("earlier", []), *([card["data"]] if "data" in card else [])]
    ]
    if "objective" in card.get("recipe", {}):
        training = card["recipe"]["training"]
        lines.append(
            f"- Objective: {card['recipe']['objective']['name']}; {training['steps']} steps of batch "
            f"{training['batch']}, seed {card['recipe']['seed']}"
        )
    lines += [
        "", "```python", "import einthoven", "", 'einthoven.embed("ecg.hea", checkpoint="this folder")', "```", "",
        "`config.json` says everything; every load checks the weights against a stored input and its output.", "",
    ]  # fmt: skip
    return "\n".join(lines)


def _filter(layout: Mapping[str, Any]) -> str:
    low, high = layout["band"] or (0, 0)
    if low and high:
        return f"{low:g}-{high:g} Hz"
    return f"above {low:g} Hz" if low else f"below {high:g} Hz" if high else "no filter"
