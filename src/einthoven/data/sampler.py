"""Which windows make the batch of a step: a function of (seed, step), never of what was drawn before.

A person is in a batch at most once, because two windows of one heart are no negatives of each other (an objective that
knows this may ask for kin: then a recording is in a batch at most once). In an epoch each person is drawn once with a
window chosen afresh from all of theirs, in batches of one group (windows that can be stacked: same length, leads and
rate). Shuffling windows instead would put persons with many recordings in front. Companions are recordings that shall
stand beside a drawn one, such as those of like physiology; they take the places of the last persons of the batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from einthoven.core.errors import RecipeError
from einthoven.core.random import generator


@dataclass(frozen=True, eq=False)
class Companions:
    """Who may stand beside whom.

    row_of_window: the recording of each window, int64 (windows,). near: by recording, those that may stand beside it,
    int64 (recordings, C), -1 for none. together: how many of them a drawn person brings. kin: they may be the person's
    own, and every person drawn brings them, for few have such; else only the first persons of the batch do, as many as
    leave room for all their companions.
    """

    row_of_window: np.ndarray
    near: np.ndarray
    together: int
    kin: bool = False

    @cached_property
    def windows(self) -> np.ndarray:
        """Windows, recording by recording."""
        return np.argsort(self.row_of_window, kind="stable")

    @cached_property
    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """Each recording's first place in `windows` and its number of windows."""
        count_R = np.bincount(self.row_of_window, minlength=len(self.near))
        return np.cumsum(count_R) - count_R, count_R

    def of(self, window: np.ndarray, draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Windows of companions of these, each drawn among those that there are, and whose companions they are."""
        near_SC = self.near[self.row_of_window[window]]
        key_SC = np.where(near_SC >= 0, draw.random(near_SC.shape), 2.0)
        near_SC = np.take_along_axis(near_SC, np.argsort(key_SC, axis=1), axis=1)[:, : self.together]
        first_R, count_R = self.places
        there_SC = (near_SC >= 0) & (count_R[near_SC] > 0)
        rows = near_SC[there_SC]
        chosen = self.windows[first_R[rows] + (draw.random(len(rows)) * count_R[rows]).astype(np.int64)]
        return chosen, there_SC.nonzero()[0]


class Sampler:
    """Batches of window numbers.

    Args:
        subject_of_window: the person of each window, int64 (windows,).
        group_of_window: windows of one number can be stacked, int64 (windows,).
        batch: windows in a batch.
        seed: another seed, another order.
        drop_last: leave out the persons of a group that fill no batch in this epoch; they are others each epoch. Else
            the last batch of a group is smaller.
        companions: who stands beside whom; None for nobody.

    Attributes:
        steps_per_epoch: batches in which each person comes once (without companions).
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
        companions: Companions | None = None,
    ) -> None:
        self.batch, self.seed = batch, seed
        self._subject, self._group, self._companions = subject_of_window, group_of_window, companions
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
        drawn = chosen[persons[group][place * self.batch : (place + 1) * self.batch]]
        return drawn if self._companions is None else self._accompanied(self._companions, drawn, step)

    def _accompanied(self, companions: Companions, drawn: np.ndarray, step: int) -> np.ndarray:
        """The first windows of a batch, their companions, and the rest of the batch as far as there are places."""
        leaders = drawn if companions.kin else drawn[: max(len(drawn) // (1 + companions.together), 1)]
        beside, owner = companions.of(leaders, generator(self.seed, step, "companions"))
        fits = self._group[beside] == self._group[drawn[0]]
        whole = np.concatenate([leaders, beside[fits], drawn[len(leaders) :]])
        if companions.kin:  # each behind its own, since the last ones find no place
            whole = whole[np.argsort(np.concatenate([np.arange(len(leaders)), owner[fits]]), kind="stable")]
        single = (companions.row_of_window if companions.kin else self._subject)[whole]  # stands in a batch only once
        once = np.sort(np.unique(single, return_index=True)[1])
        return whole[once][: len(drawn)]

    def _plan(self, epoch: int) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
        """Order of batches, of persons by group, and each person's window. Kept for the epoch: it is O(persons)."""
        plan = self._epoch
        if plan is None or plan[0] != epoch:
            draw = generator(self.seed, epoch, "order")
            order = draw.permutation(self.steps_per_epoch)
            persons = [draw.permutation(np.arange(a, b)) for a, b in zip(self._edges[:-1], self._edges[1:])]
            plan = self._epoch = (epoch, order, persons, self._order[self._first + draw.integers(0, self._count)])
        return plan[1:]
