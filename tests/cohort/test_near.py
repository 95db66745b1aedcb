"""Near duplicates: filtered, resampled and cut copies are found, other hearts and other seconds of one are not."""

from __future__ import annotations

import numpy as np

from einthoven.cohort import near
from einthoven.cohort.audit import audit
from einthoven.cohort.build import build
from einthoven.cohort.near import near_duplicates
from einthoven.core.record import Record
from einthoven.signal.filters import bandpass
from einthoven.signal.resampling import resample
from einthoven.simulate import record
from tests.cohort.generated import few


def made(tmp_path, *records):
    return build(few(*records), tmp_path, tmp_path / "out", workers=1)


def test_copies_that_no_digest_finds_are_found(tmp_path):
    ecg, leads = record("sinus", seed=1, noise=0.3), record("sinus", seed=1).leads
    smooth = bandpass(ecg.signal, 500, (0.0, 60.0), 2)
    slow = resample(ecg.signal, 500, 250)
    cut = ecg.signal[:, 700:4700]
    copies = [Record("x", leads, x, rate) for x, rate in ((smooth, 500), (slow, 250), (cut, 500))]
    others = [record("sinus", seed=seed) for seed in (2, 3, 4)]
    assert near_duplicates(made(tmp_path, ecg, *others, *copies)) == [
        (0, 4), (0, 5), (0, 6), (4, 5), (4, 6), (5, 6)
    ]  # fmt: skip


def test_another_ten_seconds_of_the_same_heart_are_no_duplicate(tmp_path):
    ecg = record("sinus", seed=1, seconds=20, noise=0.3)
    halves = [Record("x", ecg.leads, part, 500) for part in np.split(ecg.signal, 2, axis=1)]
    assert near_duplicates(made(tmp_path, *halves)) == []


def test_identical_recordings_and_those_without_beats_are_left_to_others(tmp_path):
    ecg = record("sinus", seed=1)
    noise = [Record("x", ("I",), np.random.default_rng(i).normal(size=(1, 5000)), 500) for i in range(2)]
    assert near_duplicates(made(tmp_path, ecg, ecg, *noise)) == []


def test_the_audit_lists_them(tmp_path):
    ecg = record("sinus", seed=1, noise=0.3)
    copy = Record("x", ecg.leads, ecg.signal[:, 250:], 500)
    found = audit(made(tmp_path, ecg, record("af", seed=2), copy))
    assert len(found.near) == 1
    assert any("nearly equal" in finding.what for finding in found.findings)


def test_candidates_are_those_of_all_pairs_in_whatever_blocks(monkeypatch):
    told = np.random.default_rng(0).normal(size=(120, 3))
    told /= np.linalg.norm(told, axis=1, keepdims=True)
    cosine = told @ told.T
    want = {(i, j): cosine[i, j] for i in range(120) for j in range(i + 1, 120) if cosine[i, j] >= near.COSINE}
    assert len(want) > 2
    for block in (7, 120, 200):
        monkeypatch.setattr(near, "_BLOCK", block)
        assert list(near._candidates(told)) == sorted(want, key=lambda pair: -want[pair])
    monkeypatch.setattr(near, "MOST_PAIRS", 2)
    assert list(near._candidates(told)) == sorted(want, key=lambda pair: -want[pair])[:2]
    assert list(near._candidates(told[:0])) == []
