"""One wave network from packed windows: `python train.py WINDOWS --leave 0 --out DIR`; needs torch and numpy alone.

WINDOWS holds `ludb.npz`, `qtdb.npz` and `simulated.npz` of `pack.py`, and `folds.json`. A batch mixes rows of one lead
of all sources; the loss, its stretching and turning, and the augmentation are the package's own. Letters: B rows,
T samples, K beats.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from einthoven.core.batch import Batch
from einthoven.data.augment import Augment
from einthoven.encoders.wave_unet import WaveUnet
from einthoven.objectives.waves import Waves

RATE, SAMPLES = 250.0, 2500
TRUTH = {"ludb": "waves:reference.waves", "qtdb": "waves:reference.waves.global", "exact": "waves:truth.waves"}
AUGMENT = {"amplitude": 0.3, "wander": 0.1, "mains": 0.02, "noise": 0.03, "muscle": 0.03}
WIDTHS, KERNEL, DROPOUT = (16, 32, 48, 64, 96), 9, 0.1
LR, DECAY, CLIP, WARMUP = 3e-3, 0.02, 1.0, 100
AROUND_SECONDS = 2.0
"""A window of QTDB reaches at most so far beyond the first and the last marked beat of its stretch."""


class Rows:
    """Windows on the device, and batches of rows drawn from them."""

    def __init__(self, folder: Path, leave: list[int], device: str, seed: int) -> None:
        self.device, self.draw = device, torch.Generator().manual_seed(seed)
        folds = json.loads((folder / "folds.json").read_text(encoding="utf-8"))
        ludb, qtdb, made = (np.load(folder / f"{name}.npz") for name in ("ludb", "qtdb", "simulated"))
        kept = ~np.isin([folds["ludb"][key] for key in ludb["key"].tolist()], leave)
        self.whole = {
            "ludb": (self._to(ludb["x"][kept]), self._to(ludb["m"][kept])),
            "exact": (self._to(made["x"]), self._to(made["m"])),
        }
        # excerpts of MIT-BIH are never learnt from: it is a test set
        kept = ~np.isin([folds["qtdb"][key] for key in qtdb["key"].tolist()], leave) & ~qtdb["mit"]
        length = qtdb["t"]
        self.first, self.length = self._to((length.cumsum() - length)[kept]), self._to(length[kept])
        self.long, self.marks = self._to(qtdb["x"].T.copy()), self._to(qtdb["m"][kept])
        self.weight = self.marks.isfinite().any(2).sum(1).clamp(max=40).float().sqrt().cpu()
        print(f"{len(self.whole['ludb'][0])} recordings, {int(kept.sum())} stretches", flush=True)

    def batch(self, ludb: int, qtdb: int, exact: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Signals (B, 1, T) in mV and marks by fact, (B, 1, K, 9) seconds, rows of the sources one after the other."""
        parts = {
            "ludb": self._short("ludb", ludb), "qtdb": self._cut(qtdb),
            **({"exact": self._short("exact", exact)} if exact else {}),
        }  # fmt: skip
        count, at, facts = ludb + qtdb + exact, 0, {}
        for name, (_, marks) in parts.items():
            whole = torch.full((count, 1, marks.shape[1], 9), torch.nan, device=self.device)
            whole[at : at + len(marks), 0] = marks
            facts[TRUTH[name]] = whole
            at += len(marks)
        return torch.cat([signal for signal, _ in parts.values()]).float()[:, None] / 1000, facts

    def _short(self, name: str, count: int) -> tuple[Tensor, Tensor]:
        signal, marks = self.whole[name]
        row, lead = self._any(count, len(signal)), self._any(count, signal.shape[1])
        return signal[row, lead], marks[row, lead]

    def _cut(self, count: int) -> tuple[Tensor, Tensor]:
        row = torch.multinomial(self.weight, count, True, generator=self.draw).to(self.device)
        marks = self.marks[row]
        low, high = _ends(marks.flatten(1))
        room = (self.length[row] - SAMPLES).float()
        begin = ((low - AROUND_SECONDS) * RATE).clamp(min=0)
        end = torch.minimum(torch.maximum((high + AROUND_SECONDS) * RATE - SAMPLES, begin), room)
        begin = torch.minimum(begin, end)
        share = torch.rand(count, generator=self.draw).to(self.device)
        start = (begin + share * (end - begin)).long()
        place = (self.first[row] + start)[:, None] + torch.arange(SAMPLES, device=self.device)
        marks = marks - (start / RATE)[:, None, None]
        low, high = _ends(marks)
        marks = torch.where(((high < 0) | (low > SAMPLES / RATE))[..., None], torch.nan, marks)
        order = _ends(marks)[0].argsort(1)[:, :32]  # those within the window first
        return self.long[self._any(count, 2)[:, None], place], marks.gather(1, order[..., None].expand(-1, -1, 9))

    def _any(self, count: int, high: int) -> Tensor:
        return torch.randint(0, high, (count,), generator=self.draw).to(self.device)

    def _to(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self.device)


