import numpy as np
import polars as pl
import pytest

from einthoven.cohort import quality
from einthoven.cohort.build import build
from einthoven.core.leads import LIMB
from einthoven.core.record import Record
from tests.cohort.generated import ecg, few


def clipped(row: np.ndarray) -> bool:
    """By the definition, sample by sample."""
    for rail in (np.nanmin(row), np.nanmax(row)):
        run = longest = 0
        for value in row:
            run = run + 1 if value == rail else 0
            longest = max(longest, run)
        if longest >= 5 and (row == rail).mean() >= 0.01:
            return True
    return False


@pytest.mark.parametrize("block", [1 << 22, 1000])  # several recordings at once; a recording in several pieces
def test_every_lead_is_described_as_a_loop_over_records_would(cohort, monkeypatch, block):
    monkeypatch.setattr(quality, "BLOCK", block)
    examined = quality.examine(cohort)
    assert examined.damaged == []
    want = []
    for row in range(len(cohort)):
        record = cohort.record(row)
        for lead, values in zip(record.leads, record.signal):
            missing = np.isnan(values).mean()
            want.append((row, lead, np.nanmin(values), np.nanmax(values), missing, False, clipped(values)))
    got = examined.leads.rows()
    assert [row[:2] for row in got] == [row[:2] for row in want]
    np.testing.assert_allclose([row[2:5] for row in got], [row[2:5] for row in want], atol=1e-6)
    assert [row[5:] for row in got] == [row[5:] for row in want]


@pytest.mark.parametrize("block", [1 << 22, 1000])
def test_the_covariance_of_the_limb_leads_is_numpys(cohort, monkeypatch, block):
    monkeypatch.setattr(quality, "BLOCK", block)
    ((names, (rows, covariance)),) = quality.examine(cohort).limb.items()
    assert names == LIMB
    for row, matrix in zip(rows, covariance):
        limb = cohort.record(int(row)).signal[:6].astype(float)
        whole = ~np.isnan(limb).any(axis=0)
        np.testing.assert_allclose(matrix, np.cov(limb[:, whole], bias=True), atol=1e-6)  # stored to a microvolt


def test_flat_clipped_and_empty_leads_are_seen(tmp_path):
    good = ecg(0, ("I", "II", "V1", "V2")).signal
    bad = good.copy()
    bad[0] = 0.3
    bad[1] = np.clip(bad[1], -9, 0.4)
    bad[2] = np.nan
    bad[3, ::2] = bad[3].max()  # often at its highest value, but never for long
    source = few(*(Record("x", ("I", "II", "V1", "V2"), signal, 100) for signal in (good, bad)))
    leads = quality.examine(build(source, tmp_path, tmp_path / "out", workers=1)).leads
    assert leads.filter("flat").select("row", "lead").rows() == [(1, "I")]
    assert leads.filter("clipped").select("row", "lead").rows() == [(1, "II")]
    assert leads.filter(pl.col("missing") == 1).select("row", "lead", "low").rows() == [(1, "V1", None)]


def test_samples_that_were_changed_after_preparing_are_seen(tmp_path):
    built = build(few(ecg(0), ecg(1), ecg(2)), tmp_path, tmp_path / "out", workers=1)
    shard = np.load(built.path / "signals/00000.npy", mmap_mode="r+")
    shard[built.index["offset"][1] + 5] += 1
    shard.flush()
    assert quality.examine(built).damaged == [1]
