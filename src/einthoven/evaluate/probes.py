"""Linear probe: one L2 logistic regression a label, or a ridge regression, on frozen features (evaluation.md E1).

Features are standardised with training mean and standard deviation; the penalty is chosen per task on the validation
part (for each of several numbers by itself) and the model is the one fitted on the training part. Shapes: N rows, D
features, K labels.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from einthoven.core.errors import TaskError
from einthoven.evaluate.metrics import auroc
from einthoven.evaluate.tasks import Kind

PENALTIES = tuple(10.0**k for k in range(-4, 3))
"""C of mean loss + |w|^2 / (2 C n): scikit-learn's C."""
RIDGE = tuple(10.0**k for k in range(-3, 6))
FLAT = 1e-6
"""Standard deviation under which a feature is dropped."""


@dataclass(frozen=True, eq=False)
class Linear:
    """A fitted probe: scores are `expit((x - mean) / scale @ weight.T + bias)`, or the affine form for values."""

    kind: Kind
    mean_D: np.ndarray
    scale_D: np.ndarray
    weight_KD: np.ndarray
    bias_K: np.ndarray
    penalty: float | tuple[float, ...]
    """One for all labels; of several numbers, which have units of their own, one each."""
    untrained: tuple[int, ...] = ()
    flags: tuple[str, ...] = field(default=())

    def scores(self, features_ND: np.ndarray) -> np.ndarray:
        """Probabilities, or values in the task's unit, (N, K) float64."""
        linear_NK = (features_ND - self.mean_D) / self.scale_D @ self.weight_KD.T + self.bias_K
        return linear_NK if self.kind == "value" else 0.5 * (1 + np.tanh(linear_NK / 2))


def fit(
    train_ND: np.ndarray, truth_NK: np.ndarray, validation_MD: np.ndarray, validation_MK: np.ndarray, kind: Kind,
    labels: Sequence[str] = (),
) -> Linear:  # fmt: skip
    """Fit the grid on the training part, choose on the validation part.

    Args:
        train_ND, validation_MD: float features of the two parts.
        truth_NK, validation_MK: 1, 0 or a number; NaN = unknown, left out of that label.
        kind: `value` fits a ridge regression a column, chosen by mean absolute error; else logistic by macro-AUROC.
        labels: names of several numbers, for the flags.

    Raises:
        TaskError: no label has both classes in the training part, or no row knows the number.
    """
    mean_D, std_D = train_ND.mean(axis=0, dtype=np.float64), train_ND.std(axis=0, dtype=np.float64)
    kept_D = std_D >= FLAT
    scale_D = np.where(kept_D, std_D, 1.0)
    x_ND = ((train_ND - mean_D) / scale_D)[:, kept_D]
    v_MD = ((validation_MD - mean_D) / scale_D)[:, kept_D]
    flags = [f"{int((~kept_D).sum())} flat features dropped"] if not kept_D.all() else []
    K = truth_NK.shape[1]
    together = [[k] for k in range(K)] if kind == "value" else [list(range(K))]
    weight_KD, bias_K, chosen, untrained = np.zeros((K, len(mean_D))), np.zeros(K), [], ()
    for columns in together:
        path = _Path(x_ND, truth_NK[:, columns], v_MD, validation_MK[:, columns], kind)
        best = path.search(RIDGE if kind == "value" else PENALTIES)
        weight_kD, bias_K[columns] = path.models[best]
        weight_KD[np.ix_(columns, kept_D)] = weight_kD
        chosen.append(best)
        named = f"{labels[columns[0]]}: " if len(together) > 1 and labels else ""
        flags += [named + flag for flag in path.flags(best)]
        untrained += path.untrained
    penalty = chosen[0] if len(chosen) == 1 else tuple(chosen)
    return Linear(kind, mean_D, scale_D, weight_KD, bias_K, penalty, untrained, tuple(flags))


Model = tuple[np.ndarray, np.ndarray]
"""Weights (K, D) and biases (K)."""


