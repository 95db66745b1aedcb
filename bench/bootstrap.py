"""macro-AUROC over 1,000 resamples of subjects, 2,000 recordings x 71 labels, against a loop over scikit-learn.

Ours draws its own resamples and sorts each label once; the loop does what users write: draw counts, weigh the records,
call `roc_auc_score(sample_weight=...)` for each label. It works through 20 resamples; items are resamples.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench._run import Bench, Pair

RECORDS, LABELS, RESAMPLES, LOOPED = 2000, 71, 1000, 20


def benches() -> list[Bench]:
    return [Bench("bootstrap.auroc", 50, "s/resample", make=auroc)]


def auroc(scratch: Path) -> Pair:
    """Both sides give the macro-AUROC of each resample, and the same one for the same weights."""
    from sklearn.metrics import roc_auc_score

    from einthoven.evaluate.bootstrap import multinomial
    from einthoven.evaluate.ranking import Ranking

    rng = np.random.default_rng(0)
    subject_n = np.sort(rng.integers(1700, size=RECORDS))  # 1.2 records a subject, as in PTB-XL's test fold
    subjects, subject_n = np.unique(subject_n, return_inverse=True)
    prevalence_K = np.geomspace(0.02, 0.5, LABELS)
    truth_nK = rng.random((RECORDS, LABELS)) < prevalence_K
    score_nK = (rng.normal(size=(RECORDS, LABELS)) + 1.5 * truth_nK).astype(np.float32).astype(np.float64)

    def ours(counts_GR: np.ndarray | None = None) -> np.ndarray:
        counts_GR = multinomial(rng, len(subjects), RESAMPLES) if counts_GR is None else counts_GR
        weight_nR = counts_GR[subject_n].astype(np.float64)
        return np.mean([Ranking(truth_nK[:, k], score_nK[:, k])(weight_nR)[0] for k in range(LABELS)], axis=0)

    def loop(counts_GR: np.ndarray | None = None) -> np.ndarray:
        counts_GR = multinomial(rng, len(subjects), LOOPED) if counts_GR is None else counts_GR
        return np.array([
            np.mean([roc_auc_score(truth_nK[:, k], score_nK[:, k], sample_weight=weight_n) for k in range(LABELS)])
            for weight_n in counts_GR[subject_n].T.astype(np.float64)
        ])  # fmt: skip

    same = multinomial(rng, len(subjects), 3)
    np.testing.assert_allclose(ours(same), loop(same), rtol=0, atol=1e-12)
    return Pair(ours, RESAMPLES, loop, LOOPED)
