"""The nouns: Record, Lead, Fact, Layout, Batch, errors, registry, recipe, fingerprint, randomness.

Comes in: nothing of ours. Goes out: the types that every other folder speaks.
Contract: imports no torch and opens no signal files.
"""
