"""`embed.rate`: files on disk to embeddings, against one file at a time through wfdb, scipy and the same network.

The baseline is the loop that model cards show: `wfdb.rdrecord`, `scipy.signal.sosfiltfilt`, the network on a batch of
one. Both sides read 12 leads of 10 s at 500 Hz, high-pass at 0.5 Hz, resample to 100 Hz and use the same weights.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench._run import Bench, Pair
from einthoven import simulate
from einthoven.app import inference
from einthoven.core.layout import Layout
from einthoven.core.registry import load
from einthoven.training import checkpoint

RECORDINGS = 64


def benches() -> list[Bench]:
    return [Bench("embed.rate", 2, "s/recording", _pair)]


def _pair(scratch: Path) -> Pair:
    import torch
    import wfdb
    from scipy.signal import butter, resample_poly, sosfiltfilt

    folder = scratch / "files"
    writer = load("formats", "wfdb")()
    for i in range(RECORDINGS):
        writer.write(simulate.record(seed=i), folder / f"r{i:03d}.hea")
    layout = Layout(band=(0.5, 0.0), order=2)
    torch.manual_seed(0)
    settings = {"width": 32, "kernel": 5}
    encoder = load("encoders", "resnet")(len(layout.leads), **settings).eval()
    place = checkpoint.save(
        scratch / "model", encoder=encoder, encoder_name="resnet", encoder_settings=settings, layout=layout,
        card={"name": "bench"},
    )  # fmt: skip
    model = checkpoint.load(place)
    sos = butter(2, 0.5, "highpass", fs=500, output="sos")

    def one_by_one() -> np.ndarray:
        rows = []
        for file in sorted(folder.glob("*.hea")):
            signal = wfdb.rdrecord(str(file.with_suffix(""))).p_signal
            signal = resample_poly(sosfiltfilt(sos, signal, axis=0), 1, 5, axis=0).T.astype(np.float32)
            with torch.no_grad():
                x_1LT = torch.from_numpy(np.ascontiguousarray(signal))[None]
                rows.append(model.encoder(x_1LT, torch.ones_like(x_1LT, dtype=torch.bool), 100.0).pooled[0].numpy())
        return np.stack(rows)

    def ours() -> np.ndarray:
        return inference.encode(folder, model).pooled_ND

    # filters differ at the edges of a recording and in the resampling kernel, not in what they let through
    same = np.corrcoef(ours().ravel(), one_by_one().ravel())[0, 1]
    assert same > 0.999, same
    return Pair(ours, RECORDINGS, one_by_one, RECORDINGS)
