"""QT Database 1.0.0: 105 two-lead excerpts of 15 min; cardiologists marked the waves of 30 beats or more in each.

| | |
| --- | --- |
| leads | 250 Hz; often only `ECG1` and `ECG2`: `unknown` |
| marks | `reference.waves.global` by the first cardiologist (q1c), `reference.waves.global.q2c` by the second where |
| | there is one: both leads were on the screen, so a mark belongs to neither. Most beats are not marked; a missing P |
| | wave, T onset or T offset says nothing. U waves are left out, and so are the automatic marks (`pu0`, `pu1`) |
| beats | `beats`: labels of the parent database where it has any |
| parents | `parent` and `parent.record` say of which recording of which database it is an excerpt (`sources_of`) |
| subjects | recordings of the European ST-T database whose headers agree in age, sex and findings count as one person |
| defects | some headers do not state the gain (it is 0); the length may be 224,999 or 225,000 samples |
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from einthoven.core.errors import EinthovenError, SourceError
from einthoven.core.facts import Category, Event, Fact
from einthoven.core.record import Record
from einthoven.formats import Mapping, _wfdb_annotations, _wfdb_header
from einthoven.sources import _marks
from einthoven.sources._files import records
from einthoven.sources._item import Item, Plan
from einthoven.sources._parents import SAME_PERSON, sources_of

_NO_FINDING = re.compile(r"^(?:recorder type|produced by|the signal|-+$|$)|record .*, beginning at", re.IGNORECASE)
_AGE = re.compile(r"^age: *\d+ +sex: *[mf]$", re.IGNORECASE)
_MARKED = {"q1c": "reference.waves.global", "q2c": "reference.waves.global.q2c"}


class Qtdb:
    """The QT Database: headers, signals and annotations in one folder.

    Args:
        uncalibrated: the unit of recordings whose header states none, by default the one that header(5) of the WFDB
            guide says may be assumed; they carry the category `amplitude` = `uncalibrated`. Empty: they are refused.
    """

    family = "PhysioBank ambulatory"
    licence = "ODC-By 1.0"
    citation = "Laguna et al., A database for evaluation of algorithms for measurement of QT, doi:10.13026/C24K53"
    version = "1.0.0"

    def __init__(self, *, uncalibrated: str = "200/mV") -> None:
        self.uncalibrated = uncalibrated

    def plan(self, path: Path) -> Plan:
        """The recordings that the first cardiologist marked, with parent and person.

        Raises:
            SourceError: there is no such recording.
        """
        parents = {f"sel{name}": (parent, name) for parent, names in sources_of("qtdb").items() for name in names}
        headers = sorted(path.glob("*.hea"))
        marked = [header for header in headers if header.with_suffix(".q1c").is_file()]
        if not marked:
            raise SourceError(
                path, "holds no recording of the QT Database", expected="sel100.hea, sel100.dat, sel100.q1c, ...",
                got=f"{len(headers)} headers", fix="give the folder as it was published", reason="missing",
            )  # fmt: skip
        items = []
        for header in marked:
            facts: tuple[Fact, ...] = ()
            parent, name = parents.get(header.stem, ("", header.stem))
            if parent:
                facts = (Category("parent", parent), Category("parent.record", name))
            said, calibrated = _stated(header)
            if not calibrated:
                facts += (Category("amplitude", "uncalibrated"),)
            subject = f"{parent} {SAME_PERSON.get((parent, name), name)}".strip()
            items.append(Item(header.stem, subject, header.name, facts, parent, extra=said))
        # the first name of those whose findings agree stands for all of them
        alike: dict[tuple[str, tuple[str, ...]], str] = {}
        items = [
            replace(item, subject=alike.setdefault((item.site, item.extra), item.subject), extra=None)
            if item.extra and item.subject else item for item in items
        ]  # fmt: skip
        notes = ("recordings with the same age, sex and findings in their headers count as one person",)
        return Plan(items, (), absent=len(headers) - len(marked), notes=notes)

    def read(self, path: Path, items: Sequence[Item]) -> Iterator[Record | EinthovenError]:
        """The recording of each item with its marks, or the error of a file of it."""
        mapping = Mapping(unit=self.uncalibrated or None, strict=False)
        for item, record in zip(items, records(path, items, mapping)):
            try:
                yield record if isinstance(record, EinthovenError) else _marked(record, path / item.path)
            except EinthovenError as error:
                yield error


def _marked(record: Record, header: Path) -> Record:
    facts = list(record.facts)
    for suffix, name in _MARKED.items():
        file = header.with_suffix(f".{suffix}")
        if suffix == "q1c" or file.is_file():
            facts.append(_marks.waves(name, {"": _wfdb_annotations.read(file)}, record.rate))
    if (beats := header.with_suffix(".atr")).is_file():
        found = _wfdb_annotations.read(beats)
        facts += [
            Event("beats", "", sample, symbol) for sample, symbol in zip(found.sample.tolist(), found.symbol)
            if symbol in _wfdb_annotations.BEATS
        ]  # fmt: skip
    return record.told(record.key, record.subject, facts, record.site)


def _stated(header: Path) -> tuple[tuple[str, ...], bool]:
    """What the comments say about the person (empty without age and sex), and whether all gains are stated.

    A header that cannot be read says nothing here; reading the recording says what is wrong with it.
    """
    try:
        found = _wfdb_header.read(header)
    except EinthovenError:
        return (), True
    lines = [" ".join(line.split()).lower() for line in "\n".join(found.comments).splitlines()]
    findings = tuple(sorted(line for line in lines if not _NO_FINDING.search(line)))
    known = any(_AGE.match(line) for line in findings)
    return findings if known else (), all(channel.gain for channel in found.channels)
