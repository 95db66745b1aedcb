"""The numbers of the specification (physioclr.md 12), worked out by hand there, in float64 to six decimals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from einthoven.core.batch import Batch, View
from einthoven.objectives._forms import anchor_losses
from einthoven.objectives._pairs import Pairs, at_random, everyone, masked_cosine, pairs
from einthoven.objectives._reconstruction import peak_error, squared_error
from einthoven.objectives.physioclr import Physioclr

TAU, DELTA, B = 0.5, 0.25, 4


def rows(*numbers: list[float]) -> torch.Tensor:
    return F.normalize(torch.tensor(numbers, dtype=torch.float64), dim=1)


Z = rows([3, 4, 0], [0, 1, 0], [1, 0, 0], [0, 3, 4])
Z_S = rows([4, 3, 0], [0, 4, 3], [3, 0, 4], [0, 0, 1])
Z_A = rows([3, 0, 4], [1, 0, 0], [4, 3, 0], [0, 4, 3])
FEATURES = rows([1, 0, 0], [4, 3, 0], [0, 1, 0], [0, 3, 4])
EYE, NONE = torch.eye(B, dtype=torch.bool), torch.zeros(B, B, dtype=torch.bool)
LOGIT = Z @ torch.cat([Z_S, Z_A, Z]).T / TAU
CASES = {  # form, shares: losses of the four anchors
    ("mean", ()): [2.090188, 1.843016, 2.384952, 2.012814],
    ("sum", ()): [0.876795, 0.0, 0.755418, 0.414361],
    ("group", (1, 1, 1)): [2.090188, 1.878572, 2.151619, 1.819481],
    ("group", (0.25, 0.25, 0.5)): [2.043521, 1.856350, 2.384952, 2.012814],
    ("soft", ()): [2.103521, 1.842165, 2.209952, 1.857679],
    ("released", ()): [-1.274495, -10000.633717, -1.671427, -2.196284],
}


def dealt() -> Pairs:
    place = torch.arange(B)
    known = torch.ones(B, 3, dtype=torch.bool)
    return pairs(FEATURES, known, place, place, rule="cosine", delta=DELTA, q=0.05, k=3, neutral=(), same_patient=False)


def sets(form: str) -> tuple[list[torch.Tensor], torch.Tensor]:
    found = dealt()
    likest = found.positive | EYE if form == "released" else found.positive
    groups = [torch.cat(parts, 1) for parts in ((EYE, NONE, NONE), (NONE, EYE, NONE), (NONE, NONE, likest))]
    negative = found.negative
    return groups, torch.cat([NONE, NONE, negative] if form == "released" else [negative] * 3, 1)


def losses(form: str, shares: tuple = (), logit: torch.Tensor = LOGIT) -> torch.Tensor:
    groups, negative = sets(form)
    ones = torch.ones(B, B, dtype=torch.float64)
    weight = torch.cat([ones, ones, dealt().weight], 1)
    return anchor_losses(logit, groups, negative, form, shares=shares, weight_BK=weight)


def test_likeness_and_logits_are_those_of_the_specification():
    want = [[1, 0.8, 0, 0], [0.8, 1, 0.6, 0.36], [0, 0.6, 1, 0.6], [0, 0.36, 0.6, 1]]
    torch.testing.assert_close(dealt().likeness, torch.tensor(want, dtype=torch.float64))
    first = [1.92, 1.28, 0.72, 0, 0.72, 1.2, 1.92, 1.28, 2, 1.6, 1.2, 0.96]
    fourth = [0.72, 1.92, 1.28, 1.6, 1.28, 0, 0.72, 1.92, 0.96, 1.2, 0, 2]
    torch.testing.assert_close(LOGIT[[0, 3]], torch.tensor([first, fourth], dtype=torch.float64))


def test_the_sets_have_the_sizes_of_the_specification():
    groups, negative = sets("mean")
    assert torch.stack(groups).any(0).sum(1).tolist() == [3, 5, 4, 4]
    assert (negative.sum(1) // 3).tolist() == [2, 0, 1, 1]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_table_of_forms(case: tuple):
    np.testing.assert_allclose(losses(*case).numpy(), CASES[case], atol=6e-7)


def test_the_means_over_anchors_with_negatives_are_those_of_the_table():
    told = sets("mean")[1].any(1)
    assert told.tolist() == [True, False, True, True]
    assert float(losses("mean")[told].mean()) == pytest.approx(2.162651, abs=6e-7)
    assert float(losses("sum")[told].mean()) == pytest.approx(0.682191, abs=6e-7)


def test_one_way_infonce_of_the_shuffled_view_is_the_reference_of_simclr():
    place = torch.arange(B)
    reference = -torch.log_softmax(Z @ Z_S.T / TAU, 1)[place, place]
    np.testing.assert_allclose(reference, [0.680616, 0.729534, 1.129534, 1.257910], atol=6e-7)
    ours = anchor_losses(Z @ Z_S.T / TAU, [EYE], ~EYE, "mean")
    torch.testing.assert_close(ours, reference)


def test_mean_is_never_below_sum_and_sum_never_below_zero():
    draw = torch.Generator().manual_seed(0)
    for _ in range(50):
        logit = torch.randn(B, 3 * B, generator=draw, dtype=torch.float64) * 5
        mean, total = losses("mean", logit=logit), losses("sum", logit=logit)
        assert (mean >= total - 1e-12).all()
        assert (total >= -1e-12).all()


def test_the_sum_form_saturates_when_one_positive_is_trivial():
    """Why `mean` is the default: with one positive at the top, the others hardly pull any more."""
    logit = LOGIT.clone()
    logit[0, 0] = 30.0
    logit.requires_grad_()
    grads = {form: torch.autograd.grad(losses(form, logit=logit)[0], logit)[0][0] for form in ("sum", "mean")}
    other = sets("mean")[0][2][0]
    assert grads["sum"][other].abs().max() < 1e-9 < 0.1 < grads["mean"][other].abs().max()


def test_permuting_the_batch_permutes_the_losses():
    order = torch.tensor([2, 0, 3, 1])
    ids = torch.arange(B)
    known = torch.ones(B, 3, dtype=torch.bool)
    found = pairs(
        FEATURES[order], known, ids, ids, rule="cosine", delta=DELTA, q=0.05, k=3, neutral=(), same_patient=False
    )
    logit = Z[order] @ torch.cat([Z_S[order], Z_A[order], Z[order]]).T / TAU
    groups = [torch.cat(p, 1) for p in ((EYE, NONE, NONE), (NONE, EYE, NONE), (NONE, NONE, found.positive))]
    again = anchor_losses(logit, groups, torch.cat([found.negative] * 3, 1), "mean")
    torch.testing.assert_close(again, losses("mean")[order])


@pytest.mark.parametrize("case", [case for case in CASES if case[0] != "released"], ids=str)
def test_the_gradient_is_that_of_central_differences(case: tuple):
    z = Z.clone().requires_grad_()

    def first(z: torch.Tensor) -> torch.Tensor:
        return losses(*case, logit=F.normalize(z, dim=1) @ torch.cat([Z_S, Z_A, F.normalize(z, dim=1)]).T / TAU)[0]

    assert torch.autograd.gradcheck(first, (z,))


def test_the_released_form_falls_without_bound_and_ours_do_not():
    """Defect 5: positives are missing from its denominator."""
    pushed = torch.where(torch.stack(sets("released")[0]).any(0), LOGIT + 100, LOGIT)
    assert losses("released", logit=pushed)[0] < losses("released")[0] - 90
    assert losses("mean", logit=pushed)[0] >= 0


def test_self_is_no_positive_of_ours_and_takes_the_pull_in_the_released_form():
    """Defect 4: the anchor itself has the greatest logit, and its softmax weight leaves the real positives little."""
    groups, _ = sets("mean")
    assert not groups[2].diagonal(offset=0, dim1=0, dim2=1)[2 * B :].any()
    assert not (groups[2][:, 2 * B :] & EYE).any()
    sharp = (Z @ torch.cat([Z_S, Z_A, Z]).T / 0.1).requires_grad_()
    groups, negative = sets("released")
    pull = torch.autograd.grad(anchor_losses(sharp, groups, negative, "released")[2], sharp)[0][2]
    assert pull[2 * B + 2] < 0.6 * pull.min().abs() * -1  # itself: most of the pull of the positives
    assert pull[:B].abs().max() < 0.2


def test_reconstruction_errors_are_those_of_the_specification():
    x = torch.tensor([[[0.0, 1, 0, -1]]], dtype=torch.float64)
    found = torch.tensor([[[0.1, 0.8, 0, -0.7]]], dtype=torch.float64)
    valid = torch.ones_like(x, dtype=torch.bool)
    whole = squared_error(found, x, valid, lambda t: t)
    windows = torch.tensor([[[False] * 4, [False, True, False, False], [False] * 4]])
    peaks = peak_error(found, x, valid, windows, lambda t: t)
    assert float(whole) == pytest.approx(0.035, abs=1e-9)
    assert float(peaks) == pytest.approx(0.04, abs=1e-9)
    assert float(0.2 * whole + 0.1 * peaks) == pytest.approx(0.011, abs=1e-9)


def test_masked_cosine_looks_only_at_what_both_know():
    f = torch.tensor([[3.0, 4, 9], [4, 3, 7]], dtype=torch.float64)
    m = torch.tensor([[True, True, False], [True, True, True]])
    likeness, shared = masked_cosine(f, m, f, m)
    assert float(likeness[0, 1]) == pytest.approx(0.96, abs=1e-12)
    assert float(shared[0, 1]) == pytest.approx(2 / 3)


def test_quantile_rule_takes_the_top_share_and_leaves_a_neutral_zone():
    draw = torch.Generator().manual_seed(1)
    f, ids = torch.randn(64, 10, generator=draw), torch.arange(64)
    known = torch.ones_like(f, dtype=torch.bool)
    found = pairs(f, known, ids, ids, rule="quantile", delta=0, q=0.05, k=3, neutral=(0.6, 0.95), same_patient=False)
    total = 64 * 63
    assert found.positive.sum() / total == pytest.approx(0.05, abs=0.002)
    assert found.negative.sum() / total == pytest.approx(0.60, abs=0.002)
    assert not (found.positive & found.negative).any()
    whole = pairs(f, known, ids, ids, rule="quantile", delta=0, q=0.05, k=3, neutral=(), same_patient=False)
    assert whole.negative.sum() == total - whole.positive.sum()
    nearest = pairs(f, known, ids, ids, rule="knn", delta=0, q=0.05, k=3, neutral=(), same_patient=False)
    assert (nearest.positive.sum(1) == 3).all()


def test_one_person_and_one_recording_are_never_negatives():
    f, known = torch.tensor([[1.0, 0], [-1, 0], [0, 1], [0, -1]]), torch.ones(4, 2, dtype=torch.bool)
    row, subject = torch.tensor([0, 1, 2, 2]), torch.tensor([7, 7, 8, 8])
    for positive in (False, True):
        found = pairs(f, known, row, subject, rule="quantile", delta=0, q=0.05, k=3, neutral=(), same_patient=positive)
        assert not found.negative[0, 1]
        assert not found.negative[2, 3]
        assert bool(found.positive[0, 1]) is positive  # two recordings of one person
        assert float(found.weight[0, 1]) == positive  # their hearts are opposites
        assert not found.positive[2, 3]  # the same recording twice: neither
        alone = everyone(row, subject, same_patient=positive)
        assert not alone.negative[0, 1]
        assert alone.negative[0, 2]
        assert bool(alone.positive[0, 1]) is positive
        assert not alone.positive[2, 3]


def test_a_pair_with_little_in_common_is_neither():
    f = torch.tensor([[1.0, 1, 1, 1, 1], [-1, -1, -1, -1, -1], [1, 1, 1, 1, 1]])
    known = torch.tensor([[True] * 5, [True] * 5, [True, True, False, False, False]])
    ids = torch.arange(3)
    found = pairs(f, known, ids, ids, rule="cosine", delta=0.25, q=0.05, k=3, neutral=(), same_patient=False)
    assert found.negative[0, 1]
    assert not (found.positive | found.negative)[:, 2].any()
    assert not (found.positive | found.negative)[2].any()


def test_random_positives_match_the_count_of_each_anchor():
    draw = torch.Generator().manual_seed(1)
    f, ids = torch.randn(32, 10, generator=draw), torch.arange(32)
    known = torch.ones_like(f, dtype=torch.bool)
    found = pairs(f, known, ids, ids, rule="quantile", delta=0, q=0.1, k=3, neutral=(0.6, 0.9), same_patient=False)
    control = at_random(found, torch.Generator().manual_seed(2))
    assert torch.equal(control.positive.sum(1), found.positive.sum(1))
    assert not torch.equal(control.positive, found.positive)
    assert not control.positive.diagonal().any()


class Table(torch.nn.Module):
    """An encoder that gives each recording of each block its row of a table."""

    def __init__(self, vectors: torch.Tensor) -> None:
        super().__init__()
        self.vectors = torch.nn.Parameter(vectors)

    def forward(self, signal, valid, rate):
        from einthoven.core.batch import Encoding

        place = signal[:, 0, 0].long()
        pooled = self.vectors[place]
        one = torch.zeros(1, dtype=torch.long)
        return Encoding(pooled[:, None], torch.ones(len(pooled), 1, dtype=torch.bool), one.double(), one - 1, pooled)


def table_batch(keep: slice = slice(None)) -> Batch:
    """Recordings 0 to 3 with the vectors of the table; recording i's shuffled view is row i, adjacent 4 + i, 8 + i."""
    count = torch.arange(B)[keep]
    views = {
        name: View((count + shift)[:, None, None].float(), torch.ones(len(count), 1, 1, dtype=torch.bool))
        for name, shift in (("shuffled", 0), ("adjacent", B), ("anchor", 2 * B))
    }
    facts = {
        f"value:physiology.{name}": FEATURES[keep, i].float() for i, name in enumerate(("pr", "qrs", "t_duration"))
    }
    return Batch(views["anchor"].signal, views["anchor"].valid, 100.0, count, count, facts, views)


