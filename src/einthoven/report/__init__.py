"""Drawings of ECGs on paper, tables, curves and the HTML page.

Comes in: a Record, or evaluation folders. Goes out: SVG, PNG, PDF, or one HTML file that needs nothing else.
Contract: `paper` computes the geometry in millimetres, the writers only put it down; every number of the page is read
from `scores.parquet` or `differences.json`, none is computed for it.
"""
