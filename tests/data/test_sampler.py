"""Who is drawn when: counted over whole epochs."""

import numpy as np
import pytest

from einthoven.core.errors import RecipeError
from einthoven.data.sampler import Companions, Sampler

# 12 persons; person i has i % 3 + 1 windows in group 0, and persons 0 to 3 one more in group 1
SUBJECT = np.array([i for i in range(12) for _ in range(i % 3 + 1)] + [0, 1, 2, 3])
GROUP = np.array([0] * (len(SUBJECT) - 4) + [1] * 4)


def sampler(batch=4, seed=0, **settings):
    return Sampler(SUBJECT, GROUP, batch=batch, seed=seed, **settings)


def test_a_person_is_in_a_batch_at_most_once_and_a_batch_is_of_one_group():
    drawn = sampler()
    for step in range(50):
        index = drawn.window_indices(step)
        assert len(index) == 4
        assert len(set(SUBJECT[index])) == 4
        assert len(set(GROUP[index])) == 1


def test_in_an_epoch_each_person_comes_once_in_each_group():
    drawn = sampler()
    assert drawn.steps_per_epoch == 4  # 12 / 4 and 4 / 4
    for epoch in range(5):
        index = np.concatenate([drawn.window_indices(epoch * 4 + i) for i in range(4)])
        assert sorted(SUBJECT[index[GROUP[index] == 0]]) == list(range(12))
        assert sorted(SUBJECT[index[GROUP[index] == 1]]) == [0, 1, 2, 3]


def test_a_persons_windows_take_turns_at_random():
    drawn, epochs = sampler(), 600
    seen = np.bincount(
        np.concatenate([drawn.window_indices(step) for step in range(epochs * 4)]), minlength=len(SUBJECT)
    )
    windows_of = np.array([(SUBJECT[GROUP == 0] == s).sum() for s in SUBJECT[GROUP == 0]])
    # 600 draws with chance 1/3: standard deviation 11.5; 5 of them
    assert np.abs(seen[GROUP == 0] - epochs / windows_of).max() < 58


def test_a_step_gives_the_same_windows_whatever_was_asked_before():
    forward = [sampler().window_indices(step) for step in range(12)]
    drawn = sampler()
    for step in (11, 0, 5, 11, 4, 3):
        assert (drawn.window_indices(step) == forward[step]).all()


def test_another_seed_and_another_epoch_are_another_order():
    first = np.concatenate([sampler().window_indices(step) for step in range(4)])
    assert (first != np.concatenate([sampler(seed=1).window_indices(step) for step in range(4)])).any()
    assert (first != np.concatenate([sampler().window_indices(step) for step in range(4, 8)])).any()


def test_persons_left_out_of_one_epoch_come_in_another():
    drawn = sampler(batch=5)
    assert drawn.steps_per_epoch == 2
    assert drawn.never == 4  # group 1 has 4 persons
    seen = {int(s) for step in range(20) for s in SUBJECT[drawn.window_indices(step)]}
    assert seen == set(range(12))


def test_without_dropping_the_last_batch_of_a_group_is_what_is_left():
    drawn = sampler(batch=5, drop_last=False)
    index = [drawn.window_indices(step) for step in range(drawn.steps_per_epoch)]
    assert sorted(map(len, index)) == [2, 4, 5, 5]
    assert sorted(SUBJECT[np.concatenate(index)]) == sorted([*range(12), 0, 1, 2, 3])


def test_a_batch_larger_than_the_persons_is_refused_with_the_largest_that_works():
    with pytest.raises(RecipeError, match=r"expected 1 to 12, got 13; set batch = 12 or less"):
        sampler(batch=13)
    assert sampler(batch=12).steps_per_epoch == 1


@pytest.mark.parametrize("batch", [0, -3])
def test_a_batch_below_1_is_refused(batch):
    with pytest.raises(RecipeError):
        sampler(batch=batch)


def test_no_windows_at_all_are_refused():
    with pytest.raises(RecipeError, match="a cohort with windows"):
        Sampler(np.empty(0, np.int64), np.empty(0, np.int64), batch=1, seed=0)


# Companions


def company(together: int, near: np.ndarray, persons: int = 40, batch: int = 8) -> Sampler:
    person = np.repeat(np.arange(persons), 2)  # two windows each, of two recordings
    return Sampler(
        person, np.zeros(2 * persons, np.int64), batch=batch, seed=0,
        companions=Companions(np.arange(2 * persons), near, together),
    )  # fmt: skip


def test_companions_stand_beside_those_they_belong_to():
    near = np.full((80, 3), -1)
    near[:, :2] = (np.arange(80)[:, None] + [20, 40]) % 80
    for step in range(20):
        drawn = company(1, near).window_indices(step)
        leaders = drawn[:4]
        persons = set((drawn // 2).tolist())
        assert all({(w + 20) % 80 // 2, (w + 40) % 80 // 2} & persons for w in leaders)
        assert len(drawn) == 8


def test_a_person_is_still_in_a_batch_only_once():
    near = np.stack([np.arange(80) ^ 1, np.zeros(80, np.int64)], axis=1)  # the person's other recording, or everybody's
    for step in range(20):
        drawn = company(2, near).window_indices(step)
        assert len(np.unique(drawn // 2)) == len(drawn) == 8


def test_kin_stand_beside_each_other_and_a_recording_only_once():
    own = (np.arange(80) ^ 1)[:, None]
    kin = Companions(np.arange(80), own, 1, kin=True)
    sampler = Sampler(np.repeat(np.arange(40), 2), np.zeros(80, np.int64), batch=8, seed=0, companions=kin)
    for step in range(20):
        drawn = sampler.window_indices(step)
        assert len(np.unique(drawn)) == len(drawn) == 8
        assert np.array_equal(drawn[::2] ^ 1, drawn[1::2])  # each behind its own
    few = np.where(np.arange(80)[:, None] < 10, own, -1)  # five persons have a second recording that may be drawn
    kin = Companions(np.arange(80), few, 1, kin=True)
    sampler = Sampler(np.repeat(np.arange(40), 2), np.zeros(80, np.int64), batch=40, seed=0, companions=kin)
    assert {0, 1, 2, 3, 4, 5, 6, 7, 8} < set(sampler.window_indices(0).tolist())  # all bring theirs, but the very last


def test_without_companions_nothing_changes():
    nobody = np.full((80, 2), -1)
    plain = Sampler(np.repeat(np.arange(40), 2), np.zeros(80, np.int64), batch=8, seed=0)
    for step in range(10):
        assert np.array_equal(company(1, nobody).window_indices(step), plain.window_indices(step))


def test_companions_depend_on_seed_and_step_alone():
    near = np.random.default_rng(0).integers(0, 80, (80, 5))
    straight = [company(1, near).window_indices(step) for step in range(6)]
    sampler = company(1, near)
    assert all(np.array_equal(sampler.window_indices(step), straight[step]) for step in (5, 0, 3, 1))
