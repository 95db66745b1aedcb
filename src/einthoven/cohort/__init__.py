"""Cohort: a prepared store of many recordings. Signals once, facts as tidy tables, a card.

Comes in: a Source and a folder (`build`). Goes out: a Cohort (`store`) to gather windows from (`windows`), to divide by
person (`splits`) and to be looked through for leakage and damage (`audit`).
Contract: int16 microvolts, -32768 = missing; same input and settings give the same bytes; readable without einthoven.
"""
