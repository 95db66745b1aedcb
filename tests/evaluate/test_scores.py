"""From prediction tables to tidy scores and paired differences."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy.stats import t
from sklearn.metrics import average_precision_score, roc_auc_score

from einthoven.core.errors import TaskError
from einthoven.evaluate.figures import METRICS
from einthoven.evaluate.intervals import wilson
from einthoven.evaluate.rows import SCHEMA
from einthoven.evaluate.scores import compare, score
from tests.evaluate import given

PREVALENCE = (0.25, 0.4, 0.6)
FEW = {"task_name": "task", "kind": "multilabel", "resamples": 200}


def arm(
    quality: float, *, run: str = "arm#0", split: str = "official", subjects: int = 300, seed: int = 0,
    prevalence: tuple[float, ...] = PREVALENCE,
) -> pl.DataFrame:  # fmt: skip
    """Subjects, a third in each part, some with two records; a score is `quality` x truth + noise, as probability."""
    rng, noise = np.random.default_rng(len(split)), np.random.default_rng([seed, *run.encode()])
    subject_N = np.sort(np.concatenate([np.arange(subjects), rng.integers(subjects, size=subjects // 5)]))
    truth_NK = (rng.random((subjects, len(prevalence))) < prevalence)[subject_N].astype(float)
    score_NK = 1 / (1 + np.exp(1 - quality * truth_NK - noise.normal(size=truth_NK.shape)))
    part_N = np.array(["train", "validation", "test"])[subject_N % 3]
    return given.table(truth_NK, score_NK, subject_N, part_N, run=run, split=split)


def cell(rows: pl.DataFrame, label: str, metric: str) -> dict:
    return rows.filter((pl.col("label") == label) & (pl.col("metric") == metric)).row(0, named=True)


def on_test(frame: pl.DataFrame, label: str) -> tuple[np.ndarray, np.ndarray]:
    part = frame.filter((pl.col("part") == "test") & (pl.col("label") == label) & pl.col("truth").is_not_null())
    return part["truth"].to_numpy(), part["score"].to_numpy()


def test_figures_are_scikit_learns_and_carry_interval_method_and_counts():
    frame = arm(1.5)
    rows = score(frame, **FEW)
    assert rows.schema == pl.Schema(SCHEMA)
    for label in ("label0", "label1", "label2"):
        truth, scores = on_test(frame, label)
        row = cell(rows, label, "auroc")
        assert row["value"] == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)
        assert cell(rows, label, "ap")["value"] == pytest.approx(average_precision_score(truth, scores), abs=1e-12)
        assert row["low"] < row["value"] < row["high"]
        assert row["n_records"] == len(truth)
        assert row["n_subjects"] == 100 >= row["n_positive_subjects"] > 0
    macro = cell(rows, "macro", "auroc")
    assert macro["value"] == pytest.approx(np.mean([roc_auc_score(*on_test(frame, f"label{k}")) for k in range(3)]))
    assert macro["n_labels"] == 3
    micro = [np.concatenate(side) for side in zip(*(on_test(frame, f"label{k}") for k in range(3)), strict=True)]
    assert cell(rows, "micro", "auroc")["value"] == pytest.approx(roc_auc_score(*micro), abs=1e-12)


def test_every_metric_of_a_label_is_there_and_has_an_interval_or_is_a_setting():
    rows = score(arm(1.5), **FEW).filter(pl.col("label") == "label1")
    wanted = [name for name in METRICS if name in set(rows["metric"])]
    assert rows["metric"].to_list() == wanted
    assert len(wanted) == 25
    without = set(rows.filter(pl.col("low").is_nan())["metric"])
    assert without == {"threshold", "ece_if_calibrated"}
    assert not rows["value"].is_nan().any()


def test_row_order_of_the_table_does_not_matter():
    frame = arm(1.5)
    shuffled = frame.sample(fraction=1, shuffle=True, seed=1)
    shuffled = shuffled.sort("label", maintain_order=True)  # the order of labels is the order of the table
    assert score(frame, **FEW).equals(score(shuffled, **FEW))


def test_thresholds_come_from_validation_and_never_from_test():
    frame = arm(1.5)
    before = cell(score(frame, **FEW), "label0", "threshold")["value"]
    in_test = pl.col("part") == "test"
    flipped = frame.with_columns(truth=pl.when(in_test).then(1 - pl.col("truth")).otherwise(pl.col("truth")))
    assert cell(score(flipped, **FEW), "label0", "threshold")["value"] == before
    in_validation = pl.col("part") == "validation"
    moved = frame.with_columns(score=pl.when(in_validation).then(pl.col("score") / 2).otherwise(pl.col("score")))
    assert cell(score(moved, **FEW), "label0", "threshold")["value"] == pytest.approx(before / 2)


def test_a_score_equal_to_the_threshold_is_positive_and_validation_rows_without_score_do_not_count():
    frame = arm(1.5).with_columns(score=0.3 + 0.4 * pl.col("truth"))  # every positive has the threshold itself, 0.7
    rows = score(frame, **FEW)
    assert (cell(rows, "label0", "threshold")["value"], cell(rows, "label0", "f1")["value"]) == (0.7, 1)
    some = (pl.col("part") == "validation") & (pl.col("truth") == 0)
    unscored = frame.with_columns(score=pl.when(some).then(None).otherwise(pl.col("score")))
    assert cell(score(unscored, **FEW), "label0", "threshold")["value"] == 0.7


def test_a_sensitivity_of_one_has_wilsons_interval_on_the_positive_subjects():
    frame = arm(1.5).with_columns(score=0.1 + 0.8 * pl.col("truth"))
    rows = score(frame, **FEW)
    for metric, count in (("sensitivity@0.90", "n_positive_subjects"), ("specificity@0.95", "n_negative_subjects")):
        row = cell(rows, "label0", metric)
        assert (row["value"], row["method"]) == (1, "wilson")
        assert row["low"] == pytest.approx(wilson(1.0, row[count])[0])


def test_a_label_absent_from_test_is_nan_with_a_reason_and_outside_the_mean():
    frame = arm(1.5)
    absent = (pl.col("label") == "label0") & (pl.col("part") == "test")
    frame = frame.with_columns(truth=pl.when(absent).then(0.0).otherwise(pl.col("truth")))
    rows = score(frame, **FEW)
    row = cell(rows, "label0", "auroc")
    assert np.isnan([row["value"], row["low"], row["high"]]).all()
    assert row["flags"] == "no positive or no negative subject"
    assert not row["listed"]
    rest = np.mean([roc_auc_score(*on_test(frame, f"label{k}")) for k in (1, 2)])
    assert cell(rows, "macro", "auroc")["value"] == pytest.approx(rest)  # not (rest + 0.5) / 2, as where NaN is filled
    assert cell(rows, "macro_present", "auroc")["value"] == pytest.approx(rest)


def test_a_rare_label_has_a_point_and_counts_but_no_interval_and_is_not_averaged():
    frame = arm(1.5, prevalence=(0.06, 0.4, 0.6))
    rows = score(frame, **FEW)
    row = cell(rows, "label0", "auroc")
    assert 0 < row["n_positive_subjects"] < 10
    for one in (row, cell(rows, "label0", "brier")):
        assert one["method"] == "none"
        assert "fewer than 10 subjects in a class" in one["flags"]
        assert not np.isnan(one["value"])
    assert not row["listed"]
    found = compare(frame, frame, label="label0", **FEW)
    assert np.isnan([found["low"], found["p"], found["sdd"]]).all()
    assert "fewer than 10 subjects in a class" in found["flags"]
    assert cell(rows, "macro", "auroc")["n_labels"] == 2
    assert cell(rows, "macro_present", "auroc")["n_labels"] == 3


def test_a_label_absent_from_a_resample_is_left_out_of_it_and_not_filled():
    frame = arm(1.5)
    last = frame.filter((pl.col("part") == "test") & (pl.col("label") == "label0")).sort("score")["key"][-1]
    rare = (pl.col("label") == "label0") & (pl.col("part") == "test")
    one = pl.when(rare).then((pl.col("key") == last).cast(pl.Float64)).otherwise(pl.col("truth"))
    row = cell(score(frame.with_columns(truth=one), **FEW), "macro_present", "auroc")
    assert row["method"] == "percentile"
    # Absent in 37 % of resamples; the others lie near .85 then. Filled with 0 or .5 they would give less than .75.
    assert row["n_labels"] == 3
    assert 0.75 < row["low"] < row["value"] < row["high"]


def test_unknown_truth_leaves_its_label_only():
    frame = arm(1.5)
    unknown = (pl.col("label") == "label1") & (pl.col("key").str.ends_with("7"))
    frame = frame.with_columns(truth=pl.when(unknown).then(None).otherwise(pl.col("truth")))
    rows = score(frame, **FEW)
    assert cell(rows, "label1", "auroc")["value"] == pytest.approx(roc_auc_score(*on_test(frame, "label1")), abs=1e-12)
    assert cell(rows, "label1", "auroc")["n_records"] < cell(rows, "label0", "auroc")["n_records"]
    assert cell(rows, "label0", "auroc")["value"] == cell(score(arm(1.5), **FEW), "label0", "auroc")["value"]


def test_without_validation_or_train_rows_what_needs_them_is_nan_with_the_reason():
    rows = score(arm(1.5).filter(pl.col("part") == "test"), **FEW)
    row = cell(rows, "label1", "f1")
    assert np.isnan(row["value"])
    assert row["flags"] == "no validation rows (official)"
    assert np.isnan(cell(rows, "macro", "f1")["value"])
    assert cell(rows, "macro", "f1")["flags"].startswith("undefined for label0 label1 label2")
    assert not np.isnan(cell(rows, "macro", "auroc")["value"])


def test_scores_that_are_no_probabilities_rank_but_are_not_calibrated():
    rows = score(arm(1.5).with_columns(score=10 * pl.col("score") - 5), **FEW)
    want = cell(score(arm(1.5), **FEW), "label1", "auroc")["value"]
    assert cell(rows, "label1", "auroc")["value"] == pytest.approx(want)
    row = cell(rows, "label1", "brier")
    assert np.isnan(row["value"])
    assert row["flags"] == "scores are not probabilities (official)"


def test_constant_scores_have_auroc_one_half_by_ties():
    rows = score(arm(1.5).with_columns(score=pl.lit(0.3)), **FEW)
    row = cell(rows, "label1", "auroc")
    assert (row["value"], row["se"]) == (0.5, 0)
    assert "no variation in resamples" in row["flags"]
    assert cell(rows, "label1", "ap_lift")["value"] == pytest.approx(1)


def test_halves_are_scored_one_by_one_and_averaged():
    a, b = arm(1.5, split="half-a"), arm(1.0, split="half-b", seed=1)
    shifted = b.with_columns(score=pl.col("score") / 10, subject=pl.col("subject") + 1000)  # of another scale
    rows = score(pl.concat([a, shifted]), **FEW)
    one, two = (cell(score(half, **FEW), "label1", "auroc") for half in (a, shifted))
    both = cell(rows, "label1", "auroc")
    assert both["value"] == pytest.approx((one["value"] + two["value"]) / 2)
    assert both["n_positive_subjects"] == one["n_positive_subjects"] + two["n_positive_subjects"]
    # Independent halves: the variance of a mean of two. 200 resamples know a standard error to 5 %.
    assert both["se"] == pytest.approx(np.hypot(one["se"], two["se"]) / 2, rel=0.2)
    assert both["split"] == "half-a half-b"
    assert (one["flags"], both["flags"]) == ("subjects only; without half-b", "subjects only")


def test_five_folds_of_an_exclusive_set_give_the_official_score_fold_by_fold():
    codes, frames = ["N", "A", "O", "~"], []
    rng = np.random.default_rng(0)
    class_N, subject_N = rng.choice(4, p=[0.5, 0.2, 0.2, 0.1], size=1000), np.arange(1000)
    for fold in range(5):
        score_NK = rng.dirichlet(np.ones(4), size=1000) + 0.4 * np.eye(4)[class_N]
        score_NK /= score_NK.sum(axis=1, keepdims=True)
        part_N = np.where(subject_N % 5 == fold, "test", "train")
        frames.append(
            given.table(np.eye(4)[class_N], score_NK, subject_N, part_N, split=f"fold-{fold}", labels=codes)
        )  # fmt: skip
    rows = score(pl.concat(frames), task_name="cinc2017/rhythm", kind="exclusive", resamples=100)
    official = []
    for frame in frames:
        truth, scores = (
            frame.filter(pl.col("part") == "test")[column].to_numpy().reshape(-1, 4) for column in ("truth", "score")
        )
        matrix = np.zeros((4, 4))
        np.add.at(matrix, (truth.argmax(axis=1), scores.argmax(axis=1)), 1)
        official.append(np.mean([2 * matrix[c, c] / (matrix[c].sum() + matrix[:, c].sum()) for c in range(3)]))
    row = cell(rows, "all", "f1_challenge2017")
    assert row["value"] == pytest.approx(np.mean(official))
    assert row["low"] < row["value"] < row["high"]
    assert 0 < cell(rows, "all", "accuracy")["value"] < 1
    assert cell(rows, "A", "f1_argmax")["n_subjects"] == 1000


def test_a_value_is_scored_in_its_unit_beside_the_constant_training_median():
    rng = np.random.default_rng(0)
    age_N = rng.normal(60, 15, size=300)
    part_N = np.array(["train", "validation", "test"])[np.arange(300) % 3]
    frame = given.table(
        age_N[:, None], (age_N + rng.normal(0, 5, size=300))[:, None], np.arange(300), part_N, labels=["age"]
    )
    rows = score(frame, task_name="value:age", kind="value", resamples=200)
    test, train = age_N[part_N == "test"], age_N[part_N == "train"]
    row = cell(rows, "age", "mae")
    assert row["value"] == pytest.approx(5 * np.sqrt(2 / np.pi), rel=0.2)
    assert row["method"] == "wald-t log"
    assert row["n_subjects"] == 100
    want = np.abs(test - np.median(train)).mean()
    assert cell(rows, "age", "mae_constant")["value"] == pytest.approx(want)
    assert set(rows["label"]) == {"age"}
    worse = frame.with_columns(score=pl.lit(60.0))
    found = compare(frame, worse, task_name="value:age", kind="value", resamples=200)
    assert found["metric"] == "mae"
    assert found["high"] < 0


def runs(quality: float, name: str, seeds: int) -> pl.DataFrame:
    return pl.concat([arm(quality, run=f"{name}#{seed}") for seed in range(seeds)])


def test_a_difference_is_the_difference_of_the_scores_with_paired_seeds():
    a, b = runs(1.5, "a", 3), runs(1.0, "b", 3)
    found = compare(a, b, **FEW)
    rows_a, rows_b = score(a, **FEW), score(b, **FEW)
    macro_a, macro_b = cell(rows_a, "macro", "auroc"), cell(rows_b, "macro", "auroc")
    assert (found["a"], found["b"]) == pytest.approx((macro_a["value"], macro_b["value"]))
    assert found["difference"] == pytest.approx(macro_a["value"] - macro_b["value"])
    assert found["per_run"] == pytest.approx(np.subtract(macro_a["per_run"], macro_b["per_run"]))
    assert found["v_seed"] == pytest.approx(np.var(found["per_run"], ddof=1) / 3)
    assert found["se"] ** 2 == pytest.approx(found["v_subject"] + found["v_seed"])
    half = t(found["df"]).ppf(0.975) * found["se"]
    assert (found["low"], found["high"]) == pytest.approx((found["difference"] - half, found["difference"] + half))
    assert found["p"] < 0.05 < found["difference"] / found["sdd"]
    assert found["flags"] == []
    back = compare(b, a, **FEW)
    assert (back["difference"], back["se"], back["p"]) == pytest.approx(
        (-found["difference"], found["se"], found["p"])
    )  # fmt: skip


def test_pairing_on_common_subjects_is_narrower_than_two_separate_intervals():
    a = arm(1.5)
    rng = np.random.default_rng(0)
    b = a.with_columns(score=(pl.col("score") + pl.Series(rng.normal(0, 0.02, len(a)))).clip(0, 1))
    apart = np.hypot(*(cell(score(side, **FEW), "macro", "auroc")["se"] for side in (a, b)))
    assert compare(a, b, **FEW)["se"] < 0.3 * apart


def test_an_arm_does_not_differ_from_itself():
    found = compare(arm(1.5), arm(1.5), permutations=99, **FEW)
    assert (found["difference"], found["se"], found["p"], found["p_permutation"]) == (0, 0, 1, 1)


def test_runs_are_paired_by_seed_and_a_single_run_with_all():
    a, b = runs(1.5, "a", 3), runs(1.0, "b", 5)
    found = compare(a, b, **FEW)
    assert found["pairs"] == [(f"a#{seed}", f"b#{seed}") for seed in range(3)]
    assert found["flags"] == ["2 runs without a partner left out"]
    found = compare(a, arm(1.0, run="prior#7"), **FEW)
    assert found["pairs"] == [(f"a#{seed}", "prior#7") for seed in range(3)]
    assert found["flags"] == ["one run against several: no seeds of its side are in the interval"]
    found = compare(a, b, pairs=[("a#0", "b#4")], **FEW)
    assert found["pairs"] == [("a#0", "b#4")]
    assert np.isnan(found["v_seed"])
    assert "subjects only" in found["flags"]


def drawn(quality: float, name: str, of_draw: dict[int, int | None]) -> pl.DataFrame:
    """Runs of few labels: the seed of each draw."""
    return pl.concat([
        arm(quality, run=f"{name}#{draw}").with_columns(seed=pl.lit(seed, pl.Int64)) for draw, seed in of_draw.items()
    ])  # fmt: skip


def test_one_draw_a_seed_is_what_it_was_without_seeds_to_the_last_digit():
    a, b = runs(1.5, "a", 3), runs(1.0, "b", 5)
    seeded_a, seeded_b = drawn(1.5, "a", {0: 0, 1: 1, 2: 2}), drawn(1.0, "b", {i: i for i in range(5)})
    single = arm(1.0, run="prior#7")
    assert str(compare(seeded_a, seeded_b, **FEW)) == str(compare(a, b, **FEW))  # as text: NaN is not itself
    assert score(seeded_a, **FEW).equals(score(a, **FEW))
    assert str(compare(seeded_a, single, **FEW)) == str(compare(a, single, **FEW))


def test_draws_of_one_seed_are_averaged_and_the_seed_is_the_unit():
    seed_of = {0: 0, 1: 1, 2: 2, 100: 0, 101: 1, 102: 2}
    a, b = drawn(1.5, "a", seed_of), drawn(1.0, "b", seed_of | {3: 3, 103: 3})
    row = cell(score(a, **FEW), "macro", "auroc")
    single = {i: cell(score(drawn(1.5, "a", {i: 0}), **FEW), "macro", "auroc")["value"] for i in seed_of}
    units = [np.mean([single[i] for i in (seed, seed + 100)]) for seed in range(3)]
    assert sorted(row["per_run"]) == pytest.approx(sorted(units))
    assert (row["n_runs"], row["runs"], row["value"]) == (6, "3 x 2", pytest.approx(np.mean(units)))
    found = compare(a, b, **FEW)
    assert set(found["pairs"]) == {(f"a#{i}", f"b#{i}") for i in seed_of}
    assert found["flags"] == ["2 runs without a partner left out"]
    assert (found["n_runs"], found["runs"], len(found["per_run"])) == (6, "3 x 2", 3)
    assert found["v_seed"] == pytest.approx(np.var(found["per_run"], ddof=1) / 3)


def test_a_row_without_seeds_is_paired_by_draw_and_takes_the_arms_seeds():
    seed_of = {0: 0, 1: 1, 2: 2, 100: 0, 101: 1, 102: 2}
    a, prior = drawn(1.5, "a", seed_of), drawn(1.0, "prior", dict.fromkeys([*seed_of, 3, 4]))
    assert cell(score(prior, **FEW), "macro", "auroc")["runs"] == "8"
    for found in (compare(a, prior, **FEW), compare(prior, a, **FEW)):
        assert (found["n_runs"], found["runs"], len(found["per_run"])) == (6, "3 x 2", 3)
    scratch = drawn(1.0, "scratch", {0: 0, 1: 1, 2: 2})  # one draw a seed beside an arm of two
    found = compare(a, scratch, **FEW)
    assert (found["pairs"], found["runs"]) == ([(f"a#{i}", f"scratch#{i}") for i in range(3)], "3")
    one = compare(drawn(1.5, "a", {0: 0, 100: 0}), drawn(1.0, "scratch", {0: 0}), **FEW)
    assert (one["pairs"], one["runs"]) == ([("a#0", "scratch#0")], "1")


def test_many_draws_of_one_seed_say_nothing_about_seeds():
    a, b = (drawn(quality, "x", dict.fromkeys(range(0, 500, 100), 0)) for quality in (1.5, 1.0))
    found = compare(a, b, **FEW)
    assert np.isnan(found["v_seed"])
    assert (found["runs"], "subjects only" in found["flags"]) == ("1 x 5", True)
    assert "subjects only" in cell(score(a, **FEW), "macro", "auroc")["flags"]


def test_a_memory_of_comparisons_changes_no_digit():
    memory, arms = {}, [runs(quality, name, 3) for quality, name in ((1.5, "a"), (1.0, "b"), (1.2, "c"))]
    for a, b in ((0, 1), (0, 2), (1, 2), (2, 0)):
        assert str(compare(arms[a], arms[b], memory=memory, **FEW)) == str(compare(arms[a], arms[b], **FEW))


@pytest.mark.parametrize("seed", [11, 12, 14])  # p about .08, .48 and .04
def test_both_p_values_of_one_pair_agree(seed):
    found = compare(
        arm(1.0, subjects=600), arm(0.9, run="b#0", subjects=600, seed=seed), permutations=2000, **FEW
    )  # fmt: skip
    assert found["p"] == pytest.approx(found["p_permutation"], rel=0.3)


def test_one_label_micro_and_other_metrics_can_be_compared():
    a, b = arm(1.5), arm(1.0, run="b#0")
    for label, metric in (("label1", "auroc"), ("micro", "ap"), ("macro", "brier"), ("label1", "calibration_slope")):
        found = compare(a, b, label=label, metric=metric, **FEW)
        want = cell(score(a, **FEW), label, metric)["value"] - cell(score(b, **FEW), label, metric)["value"]
        assert found["difference"] == pytest.approx(want)
        assert found["low"] < found["difference"] < found["high"]


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"label": "label9"}, "no auroc of 'label9'; did you mean label"), ({"metric": "aurocc"}, "did you mean auroc?"),
     ({"pairs": [("a#0", "b#9")]}, "no run called 'b#9'"), ({"min_positive": 3}, "expected >= 5")],
)  # fmt: skip
def test_what_cannot_be_compared_is_said_in_one_line(settings, says):
    with pytest.raises(TaskError) as error:
        compare(arm(1.5, run="a#0"), arm(1.0, run="b#0"), **FEW, **settings)
    assert says in str(error.value)


def test_the_permutation_check_of_several_runs_is_refused():
    with pytest.raises(TaskError, match="one pair of runs"):
        compare(runs(1.5, "a", 2), runs(1.0, "b", 2), permutations=9, **FEW)


def test_an_empty_label_list_gives_no_mean_and_no_verdict():
    frame = arm(1.5)
    rows = score(frame, min_positive=90, **FEW)
    row = cell(rows, "macro", "auroc")
    assert np.isnan(row["value"])
    assert row["flags"] == "label list is empty"
    found = compare(frame, arm(1.0, run="b#0"), min_positive=90, **FEW)
    assert np.isnan([found["difference"], found["low"], found["p"]]).all()
    assert "label list is empty" in found["flags"]


def test_resampling_by_record_is_not_offered():
    import inspect

    words = {name for function in (score, compare) for name in inspect.signature(function).parameters}
    assert not {name for name in words if "record" in name or "cluster" in name or "unit" in name}
