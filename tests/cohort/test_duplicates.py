import numpy as np

from einthoven.cohort import duplicates
from einthoven.cohort.build import build
from einthoven.core.record import Record
from tests.cohort.generated import ecg, few


def test_identical_recordings_are_grouped_and_similar_ones_are_not(tmp_path):
    near = ecg(0).signal.copy()
    near[0, 3] += 0.001
    source = few(ecg(0), ecg(1), ecg(0), Record("x", ("I",), near, 100), ecg(1), ecg(0))
    cohort = build(source, tmp_path, tmp_path / "out", workers=1)
    assert duplicates.identical(cohort) == [[0, 2, 5], [1, 4]]


def test_a_recording_is_known_again_when_it_was_cut_short_or_reordered(tmp_path):
    whole = ecg(2, ("I", "II"), rate=500, seconds=10)
    cut = Record("x", whole.leads, whole.signal[:, :2600], 500)
    turned = Record("x", ("II", "I"), cut.signal[::-1], 500)
    other = ecg(3, ("I", "II"), rate=500, seconds=10)
    cohort = build(few(whole, other, cut, turned), tmp_path, tmp_path / "out", workers=1)
    assert duplicates.same_beginning(cohort) == [[0, 2, 3]]
    assert duplicates.identical(cohort) == [[2, 3]]


def test_beginnings_without_a_signal_say_nothing(tmp_path):
    late = [np.concatenate([np.zeros((1, 600)), ecg(seed).signal], axis=1) for seed in (0, 1)]
    source = few(*(Record("x", ("I",), signal, 100) for signal in late))
    assert duplicates.same_beginning(build(source, tmp_path, tmp_path / "out", workers=1)) == []
