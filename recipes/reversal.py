"""Fit the flags of swapped cables: `python recipes/reversal.py COHORT`; writes src/einthoven/signal/reversal.toml.

COHORT is PTB-XL at 100 Hz, prepared. Median beats of folds 1 to 8 without a pacemaker, once as they are and once for
each permutation of the arm and leg cables, made by algebra (the Wilson terminal stays where it is as long as the right
leg is not involved). Thresholds let less than 1 recording in a thousand of these folds through. Folds 9 and 10 are only
read: their false alarms and the share of swaps found are printed. 40 seconds on one core.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from einthoven.cohort.store import Cohort
from einthoven.signal.beats import find
from einthoven.signal.median import BEFORE, median_beat
from einthoven.signal.reversal import LEG, PERMUTED, SWAPS, _leg, _span, chest_gains, limb_features

PLACE = Path(__file__).resolve().parents[1] / "src/einthoven/signal/reversal.toml"
LIMB_ALARMS, CHEST_ALARMS, CHEST_MARGIN = 0.0006, 0.0, 0.1
"""Share of the recordings of folds 1 to 8 that may be flagged: together well below the 0.5 % that are aimed at."""


def main(place: str) -> None:
    cohort = Cohort.open(place)
    rate, before = 100.0, round(BEFORE * 100)
    fold = cohort.values("strat_fold")
    paced = np.zeros(len(cohort), bool)
    labels = cohort.facts("labels")
    paced[labels.filter(labels["code"] == "PACE")["row"].to_numpy()] = True
    beat = np.stack([_beat(cohort, row) for row in range(len(cohort))])
    fit, test = (fold <= 8) & ~paced, fold >= 9
    maps = {
        name: _map(beat[fit], _span(span, before, rate), before, rate)
        for name, span in (("qrs_t", "QRS-T"), ("p", "P"))
    }
    seen = {}
    for name, turn in PERMUTED.items():
        turned = np.concatenate([np.einsum("ij,njw->niw", np.array(turn), beat[:, :2]), beat[:, 2:]], axis=1)
        seen[name] = limb_features(turned, before, rate, maps["qrs_t"], maps["p"])
    weight, bias, mean, sd = _regression(np.stack([seen[name][fit] for name in PERMUTED]))
    over = {name: _over(x, weight, bias, mean, sd) for name, x in seen.items()}
    threshold = _threshold(over["none"][fit], LIMB_ALARMS)
    gain = chest_gains(beat[:, 2:], before, rate)
    chest_threshold = _threshold(gain[fit], CHEST_ALARMS) + CHEST_MARGIN

    lines = [
        "# Weights of the flags of swapped cables, made by recipes/reversal.py from PTB-XL, folds 1 to 8 (CC BY 4.0)."
    ]
    for name, value in {
        **maps, "mean": mean, "sd": sd, "weight": weight, "bias": bias, "threshold": threshold,
        "chest_threshold": chest_threshold,
    }.items():  # fmt: skip
        lines.append(f"{name} = {np.array2string(value, separator=', ', precision=5, max_line_width=110)}")
    PLACE.write_text("\n".join(lines).replace(" nan", " 0.0").replace(".,", ".0,").replace(".]", ".0]") + "\n", "utf-8")

    def flagged(x: np.ndarray) -> np.ndarray:
        return np.where((x > threshold).any(axis=1), (x - threshold).argmax(axis=1), -1)

    print(f"folds 9 and 10, n = {test.sum()}; false alarms, limb: {(flagged(over['none'])[test] >= 0).mean():.4f}")
    for i, name in enumerate(list(PERMUTED)[1:]):
        found = flagged(over[name])[test]
        print(f"{name:9} flagged {(found >= 0).mean():.3f}, by its name {(found == i).mean():.3f}")
    false = (gain[test] > chest_threshold).any(axis=1)
    print(f"false alarms, chest: {false.mean():.4f}; either: {(false | (flagged(over['none'])[test] >= 0)).mean():.4f}")
    for i, (name, order) in enumerate(SWAPS.items()):
        over_chest = chest_gains(beat[test][:, 2:][:, list(order)], before, rate) - chest_threshold
        hit = (over_chest > 0).any(axis=1)
        print(f"{name:9} flagged {hit.mean():.3f}, by its name {(hit & (over_chest.argmax(axis=1) == i)).mean():.3f}")
    # The right leg is taken to be at the left leg's potential (Jekova 2019).
    one, two = beat[test][:, 0], beat[test][:, 1]
    for name, pair in (("RA-RL", (one - two, 0 * two)), ("LA-RL", (two, two))):
        hit = [_leg(np.stack(both)) == name for both in zip(*pair)]
        print(f"{name:9} flagged {np.mean(hit):.3f}")
    print(f"false alarms, right leg: {np.mean([_leg(mine) in LEG.values() for mine in beat[test][:, :2]]):.4f}")


def _threshold(over: np.ndarray, alarms: float) -> np.ndarray:
    """One quantile for every flag, so high that no more than this share of the recordings has any flag."""
    for share in np.linspace(0, alarms, 41)[::-1]:
        threshold = np.quantile(over, 1 - share, axis=0)
        if (over > threshold).any(axis=1).mean() <= alarms:
            return threshold
    return over.max(axis=0)


def _beat(cohort: Cohort, row: int) -> np.ndarray:
    signal = (cohort.signal(row).T / 1000).astype(np.float32)
    mine = median_beat(signal, 100.0, find(signal, 100.0)).signal
    return np.nan_to_num(mine)[[0, 1, 6, 7, 8, 9, 10, 11]]


def _map(beat: np.ndarray, span: slice, before: int, rate: float) -> np.ndarray:
    """Ridge regression of I and II on V1-V6; each recording counts by its shape, not by its size."""
    beat = beat - np.median(beat[:, :, _span("level", before, rate)], axis=2, keepdims=True)
    piece = beat[:, :, span]
    piece = piece / np.maximum(np.sqrt((piece**2).mean(axis=(1, 2), keepdims=True)), 0.01)
    chest, limb = (piece[:, part].transpose(0, 2, 1).reshape(-1, n) for part, n in ((slice(2, 8), 6), (slice(0, 2), 2)))
    return np.linalg.solve(chest.T @ chest + 1e-3 * len(chest) * np.eye(6), chest.T @ limb).T


def _regression(x: np.ndarray):
    from sklearn.linear_model import LogisticRegression

    flat, kind = x.reshape(-1, x.shape[2]), np.repeat(np.arange(len(x)), x.shape[1])
    mean, sd = flat.mean(axis=0), flat.std(axis=0)
    model = LogisticRegression(C=0.1, max_iter=3000).fit((flat - mean) / sd, kind)
    return model.coef_, model.intercept_, mean, sd


def _over(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Log-odds of each permutation against none (N, 5)."""
    logit = (x - mean) / sd @ weight.T + bias
    return logit[:, 1:] - logit[:, :1]


if __name__ == "__main__":
    main(sys.argv[1])
