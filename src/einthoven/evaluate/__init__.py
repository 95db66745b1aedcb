"""Tasks, probes, predictions, scores with intervals.

Comes in: checkpoints and a cohort. Goes out: a folder with one Parquet of predictions a cell, and the scores from it.
Contract: the unit is the subject; the test part is scored once; no number without its interval and its counts.
"""
