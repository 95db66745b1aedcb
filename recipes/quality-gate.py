"""Fit the quality gate: `python recipes/quality-gate.py`; writes src/einthoven/signal/quality_gate.toml.

Clean recordings (LUDB, all leads or one; simulated ones at resting noise) get disturbances of known size, drawn here or
cut out of the noise recordings of the noise stress test database (bw, ma). A second of a lead is bad where the added
noise, its straight trend taken out, exceeds a fifth of the lead's QRS (root mean square over peak to peak), or where
the lead is flat, lost or at a rail, and good where the noise is below a twentieth and the trend below 1 mV; what lies
between is left out. A lead is bad with 40 % of bad seconds, a recording with a lead that is off or three bad leads
(one, if it has fewer than three). Three logistic regressions follow: of seconds, of leads, of recordings. No recording
of Challenge 2011, of Challenge 2017 or of PTB-XL takes part. A minute on one core.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from einthoven import simulate
from einthoven.formats import Mapping, read
from einthoven.signal import beats, quality
from einthoven.signal._traits import LEAD, SECOND, traits
from einthoven.signal.resampling import resample

ROOT = Path(__file__).resolve().parents[1]
RATES = (100.0, 125.0, 250.0, 300.0, 500.0)
VARIANTS, SIMULATED = 10, 200
LIMB = {"R": (-1, -1, 0, 1, -0.5, -0.5), "L": (1, 0, -1, -0.5, 1, -0.5), "F": (0, 1, 1, -0.5, -0.5, 1)}
"""What a potential of one limb electrode adds to I, II, III, aVR, aVL, aVF; to each chest lead minus a third."""


def main() -> None:
    rng = np.random.default_rng(13)
    noises = [_noise(name) for name in ("bw", "ma")]
    rows: dict[str, list[tuple[np.ndarray, bool]]] = {"second": [], "lead": [], "record": []}
    several: list[tuple[np.ndarray, bool]] = []
    for number, (signal, rate) in enumerate(_clean()):
        for _ in range(VARIANTS):
            mine, at = _drawn(signal, rate, rng)
            disturbed, off = _disturb(mine, at, rng, noises)
            second_LS, lead_L, record = _truth(mine, disturbed, off, at)
            found = traits(disturbed, at, beats.find(disturbed, at))
            picked = rng.permutation(np.argwhere(second_LS >= 0))[:20]
            rows["second"] += [(found.second[i, s], second_LS[i, s] == 1) for i, s in picked]
            rows["lead"] += [(found.lead[i], lead_L[i] == 1) for i in np.flatnonzero(lead_L >= 0)[:4]]
            if record >= 0:
                several.append((found.lead, record == 1))
        if number % 40 == 0:
            print(number, {name: len(part) for name, part in rows.items()}, len(several), file=sys.stderr, flush=True)
    lines = [
        "# Weights of the quality gate, made by recipes/quality-gate.py: the log-odds that a second, a lead or a",
        "# recording is good are bias + weights . (features - mean) / sd (signal/_traits.py names the features).",
    ]
    gates = {}
    for name, features in (("second", SECOND), ("lead", LEAD)):
        x, bad = np.stack([part for part, _ in rows[name]]), np.array([bad for _, bad in rows[name]])
        gates[name] = _fit(x, bad)
        lines += _table(name, features, gates[name], len(bad), bad.mean())
    x = np.stack([quality.over_leads(lead, _logit(lead, gates["lead"])) for lead, _ in several])
    bad = np.array([bad for _, bad in several])
    gates["record"] = _fit(x, bad)
    lines += _table("record", quality.RECORD, gates["record"], len(bad), bad.mean())
    place = ROOT / "src/einthoven/signal/quality_gate.toml"
    place.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(place.read_text())


def _clean():
    for file in sorted((ROOT / ".data/ludb/data").glob("*.hea")):
        record = read(file)
        yield record.signal, record.rate
    for seed in range(SIMULATED):
        kind = list(simulate.KINDS)[seed % len(simulate.KINDS)]
        yield simulate.record(kind, seed=1000 + seed, noise=0.7).signal, 500.0


def _noise(name: str) -> np.ndarray:
    """(2, T) at 500 Hz, no trend over ten seconds, mean square 1."""
    signal = resample(read(ROOT / f".data/nstdb/{name}.hea", Mapping(unit="200/mV")).signal, 360, 500)
    return signal / signal.std(axis=1, keepdims=True)


def _drawn(signal: np.ndarray, rate: float, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Some leads of a recording, at some rate, of some size, either way up."""
    at = float(rng.choice(RATES))
    if rng.random() < 0.5:
        signal = signal[[int(rng.integers(len(signal)))]] * rng.choice([-1, 1])
    signal = signal * np.exp(0.4 * rng.standard_normal())
    return resample(np.asarray(signal, np.float32), rate, at), at


