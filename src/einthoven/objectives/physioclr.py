"""PhysioCLR: recordings attract whose hearts do the same thing (Maghsoodi et al. 2025, arXiv 2509.08116).

An anchor's positives are itself with its beats shuffled, the neighbouring stretch of its recording, and the recordings
of the batch with the likest physiology; a decoder gives the anchor back, its peaks above all. A re-implementation from
the description: docs/methods/physioclr.md says what was published and what differs. Shapes: B anchors, N recordings of
the gathered batch, K keys, F features, D width, P projection, L leads, T samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from einthoven.core.batch import Batch
from einthoven.core.errors import RecipeError, TrainingError
from einthoven.core.facts import LabelSet
from einthoven.core.layout import Layout
from einthoven.core.random import number
from einthoven.data.shuffle import Shuffle
from einthoven.objectives import Objective
from einthoven.objectives import _pairs as dealing
from einthoven.objectives._decoder import Decoder
from einthoven.objectives._features import Features
from einthoven.objectives._forms import Form, anchor_losses
from einthoven.objectives._reconstruction import amplitudes, peak_error, peak_windows, power, squared_error
from einthoven.objectives._spread import effective_rank

PEAKS = "peaks:physiology.waves.global"
BLOCKS = {"shuffle": "shuffled", "adjacent": "adjacent", "features": "anchor"}
"""The view that holds each kind of positive; the blocks of the bank stand in this order. The last kind are other
recordings: those of like physiology, those of the same person, or both."""
CANDIDATES = 10
"""A recording's companions are drawn among so many of its nearest."""
ROWS = 1024
"""Recordings whose neighbours are looked for at once."""
MOST_POSITIVE, LEAST_POSITIVE, LEAST_RANK = 0.2, 0.005, 10
"""Shares of positive pairs and an effective rank beyond which a step raises its alarm."""