def physioclr(**settings) -> Physioclr:
    objective = Physioclr(
        3, alpha=0.0, beta=0.0, temperature=TAU, rule="cosine", delta=DELTA, neutral=(),
        exclude=("rhythm", "axes", "amplitudes", "morphology", "p_duration", "qtc_fridericia"), **settings,
    )  # fmt: skip
    objective.projector = torch.nn.Identity()
    assert objective.features is not None
    objective.features.weight.fill_(1.0)
    return objective


@pytest.mark.parametrize(
    ("form", "want"), [("mean", 2.162651), ("sum", 0.682191), ("group", 2.147096), ("soft", 2.057051)]
)
def test_the_objective_gives_the_table(form: str, want: float):
    objective = physioclr(form=form)
    loss, notes = objective.loss(Table(torch.cat([Z_S, Z_A, Z]).float()), table_batch(), 0)
    assert float(loss.detach()) == pytest.approx(want, abs=2e-6)
    assert float(notes["anchors_without_negatives"]) == 1


def told(objective: Physioclr, encoder: torch.nn.Module, batch: Batch) -> float:
    return float(objective.loss(encoder, batch, 0)[0].detach())


@pytest.mark.parametrize("form", ["mean", "sum", "group", "soft"])
def test_two_gathered_halves_equal_the_joint_batch(form: str):
    """Losses averaged over two processes, and the gradients of their vectors, are those of one process."""
    vectors = torch.cat([Z_S, Z_A, Z]).float()
    whole_encoder = Table(vectors.clone())
    whole = physioclr(form=form).loss(whole_encoder, table_batch(), 0)[0]
    whole.backward()
    halves = Table(vectors.clone())
    parts = [table_batch(slice(0, 2)), table_batch(slice(2, 4))]
    blocks = [
        halves(torch.cat([p.views[n].signal for n in ("shuffled", "adjacent", "anchor")]), None, 0).pooled
        for p in parts
    ]
    unit = [F.normalize(b, dim=1).chunk(3) for b in blocks]
    total = 0
    for rank, part in enumerate(parts):
        objective = physioclr(form=form)
        order = iter(range(3))

        def gather(tensor, rank=rank, order=order, part=part, objective=objective):
            other = parts[1 - rank]
            if tensor.dtype == torch.float64:
                mate = torch.stack([other.row, other.subject], 1).double()
            elif tensor.shape[1] == 3 and torch.is_grad_enabled() and tensor.requires_grad:
                mate = unit[1 - rank][next(order)]
            else:
                f, m = objective.features(other.facts)
                mate = f if not torch.equal(tensor, objective.features(part.facts)[1].float()) else m.float()
            return torch.cat([tensor, mate] if rank == 0 else [mate, tensor])

        objective.gather, objective.rank = gather, rank
        total = total + objective.loss(halves, part, 0)[0] / 2
    assert float(total.detach()) == pytest.approx(float(whole.detach()), abs=1e-6)
    total.backward()
    torch.testing.assert_close(halves.vectors.grad, whole_encoder.vectors.grad, atol=1e-6, rtol=1e-5)


