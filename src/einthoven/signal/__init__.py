"""Signal steps that training, evaluation and serving share: gaps, filters, resampling, the one order of processing.

Comes in: potentials in millivolts, last axis time, NumPy or torch arrays (Python array API). Goes out: the same kind.
Contract: pure functions, no hidden state, no delay; never imports torch. `processing` is the only place with an order.
"""
