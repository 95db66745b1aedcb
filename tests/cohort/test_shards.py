import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from einthoven.cohort.shards import HEADER, Shards, places
from einthoven.core.errors import OutputError


@given(st.lists(st.integers(1, 50), max_size=30), st.integers(2, 120))
def test_recordings_lie_end_to_end_and_a_shard_ends_before_it_would_grow_too_long(sizes, limit):
    shard, offset = places(sizes, limit)
    filled: dict[int, int] = {}
    for size, s, o in zip(sizes, shard.tolist(), offset.tolist()):
        assert o == filled.get(s, 0)
        filled[s] = o + size
    assert list(filled) == list(range(len(filled)))
    for s, count in filled.items():
        assert 2 * count <= limit or (shard == s).sum() == 1  # one long recording has a shard of its own
        if s + 1 in filled:
            assert 2 * (count + sizes[int(np.argmax(shard == s + 1))]) > limit


@given(st.lists(st.integers(1, 50), min_size=1, max_size=30), st.integers(2, 120), st.data())
def test_shards_that_are_gone_on_with_equal_those_written_at_once(tmp_path_factory, sizes, limit, data):
    folder = tmp_path_factory.mktemp("shards")
    recordings = [np.full(size, i, "<i2") for i, size in enumerate(sizes)]

    def write(name: str, known: int, upto: int) -> None:
        shards = Shards(folder / name, limit, sizes[:known])
        for recording in recordings[known:upto]:
            shards.write(recording.data)
        shards.flush()
        if upto == len(sizes):
            shards.close()

    write("once", 0, len(sizes))
    done = data.draw(st.integers(0, len(sizes)))
    write("twice", 0, data.draw(st.integers(done, len(sizes))))  # what lies behind `done` is not counted on
    write("twice", done, len(sizes))
    files = sorted((folder / "once").iterdir())
    assert [path.name for path in sorted((folder / "twice").iterdir())] == [path.name for path in files]
    for path in files:
        assert (folder / "twice" / path.name).read_bytes() == path.read_bytes()
        assert path.stat().st_size == HEADER + np.load(path).nbytes
    np.testing.assert_array_equal(np.concatenate([np.load(path) for path in files]), np.concatenate(recordings))


def test_shards_that_have_lost_what_they_held_are_refused(tmp_path):
    shards = Shards(tmp_path / "signals", 1000, [])
    shards.write(np.zeros(10, "<i2").data)
    shards.close()
    with pytest.raises(OutputError, match="shorter than it was"):
        Shards(tmp_path / "signals", 1000, [10, 5])