class _Path:
    """The models along a grid of penalties, with their validation figures."""

    def __init__(self, x_ND: np.ndarray, y_NK: np.ndarray, v_MD: np.ndarray, v_MK: np.ndarray, kind: Kind) -> None:
        self.x_ND, self.y_NK, self.v_MD, self.v_MK, self.kind = x_ND, y_NK, v_MD, v_MK, kind
        self.models: dict[float, Model] = {}
        self.figure: dict[float, float] = {}
        self.unconverged: dict[float, int] = {}
        self.edge, self.judged = False, True
        known_NK = ~np.isnan(y_NK)
        both_K = [kind == "value" or len(np.unique(y_NK[known_NK[:, k], k])) == 2 for k in range(y_NK.shape[1])]
        self.untrained = tuple(k for k, both in enumerate(both_K) if not both)
        if not any(both_K) or not known_NK.any():
            raise TaskError("probe", "no label has positives and negatives in the training part", reason="labels")

    def search(self, grid: tuple[float, ...]) -> float:
        """Fit the grid, once more two decades beyond an edge that wins; ties go to the stronger penalty.

        Validation that can judge none of them (no known value, no label with both classes) leaves the grid's middle.
        """
        self._fit_all(grid)
        if np.isnan(list(self.figure.values())).all():
            self.judged = False
            return sorted(grid)[len(grid) // 2]
        best = self._best()
        if best in (min(grid), max(grid)):
            self.edge = True
            self._fit_all([best * 10.0**k for k in ((-2, -1) if best == min(grid) else (1, 2))])
            best = self._best()
        return best

    def flags(self, best: float) -> list[str]:
        found = [f"penalty at the edge of the grid, extended; chosen {best:g}"] if self.edge else []
        if not self.judged:
            found.append(f"validation cannot choose the penalty: {best:g} is the middle of the grid")
        if self.unconverged.get(best):
            found.append(f"{self.unconverged[best]} labels not converged")
        return found

    def _best(self) -> float:
        stronger_first = sorted(self.figure, reverse=self.kind == "value")  # small C, large alpha
        return max(stronger_first, key=lambda penalty: self.figure[penalty])

    def _fit_all(self, penalties: tuple[float, ...] | list[float]) -> None:
        fit = self._ridge if self.kind == "value" else self._logistic
        for penalty, model in fit(sorted(penalties)):
            self.models[penalty] = model
            self.figure[penalty] = self._judge(self.v_MD @ model[0].T + model[1])

    def _judge(self, score_MK: np.ndarray) -> float:
        """The figure on validation, higher is better; NaN where nothing can be judged."""
        if self.kind == "value":
            error_M = np.abs(score_MK - self.v_MK)[~np.isnan(self.v_MK)]
            return -float(error_M.mean()) if len(error_M) else float("nan")
        figures = []
        for k in range(score_MK.shape[1]):
            known = ~np.isnan(self.v_MK[:, k])
            if k not in self.untrained:
                figures.append(auroc(self.v_MK[known, k], score_MK[known, k]))
        figures = [figure for figure in figures if not np.isnan(figure)]
        return float(np.mean(figures)) if figures else float("nan")

    def _logistic(self, penalties: list[float]) -> Iterator[tuple[float, Model]]:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        K, D = self.y_NK.shape[1], self.x_ND.shape[1]
        weight_PKD, bias_PK = np.zeros((len(penalties), K, D)), np.zeros((len(penalties), K))
        self.unconverged |= dict.fromkeys(penalties, 0)
        for k in range(K):
            known = ~np.isnan(self.y_NK[:, k])
            y_N = self.y_NK[known, k]
            if k in self.untrained:
                share = np.clip(y_N.mean() if len(y_N) else 0.5, 1e-6, 1 - 1e-6)
                bias_PK[:, k] = np.log(share / (1 - share))
                continue
            x_ND = self.x_ND if known.all() else self.x_ND[known]
            # Newton reaches the optimum of the same convex objective to 1e-6 in a few steps; with more features than
            # rows its Hessian is large, and L-BFGS is quicker. Each penalty begins at the solution of the one before.
            solver = "newton-cholesky" if len(x_ND) > D else "lbfgs"
            model = LogisticRegression(solver=solver, tol=1e-6, max_iter=2000, warm_start=True)
            for p, penalty in enumerate(penalties):
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always", ConvergenceWarning)
                    model.set_params(C=penalty)
                    model.fit(x_ND, y_N)
                self.unconverged[penalty] += any(issubclass(one.category, ConvergenceWarning) for one in caught)
                weight_PKD[p, k], bias_PK[p, k] = np.ravel(model.coef_), float(np.ravel(model.intercept_)[0])
        yield from zip(penalties, zip(weight_PKD, bias_PK, strict=True), strict=True)

    def _ridge(self, penalties: list[float]) -> Iterator[tuple[float, Model]]:
        from sklearn.linear_model import Ridge

        known = ~np.isnan(self.y_NK[:, 0])
        for alpha in penalties:
            model = Ridge(alpha=alpha).fit(self.x_ND[known], self.y_NK[known, 0])
            yield alpha, (np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_))
