"""Small tools that look along rows of samples. Letters: R rows, W samples."""

from __future__ import annotations

import numpy as np
from scipy.fft import next_fast_len


def crossing(height_RW: np.ndarray, start_R: np.ndarray, below_R: np.ndarray, step: int) -> np.ndarray:
    """Where each row, walked from `start` by `step` (1 or -1), first falls below a level; with its fraction (R,).

    A row that never does gives its end.
    """
    rows, width = height_RW.shape
    if step < 0:
        return width - 1 - crossing(height_RW[:, ::-1], width - 1 - start_R, below_R, 1)
    low = height_RW < below_R[:, None]
    low &= np.arange(width) > start_R[:, None]
    place = low.argmax(axis=1)
    row = np.arange(rows)
    found = low[row, place]
    place = np.where(found, place, width - 1)
    before = np.maximum(place - 1, 0)
    high, under = height_RW[row, before], height_RW[row, place]
    part = np.clip((high - below_R) / np.maximum(high - under, 1e-12), 0, 1)
    return np.where(found, before + part, place)


def gaussian(width: float, order: int) -> np.ndarray:
    """Kernel for a smoothed signal (order 0), its slope (1) or its bend (2, peak up, about unit gain for a wave of that
    width); `width` is the standard deviation in samples."""
    width = max(width, 0.6)
    x = np.arange(-int(np.ceil(3.5 * width)), int(np.ceil(3.5 * width)) + 1)
    bell = np.exp(-0.5 * (x / width) ** 2)
    bell /= bell.sum()
    if order == 0:
        return bell
    if order == 1:
        return -x / width**2 * bell
    bend = (1 - (x / width) ** 2) * bell
    return bend - bend.mean()


def smoothed(signal: np.ndarray, kernels: list[np.ndarray]) -> list[np.ndarray]:
    """The signal (..., W) convolved with each kernel, ends held; one transform forward for all of them."""
    reach = max(len(kernel) // 2 for kernel in kernels)
    width = signal.shape[-1]
    padded = np.concatenate(
        [np.repeat(signal[..., :1], reach, -1), signal, np.repeat(signal[..., -1:], reach, -1)], axis=-1
    )
    length = int(next_fast_len(width + 2 * reach, real=True) or 0)
    spectrum = np.fft.rfft(padded, length)
    out = []
    for kernel in kernels:
        laid = np.zeros(length, signal.dtype)
        half = len(kernel) // 2
        laid[: half + 1] = kernel[half:]
        if half:
            laid[-half:] = kernel[:half]
        out.append(np.fft.irfft(spectrum * np.fft.rfft(laid), length)[..., reach : reach + width])
    return out


def held(signal: np.ndarray, edge: np.ndarray, side: int) -> np.ndarray:
    """The rows (C, L, W) with all before (side -1) or after (side 1) the `edge` (C,) replaced by the value there."""
    width = signal.shape[-1]
    edge = np.clip(np.round(edge).astype(int), 1, width - 2)
    value = np.take_along_axis(signal, edge[:, None, None], axis=2)
    time = np.arange(width)
    gone = time < edge[:, None, None] if side < 0 else time > edge[:, None, None]
    return np.where(gone, value, signal)


def highest(height_RW: np.ndarray, low_R: np.ndarray, high_R: np.ndarray) -> np.ndarray:
    """Index (R,) of the largest value of each row within [low, high)."""
    time = np.arange(height_RW.shape[-1])
    inside = (time >= low_R[:, None]) & (time < np.maximum(high_R, low_R + 1)[:, None])
    return np.where(inside, height_RW, -np.inf).argmax(axis=1)


def shift(mixed_KW: np.ndarray, usual_W: np.ndarray, peak: int, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """How far (K,) from `peak`, at most `reach` samples, each row has its largest wave like the usual one, and that
    wave's size (K,) in units of the usual."""
    low = max(peak - reach, 0)
    piece = mixed_KW[:, low : peak + reach + 1] / max(float(usual_W[peak]), 1e-9)
    place = piece.argmax(axis=1)
    row = np.arange(len(piece))
    size = piece[row, place]
    left, right = np.maximum(place - 1, 0), np.minimum(place + 1, piece.shape[1] - 1)
    bend = piece[row, left] - 2 * size + piece[row, right]
    slope = 0.5 * (piece[row, right] - piece[row, left])
    part = np.where((bend < 0) & (left < place) & (place < right), -slope / np.minimum(bend, -1e-9), 0.0)
    return place + np.clip(part, -0.5, 0.5) + low - peak, size
