"""Do 95 % intervals cover the truth in 95 % of samples? A short study here, the long one as a table.

`python -m tests.evaluate.test_coverage [SETS]` writes docs/results/coverage.md (2,000 sets a setting take about five
minutes of one core). Each set is a new test sample of clustered binormal scores (`given.binormal`) with a known true
AUROC, put through the product's own resamples, variances and intervals. Shapes: T sets, R resamples, K labels.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy.special import stdtrit

from einthoven.evaluate.bootstrap import multinomial
from einthoven.evaluate.intervals import FEW, NEAR_ONE, conservative, logit_t, newcombe, wald_t
from einthoven.evaluate.ranking import Ranking
from einthoven.evaluate.variance import combine, macro_df
from tests.evaluate import given

RESAMPLES = 500
ROWS = ("percentile", "logit-t", "Newcombe", "union", "as printed", "difference: percentile", "difference: Wald-t")


@dataclass(frozen=True)
class Setting:
    """One row of the table: positive subjects among 500 negative ones, true AUROC, spread of positive scores."""

    positives: int
    auroc: float
    spread: float = 1.0


def coverage(setting: Setting, sets: int, seed: int = 0) -> dict[str, float]:
    """Share of sets whose interval holds the true AUROC, or the true difference 0 of two arms of equal quality.

    All sets share one matrix of resamples, as all arms and labels of a task do.
    """
    rng = np.random.default_rng([seed, setting.positives, int(1000 * setting.auroc), int(10 * setting.spread)])
    counts_GC = multinomial(rng, setting.positives + 500, RESAMPLES)
    counts_GC = np.concatenate([np.ones_like(counts_GC[:, :1]), counts_GC], axis=1).astype(np.float64)
    auroc_ATC, m_T, other_T = np.empty((2, sets, RESAMPLES + 1)), np.empty(sets), np.empty(sets)
    for i in range(sets):
        sample = given.binormal(rng, setting.positives, setting.auroc, spread=setting.spread, arms=2)
        m_T[i], other_T[i] = sample.counts()
        weight_nC = counts_GC[sample.subject]
        for arm in (0, 1):
            auroc_ATC[arm, i] = Ranking(sample.truth, sample.scores[arm])(weight_nC)[0]
    a_TC, d_TC = auroc_ATC[0], auroc_ATC[0] - auroc_ATC[1]
    variance_T, variance_of_d_T = (
        np.array([combine(f_TC[i, :1], f_TC[i, 1:], m_T[i] - 1).total for i in range(sets)]) for f_TC in (a_TC, d_TC)
    )
    single = (a_TC[:, 0], variance_T, m_T, other_T)
    plain, union = logit_t(*single), conservative(*single)
    printed = np.where((m_T >= FEW) & (a_TC[:, 0] < NEAR_ONE), plain, union)
    difference = wald_t(d_TC[:, 0], variance_of_d_T, m_T - 1)
    limits = {
        "percentile": np.nanquantile(a_TC[:, 1:], [0.025, 0.975], axis=1), "logit-t": plain,
        "Newcombe": newcombe(a_TC[:, 0], m_T, other_T), "union": union, "as printed": printed,
        "difference: percentile": np.nanquantile(d_TC[:, 1:], [0.025, 0.975], axis=1), "difference: Wald-t": difference,
    }  # fmt: skip
    truth = {name: 0.0 if name.startswith("difference") else setting.auroc for name in ROWS}
    return {name: float(np.mean((limits[name][0] <= truth[name]) & (truth[name] <= limits[name][1]))) for name in ROWS}


def macro_coverage(sets: int, seed: int = 0) -> dict[str, float]:
    """The same for the mean over five labels with 20 to 400 positive of 1,000 subjects, AUROC .70 to .90."""
    rng, true = np.random.default_rng(seed), np.array([0.9, 0.85, 0.8, 0.75, 0.7])
    positives_K = np.array([20, 50, 100, 200, 400])
    counts_GC = multinomial(rng, 1000, RESAMPLES)
    counts_GC = np.concatenate([np.ones_like(counts_GC[:, :1]), counts_GC], axis=1).astype(np.float64)
    hits = dict.fromkeys(("macro: percentile", "macro: logit-t", "difference: percentile", "difference: Wald-t"), 0)
    for _ in range(sets):
        order, auroc_AKC = rng.permuted(np.tile(np.arange(1000), (5, 1)), axis=1), np.empty((2, 5, RESAMPLES + 1))
        for k, positives in enumerate(positives_K):
            sample = given.binormal(rng, positives, true[k], negatives=1000 - positives, arms=2)
            for arm in (0, 1):
                weight_nC = counts_GC[order[k, sample.subject]]
                auroc_AKC[arm, k] = Ranking(sample.truth, sample.scores[arm])(weight_nC)[0]
        for name, figure_KC, truth in (
            ("macro", auroc_AKC[0], true.mean()), ("difference", auroc_AKC[0] - auroc_AKC[1], 0.0)
        ):  # fmt: skip
            mean_C = figure_KC.mean(axis=0)
            variance = combine(mean_C[:1], mean_C[1:], macro_df(figure_KC[:, 1:], positives_K))
            scale = "logit" if name == "macro" else "identity"
            low, high = wald_t(mean_C[0], variance.total, variance.df, scale)
            hits[f"{name}: {'logit-t' if name == 'macro' else 'Wald-t'}"] += low <= truth <= high
            low, high = np.quantile(mean_C[1:], [0.025, 0.975])
            hits[f"{name}: percentile"] += low <= truth <= high
    return {name: hit / sets for name, hit in hits.items()}


def seed_coverage(seeds: int, tau: float, sets: int, seed: int = 0) -> dict[str, float]:
    """A difference over paired seeds: subject se .005 (100 positive subjects), sd `tau` between seeds, true value 0."""
    rng, m = np.random.default_rng([seed, seeds, int(1e4 * tau)]), 100
    hits = dict.fromkeys(("both components", "subjects only", "t test over seeds"), 0)
    for _ in range(sets):
        shared, estimated = rng.normal(0, 0.005), 0.005 * np.sqrt(rng.chisquare(m - 1) / m)
        per_run_S = shared + rng.normal(0, tau, size=seeds)
        resamples_R = estimated * np.array([-1.0, 1.0]) / np.sqrt(2)  # sample variance estimated^2
        for name, runs_S in (("both components", per_run_S), ("subjects only", per_run_S[:1])):
            variance = combine(runs_S, resamples_R, m - 1)
            low, high = wald_t(per_run_S.mean(), variance.total, variance.df)
            hits[name] += low <= 0 <= high
        half = stdtrit(seeds - 1, 0.975) * per_run_S.std(ddof=1) / np.sqrt(seeds)
        hits["t test over seeds"] += abs(per_run_S.mean()) <= half
    return {name: hit / sets for name, hit in hits.items()}


def draw_coverage(seeds: int, draws: int, tau: float, spread: float, sets: int) -> dict[str, float]:
    """The same with few labels: every seed (sd `tau`) has draws of its own (sd `spread`).

    Averaged by seed, as tables have it, and with every run taken for a seed.
    """
    rng, m = np.random.default_rng([seeds, draws]), 100
    hits = dict.fromkeys(("by seed", "every run"), 0)
    for _ in range(sets):
        shared, estimated = rng.normal(0, 0.005), 0.005 * np.sqrt(rng.chisquare(m - 1) / m)
        run_SD = shared + rng.normal(0, tau, size=(seeds, 1)) + rng.normal(0, spread, size=(seeds, draws))
        resamples_R = estimated * np.array([-1.0, 1.0]) / np.sqrt(2)
        for name, units in (("by seed", run_SD.mean(axis=1)), ("every run", run_SD.ravel())):
            variance = combine(units, resamples_R, m - 1)
            low, high = wald_t(run_SD.mean(), variance.total, variance.df)
            hits[name] += low <= 0 <= high
    return {name: hit / sets for name, hit in hits.items()}


SPREADS, AUROCS, POSITIVES = (1.0, 0.6, 1.6), (0.75, 0.90, 0.97), (5, 10, 20, 50, 100)


def study(sets: int) -> dict[Setting, dict[str, float]]:
    """Every row of the table."""
    settings = [Setting(m, auroc, spread) for spread, m, auroc in product(SPREADS, POSITIVES, AUROCS)]
    return {setting: coverage(setting, sets) for setting in settings}


def page(rows: dict[Setting, dict[str, float]], sets: int) -> str:
    """The table as Markdown."""
    text = f"""# Coverage of the intervals

