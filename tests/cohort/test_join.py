"""Joined cohorts: every row, fact and part is that of its member."""

from __future__ import annotations

import numpy as np
import pytest

from einthoven.cohort import splits
from einthoven.cohort.join import Joined, open_all
from einthoven.cohort.store import Cohort
from einthoven.core.errors import CohortError
from einthoven.core.facts import Label, LabelSet, Value
from einthoven.core.record import Record
from tests.data.given import Given, cohort_of, wavy


def made(folder, family: str, persons: int, rate: float, codes: tuple[str, ...] = ("A", "B")) -> Cohort:
    records = [
        Record(f"{family}{i}", ("I", "II"), wavy(2, 400 + i, i, rate), rate, f"p{i}",
               (Label("kind", codes[i % 2]), Value("age", 20.0 + i, "years")))
        for i in range(persons)
    ]  # fmt: skip
    Given.family = family
    try:
        return cohort_of(records, folder, [LabelSet("kind", "test", codes)])
    finally:
        Given.family = "given"


@pytest.fixture(scope="module")
def members(tmp_path_factory) -> list[Cohort]:
    return [made(tmp_path_factory.mktemp(f), f, n, rate) for f, n, rate in (("a", 20, 100.0), ("b", 15, 250.0))]


def test_records_are_those_of_the_members_in_order(members):
    joined = Joined(members)
    alone = [member.record(row) for member in members for row in range(len(member))]
    assert len(joined) == len(alone) == 35
    for row, want in enumerate(alone):
        got = joined.record(row)
        assert (got.key, got.rate, got.facts) == (want.key, want.rate, want.facts)
        np.testing.assert_array_equal(got.signal, want.signal)


def test_windows_may_come_from_both_members(members):
    joined = Joined(members)
    got = joined.gather(np.array([3, 25, 4]), np.array([10, 20, 30]), 50)
    for window, (member, row, start) in zip(got, ((0, 3, 10), (1, 5, 20), (0, 4, 30))):
        np.testing.assert_array_equal(window, members[member].signal(row)[start : start + 50])


def test_one_name_in_two_sources_is_two_persons_and_in_one_source_one(members):
    subject = Joined(members).index["subject_id"].to_numpy()
    assert len(np.unique(subject)) == 35
    twice = Joined([members[0], members[0]]).index["subject_id"].to_numpy()
    np.testing.assert_array_equal(twice[:20], twice[20:])


@pytest.mark.parametrize("split", ["official", "fold-2", "half-a"])
def test_each_member_keeps_its_own_parts(members, split):
    alone = np.concatenate([splits.parts(member, split) for member in members])
    np.testing.assert_array_equal(splits.parts(Joined(members), split), alone)


def test_facts_stand_in_the_rows_of_the_joined_cohort(members):
    joined = Joined(members)
    np.testing.assert_array_equal(joined.values("age"), np.concatenate([m.values("age") for m in members]))
    np.testing.assert_array_equal(joined.labels("kind")[1], np.concatenate([m.labels("kind")[1] for m in members]))


def test_label_sets_that_disagree_are_refused(members, tmp_path):
    with pytest.raises(CohortError, match="label set"):
        Joined([members[0], made(tmp_path, "c", 4, 100.0, ("A", "C"))])


def test_paths_are_opened_and_the_fingerprint_knows_all_members(members):
    one, two = open_all(str(members[0].path)), open_all([members[0].path, members[1].path])
    assert one.fingerprint == members[0].fingerprint
    assert two.fingerprint not in {member.fingerprint for member in members}
    assert two.fingerprint != Joined(members[::-1]).fingerprint
    with pytest.raises(CohortError, match="none"):
        open_all([])
