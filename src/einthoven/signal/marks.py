"""What was found in a recording: its beats and the limits of their waves. Letters: K beats, L leads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WAVES = ("P", "QRS", "T")
POINTS = ("on", "peak", "off")


@dataclass(frozen=True, eq=False)
class Beats:
    """Heartbeats in order of time.

    Args:
        sample: (K,) float64, the R peak (the QRS complex's reference point), in samples of the recording.
        label: (K,) words: `N` normal, `V` ventricular, `wide` conducted with a wide QRS, `paced`.
        confidence: (K,) float64, 0 to 1.
    """

    sample: np.ndarray
    label: np.ndarray
    confidence: np.ndarray

    def __len__(self) -> int:
        return len(self.sample)


@dataclass(frozen=True, eq=False)
class Delineation:
    """Onset, peak and offset of the P wave, QRS complex and T wave of each beat.

    Args:
        beats: what the rows are.
        lead: (K, L, 3, 3) float64 in the order of WAVES and POINTS, samples of the recording; NaN where a lead does not
            show the wave.
        whole: (K, 3, 3) the same for all leads together; NaN where the beat has no such wave.
        confidence: (K, 3) float64, 0 to 1, of each beat's waves; 0 where absent.
        no_p: why the recording shows no P waves at all (`af`: fibrillation or flutter; `no_p_wave`: in a regular
            rhythm; `paced`, `no_beats`), empty where it may.
        engine: name and version of what found them.
        torn: (K, L, 3) which waves of a lead cannot be seen because samples are missing; None where none is.
    """

    beats: Beats
    lead: np.ndarray
    whole: np.ndarray
    confidence: np.ndarray
    no_p: str
    engine: str
    torn: np.ndarray | None = None
