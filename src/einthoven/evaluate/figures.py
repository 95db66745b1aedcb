"""All figures of one label (or value, or exclusive set) of one run, for many weightings of the test records at once.

Each class is prepared once (sorting, thresholds and Platt line from validation, bins), then called with weights (n, R)
and gives metric -> (R,). What cannot be computed is missing there, and `reasons` says why. METRICS lists every metric
in the order of a table with the scale of its interval; None marks what is shown without one, being fitted elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from einthoven.evaluate import exclusive, metrics, regression
from einthoven.evaluate.calibration import Bins, fit_line, platt
from einthoven.evaluate.numbers import Number
from einthoven.evaluate.ranking import Ranking

RANKS: dict[str, str | None] = {"auroc": "auroc", "ap": "logit", "ap_lift": "log", "prevalence": "logit"}
DECISIONS: dict[str, str | None] = {
    "f1": "logit", "threshold": None, "sensitivity@0.90": "wilson", "specificity@0.90": "wilson",
    "sensitivity@0.95": "wilson", "specificity@0.95": "wilson",
}  # fmt: skip
PROBABILITIES: dict[str, str | None] = {
    "brier": "logit", "brier_scaled": "identity", "brier_reliability": "identity", "brier_resolution": "identity",
    "brier_uncertainty": "identity", "brier_within": "identity", "calibration_intercept": "identity",
    "calibration_slope": "identity", "ece": "logit", "ece_max": "logit", "ece_if_calibrated": None,
    "brier_platt": "logit", "calibration_intercept_platt": "identity", "calibration_slope_platt": "identity",
    "ece_platt": "logit",
}  # fmt: skip
SETS: dict[str, str | None] = {"accuracy": "logit", "f1_argmax": "logit", "f1_challenge2017": "logit"}
VALUES: dict[str, str | None] = {
    "mae": "log", "rmse": "log", "r2": "identity", "r2_train": "identity", "spearman": "atanh", "mae_constant": "log",
}  # fmt: skip
ERRORS = ("mae", "rmse", "mae_constant")
"""In the unit of the number."""
METRICS = RANKS | DECISIONS | PROBABILITIES | SETS | VALUES
BIASED = ("ece", "ece_max", "ece_platt", "brier_reliability", "brier_resolution")
"""Resampling adds again the upward bias these already have, so that percentiles can miss the figure: not shown."""

Figures = dict[str, np.ndarray]


class RankFigures:
    """How well scores of any kind order the records of one label."""

    reasons: dict[str, str] = {}  # noqa: RUF012  (never written: ranking needs nothing but test rows)

    def __init__(self, truth_n: np.ndarray, score_n: np.ndarray) -> None:
        self._truth_n, self._ranking = truth_n, Ranking(truth_n, score_n)

    def __call__(self, weight_nR: np.ndarray) -> Figures:
        auroc_R, ap_R = self._ranking(weight_nR)
        share_R = metrics.prevalence(self._truth_n, weight_nR)
        lift_R = ap_R / np.where(share_R > 0, share_R, np.nan)
        return {"auroc": auroc_R, "ap": ap_R, "ap_lift": lift_R, "prevalence": np.asarray(share_R)}


class DecisionFigures:
    """What thresholds chosen on validation give on test."""

    def __init__(
        self, truth_n: np.ndarray, score_n: np.ndarray, truth_v: np.ndarray, score_v: np.ndarray, prevalence_t: float
    ) -> None:
        """Choose the thresholds; `prevalence_t` is that of the training part, NaN if there are no train rows."""
        self._truth_n, self._score_n = truth_n, score_n
        self._f1_cut = metrics.f1_threshold(truth_v, score_v, prevalence_t)
        cuts = {name: metrics.specificity_threshold(truth_v, score_v, float(name)) for name in ("0.90", "0.95")}
        self._cuts = {name: cut for name, cut in cuts.items() if not np.isnan(cut)}
        why = "no positive in validation, no train rows" if len(score_v) else "no validation rows"
        self.reasons = dict.fromkeys(("f1", "threshold"), why) if np.isnan(self._f1_cut) else {}
        why = "no negative in validation" if len(score_v) else "no validation rows"
        for name in cuts.keys() - self._cuts.keys():
            self.reasons |= {f"sensitivity@{name}": why, f"specificity@{name}": why}

    def __call__(self, weight_nR: np.ndarray) -> Figures:
        out: dict[str, Any] = {}
        if not np.isnan(self._f1_cut):
            out["f1"] = metrics.f1(self._truth_n, self._score_n >= self._f1_cut, weight_nR)
            out["threshold"] = np.full(weight_nR.shape[1], self._f1_cut)
        for name, cut in self._cuts.items():
            out[f"sensitivity@{name}"] = metrics.sensitivity(self._truth_n, self._score_n >= cut, weight_nR)
            out[f"specificity@{name}"] = metrics.specificity(self._truth_n, self._score_n >= cut, weight_nR)
        return out


class ProbabilityFigures:
    """Whether scores mean what they say, as they are and after Platt scaling on validation."""

    def __init__(
        self, truth_n: np.ndarray, score_n: np.ndarray, truth_v: np.ndarray, score_v: np.ndarray,
        generator: np.random.Generator,
    ) -> None:  # fmt: skip
        """Fit; `generator` draws the truths of the calibration error under calibration."""
        self._raw = self._scaled = None
        if not all(((score >= 0) & (score <= 1)).all() for score in (score_n, score_v)):
            self.reasons = dict.fromkeys(PROBABILITIES, "scores are not probabilities")
            return
        self._raw, line = _Probability(truth_n, score_n), platt(truth_v, score_v)
        self._if_calibrated = self._raw.bins.if_calibrated(generator)
        self.reasons = self._raw.reasons
        if line is None:
            self.reasons |= dict.fromkeys(filter(_is_platt, PROBABILITIES), "no Platt line can be fitted on validation")
        else:
            self._scaled = _Probability(truth_n, line(score_n))
            self.reasons |= {f"{name}_platt": why for name, why in self._scaled.reasons.items()}

    def __call__(self, weight_nR: np.ndarray) -> Figures:
        out: Figures = {}
        if self._raw is not None:
            out |= self._raw(weight_nR) | self._raw.spread(weight_nR)
            out["ece_if_calibrated"] = np.full(weight_nR.shape[1], self._if_calibrated)
        if self._scaled is not None:
            out |= {f"{name}_platt": figure_R for name, figure_R in self._scaled(weight_nR).items()}
        return out


class _Probability:
    def __init__(self, truth_n: np.ndarray, score_n: np.ndarray) -> None:
        self._truth_n, self._score_n = truth_n, score_n
        self.bins, self._line = Bins(truth_n, score_n), fit_line(truth_n, score_n)
        lines = ("calibration_intercept", "calibration_slope")
        self.reasons = dict.fromkeys(lines, "classes separated, or scores constant") if self._line is None else {}

    def __call__(self, weight_nR: np.ndarray) -> Figures:
        out: dict[str, Any] = {"brier": metrics.brier(self._truth_n, self._score_n, weight_nR)}
        out["ece"] = self.bins.errors(weight_nR)[0]
        if self._line is not None:
            # To first order in the weights, which gives the sandwich variance clustered by subject; refitting in each
            # resample would cost a thousand fits a label.
            change_2R = self._line.influence_2n @ (weight_nR - 1)
            out["calibration_intercept"] = self._line.intercept + change_2R[0]
            out["calibration_slope"] = self._line.slope + change_2R[1]
        return out

    def spread(self, weight_nR: np.ndarray) -> Figures:
        out: dict[str, Any] = {"brier_scaled": metrics.brier_scaled(self._truth_n, self._score_n, weight_nR)}
        out |= {f"brier_{name}": part_R for name, part_R in self.bins.decomposition(weight_nR).items()}
        return out | {"ece_max": self.bins.errors(weight_nR)[1]}


class ValueFigures:
    """One predicted number: R2 of the columns it is learnt as, errors in its unit; angles have no ranks."""

    def __init__(
        self, number: Number, truth_Qn: np.ndarray, score_Qn: np.ndarray, truth_Qt: np.ndarray, metric: str | None
    ) -> None:
        """Truth and prediction on test, truth on train (may be empty); `metric` alone spares the others' time."""
        zero_n, error_n = np.zeros(truth_Qn.shape[1]), number.error(truth_Qn, score_Qn)
        pair = (truth_Qn, score_Qn)
        found: dict[str, Callable[[np.ndarray], Any]] = {
            "mae": partial(regression.mae, zero_n, error_n), "rmse": partial(regression.rmse, zero_n, error_n),
            "r2": partial(regression.r2, *pair),
        }  # fmt: skip
        if not number.angle:
            found["spearman"] = partial(regression.spearman, number.told(truth_Qn), number.told(score_Qn))
        self.reasons = {} if truth_Qt.size else dict.fromkeys(("r2_train", "mae_constant"), "no train rows")
        if truth_Qt.size:
            found["r2_train"] = partial(regression.r2, *pair, centre=np.array([one_t.mean() for one_t in truth_Qt]))
            median_Q1 = np.array([[np.median(one_t)] for one_t in truth_Qt])
            constant_n = number.error(truth_Qn, np.broadcast_to(median_Q1, truth_Qn.shape))
            found["mae_constant"] = partial(regression.mae, zero_n, constant_n)
        self._figures = {name: found[name] for name in found if metric in (None, name)}

    def __call__(self, weight_nR: np.ndarray) -> Figures:
        return {name: figure(weight_nR) for name, figure in self._figures.items()}


class SetFigures:
    """An exclusive set: the class of the highest score against the true class."""

    def __init__(self, truth_nC: np.ndarray, score_nC: np.ndarray, codes: tuple[str, ...]) -> None:
        self._truth_n, self._called_n, self._codes = truth_nC.argmax(axis=1), score_nC.argmax(axis=1), codes

    def __call__(self, weight_nR: np.ndarray) -> dict[tuple[str, str], np.ndarray]:
        """Keys are (code, metric), and ("all", metric) for what is of the set."""
        matrix_CCR = exclusive.confusion(self._truth_n, self._called_n, weight_nR, len(self._codes))
        by_class_CR = exclusive.f1(matrix_CCR)
        out = {(code, "f1_argmax"): by_class_CR[c] for c, code in enumerate(self._codes)}
        out["all", "accuracy"] = exclusive.accuracy(matrix_CCR)
        if set(self._codes) == set(exclusive.CHALLENGE_2017):
            out["all", "f1_challenge2017"] = exclusive.f1_challenge2017(matrix_CCR, self._codes)
        return out


def _is_platt(name: str) -> bool:
    return name.endswith("_platt")
