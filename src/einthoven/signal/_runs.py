"""From what the wave network says of each sample to waves of beats.

Samples become runs of one wave, runs become waves of beats, and limits are drawn to those of like beats and of the
other leads (`encoders/wave_unet.py` has the order of the numbers). DIFFERS: physiology.md 5.4: no Viterbi pass, and the
regressed distances to the limits, which help to train, have no share. Letters: L leads, N samples at 250 Hz, K beats,
R runs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from einthoven.signal._onnx import RATE
from einthoven.signal.marks import Beats

CALM = 10.0
"""Samples from the median (40 ms) beyond which a limit stays where it is."""

MANY = 6
"""From so many leads on, they hold each other."""

EARLY_MANY = 0.15
"""Which quantile of many leads' onsets is the onset of all leads; of offsets the other end."""
FRAGMENT = 0.04
"""Seconds of background that a wave may have within."""
LEAST = (0.028, 0.028, 0.05)
"""Shortest P, QRS and T in seconds."""
MOST = (0.2, 0.24, 0.4)
"""Longest P, QRS and T in seconds (physiology.md 5.4)."""
LOCKED = 3.0
"""Samples of scatter (1.48 MAD) about the median up to which P stands at a fixed distance from the QRS complex."""

SPEAKS = slice(0, 4)
NO_P = 10


@dataclass(frozen=True)
class Settings:
    """`bench/waves/folds.py` chooses them on inner folds.

    shared: share of the mean over all leads in what each lead says. mixed: share of the network in the limits of P, QRS
    and T; the rest is the classical engine's. early: which quantile of the leads' onsets is the onset of all leads, for
    recordings of fewer than MANY leads (offsets: the other end). steady: how far limits of P, QRS and T are drawn
    towards the median of like beats. astray: how far in seconds a lead may be from the median of MANY leads or more.
    p_least: how sure it must be of a beat's P wave.
    """

    shared: float = 0.4
    mixed: tuple[float, ...] = (0.0, 0.75, 0.75, 0.75, 0.75, 1.0)
    early: float = 0.3
    steady: tuple[float, float, float] = (0.5, 0.0, 0.5)
    astray: tuple[float, float, float] = (0.024, 0.024, 0.048)
    p_least: float = 0.1


