"""From a cohort to batches on the device: who is drawn, what is read, how it is disturbed, which facts go along.

Comes in: a Cohort, a Layout and an index of windows. Goes out: `Batch` after `Batch`, each a pure function of its step.
Contract: (seed, step) decides every bit; the order of processing is `signal.processing`'s; objectives ask for views.
"""