def _disturb(signal: np.ndarray, rate: float, rng: np.random.Generator, noises: list[np.ndarray]):
    """The signal with none to three disturbances, and which samples of which leads are off (no ECG left)."""
    out, off = signal.copy(), np.zeros(signal.shape, bool)
    leads, samples = signal.shape
    for _ in range(rng.choice(4, p=[0.15, 0.45, 0.3, 0.1])):
        kind = rng.choice(["wander", "muscle", "white", "mains", "motion", "step", "flat", "off", "rail", "gap"])
        where = np.zeros(leads)
        scope = rng.random()
        if leads == 12 and scope < 0.3:
            electrode = rng.choice(list(LIMB))
            where[:6], where[6:] = LIMB[electrode], -1 / 3
        elif scope < 0.65:
            where[rng.integers(leads)] = 1
        else:
            where[:] = rng.uniform(0.5, 1.5, leads) * rng.choice([-1, 1], leads)
        span = np.ones(samples)
        if rng.random() < 0.5:
            begin, length = rng.random(2) * [0.8, 0.7]
            span[:] = 0
            span[int(begin * samples) : int((begin + 0.1 + length) * samples)] = 1
        size = 10 ** rng.uniform(-2.0, 0.7)
        t = np.arange(samples) / rate
        if kind in ("flat", "off", "rail", "gap"):
            hit = np.abs(where) >= 0.4
            mask = hit[:, None] & (span > 0)
            if kind == "flat":
                out[mask] = rng.choice([0.0, rng.normal()])
            elif kind == "gap":
                out[mask] = np.nan
            elif kind == "rail":
                out[mask] = rng.choice([-1, 1]) * rng.uniform(2, 16) + rng.choice([0, 0.002]) * rng.standard_normal()
            else:
                noise = size * np.sin(2 * np.pi * rng.choice([50, 60]) * t) if rng.random() < 0.5 else _band(
                    rng, samples, rate, 0.3, 40, size
                )  # fmt: skip
                out[mask] = np.broadcast_to(noise, signal.shape)[mask]
            off |= mask
            continue
        if kind == "wander":
            add = 3 * size * _cut(noises[0], rng, samples, rate)
        elif kind == "muscle":
            add = size * _cut(noises[1], rng, samples, rate)
        elif kind == "white":
            add = _band(rng, samples, rate, 10, 0.45 * rate, size)
        elif kind == "mains":
            add = size * np.sin(2 * np.pi * rng.choice([50, 60]) * t + rng.random())
        elif kind == "motion":
            add = _band(rng, samples, rate, 0.5, 8, 3 * size)
        else:
            times = rng.random(rng.integers(1, 6)) * samples / rate
            add = sum(rng.normal() * 3 * size * (t > when) * np.exp(-np.maximum(t - when, 0) / 1.5) for when in times)
        out += (where[:, None] * (add * span)[None]).astype(np.float32)
    return out, off


