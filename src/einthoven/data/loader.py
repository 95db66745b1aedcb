"""Batches from a cohort: read int16 windows, bring them through the one order of processing, disturb, scale.

`batch(step)` is a pure function of its step; `iterate` is the same with a thread that works ahead; `sequential` goes
through all windows once, as evaluation wants them. Shapes: B windows, N samples as stored, L leads, T samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from einthoven.cohort.store import MISSING, Cohort
from einthoven.cohort.windows import Windows
from einthoven.core.batch import Batch
from einthoven.core.errors import RecipeError
from einthoven.core.layout import Layout
from einthoven.core.leads import ANY
from einthoven.core.random import number
from einthoven.data import views as view_maker
from einthoven.data.augment import Augment
from einthoven.data.marks import Marks
from einthoven.data.moments import Peaks
from einthoven.data.prefetch import ahead
from einthoven.data.sampler import Companions, Sampler
from einthoven.data.segments import NAMES as SEGMENTS
from einthoven.data.segments import Segments
from einthoven.data.shuffle import Shuffle
from einthoven.data.targets import fact_arrays
from einthoven.signal import gaps, processing


class Loader:
    """Batches of some windows of a cohort.

    Args:
        cohort: where the recordings are.
        layout: what the model wants.
        windows: which windows take part (`cohort.windows.index`).
        batch: windows in a batch, over all processes.
        seed: of order and augmentation.
        views: names of the views that each batch carries, see `data.views`.
        augment: how views are disturbed. An objective that asks for no view gets `signal` itself disturbed; with views,
            `signal` is the plain window.
        shuffle: how the view `shuffled` is made.
        facts: needs such as `labels:superclass`, see `data.targets`; `peaks:NAME` are of the anchor where there is one.
        worn: by recording, whose facts it wears instead of its own (a control); None for its own.
        companions: by recording, those that may be drawn with it, (recordings, C), -1 for none (`data.sampler`).
        together: how many of them a drawn recording brings along. kin: whether they may be of the same person.
        device: where the tensors live; everything after reading happens there.
        prefetch: how many batches a thread makes ahead; 0 for none.
        rank, processes: this process takes every `processes`-th window of a batch.

    Raises:
        CohortError: the cohort lacks a fact; RecipeError: an unknown view, or (on drawing) too few persons for a batch.
    """

    def __init__(
        self,
        cohort: Cohort,
        layout: Layout,
        windows: Windows,
        *,
        batch: int,
        seed: int = 0,
        views: Sequence[str] = (),
        augment: Augment | None = None,
        shuffle: Shuffle | None = None,
        facts: Sequence[str] = (),
        worn: np.ndarray | None = None,
        companions: np.ndarray | None = None,
        together: int = 0,
        kin: bool = False,
        device: str = "cpu",
        prefetch: int = 2,
        rank: int = 0,
        processes: int = 1,
    ) -> None:
        self.cohort, self.layout, self.size, self.seed = cohort, layout, batch, seed
        self.views, self.augment = view_maker.check(views), augment
        self.device, self.prefetch, self.rank, self.processes = torch.device(device), prefetch, rank, processes
        self._row, self._start, self._lead = windows.row, windows.start, windows.lead
        self._subject = cohort.index["subject_id"].to_numpy()
        self._rate = cohort.index["rate"].to_numpy()
        self._marks = {need: Marks(cohort, need.partition(":")[2]) for need in facts if need.startswith("waves:")}
        self._peaks = {need: Peaks(cohort, need.partition(":")[2]) for need in facts if need.startswith("peaks:")}
        of_rows = [need for need in facts if need not in self._marks and need not in self._peaks]
        arrays = fact_arrays(cohort, of_rows)
        self._facts = {name: torch.from_numpy(a if worn is None else a[worn]) for name, a in arrays.items()}
        self._companions, self._together, self._kin = companions, together, kin
        parts = [name for name in self.views if name in SEGMENTS]
        crop = augment.crop_seconds if augment else 0.0
        if parts and augment and augment.shift_seconds:
            raise RecipeError(
                "[augment] shift_seconds", "would move a stretch away from its peaks and its neighbour", expected=0,
                got=augment.shift_seconds, fix="set crop_seconds instead", reason="value",
            )  # fmt: skip
        self._segments = Segments(cohort, parts, crop, layout.seconds, shuffle or Shuffle()) if parts else None
        self._place()

    def _place(self) -> None:
        """Each window's length and surroundings in stored samples, and the group of windows it can be stacked with."""
        names = self.cohort.index["leads"]
        if self.layout.leads == (ANY,):  # what they are called does not matter, only how they lie in the store
            names = names.str.count_matches(" ")
        leads_code = np.unique(names.to_numpy(), return_inverse=True)[1]
        rate = self._rate[self._row]
        samples = self.cohort.index["samples"].to_numpy()[self._row]
        self._size = np.zeros((len(self._row), 3), np.int64)  # window, before, after
        for hertz in np.unique(rate):
            mine = rate == hertz
            found = processing.context(self._start[mine], samples[mine], float(hertz), self.layout)
            self._size[mine] = np.stack(found, axis=1)
        key = np.stack([leads_code[self._row], rate, self._size[:, 0]], axis=1)
        self._group = np.unique(key, axis=0, return_inverse=True)[1].reshape(-1)

    @cached_property
    def sampler(self) -> Sampler:
        """Who is drawn. Made on the first draw, since a loader that only goes through all windows draws nobody."""
        near = self._companions
        companions = None if near is None else Companions(self._row, near, self._together, self._kin)
        return Sampler(self._subject[self._row], self._group, batch=self.size, seed=self.seed, companions=companions)

    @property
    def steps_per_epoch(self) -> int:
        """Batches in which each person comes once."""
        return self.sampler.steps_per_epoch

    def batch(self, step: int) -> Batch:
        """The training batch of a step; the same step gives the same bits, whatever was asked before."""
        index = self.sampler.window_indices(step)[self.rank :: self.processes]
        signal, valid = self._condition(index)
        seed, layout = number(self.seed, self.rank, "augment"), self.layout
        plain = [name for name in self.views if name not in SEGMENTS]
        views = view_maker.make(plain, signal, valid, layout, self.augment, seed, step)
        if self.augment is not None and not self.views:
            signal, valid = self.augment(signal, valid, layout.rate, seed, step, "signal", layout.leads)
        if self._segments is None:
            return self._batch(index, signal, valid, views)
        rows, start_B = self._row[index], self._start[index] / self._rate[self._row[index]]
        parts, first_B, length, fate_B = self._segments.cut(signal, valid, rows, start_B, layout.rate, seed, step)
        views |= view_maker.of_segments(parts, layout, self.augment, seed, step)
        facts = {"shuffled": torch.from_numpy(fate_B).to(self.device)} if "shuffled" in parts else {}
        return self._batch(index, signal, valid, views, first_B, length, facts)

    def iterate(self, first_step: int, last_step: int) -> Iterator[Batch]:
        """The batches of `first_step` up to but without `last_step`, made ahead by a thread."""
        return ahead(self.batch, range(first_step, last_step), self.prefetch)

    def sequential(self, batch: int | None = None) -> Iterator[Batch]:
        """All windows once, without augmentation, in order within each group of equal length, leads and rate.

        `row` says whose each window is: the mean over a recording's windows is the caller's.
        """
        size = batch or self.size
        chunks = []
        for group in np.unique(self._group):
            index = np.flatnonzero(self._group == group)
            chunks += [index[i : i + size] for i in range(0, len(index), size)]
        return ahead(lambda index: self._batch(index, *self._condition(index), {}), chunks, self.prefetch)

    def _batch(
        self, index: np.ndarray, signal: Tensor, valid: Tensor, views: dict, first: np.ndarray | int = 0,
        length: int = 0, facts: dict[str, Tensor] | None = None,
    ) -> Batch:  # fmt: skip
        rows = torch.from_numpy(self._row[index])
        start_B = self._start[index] / self._rate[self._row[index]] + first / self.layout.rate
        peaks = {
            need: torch.from_numpy(found.of(self._row[index], start_B, length or signal.shape[-1], self.layout.rate))
            for need, found in self._peaks.items()
        }
        return Batch(
            signal=processing.scale(signal, valid, self.layout),
            valid=valid,
            rate=self.layout.rate,
            row=rows.to(self.device),
            subject=torch.from_numpy(self._subject[self._row[index]]).to(self.device),
            facts={name: fact[rows].to(self.device) for name, fact in self._facts.items()}
            | {name: fact.to(self.device) for name, fact in peaks.items()}
            | self._cut(index)
            | (facts or {}),
            views=views,
        )

    def _cut(self, index: np.ndarray) -> dict[str, Tensor]:
        """The marks of these windows."""
        rows, starts, leads = self._row[index], self._start[index], self._lead[index]
        return {
            need: torch.from_numpy(marks.of(rows, starts, leads, self.layout, self.layout.seconds)).to(self.device)
            for need, marks in self._marks.items()
        }

    def _condition(self, index: np.ndarray) -> tuple[Tensor, Tensor]:
        """Windows of one group in millivolts at the layout's rate, (B, L, T), and their validity."""
        sizes, member = np.unique(self._size[index], axis=0, return_inverse=True)
        if len(sizes) == 1:
            return self._read(index, *map(int, sizes[0]))
        member = member.reshape(-1)
        # one pass for each kind of surroundings, then back in order
        parts = [self._read(index[member == i], *map(int, size)) for i, size in enumerate(sizes)]
        back = torch.from_numpy(np.argsort(np.argsort(member, kind="stable"))).to(self.device)
        return torch.cat([signal for signal, _ in parts])[back], torch.cat([valid for _, valid in parts])[back]

    def _read(self, index: np.ndarray, window: int, before: int, after: int) -> tuple[Tensor, Tensor]:
        """Windows with the same surroundings through the order of processing up to the cut."""
        rows = self._row[index]
        stored = self.cohort.gather(rows, self._start[index] - before, before + window + after)  # (B, N, leads)
        leads = self.cohort.leads(int(rows[0]))
        if self.layout.leads == (ANY,):
            stored, leads = stored[np.arange(len(index)), :, self._lead[index], None], ("unknown",)
        torn = int(stored.min()) == MISSING
        microvolts = torch.from_numpy(stored).to(self.device).transpose(1, 2)
        signal = torch.empty(microvolts.shape, device=self.device).copy_(microvolts).div_(1000)
        if torn:
            signal.masked_fill_(microvolts == MISSING, torch.nan)
        signal, status = processing.pick(signal, leads, self.layout)
        valid = torch.ones(1, 1, 1, dtype=torch.bool, device=self.device)
        if torn or "missing" in status:
            signal, valid = gaps.fill(signal)
        return processing.condition(signal, valid, float(self._rate[rows[0]]), self.layout, before, after)
