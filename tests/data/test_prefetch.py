"""The thread that works ahead: order, errors, and that it ends."""

import threading
import time

import pytest

from einthoven.data.prefetch import ahead


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "einthoven-prefetch"]


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_items_come_in_order_whatever_the_depth(depth):
    assert list(ahead(lambda i: i * i, range(20), depth)) == [i * i for i in range(20)]
    assert not threads()


def test_at_most_depth_items_wait_and_one_is_in_the_making():
    made = []
    stream = ahead(lambda i: made.append(i) or i, range(100), 3)
    assert next(stream) == 0
    time.sleep(0.3)
    assert len(made) <= 1 + 3 + 1
    stream.close()


def test_an_error_is_raised_where_its_item_would_have_come():
    def make(i):
        if i == 2:
            raise ZeroDivisionError("in the thread")
        return i

    got = []
    with pytest.raises(ZeroDivisionError, match="in the thread"):
        got.extend(ahead(make, range(5), 4))
    assert got == [0, 1]
    assert not threads()


def test_the_thread_ends_when_its_user_stops_early():
    for item in ahead(lambda i: i, range(10_000), 2):
        if item == 3:
            break
    deadline = time.monotonic() + 5
    while threads() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not threads()


def test_it_works_while_its_user_does():
    start = time.perf_counter()
    for _ in ahead(lambda _: time.sleep(0.05), range(6), 2):
        time.sleep(0.05)
    assert time.perf_counter() - start < 0.55  # one after the other takes 0.6 s