Share of {sets:,} made-up test samples whose nominal 95 % interval holds the truth; standard error about
{100 * np.sqrt(0.95 * 0.05 / sets):.1f} points. Binormal scores, 500 negative subjects, 1.15 records a subject,
{RESAMPLES} resamples of subjects; details and code: `tests/evaluate/test_coverage.py`, written by
`python -m tests.evaluate.test_coverage {sets}`. *As printed* is the interval that a score table shows: the union below
50 positive subjects or from an AUROC of .95 on, else logit-t (below 10 subjects a table shows none). The two arms of a
difference are equally good and share 80 % of their noise.
"""
    out = [
        text, f"| spread of positives | positive subjects | AUROC | {' | '.join(ROWS)} |",
        "| --- " * (len(ROWS) + 3) + "|",
    ]  # fmt: skip
    for setting, row in rows.items():
        cells = " | ".join(f"{row[name]:.3f}" for name in ROWS)
        out.append(f"| {setting.spread} | {setting.positives} | {setting.auroc:.2f} | {cells} |")
    macro = macro_coverage(sets)
    out += [
        "", "Mean of five labels with 20, 50, 100, 200 and 400 positive of 1,000 subjects:", "",
        "| " + " | ".join(macro) + " |", "| --- " * len(macro) + "|",
        "| " + " | ".join(f"{share:.3f}" for share in macro.values()) + " |", "",
        "A difference over paired seeds, standard error over subjects .005, 5,000 sets:", "",
        "| sd between seeds | seeds | both components | subjects only | t test over seeds |", "| --- " * 5 + "|",
    ]  # fmt: skip
    for tau, seeds in product((0.002, 0.006), (3, 5, 10)):
        row = seed_coverage(seeds, tau, 5000)
        out.append(f"| {tau} | {seeds} | " + " | ".join(f"{share:.3f}" for share in row.values()) + " |")
    return "\n".join(out) + "\n"


@pytest.mark.parametrize("auroc", [0.75, 0.90])
def test_logit_t_covers_from_fifty_positive_subjects_on(auroc):
    row = coverage(Setting(50, auroc), 400)
    assert 0.91 < row["logit-t"] < 0.98  # standard error 1.1 points
    assert 0.91 < row["difference: Wald-t"] < 0.99


@pytest.mark.parametrize("setting", [Setting(20, 0.90), Setting(20, 0.97, 1.6), Setting(10, 0.90, 1.6)])
def test_the_union_covers_where_subjects_are_few_and_the_percentile_interval_does_not(setting):
    row = coverage(setting, 400)
    assert row["union"] > 0.92
    assert row["percentile"] < 0.92
    assert 0.91 < row["difference: Wald-t"] <= 1


def test_seeds_need_both_components_of_variance():
    row = seed_coverage(5, 0.006, 2000)
    assert 0.93 < row["both components"] < 0.97
    assert row["t test over seeds"] < 0.80


@pytest.mark.parametrize("seeds", [3, 5])
def test_draws_of_one_seed_are_averaged_first_and_would_cover_too_little_as_runs(seeds):
    row = draw_coverage(seeds, 5, 0.01, 0.01, 2000)  # standard error .005 to .007
    assert 0.93 < row["by seed"] < 0.98
    assert row["every run"] < 0.91
    far = draw_coverage(seeds, 5, 0.02, 0.02, 2000)  # seeds four times as far apart as subjects: three are few
    assert far["by seed"] > 0.90
    assert far["every run"] < 0.85
    without = draw_coverage(seeds, 5, 0.0, 0.01, 2000)  # control: where seeds do not differ, runs are independent
    assert 0.93 < without["every run"] < 0.98


@pytest.mark.slow
def test_the_whole_table_of_coverage_meets_its_targets():
    for setting, row in study(2000).items():
        if setting.positives >= 50 and setting.auroc <= 0.90:
            assert 0.93 <= row["logit-t"] <= 0.97, setting
        if setting.positives >= 10:
            assert row["union"] >= 0.93, setting
        if setting.positives >= 20:  # 20 subjects at an AUROC of .97: few pairs are out of order, and 99 % are covered
            assert 0.93 <= row["difference: Wald-t"] <= (0.98 if setting.auroc <= 0.90 else 0.995), setting
    assert 0.93 <= macro_coverage(1000)["difference: Wald-t"] <= 0.98


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    place = Path(__file__).parents[2] / "docs" / "results" / "coverage.md"
    place.write_text(page(study(number), number), encoding="utf-8")
    print(place)
