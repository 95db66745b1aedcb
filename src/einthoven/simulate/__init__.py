"""The simulated world: patients whose hearts make ECGs with exactly known waves, intervals, rhythm and conditions.

Comes in: a `World` (dials) and who is recorded. Goes out: Records with labels, report and truth. Contract: three tables
(parameters, conditions, morphology) hold the medicine, the modules only the mechanics; each recording depends on seed,
patient and visit alone, never on the block or the order in which it is made. It supports no claim about patients.
"""

from einthoven.simulate.reading import LABEL_SETS
from einthoven.simulate.recording import KINDS, block, record
from einthoven.simulate.world import World, visits

__all__ = ["KINDS", "LABEL_SETS", "World", "block", "record", "visits"]
