"""All figures of one label (or value, or exclusive set) of one run, for many weightings of the test records at once.

Each class is prepared once (sorting, thresholds and Platt line from validation, bins) and then called with weights (n, R);
it gives metric -> (R,). What cannot be computed is NaN and `reasons` says why. METRICS says on which scale the interval
of a metric is made; None marks what is shown without one (settings fitted elsewhere).
"""

from __future__ import annotations

import numpy as np

from einthoven.evaluate import exclusive, metrics, regression
from einthoven.evaluate.calibration import Bins, Line, fit_line, platt
from einthoven.evaluate.ranking import Ranking

METRICS: dict[str, str | None] = {
    "auroc": "auroc", "ap": "logit", "ap_lift": "log", "prevalence": "logit",
    "brier": "logit", "brier_scaled": "identity", "brier_reliability": "identity", "brier_resolution": "identity",
    "brier_uncertainty": "identity", "brier_within": "identity",
    "f1": "logit", "threshold": None, "sensitivity@0.90": "wilson", "specificity@0.90": "wilson",
    "sensitivity@0.95": "wilson", "specificity@0.95": "wilson",
    "calibration_intercept": "identity", "calibration_slope": "identity", "ece": "logit", "ece_max": "logit",
    "ece_if_calibrated": None,
    "brier_platt": "logit", "calibration_intercept_platt": "identity", "calibration_slope_platt": "identity",
    "ece_platt": "logit",
    "accuracy": "logit", "f1_argmax": "logit", "f1_challenge2017": "logit",
    "mae": "log", "rmse": "log", "r2": "identity", "r2_train": "identity", "spearman": "atanh", "mae_constant": "log",
}  # fmt: skip
SPECIFICITIES = (0.90, 0.95)

Figures = dict[str, np.ndarray]


class LabelFigures:
    """One label with truth 1 or 0. Scores outside 0..1 rank, but are not probabilities: no Brier, no calibration."""

    def __init__(
        self, truth_n: np.ndarray, score_n: np.ndarray, truth_v: np.ndarray, score_v: np.ndarray,
        training_prevalence: float, generator: np.random.Generator,
    ) -> None:  # fmt: skip
        """Prepare.

        Args:
            truth_n, score_n: test, known truth only; truth_v, score_v: validation likewise, may be empty.
            training_prevalence: NaN where there are no train rows.
            generator: for the calibration error under calibration.
        """
        self.truth_n, self.score_n = truth_n, score_n
        self.reasons: dict[str, str] = {}
        self._ranking = Ranking(truth_n, score_n)
        self._threshold = metrics.f1_threshold(truth_v, score_v, training_prevalence)
        if np.isnan(self._threshold):
            self._lack(("f1", "threshold"), "no validation rows" if not len(score_v) else "no positive to choose by")
        self._cuts = {target: metrics.specificity_threshold(truth_v, score_v, target) for target in SPECIFICITIES}
        for target, cut in self._cuts.items():
            if np.isnan(cut):
                names = (f"sensitivity@{target:.2f}", f"specificity@{target:.2f}")
                self._lack(names, "no validation rows" if not len(score_v) else "no negative in validation")
        self._probabilities: dict[str, _Probability] = {}
        names = ("brier", "calibration_intercept", "calibration_slope", "ece")
        if not _is_probability(score_n) or not _is_probability(score_v):
            self._lack([name for name in METRICS if name.startswith(names)], "scores are not probabilities")
            return
        self._probabilities[""] = _Probability(truth_n, score_n)
        self._if_calibrated = self._probabilities[""].bins.if_calibrated(generator) if len(score_n) else np.nan
        line = platt(truth_v, score_v)
        if line is None:
            self._lack([f"{name}_platt" for name in names], "no line can be fitted on validation")
        else:
            self._probabilities["_platt"] = _Probability(truth_n, line(score_n))
        for suffix, probability in self._probabilities.items():
            if probability.line is None:
                self._lack((f"calibration_intercept{suffix}", f"calibration_slope{suffix}"), "separated or constant")

    def __call__(self, weight_nR: np.ndarray) -> Figures:
        truth_n, score_n = self.truth_n, self.score_n
        out = {name: np.full(weight_nR.shape[1], np.nan) for name in self.reasons}
        out["auroc"], out["ap"] = self._ranking(weight_nR)
        out["prevalence"] = metrics.prevalence(truth_n, weight_nR)
        out["ap_lift"] = out["ap"] / np.where(out["prevalence"] > 0, out["prevalence"], np.nan)
        if not np.isnan(self._threshold):
            out["f1"] = metrics.f1(truth_n, score_n >= self._threshold, weight_nR)
            out["threshold"] = np.full(weight_nR.shape[1], self._threshold)
        for target, cut in self._cuts.items():
            if not np.isnan(cut):
                out[f"sensitivity@{target:.2f}"] = metrics.sensitivity(truth_n, score_n >= cut, weight_nR)
                out[f"specificity@{target:.2f}"] = metrics.specificity(truth_n, score_n >= cut, weight_nR)
        for suffix, probability in self._probabilities.items():
            found = probability(weight_nR)
            out |= {f"{name}{suffix}": figure_R for name, figure_R in found.items() if f"{name}{suffix}" in METRICS}
        if self._probabilities:
            out["ece_if_calibrated"] = np.full(weight_nR.shape[1], self._if_calibrated)
        return out

    def _lack(self, names: tuple[str, ...] | list[str], reason: str) -> None:
        self.reasons |= dict.fromkeys(names, reason)


