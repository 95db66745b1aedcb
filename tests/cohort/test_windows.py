import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from einthoven.cohort import windows
from einthoven.core.errors import LayoutError
from einthoven.core.layout import Layout
from einthoven.signal import processing

# The generated recordings have 1, 2 or 12 leads, last 2 to 4 s, and are sampled at 100, 250 or 500 Hz.


@given(
    leads=st.sampled_from([("I",), ("any",), ("V1", "V2"), ("III", "I")]),
    seconds=st.floats(0.5, 5),
    stride=st.none() | st.floats(0.1, 3),
    data=st.data(),
)
def test_the_index_is_what_a_loop_over_recordings_gives(cohort, leads, seconds, stride, data):
    layout = Layout(leads, rate=100, seconds=seconds)
    rows = np.array(data.draw(st.lists(st.integers(0, len(cohort) - 1), min_size=3, unique=True)))
    want, left_out = [], []
    for row in rows:
        have = cohort.leads(row)
        rate, samples = cohort.index["rate"][int(row)], cohort.index["samples"][int(row)]
        if leads == ("any",):
            takes = range(len(have))
        elif any(lead in have for lead in leads) or (leads == ("III", "I") and len(have) >= 2):
            takes = [-1]
        else:
            takes = []
            left_out.append(row)
        want += [(row, start, lead) for lead in takes for start in processing.starts(samples, rate, layout, stride)]
    if not want:
        with pytest.raises(LayoutError, match="no recording has a lead"):
            windows.index(cohort, rows, layout, stride)
        return
    got = windows.index(cohort, rows, layout, stride)
    assert list(zip(got.row, got.start, got.lead)) == want
    assert got.left_out.tolist() == left_out


def test_windows_cover_a_recording_and_the_last_is_flush_with_its_end(cohort):
    layout = Layout(("I",), rate=100, seconds=1)
    got = windows.index(cohort, np.array([0]), layout)
    samples = cohort.index["samples"][0]  # at 100 Hz
    assert got.start.tolist() == [*range(0, samples - 99, 100), *([samples - 100] if samples % 100 else [])]


def test_a_recording_shorter_than_the_layout_is_one_window(cohort):
    got = windows.index(cohort, np.arange(len(cohort)), Layout(("I",), rate=100, seconds=60))
    assert got.row.tolist() == list(range(len(cohort)))
    assert set(got.start) == {0}


def test_no_rows_give_no_windows(cohort):
    assert len(windows.index(cohort, np.array([], int), Layout())) == 0
