"""Who is drawn when: counted over whole epochs."""

import numpy as np
import pytest

from einthoven.core.errors import RecipeError
from einthoven.data.sampler import Sampler

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