class _Probability:
    """What only probabilities have: Brier score and its parts, calibration line and error."""

    def __init__(self, truth_n: np.ndarray, score_n: np.ndarray) -> None:
        self.truth_n, self.score_n = truth_n, score_n
        self.bins = Bins(truth_n, score_n)
        self.line: Line | None = fit_line(truth_n, score_n)

    def __call__(self, weight_nR: np.ndarray) -> Figures:
        out: Figures = {}
        out["brier"] = metrics.brier(self.truth_n, self.score_n, weight_nR)
        out["brier_scaled"] = metrics.brier_scaled(self.truth_n, self.score_n, weight_nR)
        out |= {f"brier_{name}": part_R for name, part_R in self.bins.decomposition(weight_nR).items()}
        out["ece"], out["ece_max"] = self.bins.errors(weight_nR)
        if self.line is not None:
            # To first order in the weights, which gives the sandwich variance clustered by subject; refitting in each
            # resample would cost a thousand fits a label.
            change_2R = self.line.influence_2n @ (weight_nR - 1)
            out["calibration_intercept"] = self.line.intercept + change_2R[0]
            out["calibration_slope"] = self.line.slope + change_2R[1]
        return out


class ValueFigures:
    """One predicted number."""

    def __init__(self, truth_n: np.ndarray, score_n: np.ndarray, truth_t: np.ndarray) -> None:
        """Truth and prediction on test, truth on train (may be empty)."""
        self.truth_n, self.score_n = truth_n, score_n
        self._mean, self._median = (truth_t.mean(), float(np.median(truth_t))) if len(truth_t) else (np.nan, np.nan)
        self.reasons = {} if len(truth_t) else dict.fromkeys(("r2_train", "mae_constant"), "no train rows")

    def __call__(self, weight_nR: np.ndarray) -> Figures:
        truth_n, score_n = self.truth_n, self.score_n
        return {
            "mae": regression.mae(truth_n, score_n, weight_nR),
            "rmse": regression.rmse(truth_n, score_n, weight_nR),
            "r2": regression.r2(truth_n, score_n, weight_nR),
            "r2_train": regression.r2(truth_n, score_n, weight_nR, self._mean),
            "spearman": regression.spearman(truth_n, score_n, weight_nR),
            "mae_constant": regression.mae(truth_n, np.full(len(truth_n), self._median), weight_nR),
        }


class SetFigures:
    """An exclusive set: the class of the highest score against the true class. Keys are (label or `all`, metric)."""

    def __init__(self, truth_nC: np.ndarray, score_nC: np.ndarray, codes: tuple[str, ...]) -> None:
        self.truth_n, self.called_n, self.codes = truth_nC.argmax(axis=1), score_nC.argmax(axis=1), codes

    def __call__(self, weight_nR: np.ndarray) -> dict[tuple[str, str], np.ndarray]:
        matrix_CCR = exclusive.confusion(self.truth_n, self.called_n, weight_nR, len(self.codes))
        by_class_CR = exclusive.f1(matrix_CCR)
        out = {(code, "f1_argmax"): by_class_CR[c] for c, code in enumerate(self.codes)}
        out["all", "accuracy"] = exclusive.accuracy(matrix_CCR)
        if set(self.codes) == set(exclusive.CHALLENGE_2017):
            out["all", "f1_challenge2017"] = exclusive.f1_challenge2017(matrix_CCR, self.codes)
        return out


def _is_probability(score_n: np.ndarray) -> bool:
    return bool(((score_n >= 0) & (score_n <= 1)).all())
