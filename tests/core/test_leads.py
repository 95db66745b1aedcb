"""Leads are names: spelling, order, and which follows from which."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from einthoven.core.errors import LeadError
from einthoven.core.leads import ANY, CHEST, KNOWN, LIMB, STANDARD, Lead, known, order, pick, resolve

PAIRS = list(itertools.combinations(LIMB, 2))


def limb_leads(i: np.ndarray, ii: np.ndarray) -> dict[str, np.ndarray]:
    """The six from the electrodes' potentials: Einthoven's differences and Goldberger's augmented leads.

    With the right arm at 0, I = LA - RA and II = LL - RA give LA = I and LL = II.
    """
    ra, la, ll = np.zeros_like(i), i, ii
    return {
        "I": la - ra, "II": ll - ra, "III": ll - la,
        "aVR": ra - (la + ll) / 2, "aVL": la - (ra + ll) / 2, "aVF": ll - (ra + la) / 2,
    }  # fmt: skip


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_any_two_limb_leads_give_the_other_four(pair: tuple[str, str]):
    six = limb_leads(*np.random.default_rng(1).normal(size=(2, 50)))
    matrix, status = pick(pair, LIMB)
    np.testing.assert_allclose(
        matrix @ np.stack([six[lead] for lead in pair]), np.stack(list(six.values())), atol=1e-12
    )
    assert [lead for lead, how in zip(LIMB, status, strict=True) if how == "measured"] == sorted(pair, key=LIMB.index)
    assert status.count("derived") == 4


@given(st.lists(st.sampled_from(STANDARD), min_size=1, unique=True), st.permutations(STANDARD))
def test_a_lead_is_measured_where_it_was_recorded_and_never_invented(have: list[str], want: list[str]):
    limbs = [lead for lead in have if lead in LIMB]
    matrix, status = pick(have, want)
    for lead, row, how in zip(want, matrix, status, strict=True):
        if lead in have:
            assert how == "measured"
            assert row.tolist() == [float(other == lead) for other in have]
        elif lead in LIMB and len(limbs) >= 2:
            assert how == "derived"
        else:
            assert how == "missing"
            assert not row.any()


@given(st.permutations(STANDARD), st.permutations(STANDARD))
def test_the_order_in_the_file_does_not_change_what_the_layout_gets(first: list[str], second: list[str]):
    signal = {lead: float(i) for i, lead in enumerate(STANDARD)}
    got = [pick(have, STANDARD)[0] @ np.array([signal[lead] for lead in have]) for have in (first, second)]
    np.testing.assert_array_equal(got[0], got[1])


def test_one_limb_lead_gives_no_other():
    assert pick(["II"], LIMB)[1] == ("missing", "measured", "missing", "missing", "missing", "missing")


def test_limb_leads_give_no_chest_lead():
    assert set(pick(LIMB, CHEST)[1]) == {"missing"}


def test_any_takes_the_only_lead_whatever_its_name():
    matrix, status = pick([Lead("watch")], (ANY,))
    assert (matrix.tolist(), status) == ([[1.0]], ("measured",))


@pytest.mark.parametrize("have", [[], ["I", "II"]])
def test_any_refuses_to_choose(have: list[str]):
    with pytest.raises(LeadError, match="--lead"):
        pick(have, (ANY,))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("i", "I"), ("Lead I", "I"), ("lead_ii", "II"), ("DII", "II"), ("D3", "III"), ("AVR", "aVR"), ("avl", "aVL"),
        ("aV F", "aVF"), ("VF", "aVF"), ("v1", "V1"), ("C6", "V6"), ("V 3", "V3"), ("v4r", "V4R"), ("vx", "X"),
        ("ECG_V5", "V5"), ("ECG Lead II", "II"), ("MDC_ECG_LEAD_AVF", "aVF"), ("V1\0\0", "V1"), (" II ", "II"),
        ("MLII", "MLII"), ("CM5", "CM5"), ("ECG1 chest", "ECG1 chest"),
        ("ECG", "unknown"), ("ecg 1", "unknown"), ("", "unknown"), ("signal 0", "unknown"), ("ch1", "unknown"),
        ("channel-2", "unknown"), ("value", "unknown"), ("Lead", "unknown"), ("EKG", "unknown"),
    ],
)  # fmt: skip
def test_one_spelling_for_each_lead_and_unknown_for_names_that_say_nothing(written: str, meant: str):
    assert Lead(written) == meant


@given(st.text(max_size=30))
def test_a_canonical_name_is_its_own_name(text: str):
    assert Lead(str(Lead(text))) == Lead(text)


@given(st.text(max_size=30))
def test_a_name_is_one_printable_line(text: str):
    assert str(Lead(text)) == " ".join(str(Lead(text)).split())
    assert "\0" not in Lead(text)


def test_every_known_lead_has_its_own_name_in_any_case():
    for name in KNOWN:
        assert Lead(name) == Lead(name.lower()) == Lead(name.upper()) == name


def test_a_doubled_lead_is_refused_under_all_its_names():
    with pytest.raises(LeadError, match="aVF occurs twice"):
        resolve(["AVF", "I", "aVF"])


@given(st.permutations([*KNOWN, "CM5", "MLII"]))
def test_canonical_order_is_the_clinics_order_then_the_alphabet(names: list[str]):
    assert [names[i] for i in order(names)] == [*KNOWN, "CM5", "MLII"]


def test_a_setting_may_name_only_leads_with_one_meaning():
    assert known("avr") == "aVR"
    assert known("any") == ANY
    with pytest.raises(LeadError, match="did you mean V1"):
        known("V11")