def _ends(marks: Tensor) -> tuple[Tensor, Tensor]:
    """First and last of the marks along the last axis; infinite and minus infinite where there is none."""
    known = marks.isfinite()
    return torch.where(known, marks, torch.inf).amin(-1), torch.where(known, marks, -torch.inf).amax(-1)


def train(asked: argparse.Namespace) -> None:
    begun, device = time.time(), "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.manual_seed(asked.seed)
    rows = Rows(asked.windows, [int(fold) for fold in asked.leave], device, asked.seed + 1)
    truth = {name: need for name, need in TRUTH.items() if name != "exact" or asked.simulated}
    network = WaveUnet(1, widths=WIDTHS, kernel=KERNEL, dropout=DROPOUT).to(device).train()
    objective, augment = Waves(network.width_out, truth=truth).train(), Augment(**AUGMENT)
    exact = round(asked.batch * asked.simulated)
    qtdb = round((asked.batch - exact) * asked.qtdb)
    parameters = [[p for p in network.parameters() if (p.ndim > 1) == many] for many in (True, False)]
    groups = [{"params": p, "weight_decay": decay} for p, decay in zip(parameters, (DECAY, 0.0))]
    optimiser = torch.optim.AdamW(groups, lr=LR, fused=device == "cuda")
    log: list[dict[str, float]] = []
    for step in range(asked.steps):
        share = min(1, (step + 1) / WARMUP) * 0.5 * (1 + math.cos(math.pi * step / asked.steps))
        for group in optimiser.param_groups:
            group["lr"] = LR * max(share, 1e-3)
        signal, facts = rows.batch(asked.batch - qtdb - exact, qtdb, exact)
        valid = torch.ones_like(signal, dtype=torch.bool)
        signal, _ = augment(signal, valid[..., :1].expand(signal.shape), RATE, asked.seed, step, "signal")
        row = torch.full((len(signal),), step)
        with torch.autocast(device, torch.bfloat16, enabled=asked.bf16):
            loss, terms = objective.loss(network, Batch(signal, valid, RATE, row, row, facts), step)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), CLIP)
        optimiser.step()
        if step % 100 == 0:
            log.append({"step": step, "loss": float(loss.detach()), **{k: float(v) for k, v in terms.items()}})
            print(f"{time.time() - begun:.1f} s", log[-1], flush=True)
    asked.out.mkdir(parents=True, exist_ok=True)
    write({name: tensor.detach().cpu().numpy() for name, tensor in network.state_dict().items()}, asked.out)
    said: dict[str, Any] = {key: str(v) if isinstance(v, Path) else v for key, v in vars(asked).items()}
    said |= {"widths": WIDTHS, "kernel": KERNEL}
    about = {"args": said, "steps": asked.steps, "seconds": time.time() - begun, "log": log}
    about["device"] = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    (asked.out / "train.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
    print(f"done: {asked.steps} steps in {time.time() - begun:.1f} s", flush=True)


def write(arrays: dict[str, np.ndarray], folder: Path) -> None:
    """`encoder.safetensors`, written by hand: the package may be missing where this runs."""
    head: dict[str, Any] = {}
    at = 0
    arrays = {name: np.ascontiguousarray(array, "<f4") for name, array in arrays.items()}
    for name, array in arrays.items():
        head[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    body = b"".join(array.tobytes() for array in arrays.values())
    (folder / "encoder.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + body)


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("windows", type=Path)
    asked.add_argument("--leave", nargs="*", default=[], help="folds that it does not see")
    asked.add_argument("--steps", type=int, default=4000)
    asked.add_argument("--batch", type=int, default=96)
    asked.add_argument("--simulated", type=float, default=0.3, help="share of simulated rows")
    asked.add_argument("--qtdb", type=float, default=0.3, help="share of QTDB in the others")
    asked.add_argument("--bf16", action="store_true", help="convolutions in bfloat16: twice as fast where AMX is")
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--out", type=Path, required=True)
    train(asked.parse_args())


if __name__ == "__main__":
    main()
