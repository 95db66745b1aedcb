"""`physioclr.step`, `physioclr.features`: what physiology costs in training, and what the measurements cost.

`physioclr.step` is one whole training step, batch making included (stretches, companions, shuffle, peaks, measurements,
decoder), against a SimCLR that sees as many views: three crops a recording in one pass of the same encoder, NT-Xent
over the pairs (a, b), (a, c) and (b, c). `physioclr.features` is our analysis and the vector of a segment of 5 s at
500 Hz, 12 leads, against the way of the authors' extractor: NeuroKit2 on the mean of the leads less its median (clean,
peaks, DWT), then ten quantities a beat and their statistics. `physioclr.features.leads` gives NeuroKit2 each lead.
"""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench._neurokit import PROGRAM, VERSION, Peer
from bench._run import Bench, Pair
from bench.rivals.programs import environment
from einthoven import simulate
from einthoven.core.record import Record

if TYPE_CHECKING:
    import torch

    from einthoven.core.batch import Batch
    from einthoven.objectives import Objective

PATIENTS = 200
"""Simulated people, 300 recordings or so; 120 of them train."""
STEPS = 4
SEGMENTS, RATE, SECONDS = 20, 500.0, 5.0
RECIPE = Path(__file__).parents[1] / "recipes/physioclr-ptbxl.toml"

_EXTRACTOR = """
import os, sys, warnings
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
import numpy as np
import neurokit2 as nk
warnings.simplefilter("ignore")
segments, rate, BEATS = np.load(sys.argv[1]), int(float(sys.argv[2])), 10


def slots(marks):
    found = np.asarray(marks, float)[:BEATS]
    return np.pad(found, (0, BEATS - len(found)), constant_values=np.nan)


def highest(x, first, last):
    return [x[int(a) : int(b)].max() if b > a else np.nan for a, b in zip(first, last)]


def vector(x):
    x = x - np.median(x)
    clean = nk.ecg_clean(x, sampling_rate=rate)
    beats = np.asarray(nk.ecg_peaks(clean, sampling_rate=rate)[1]["ECG_R_Peaks"])
    waves = nk.ecg_delineate(clean, beats, sampling_rate=rate, method="dwt")[1]
    p_on, p_off, q_on, q_off, t_on, t_off = (
        slots(waves[f"ECG_{wave}_{end}"]) for wave in "PRT" for end in ("Onsets", "Offsets")
    )
    r = slots(beats)
    ms = 1000 / rate
    rr = np.append(np.nan, np.diff(r)) * ms
    level = np.array([np.median(clean[max(int(q) - 2 * rate // 25, 0) : int(q)]) if q > 0 else 0.0 for q in q_on])
    st = np.array([clean[min(int(q) + 3 * rate // 50, len(clean) - 1)] if q > 0 else np.nan for q in q_off])
    steep = np.abs(np.diff(clean)) / ms
    beat = np.array([
        rr, (q_on - p_on) * ms, (q_off - q_on) * ms, (t_off - q_on) * ms / np.sqrt(rr / 1000), (p_off - p_on) * ms,
        (t_off - t_on) * ms, np.array([clean[int(i)] if i >= 0 else np.nan for i in r]) - level,
        highest(clean, t_on, t_off) - level, highest(clean, p_on, p_off) - level, highest(steep, q_on, r), st - level,
    ])
    about = [np.nanmean(beat, 1), np.nanstd(beat, 1), np.nanmedian(beat, 1),
             np.subtract(*np.nanpercentile(beat, (75, 25), axis=1))]
    change = np.diff(rr)
    half = rate // 4
    near = [clean[i - half : i + half] for i in beats if half <= i < len(clean) - half]
    alike = [np.corrcoef(a, b)[0, 1] for a, b in zip(near, near[1:])] or [0.0]
    scalars = [
        np.sqrt(np.nanmean(change**2)), np.nanmean(np.abs(change) > 50), np.nanstd(rr) / np.nanmean(rr),
        np.nanmean(rr < 0.8 * np.nanmedian(rr)), np.nanmean(beat[1] > 200), np.nanmean(beat[2] >= 120),
        np.nanmean((beat[2] >= 100) & (beat[2] < 120)), np.nanmean(beat[3] >= 500), np.isnan(p_on[: len(beats)]).mean(),
        np.nanmean(beat[7] < -0.05), np.nanmean(np.abs(beat[10]) >= 0.1),
        np.nanmedian(np.abs(beat[10] - np.nanmedian(beat[10]))), np.mean(alike), np.std(alike), np.min(alike),
    ]
    return np.nan_to_num(np.concatenate([beat[:10].ravel(), np.ravel(about), scalars]))


print("ready", flush=True)
for _ in sys.stdin:
    for x in segments:
        try:
            assert vector(x).shape == (159,)
        except (ValueError, ArithmeticError):  # it stops where it finds too few beats; such a segment counts as done
            pass
    print("done", flush=True)
"""


def benches() -> list[Bench]:
    unit = f"s/segment; peer: {VERSION} ecg_clean, ecg_peaks, ecg_delineate(dwt)"
    return [
        Bench("physioclr.step", 0.5, "s/step; baseline: SimCLR with three views", make=_step),
        Bench("physioclr.features", 20, f"{unit}, mean of 12 leads", make=lambda scratch: _features(scratch, False)),
        Bench("physioclr.features.leads", None, f"{unit}, 12 leads", make=lambda scratch: _features(scratch, True)),
    ]


