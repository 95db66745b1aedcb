"""Data sets in their published layout: one file a data set, one public class a file.

Comes in: a folder as published. Goes out: a Plan of Items (from the tables alone), then Records with their Facts.
Contract: class attributes `family`, `licence`, `citation`, `version`, and `families` for a collection that holds
recordings of several families (recordings of one family may be of the same person); constructor arguments are settings;
`plan(path) -> Plan` reads tables only and raises SourceError; `read(path, items)` yields, in order and one an item, a
Record or the EinthovenError of the file that cannot be read.
"""

from einthoven.sources._item import Item, Plan
from einthoven.sources._parents import sources_of

__all__ = ["Item", "Plan", "sources_of"]
