"""Encoders: networks from a batch's signal to tokens and one pooled vector (`core.batch.Encoding`).

Comes in: signal (B, L, T) in the layout's unit, valid (B, L, T), rate. Goes out: an `Encoding`, `width_out` wide.
Contract: what is not valid has no influence on what is; `tests/contracts` runs every encoder through the same checks.
"""
