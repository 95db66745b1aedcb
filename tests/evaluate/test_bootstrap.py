"""The common matrix of resamples: law, clustering, redrawing, and the variance that it gives."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from einthoven.evaluate import bootstrap
from einthoven.evaluate.bootstrap import draw, multinomial
from einthoven.evaluate.ranking import Ranking
from einthoven.evaluate.table import read
from tests.evaluate import given


def some_table(subjects: int = 40, positives: int = 5, seed: int = 0, arm: str = "arm#0"):
    rng = np.random.default_rng(seed)
    subject_N = np.repeat(np.arange(subjects), 2)
    truth_N1 = (subject_N < positives)[:, None].astype(float)
    return given.table(truth_N1, rng.random((len(subject_N), 1)), subject_N, np.full(len(subject_N), "test"), run=arm)


def drawn(frame, *, seed=0, task="task", resamples=200, listed=True):
    return draw(read(frame, "task"), [listed], task_name=task, seed=seed, resamples=resamples)


def test_counts_have_the_mean_and_covariance_of_the_multinomial():
    G, R = 6, 60_000
    counts_GR = multinomial(np.random.default_rng(0), G, R)
    assert (counts_GR.sum(axis=0) == G).all()
    want = np.eye(G) - 1 / G  # G p (1 - p) on the diagonal, -G p^2 beside it, p = 1 / G
    assert np.abs(np.cov(counts_GR) - want).max() < 0.03  # five standard errors of a variance


def test_blocks_of_a_large_matrix_are_the_same_draws(monkeypatch):
    want = multinomial(np.random.default_rng(1), 50, 30)
    monkeypatch.setattr(bootstrap, "BLOCK_BYTES", 8 * 50 * 7)
    np.testing.assert_array_equal(multinomial(np.random.default_rng(1), 50, 30), want)


def test_blocks_of_weights_together_are_the_whole(monkeypatch):
    boot = drawn(some_table())
    ((_, whole),) = boot.weights(0)
    monkeypatch.setattr(bootstrap, "BLOCK_BYTES", 1)
    blocks = list(boot.weights(0))
    assert len(blocks) > 3
    np.testing.assert_array_equal(np.concatenate([weight for _, weight in blocks], axis=1), whole)
    assert [columns.start for columns, _ in blocks] == [*range(0, 201, 32)]


def test_all_records_of_a_subject_weigh_the_same_and_column_0_is_the_sample():
    ((_, weight_nC),) = drawn(some_table()).weights(0)
    np.testing.assert_array_equal(weight_nC[0::2], weight_nC[1::2])
    assert (weight_nC[:, 0] == 1).all()
    assert (weight_nC.sum(axis=0) == 80).all()


def test_arms_share_the_matrix_whatever_their_scores_and_row_order():
    one = drawn(some_table(seed=1, arm="a#0"))
    two = drawn(some_table(seed=2, arm="b#0").sample(fraction=1, shuffle=True, seed=3))
    np.testing.assert_array_equal(one.counts[0], two.counts[0])
    assert (drawn(some_table(), task="other").counts[0] != one.counts[0]).any()
    assert (drawn(some_table(), seed=1).counts[0] != one.counts[0]).any()


def test_a_resample_without_a_class_of_a_listed_label_is_drawn_anew_and_counted():
    # Five positive of 40 subjects are absent from (35 / 40)^40 = 0.5 % of resamples.
    boot = drawn(some_table(), resamples=5000)
    assert (boot.counts[0][:5].sum(axis=0) > 0).all()
    assert 5 < boot.redrawn < 60
    free = drawn(some_table(), resamples=5000, listed=False)
    assert (free.counts[0][:5].sum(axis=0) == 0).sum() == pytest.approx(boot.redrawn, abs=2)
    assert free.redrawn == 0


def test_halves_are_resampled_each_on_its_own():
    frame = pl.concat([some_table(), some_table()]).with_columns(
        pl.Series("split", ["half-a"] * 80 + ["half-b"] * 80), (pl.col("subject") + pl.Series([0] * 80 + [100] * 80))
    )
    boot = drawn(frame)
    assert (boot.counts[0].sum(axis=0) == 40).all()
    assert (boot.counts[1].sum(axis=0) == 40).all()
    assert abs(np.corrcoef(boot.counts[0][0, 1:], boot.counts[1][0, 1:])[0, 1]) < 0.3


def obuchowski(records: given.Records) -> float:
    """Standard error of an AUROC with clusters in closed form (Obuchowski 1997, Biometrics 53:567)."""
    score_n, positive_n = records.scores[0], records.truth == 1
    win_XY = np.sign(score_n[positive_n][:, None] - score_n[~positive_n][None]) / 2 + 0.5
    auroc, (X, Y), subjects = win_XY.mean(), win_XY.shape, records.subject.max() + 1
    a_G = np.bincount(records.subject[positive_n], win_XY.mean(axis=1) - auroc, minlength=subjects)
    b_G = np.bincount(records.subject[~positive_n], win_XY.mean(axis=0) - auroc, minlength=subjects)
    with_x, with_y = records.counts()
    s10 = with_x / ((with_x - 1) * X) * (a_G**2).sum()
    s01 = with_y / ((with_y - 1) * Y) * (b_G**2).sum()
    s11 = subjects / (subjects - 1) * (a_G * b_G).sum()
    return float(np.sqrt(s10 / X + s01 / Y + 2 * s11 / (X * Y)))


@pytest.mark.parametrize("positives", [20, 100])
@pytest.mark.parametrize("records", [1.15, 3.0])
def test_bootstrap_standard_error_is_obuchowskis_closed_form(positives, records):
    rng = np.random.default_rng(positives)
    ratios = []
    for _ in range(30):
        sample = given.binormal(rng, positives, 0.85, records=records, negatives=300)
        counts_GR = multinomial(rng, positives + 300, 600)
        auroc_R, _ = Ranking(sample.truth, sample.scores[0])(counts_GR[sample.subject].astype(float))
        ratios.append(auroc_R.std(ddof=1) / obuchowski(sample))
    assert 0.97 < np.mean(ratios) < 1.03


def test_resampling_records_instead_of_subjects_would_be_too_narrow_with_three_records_a_subject():
    rng = np.random.default_rng(0)
    sample = given.binormal(rng, 60, 0.85, records=3.0, negatives=300)
    ranking, n = Ranking(sample.truth, sample.scores[0]), len(sample.truth)
    subjects = ranking(multinomial(rng, 360, 600)[sample.subject].astype(float))[0].std()
    records = ranking(multinomial(rng, n, 600).astype(float))[0].std()
    assert records < 0.8 * subjects