def waves(
    slow_LN: np.ndarray, output_LNC: np.ndarray, beats: Beats, settings: Settings
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Onset, peak and offset of the waves in each lead (K, L, 3, 3) and in all (K, 3, 3), and how sure they are (K, 3).

    Args:
        beats: in samples of `slow_LN`, as the marks are.
    """
    leads, samples, _ = output_LNC.shape
    count = len(beats)
    logit = output_LNC[..., SPEAKS]
    if leads > 1 and settings.shared:
        logit = logit + settings.shared * (logit.mean(axis=0) - logit)
    share_LN4 = _softmax(logit)
    run = _runs(share_LN4)
    best = _of_beats(run, beats.sample, leads)
    lead = np.full((count, leads, 3, 3), np.nan)
    sure = np.zeros((count, leads, 3))
    for wave in range(3):
        k, mine = best[wave]
        for end, edge in ((0, run.first), (2, run.last)):
            lead[k, run.lead[mine], wave, end] = edge[mine]
        sure[k, run.lead[mine], wave] = run.score[mine] / (run.last - run.first + 1)[mine]
    lead = _calmed(lead, beats, settings)
    lead[..., 2] = np.maximum(lead[..., 2], lead[..., 0] + 1)
    lead[..., 1] = _peaks(slow_LN, lead[..., 0], lead[..., 2], np.arange(leads)[None, :, None])
    lead = np.clip(lead, 0, samples - 1)
    # a wave is as sure as the leads that show it are, weighted by how many do
    confidence = np.clip(sure.sum(axis=1) / max(leads, 1), 0, 1)
    doubtful = confidence[:, 0] < settings.p_least
    lead[doubtful, :, 0] = np.nan
    confidence[doubtful, 0] = 0
    whole = _together(lead, EARLY_MANY if leads >= MANY else settings.early)
    return lead, whole, np.where(np.isfinite(whole[..., 1]), confidence, 0.0)


def lacks_p(output_LNC: np.ndarray) -> float:
    """The network's log odds that the recording shows no P wave.

    The mean over many leads; of a few those of the lead that shows it best, since one of two leads often shows none.
    """
    odds_L = output_LNC[..., NO_P].mean(axis=1)
    return float(odds_L.mean() if len(odds_L) >= MANY else odds_L.min())


@dataclass(frozen=True, eq=False)
class _Runs:
    """Stretches of one wave: lead, first and last sample, which wave (0 to 2), sum of its probability; all (R,)."""

    lead: np.ndarray
    first: np.ndarray
    last: np.ndarray
    wave: np.ndarray
    score: np.ndarray


def _softmax(logit: np.ndarray) -> np.ndarray:
    power = np.exp(logit - logit.max(axis=-1, keepdims=True))
    return power / power.sum(axis=-1, keepdims=True)


def _runs(share_LN4: np.ndarray) -> _Runs:
    leads, samples, _ = share_LN4.shape
    kind = np.full((leads, samples + 1), -1, np.int8)  # -1 parts the leads
    kind[:, :samples] = share_LN4.argmax(axis=-1)
    flat = kind.reshape(-1)
    first, last, what = _stretches(flat)
    # background between two fragments of one wave is that wave
    between = np.flatnonzero(
        (what[1:-1] == 0) & (what[:-2] == what[2:]) & (what[:-2] > 0)
        & (last[1:-1] - first[1:-1] + 1 <= FRAGMENT * RATE)
    ) + 1  # fmt: skip
    for i in between:
        flat[first[i] : last[i] + 1] = what[i - 1]
    first, last, what = _stretches(flat)
    least, most = (np.array([0.0, *seconds]) * RATE for seconds in (LEAST, MOST))
    size, lead = last - first + 1, first // (samples + 1)
    cut = (first == lead * (samples + 1)) | (last == lead * (samples + 1) + samples - 1)  # by an end of the recording
    keep = (what > 0) & ~cut & (size >= least[np.maximum(what, 0)]) & (size <= most[np.maximum(what, 0)])
    first, last, what, lead = first[keep], last[keep], what[keep], lead[keep]
    total = np.zeros((4, leads * (samples + 1) + 1))
    total[:, 1:].reshape(4, leads, samples + 1)[..., :samples] = share_LN4.transpose(2, 0, 1)
    total = total.cumsum(axis=1)
    score = total[what, last + 1] - total[what, first]
    return _Runs(lead, first - lead * (samples + 1), last - lead * (samples + 1), what - 1, score)


def _stretches(flat: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First and last index of each stretch of equal numbers, and the number."""
    change = np.flatnonzero(np.diff(flat)) + 1
    first = np.concatenate([[0], change])
    return first, np.concatenate([change, [len(flat)]]) - 1, flat[first].astype(np.int64)


QRS_NEAR, T_WITHIN, P_WITHIN = 0.1 * RATE, 0.6 * RATE, 0.5 * RATE
"""A QRS complex is no further from its beat, a T wave begins no later and a P wave no earlier than this."""


def _of_beats(run: _Runs, at_K: np.ndarray, leads: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """For P, QRS and T: beats and the run that each of them has in a lead, the one with the most probability."""
    out = []
    count = len(at_K)
    for wave in range(3):
        mine = np.flatnonzero(run.wave == wave)
        first, last = run.first[mine], run.last[mine]
        if wave == 0:
            k = np.searchsorted(at_K, last)
            fits = (k < count) & (at_K[np.minimum(k, count - 1)] - first < P_WITHIN)
        elif wave == 1:
            after = np.searchsorted(at_K, (first + last) / 2).clip(0, count - 1)
            before = np.maximum(after - 1, 0)
            away = [np.maximum(np.maximum(first - at_K[k], at_K[k] - last), 0) for k in (before, after)]
            k = np.where(away[0] < away[1], before, after)
            fits = np.minimum(*away) <= QRS_NEAR
        else:
            k = np.searchsorted(at_K, first, side="right") - 1
            fits = (k >= 0) & (first - at_K[np.maximum(k, 0)] < T_WITHIN)
        mine, k = mine[fits], k[fits]
        order = np.lexsort((-run.score[mine], k * leads + run.lead[mine]))
        mine, k = mine[order], k[order]
        _, top = np.unique(k * leads + run.lead[mine], return_index=True)
        out.append((k[top], mine[top]))
    return out


def _calmed(lead: np.ndarray, beats: Beats, settings: Settings) -> np.ndarray:
    """Limits drawn towards the median of the lead's like beats, and no further from the other leads than allowed."""
    out = lead.copy()
    at = beats.sample[:, None, None, None]
    for wave in range(3):
        if share := settings.steady[wave]:
            rel = out[:, :, wave] - at[..., 0]
            for label in np.unique(beats.label):
                mine = np.flatnonzero(beats.label == label)
                if len(mine) < 3:
                    continue
                away = _median(rel[mine], 0) - rel[mine]
                near = np.abs(away) < CALM
                if wave == 0:  # in Wenckebach's block P moves from beat to beat
                    near &= 1.48 * _median(np.abs(away), 0) <= LOCKED
                rel[mine] += share * np.where(near, away, 0)
            out[:, :, wave] = rel + at[..., 0]
        if lead.shape[1] >= MANY:
            middle, far = _median(out[:, :, wave], 1), settings.astray[wave] * RATE
            out[:, :, wave] = np.clip(out[:, :, wave], middle - far, middle + far)
    return out


def _median(x: np.ndarray, axis: int) -> np.ndarray:
    """The median without NaN, NaN where there is nothing else; the axis stays."""
    ordered = np.sort(x, axis=axis)  # NaN last
    last = np.maximum(np.isfinite(x).sum(axis=axis, keepdims=True) - 1, 0)
    middle = (np.take_along_axis(ordered, last // 2, axis), np.take_along_axis(ordered, (last + 1) // 2, axis))
    return (middle[0] + middle[1]) / 2


def _peaks(x_LN: np.ndarray, on: np.ndarray, off: np.ndarray, lead: np.ndarray) -> np.ndarray:
    """Where the signal is furthest from the line between onset and offset, to a fraction of a sample."""
    lead = np.broadcast_to(lead, on.shape).reshape(-1)
    shape, on, off = on.shape, on.reshape(-1), off.reshape(-1)
    out = np.full(len(on), np.nan)
    here = np.flatnonzero(np.isfinite(on) & np.isfinite(off))
    if not len(here):
        return out.reshape(shape)
    last = x_LN.shape[1] - 1
    first = np.clip(np.round(on[here]).astype(int), 0, last)
    stop = np.clip(np.round(off[here]).astype(int), first, last)
    width = int((stop - first).max()) + 1
    at = np.minimum(first[:, None] + np.arange(width), stop[:, None])
    row = lead[here][:, None]
    begin, end = x_LN[row, first[:, None]], x_LN[row, stop[:, None]]
    line = begin + (end - begin) * (at - first[:, None]) / np.maximum(stop - first, 1)[:, None]
    top = np.abs(x_LN[row, at] - line).argmax(axis=1) + first
    around = x_LN[row, np.clip(top[:, None] + np.array([-1, 0, 1]), 0, last)]
    bend = around[:, 0] - 2 * around[:, 1] + around[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = np.where(np.abs(bend) > 1e-9, 0.5 * (around[:, 0] - around[:, 2]) / bend, 0.0)
    out[here] = np.clip(top + np.clip(np.nan_to_num(shift), -0.5, 0.5), first, stop)
    return out.reshape(shape)


def _together(lead_KL33: np.ndarray, early: float) -> np.ndarray:
    """Marks of all leads together, (K, 3, 3): a low quantile of onsets, the median of peaks, a high one of offsets."""
    whole = np.full((len(lead_KL33), 3, 3), np.nan)
    seen = np.isfinite(lead_KL33[..., 0])
    enough = seen.sum(axis=1) >= max(1, round(0.2 * lead_KL33.shape[1]))
    ordered = np.sort(lead_KL33, axis=1)  # NaN last
    count = seen.sum(axis=1)
    for point, share in ((0, early), (1, 0.5), (2, 1 - early)):
        place = share * np.maximum(count - 1, 0)
        low, up = np.floor(place).astype(int), np.ceil(place).astype(int)
        k, w = np.ogrid[: len(lead_KL33), :3]
        a, b = ordered[k, low, w, point], ordered[k, up, w, point]
        whole[..., point] = np.where(enough, a + (place - low) * (b - a), np.nan)
    whole[..., 1] = np.clip(whole[..., 1], whole[..., 0], whole[..., 2])
    return whole
