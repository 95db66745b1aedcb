"""Which windows make the batch of a step: a function of (seed, step), never of what was drawn before.

A person is in a batch at most once, because two windows of one heart are no negatives of each other. In an epoch each
person comes once with a window drawn afresh from all of theirs, in batches of one group (windows that can be stacked:
same length, leads and rate). Shuffling windows instead would put persons with many recordings in front.
"""

from __future__ import annotations

import numpy as np

from einthoven.core.errors import RecipeError
from einthoven.core.random import generator


class Sampler:
    """Batches of window numbers.

    Args:
        subject_of_window: the person of each window, int64 (windows,).
        group_of_window: windows of one number can be stacked, int64 (windows,).
        batch: windows in a batch.
        seed: another seed, another order.
        drop_last: leave out the persons of a group that fill no batch in this epoch; they are others each epoch. Else
            the last batch of a group is smaller.

    Attributes:
        steps_per_epoch: batches in which each person comes once.
        never: how many windows no batch ever holds, since their group has fewer persons than a batch.

    Raises:
        RecipeError: no group has enough persons for one batch.
    """

    def __init__(
        self,
        subject_of_window: np.ndarray,
        group_of_window: np.ndarray,
        *,
        batch: int,
        seed: int,
        drop_last: bool = True,
    ) -> None:
        self.batch, self.seed = batch, seed
        # windows sorted by (group, subject): one run of `_order` is one person within one group
        self._order = np.lexsort((np.arange(len(subject_of_window)), subject_of_window, group_of_window))
        subject, group = subject_of_window[self._order], group_of_window[self._order]
        fresh = np.ones(len(subject), bool)
        fresh[1:] = (subject[1:] != subject[:-1]) | (group[1:] != group[:-1])
        self._first = np.flatnonzero(fresh)
        self._count = np.diff(np.append(self._first, len(subject)))
        persons_of = np.unique(group[self._first], return_counts=True)[1]
        self._edges = np.concatenate([[0], np.cumsum(persons_of)])  # of groups, among persons
        full = persons_of // max(batch, 1) if drop_last else -(-persons_of // max(batch, 1))
        self._slots = [(g, i) for g in range(len(full)) for i in range(full[g])]
        self.steps_per_epoch = len(self._slots)
        if batch < 1 or not self._slots:
            most = int(persons_of.max(initial=0))
            raise RecipeError(
                "[training] batch", "is larger than the cohort has persons that can stand in one batch",
                expected=f"1 to {most}" if most else "a cohort with windows for this layout", got=batch,
                fix=f"set batch = {most} or less, or prepare more recordings" if most else "check leads and split",
                reason="batch",
            )  # fmt: skip
        idle = np.flatnonzero(full == 0)
        self.never = int(sum(self._count[self._edges[g] : self._edges[g + 1]].sum() for g in idle))
        self._epoch: tuple[int, np.ndarray, list[np.ndarray], np.ndarray] | None = None

    def window_indices(self, step: int) -> np.ndarray:
        """Numbers of the windows in the batch of a step, int64 (batch,)."""
        epoch, slot = divmod(step, self.steps_per_epoch)
        order, persons, chosen = self._plan(epoch)
        group, place = self._slots[order[slot]]
        return chosen[persons[group][place * self.batch : (place + 1) * self.batch]]

    def _plan(self, epoch: int) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
        """Order of batches, of persons by group, and each person's window. Kept for the epoch: it is O(persons)."""
        plan = self._epoch
        if plan is None or plan[0] != epoch:
            draw = generator(self.seed, epoch, "order")
            order = draw.permutation(self.steps_per_epoch)
            persons = [draw.permutation(np.arange(a, b)) for a, b in zip(self._edges[:-1], self._edges[1:])]
            plan = self._epoch = (epoch, order, persons, self._order[self._first + draw.integers(0, self._count)])
        return plan[1:]
