import numpy as np
import pytest

from einthoven.cohort import limb
from einthoven.core.leads import LIMB
from tests.cohort.generated import ecg

ROWS = np.array([7])


def covariance(signal: np.ndarray) -> np.ndarray:
    return np.cov(signal.astype(float), bias=True)[None]


def test_leads_that_follow_from_each_other_agree():
    assert len(limb.disagreements({LIMB: (ROWS, covariance(ecg(0, LIMB).signal))})) == 0


def test_constant_offsets_do_not_count():
    signal = ecg(0, LIMB).signal + np.arange(6)[:, None]
    assert len(limb.disagreements({LIMB: (ROWS, covariance(signal))})) == 0


def test_the_residual_is_the_deviation_of_what_does_not_belong_there():
    signal = ecg(0, LIMB).signal.copy()
    stray = 0.3 * np.sin(2 * np.pi * 13 * np.arange(signal.shape[1]) / 100)
    signal[2] += stray
    found = limb.disagreements({LIMB: (ROWS, covariance(signal))})
    assert found.select("row", "lead").rows() == [(7, "III")]
    assert found["residual_mv"][0] == pytest.approx((signal[2] - signal[1] + signal[0]).std(), rel=1e-5)
    assert found["hint"][0] == ""


@pytest.mark.parametrize(("one", "other"), [("aVL", "aVF"), ("I", "II"), ("II", "aVR")])
def test_two_exchanged_names_are_told(one, other):
    signal = ecg(3, LIMB).signal.copy()
    places = [LIMB.index(one), LIMB.index(other)]
    signal[places] = signal[places[::-1]]
    found = limb.disagreements({LIMB: (ROWS, covariance(signal))})
    assert found["hint"].to_list() == [f"{one} and {other} exchanged?"]


def test_a_lead_that_is_upside_down_is_told():
    signal = ecg(3, LIMB).signal.copy()
    signal[LIMB.index("aVF")] *= -1
    assert limb.disagreements({LIMB: (ROWS, covariance(signal))})["hint"].to_list() == ["aVF upside down?"]


def test_three_limb_leads_are_enough():
    names = ("I", "aVF", "aVL")
    signal = ecg(1, LIMB).signal[[LIMB.index(name) for name in names]]
    assert len(limb.disagreements({names: (ROWS, covariance(signal))})) == 0
    assert limb.disagreements({names: (ROWS, covariance(-signal * [[1], [1], [-1]]))})["lead"].to_list() == ["aVL"]
