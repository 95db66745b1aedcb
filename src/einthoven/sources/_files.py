"""Reading the items of a plan from their files, and small things about tables that several sources need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from einthoven import formats
from einthoven.core.errors import EinthovenError, SourceError
from einthoven.core.facts import Fact
from einthoven.core.record import Record
from einthoven.sources._item import Item


def records(path: Path, items: Sequence[Item], mapping: formats.Mapping) -> Iterator[Record | EinthovenError]:
    """The recording of each item with key, subject, site and facts of the item, or the error of its file.

    A fact that both the tables and the file state is taken from the tables.
    """
    for item in items:
        try:
            record = formats.read(path / item.path, mapping)
            said = {(fact.kind, fact.name) for fact in item.facts}
            stated: list[Fact] = [fact for fact in record.facts if (fact.kind, fact.name) not in said]
            yield record.told(item.key, item.subject, (*item.facts, *stated), item.site or record.site)
        except EinthovenError as error:
            yield error


def text_of(table: Path, what: str) -> str:
    """The text of a table of a data set.

    Raises:
        SourceError: it is not there (`missing`) or not UTF-8 (`encoding`).
    """
    try:
        return table.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise SourceError(
            table, f"{what} cannot be read", got=error.strerror or error, fix="give the folder as it was published",
            reason="missing",
        ) from error  # fmt: skip
    except UnicodeDecodeError as error:
        raise SourceError(
            table, f"{what} is not UTF-8", got=f"byte {error.start}", fix="save it as CSV UTF-8", reason="encoding"
        ) from error