def _cut(noise: np.ndarray, rng: np.random.Generator, samples: int, rate: float) -> np.ndarray:
    """A stretch of a noise recording at the wanted rate."""
    length = int(np.ceil(samples * 500 / rate)) + 10
    begin = int(rng.integers(noise.shape[1] - length))
    return resample(noise[[int(rng.integers(2))], begin : begin + length], 500, rate)[0, :samples]


def _band(rng: np.random.Generator, samples: int, rate: float, low: float, high: float, size: float) -> np.ndarray:
    """Noise of one band with the root mean square `size`."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    hertz = np.fft.rfftfreq(samples, 1 / rate)
    spectrum[(hertz < low) | (hertz > high)] = 0
    noise = np.fft.irfft(spectrum, samples)
    return size * noise / max(noise.std(), 1e-9)


def _truth(clean: np.ndarray, disturbed: np.ndarray, off: np.ndarray, rate: float):
    """1 bad, 0 good, -1 between: (L, S), (L,), and of the recording."""
    per = round(rate)
    seconds = clean.shape[1] // per
    cut = slice(0, seconds * per)
    added = np.nan_to_num(disturbed - clean)[:, cut].reshape(len(clean), seconds, per)
    t = np.arange(per) - (per - 1) / 2
    slope = (added * t).sum(axis=2) / (t**2).sum()
    rest = (added - added.mean(axis=2, keepdims=True) - slope[..., None] * t).std(axis=2)
    pieces = clean[:, cut].reshape(len(clean), seconds, per)
    qrs = np.median(pieces.max(axis=2) - pieces.min(axis=2), axis=1)[:, None]
    gone = off[:, cut].reshape(len(clean), seconds, per).mean(axis=2)
    bad = (rest > 0.2 * qrs) | (gone > 0.5)
    good = (rest < 0.05 * qrs) & (np.abs(slope) * per < 1) & (gone == 0)
    second = np.where(bad, 1, np.where(good, 0, -1))
    lead = np.where(bad.mean(axis=1) >= 0.4, 1, np.where((bad.mean(axis=1) <= 0.1) & (good.mean(axis=1) >= 0.8), 0, -1))
    away, least = (gone.mean(axis=1) > 0.7).any(), 3 if len(clean) >= 3 else 1
    record = 1 if away or (lead == 1).sum() >= least else 0 if (lead == 0).sum() >= len(clean) - 1 else -1
    return second, lead, -1 if record == 0 and (lead == 1).any() else record


def _fit(x: np.ndarray, bad: np.ndarray):
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    mean, sd = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-3)
    half = np.arange(len(x)) < len(x) // 2  # LUDB and the beginning of the simulated ones against the rest
    trial = LogisticRegression(C=1.0, max_iter=2000).fit((x[half] - mean) / sd, ~bad[half])
    print(
        len(x),
        "AUROC on the half left out",
        roc_auc_score(~bad[~half], trial.decision_function((x[~half] - mean) / sd)),
    )
    model = LogisticRegression(C=1.0, max_iter=2000, class_weight="balanced").fit((x - mean) / sd, ~bad)
    return mean, sd, model.coef_[0], float(model.intercept_[0])


def _logit(x: np.ndarray, gate) -> np.ndarray:
    mean, sd, weight, bias = gate
    return (x - mean) / sd @ weight + bias


def _table(name: str, features: tuple[str, ...], gate, count: int, share: float) -> list[str]:
    mean, sd, weight, bias = gate
    lines = ["", f"[{name}]  # {count} examples, {100 * share:.0f} % bad", f"bias = {bias:.5g}"]
    for word, numbers in (("mean", mean), ("sd", sd), ("weight", weight)):
        lines.append(f"{word} = {{ " + ", ".join(f"{f} = {v:.5g}" for f, v in zip(features, numbers)) + " }")
    return lines


if __name__ == "__main__":
    main()
