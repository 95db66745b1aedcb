"""Make the next items in a thread while the present one is used.

Order and content are those of a plain loop. An exception is raised where its item would have come; when the user of the
items stops early, the thread ends before `ahead` returns.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from queue import Full, Queue
from typing import TypeVar

In = TypeVar("In")
Out = TypeVar("Out")


def ahead(make: Callable[[In], Out], items: Iterable[In], depth: int) -> Iterator[Out]:
    """Yield `make(item)` for each item, at most `depth` of them made and waiting; depth 0 makes them in this thread."""
    if depth < 1:
        yield from map(make, items)
        return
    made: Queue[tuple[Out | None, BaseException | None]] = Queue(depth)
    stopped = threading.Event()

    def put(out: Out | None, error: BaseException | None = None) -> bool:
        while not stopped.is_set():
            try:
                made.put((out, error), timeout=0.1)
            except Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for item in items:
                if not put(make(item)):
                    return
            put(None, StopIteration())
        except BaseException as error:
            put(None, error)

    thread = threading.Thread(target=work, name="einthoven-prefetch", daemon=True)
    thread.start()
    try:
        while True:
            out, error = made.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield out  # type: ignore[misc]  # an item without an error is one of `make`
    finally:
        stopped.set()
        thread.join()
