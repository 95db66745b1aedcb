"""Training: our own loop, its state on disk, and checkpoints.

Comes in: a recipe. Goes out: a run folder with `recipe.toml`, `log.jsonl`, `times.jsonl`, `state/` and the checkpoints
`best/` and `last/`. Contract: killed at any moment and started again, a run ends with the same bits (`loop`, `state`).
"""