def _step(scratch: Path) -> Pair:
    import torch

    from einthoven.app.derive import derive
    from einthoven.app.prepare import prepare
    from einthoven.objectives.physioclr import Physioclr

    torch.set_num_threads(1)
    cohort = scratch / "cohort"
    prepare("simulated", scratch, cohort, rate=100, workers=1, settings={"patients": PATIENTS})
    derive("physiology", cohort, workers=1)
    ours = _steps(cohort, lambda width: Physioclr(width, neighbours=1))
    return Pair(ours, STEPS, _steps(cohort, _three_views()), STEPS)


def _three_views() -> Callable[[int], Objective]:
    """SimCLR whose batches carry three crops; NT-Xent is the mean over their three pairs."""
    import torch

    from einthoven.objectives._contrast import nt_xent
    from einthoven.objectives.simclr import Simclr

    class Three(Simclr):
        three = ("a", "b", "c")

        def loss(self, encoder: torch.nn.Module, batch: Batch, step: int) -> tuple[torch.Tensor, dict]:
            seen = [batch.view(name) for name in self.three]
            valid = torch.cat([view.valid.expand(view.signal.shape) for view in seen])
            signal = torch.cat([view.signal for view in seen])
            blocks = self.projector(encoder(signal, valid, batch.rate).pooled).chunk(3)
            pairs = [nt_xent(a, b, self.temperature) for a, b in itertools.combinations(blocks, 2)]
            return torch.stack(pairs).mean(), {"cosine": torch.cosine_similarity(blocks[0], blocks[1]).mean().detach()}

    return lambda width: Three(width)


def _steps(cohort: Path, make: Callable[[int], Objective]) -> Callable[[], None]:
    """So many training steps of an objective on the encoder, layout and augmentation of its recipe, as the loop does
    them: batch, forward, backward, shortened gradient, optimiser, numbers for the log."""
    import torch

    from einthoven.core import recipe as recipes
    from einthoven.core.layout import Layout
    from einthoven.core.registry import load
    from einthoven.training import optimiser as optimisers
    from einthoven.training import settings
    from einthoven.training.material import Material

    recipe = settings.check(recipes.read(RECIPE, [f'data.cohort="{cohort}"']), RECIPE.name)
    torch.manual_seed(0)
    layout = Layout(**recipe["layout"])
    encoder = load("encoders", "resnet")(len(layout.leads), width=32, kernel=5)
    objective = make(encoder.width_out)
    objective.attach(encoder, layout)
    loader = Material.of(recipe, objective).loader("cpu", 0, 1)
    loader.views = getattr(objective, "three", loader.views)  # any name is a random stream; recipes know a and b
    optimiser = optimisers.adamw(encoder, objective, 1e-3, None, 0.01)
    parameters = [*encoder.parameters(), *objective.parameters()]
    count = itertools.count()

    def steps() -> None:
        for step in itertools.islice(count, STEPS):
            batch = loader.batch(step)
            assert len(batch) == recipe["training"]["batch"] == 64
            loss, notes = objective.loss(encoder, batch, step)
            loss.backward()
            gradient = torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            told = [float(number) for number in (loss.detach(), gradient, *notes.values())]
            if not np.isfinite(told).all():
                raise AssertionError(f"step {step}: {told}")

    return steps


class _Extractor(Peer):
    """Works through signals (N, samples) at every call."""

    def __init__(self, signals: np.ndarray, scratch: Path) -> None:
        python, why = environment(PROGRAM)
        if python is None:
            raise RuntimeError(f"the peer {VERSION} is not there: {why}")
        file = scratch / "segments.npy"
        np.save(file, signals)
        self.process = subprocess.Popen(
            [str(python), "-c", _EXTRACTOR, str(file), str(RATE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        self._wait("ready")


def _features(scratch: Path, lead_by_lead: bool) -> Pair:
    import torch

    from einthoven.objectives._features import PREFIX, Features
    from einthoven.signal.analysis import analyse

    torch.set_num_threads(1)
    kinds = ("sinus", "af", "pvc", "lbbb")
    segments = [simulate.record(kinds[i % 4], seed=i, rate=RATE, seconds=SECONDS) for i in range(SEGMENTS)]
    features = Features("core", (), 0)

    def measured(record: Record) -> dict[str, np.ndarray]:
        found = analyse(record).measurements
        values = [found[name].value for name in features.measurements]
        return {
            PREFIX + name: np.array([np.nan if value is None else value], np.float32)
            for name, value in zip(features.measurements, values)
        }

    whole = [measured(record) for record in segments]
    features.fit({need: np.concatenate([one[need] for one in whole]) for need in features.needs})

    def ours() -> None:
        for record in segments:
            facts = {need: torch.from_numpy(value) for need, value in measured(record).items()}
            if not features(facts)[1].any():
                raise AssertionError("nothing was measured")

    signals = np.stack([record.signal.astype(float) for record in segments])
    peer = _Extractor(signals.reshape(-1, signals.shape[-1]) if lead_by_lead else signals.mean(axis=1), scratch)
    return Pair(ours, SEGMENTS, peer, SEGMENTS)
