"""Requests to end: Ctrl-C, or a scheduler's signal, finish the present step instead of tearing it apart."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def requests() -> Iterator[threading.Event]:
    """An event that is set when somebody asks to end; asked a second time, the program ends at once.

    In another thread than the main one (a notebook's worker) signals are the caller's business and nothing is set.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def note(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