def test_float32_agrees_with_float64_at_a_low_temperature():
    groups, negative = sets("mean")
    sharp = Z @ torch.cat([Z_S, Z_A, Z]).T / 0.05
    exact = anchor_losses(sharp, groups, negative, "mean")
    torch.testing.assert_close(
        anchor_losses(sharp.float(), groups, negative, "mean").double(), exact, atol=1e-5, rtol=0
    )


def test_scaling_a_vector_changes_nothing():
    longer = torch.cat([Z_S, Z_A, Z]).float()
    longer[9] *= 7
    objective = physioclr()
    plain = told(objective, Table(torch.cat([Z_S, Z_A, Z]).float()), table_batch())
    assert told(objective, Table(longer), table_batch()) == pytest.approx(plain, abs=1e-6)


def test_shuffle_alone_is_infonce_over_the_bank():
    objective = Physioclr(3, positives=("shuffle",), alpha=0.0, beta=0.0, temperature=TAU)
    objective.projector = torch.nn.Identity()
    loss, _ = objective.loss(Table(torch.cat([Z_S, Z_A, Z]).float()), table_batch(), 0)
    place = torch.arange(B)
    logit = Z @ torch.cat([Z_S, Z]).T / TAU
    logit[place, B + place] = -torch.inf
    want = -torch.log_softmax(logit, 1)[place, place].mean()
    assert float(loss.detach()) == pytest.approx(float(want), abs=1e-6)