class Physioclr(Objective):
    """Contrast by physiology, and reconstruction.

    Args:
        width: of the encoder's pooled vector.
        positives: kinds of positives. Without `features` all other persons are negatives.
        form: of the contrast, see `objectives._forms`. weights: of the three kinds, for `group`.
        temperature: divides the cosines.
        rule, delta, q, k, neutral: how pairs are dealt, see `objectives._pairs`; the zone's upper end is where the
            positives of `kernel` begin, the other rules have their own.
        same_patient: `positive` draws other recordings of the same person beside each, where there are, instead of
            those of like physiology, and takes them as positives; `ignore` has a person once in a batch. Two recordings
            of one person are never negatives.
        features, exclude, pca: the physiological vector, see `objectives._features`.
        alpha, beta: weights of the reconstruction of the whole anchor and of its peaks.
        peak: `window` is the error within 60 ms of each peak, `amplitude` regresses the peaks' heights.
        shuffle, guard, min_beats: chance of a heartbeat shuffle and who may be shuffled, see `data.shuffle`.
        neighbours: how many recordings of like physiology each drawn one brings into the batch.
        control: `permute` wears another recording's measurements, `random` takes as many positives at random,
            `random_cuts` cuts anywhere, `regress` predicts the measurements instead of contrasting.
        projection: width of the space in which views are compared.

    Raises:
        RecipeError: settings that exclude each other.
    """

    def __init__(
        self,
        width: int,
        /,
        *,
        positives: tuple[Literal["shuffle", "adjacent", "features"], ...] = ("shuffle", "adjacent", "features"),
        form: Form = "mean",
        weights: tuple[float, float, float] = (0.25, 0.25, 0.5),
        temperature: Annotated[float, Field(gt=0, le=10)] = 0.1,
        rule: dealing.Rule = "quantile",
        delta: Annotated[float, Field(ge=-1, le=1)] = 0.25,
        q: Annotated[float, Field(gt=0, lt=1)] = 0.05,
        k: Annotated[int, Field(ge=1)] = 3,
        neutral: tuple[Annotated[float, Field(ge=0, le=1)], ...] = (0.60, 0.95),
        same_patient: Literal["ignore", "positive"] = "ignore",
        features: Literal["core", "full"] = "core",
        exclude: tuple[str, ...] = (),
        pca: Annotated[int, Field(ge=0)] = 0,
        alpha: Annotated[float, Field(ge=0)] = 0.2,
        beta: Annotated[float, Field(ge=0)] = 0.1,
        peak: Literal["window", "amplitude"] = "window",
        shuffle: Annotated[float, Field(ge=0, le=1)] = 0.5,
        guard: bool = True,
        min_beats: Annotated[int, Field(ge=3)] = 4,
        neighbours: Annotated[int, Field(ge=0)] = 0,
        control: Literal["none", "permute", "random", "random_cuts", "regress"] = "none",
        projection: Annotated[int, Field(ge=2, le=65536)] = 128,
    ) -> None:
        super().__init__()
        self.kin = same_patient == "positive"
        _refuse(positives, form, weights, rule, neutral, control, self.kin)
        regress = control == "regress"
        self.form: Form = form
        self.temperature, self.alpha, self.beta, self.peak, self.control = temperature, alpha, beta, peak, control
        self.kinds = tuple(kind for kind in BLOCKS if kind in positives or (self.kin and kind == "features"))
        self.shares = tuple(weights[list(BLOCKS).index(kind)] for kind in self.kinds)
        self.rule = {"rule": rule, "delta": delta, "q": q, "k": k, "neutral": tuple(neutral)}
        self.neighbours, self.permuted = neighbours, control == "permute"
        used = regress or "features" in positives
        self.features = Features(features, exclude, pca) if used else None
        self.needs = (self.features.needs if self.features else ()) + ((PEAKS,) if beta else ())
        kinds = ("adjacent",) if regress else tuple(kind for kind in self.kinds if kind != "features")
        self.blocks = (*(BLOCKS[kind] for kind in kinds), "anchor")
        self.views = self.blocks + (("clean",) if alpha or beta else ())
        if "shuffled" in self.blocks:
            self.shuffle = Shuffle(p=shuffle, guard=guard, min_beats=min_beats, anywhere=control == "random_cuts")
        out = self.features.width if regress and self.features else projection
        self.projector = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, out))
        self.decoder: Decoder | None = None
        self.heights: nn.Linear | None = None
        self.width = width
        self.graph: dict[str, float] = {}

    def attach(self, encoder: nn.Module, layout: Layout) -> None:
        """Make the decoder for this encoder's tokens."""
        if self.beta and self.peak == "amplitude":
            self.heights = nn.Linear(self.width, 3 * len(layout.leads))
        if not self.alpha and not (self.beta and self.peak == "window"):
            return
        with torch.no_grad():
            whole = torch.ones(1, 1, 1, dtype=torch.bool)
            found = encoder.eval()(torch.zeros(1, len(layout.leads), layout.samples), whole, layout.rate)
            encoder.train()
        if (found.token_lead >= 0).any():
            raise RecipeError(
                "[objective]", "cannot decode tokens of single leads", expected="an encoder whose tokens see all leads",
                got=type(encoder).__name__, fix="set alpha = 0 and beta = 0", reason="encoder",
            )  # fmt: skip
        # the stride is told by the tokens' places: samples / tokens is something else where the last one overhangs
        apart = float(found.token_time.diff().mean()) if len(found.token_time) > 1 else layout.seconds
        self.decoder = Decoder(self.width, len(layout.leads), max(round(apart * layout.rate), 1))

    def prepare(
        self, facts: Mapping[str, np.ndarray], label_sets: Mapping[str, LabelSet], units: Mapping[str, str]
    ) -> None:
        """Fit the scaling of the features on the training recordings."""
        if self.features is not None:
            self.features.fit(facts)

    def companions(self, facts: Mapping[str, np.ndarray]) -> np.ndarray | None:
        """The nearest training recordings of each by physiology, (rows, C) places among them, -1 for none."""
        if not self.neighbours or self.features is None or len(next(iter(facts.values()))) < 2:
            return None
        f_BF, m_BF = self.features({need: torch.from_numpy(facts[need]) for need in self.features.needs})
        found = np.full((len(f_BF), min(CANDIDATES, len(f_BF) - 1)), -1, np.int64)
        nearest = []
        for start in range(0, len(f_BF), ROWS):
            part = slice(start, start + ROWS)
            likeness, shared = dealing.masked_cosine(f_BF[part], m_BF[part], f_BF, m_BF)
            likeness[shared < dealing.LEAST_SHARED] = -torch.inf
            likeness[torch.arange(len(likeness)), torch.arange(start, start + len(likeness))] = -torch.inf
            value, place = likeness.topk(found.shape[1], dim=1)
            found[part] = torch.where(value.isfinite(), place, -1).numpy()
            nearest.append(value)
        chosen = np.bincount(found[found >= 0], minlength=len(found))
        likeness = torch.cat(nearest).nan_to_num(neginf=torch.nan)
        self.graph = {
            "likeness_nearest": float(likeness[:, 0].nanmedian()), "likeness_last": float(likeness[:, -1].nanmedian()),
            "alone": int((found < 0).all(axis=1).sum()), "never_chosen": int((chosen == 0).sum()),
            "most_chosen": int(chosen.max(initial=0)),
        }  # fmt: skip
        return found

    def statistics(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The fitted features, for the checkpoint."""
        if self.features is None:
            return {}, {}
        graph = {"neighbours": self.graph} if self.graph else {}
        return dict(self.features.named_buffers()), self.features.card() | graph

    def loss(self, encoder: nn.Module, batch: Batch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Contrast + alpha reconstruction + beta peaks, and what the log shall know of each.

        Raises:
            TrainingError: no recording of the batch has both a positive and a negative.
        """
        seen = [batch.view(name) for name in self.blocks]
        signal = torch.cat([view.signal for view in seen])
        valid = torch.cat([view.valid.expand(view.signal.shape) for view in seen])
        encoding = encoder(signal, valid, batch.rate)
        out_KP = _exact(self.projector(encoding.pooled))
        anchor = slice(len(signal) - len(batch), None)
        token_BND, pooled_BD = encoding.tokens[anchor], encoding.pooled[anchor]
        found = _exact(self.decoder(token_BND, batch.view("clean").signal.shape[-1])) if self.decoder else None
        height = _exact(self.heights(pooled_BD)) if self.heights else None
        # networks may be in bfloat16, likeness and loss are not
        with torch.autocast(signal.device.type, enabled=False):
            if self.control == "regress":
                contrast, notes = self._regress(out_KP, batch)
            else:
                contrast, notes = self._contrast(out_KP, batch, step)
            total = contrast
            notes["contrast"] = contrast.detach()
            if self.alpha or self.beta:
                whole, peaks = self._reconstruct(found, height, batch)
                total = total + self.alpha * whole + self.beta * peaks
                notes |= {"reconstruction": whole.detach(), "peaks": peaks.detach()}
        if "shuffled" in batch.facts:
            fate_B = batch.fact("shuffled")
            notes |= {"shuffle_eligible": (fate_B >= 0).float().mean(), "shuffle_used": (fate_B > 0).float().mean()}
        return total, notes

    def _contrast(self, out_KP: Tensor, batch: Batch, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        blocks = F.normalize(out_KP, dim=1).chunk(len(self.blocks))
        anchor_BP, B = blocks[-1], len(batch)
        bank_KP = torch.cat([self._all(block_BP) for block_BP in blocks])
        dealt, missing = self._deal(batch, step)
        N = len(dealt.positive)
        mine = slice(self.rank * B, (self.rank + 1) * B) if self.gather else slice(0, B)
        own_NN = torch.eye(N, dtype=torch.bool, device=anchor_BP.device)
        likest_NN, weight_NN = dealt.positive, dealt.weight
        if self.form == "released":
            likest_NN = likest_NN | own_NN
        nobody_NN = torch.zeros_like(own_NN)
        groups_NK = []
        for kind in self.kinds:
            parts = [nobody_NN] * len(self.blocks)
            parts[self.blocks.index(BLOCKS[kind])] = likest_NN if kind == "features" else own_NN
            groups_NK.append(torch.cat(parts, dim=1))
        elsewhere_NN = nobody_NN if self.form == "released" else dealt.negative
        negative_NK = torch.cat([elsewhere_NN] * (len(self.blocks) - 1) + [dealt.negative], dim=1)
        whole_NK = torch.stack(groups_NK).any(0)
        told_N = whole_NK.any(1) & negative_NK.any(1)
        count = int(told_N.sum())
        if not count and self.form != "released":
            where = "" if self.training else ", or validate_every = 0: it is a batch of the validation part"
            raise TrainingError(
                "physioclr", f"no recording has a positive and a negative at step {step + 1}",
                expected="unlike hearts in a batch", got=f"{N} recordings",
                fix=f"set [training] batch higher, [objective] q lower, or neutral = []{where}", reason="negatives",
            )  # fmt: skip
        if self.form == "released":
            told_N, count = torch.ones_like(told_N), N
        cosine_BK = anchor_BP @ bank_KP.T
        ones_NN = torch.ones_like(weight_NN)
        weights = [weight_NN if name == "anchor" else ones_NN for name in self.blocks]
        loss_B = anchor_losses(
            cosine_BK / self.temperature, [group[mine] for group in groups_NK], negative_NK[mine], self.form,
            shares=self.shares, weight_BK=torch.cat(weights, dim=1)[mine],
        )  # fmt: skip
        # anchors are counted over all processes, so that the mean over processes is the loss of the joint batch
        loss = torch.where(told_N[mine], loss_B, 0.0).sum() * (N / B) / max(count, 1)
        with torch.no_grad():
            notes = _notes(dealt, told_N, blocks, cosine_BK, groups_NK, negative_NK[mine], self.kinds, mine)
            notes["alarm_positives"] *= self.features is not None  # else nobody chose how many are positive
        return loss, notes | {"missing": missing}

    def _deal(self, batch: Batch, step: int) -> tuple[dealing.Pairs, Tensor]:
        """Pairs of the gathered batch, and the share of features that are not known."""
        ids_N2 = self._all(torch.stack([batch.row, batch.subject], dim=1).double())
        row_N, subject_N = ids_N2[:, 0], ids_N2[:, 1]
        if self.features is None:
            return dealing.everyone(row_N, subject_N, same_patient=self.kin), row_N.new_zeros(())
        f_BF, m_BF = self.features(batch.facts)
        f_NF, m_NF = self._all(f_BF), self._all(m_BF.float()) > 0
        dealt = dealing.pairs(f_NF, m_NF, row_N, subject_N, same_patient=self.kin, **self.rule)  # type: ignore[arg-type]
        if self.control == "random":
            draw = torch.Generator().manual_seed(number(int(row_N.sum()), step, "pairs"))
            dealt = dealing.at_random(dealt, draw)
        return dealt, 1 - m_NF.float().mean()

    def _regress(self, out_KF: Tensor, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Squared error of the features predicted from both stretches, over those that are known, as a share of their
        power."""
        assert self.features is not None
        f_BF, m_BF = self.features(batch.facts)
        f_KF, m_KF = (each.repeat(len(self.blocks), 1) for each in (f_BF, m_BF.to(f_BF.dtype)))
        size = self._all((f_KF.square() * m_KF).sum()[None]).mean().clamp(min=1e-12)
        error = ((out_KF - f_KF).square() * m_KF).sum() / size
        return error, {"missing": 1 - m_KF.mean(), "rank": effective_rank(out_KF.detach())}

    def _reconstruct(self, found_BLT: Tensor | None, height_BH: Tensor | None, batch: Batch) -> tuple[Tensor, Tensor]:
        """Error of the whole anchor and of its peaks, on the signal over its root mean square."""
        clean = batch.view("clean")
        valid = clean.valid.expand(clean.signal.shape)
        target = clean.signal / power(clean.signal, valid, self._all).sqrt()
        whole = peaks = target.new_zeros(())
        if found_BLT is not None:
            whole = squared_error(found_BLT, target, valid, self._all)
            if self.beta and self.peak == "window":
                windows = peak_windows(batch.fact(PEAKS), target.shape[-1], batch.rate)
                peaks = peak_error(found_BLT, target, valid, windows, self._all)
        if height_BH is not None:
            height_BL3, known_BL3 = amplitudes(target, valid, batch.fact(PEAKS))
            peaks = squared_error(height_BH.view_as(height_BL3), height_BL3, known_BL3, self._all)
        return whole, peaks

    def _all(self, tensor: Tensor) -> Tensor:
        """The rows of all processes."""
        return self.gather(tensor) if self.gather else tensor


def _refuse(positives: Any, form: str, weights: Any, rule: str, neutral: Any, control: str, kin: bool) -> None:
    if kin and control in ("random", "regress"):
        raise RecipeError(
            "[objective] same_patient", f"'positive' does not go with control '{control}'", expected="ignore",
            reason="value",
        )  # fmt: skip
    if not positives and control != "regress":
        raise RecipeError("[objective] positives", "is empty", expected="some of " + ", ".join(BLOCKS), reason="value")
    if control in ("permute", "random") and "features" not in positives:
        raise RecipeError("[objective] control", f"'{control}' needs the positives 'features'", reason="value")
    if control == "random_cuts" and "shuffle" not in positives:
        raise RecipeError("[objective] control", "'random_cuts' needs the positive 'shuffle'", reason="value")
    if min(weights) < 0 or not sum(weights):
        raise RecipeError(
            "[objective] weights", "are no weights", expected="0 or more, not all 0", got=list(weights), reason="value"
        )
    if len(neutral) not in (0, 2) or list(neutral) != sorted(neutral):
        raise RecipeError(
            "[objective] neutral", "is no zone", expected="[] or two rising quantiles", got=list(neutral),
            reason="value",
        )  # fmt: skip
    if rule == "kernel" and (form != "soft" or not neutral):
        raise RecipeError(
            "[objective] rule", "'kernel' weights the positives above the neutral zone", got=f"form = {form}",
            fix='set form = "soft" and a zone such as neutral = [0.6, 0.95]', reason="value",
        )  # fmt: skip
    if form == "released" and set(positives) != set(BLOCKS):
        raise RecipeError("[objective] form", "'released' has all three kinds of positives", reason="value")


def _notes(
    dealt: dealing.Pairs, told_N: Tensor, blocks: tuple[Tensor, ...], cosine_BK: Tensor, groups_NK: list[Tensor],
    negative_BK: Tensor, kinds: tuple[str, ...], mine: slice,
) -> dict[str, Tensor]:  # fmt: skip
    """What a step says of its pairs and vectors."""
    positives_N, negatives_N = dealt.positive.sum(1).float(), dealt.negative.sum(1).float()
    N = len(positives_N)
    rate = positives_N.mean() / max(N - 1, 1)
    rank = effective_rank(blocks[-1])
    notes = {
        "positives": positives_N.mean(), "negatives": negatives_N.mean(),
        "anchors_without_negatives": (~told_N).float().sum(), "rank": rank,
        "cosine_negative": _over(cosine_BK, negative_BK),
        "alarm_positives": ((rate > MOST_POSITIVE) | (rate < LEAST_POSITIVE)).float(),
        "alarm_rank": (rank < min(LEAST_RANK, (len(blocks[-1]) - 1) / 2)).float(),
    }  # fmt: skip
    for share, name in ((0.05, "least"), (0.95, "most")):
        notes |= {f"positives_{name}": positives_N.quantile(share), f"negatives_{name}": negatives_N.quantile(share)}
    return notes | {f"cosine_{kind}": _over(cosine_BK, group[mine]) for kind, group in zip(kinds, groups_NK)}


def _exact(tensor: Tensor) -> Tensor:
    """In float32 at least: a loss is not computed in bfloat16."""
    return tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()


def _over(cosine_BK: Tensor, mask_BK: Tensor) -> Tensor:
    """Mean cosine over some keys, 0 where there is none."""
    return (cosine_BK * mask_BK).sum() / mask_BK.sum().clamp(min=1)
