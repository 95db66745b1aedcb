"""`doctor`: what is installed and works, and the one command that brings what is not.

The self-check is the way of every recording: one is generated, written, read again, filtered and measured, and must
come out as it went in. Exit 1 where something does not work; a missing extra is no fault.
"""

from __future__ import annotations

import os
import platform
import re
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from einthoven import __version__
from einthoven.app import shipped
from einthoven.core.errors import EinthovenError

_REQUIREMENT = re.compile(r"""^([A-Za-z0-9._-]+).*?(?:extra == ['"]([\w-]+)['"])?$""")
_NOT_FOR_USERS = ("dev", "all")


@dataclass(frozen=True)
class Extra:
    """An optional part of the installation, the packages that it lacks, and the command that brings them."""

    name: str
    lacking: tuple[str, ...]
    command: str


@dataclass(frozen=True)
class Check:
    """Something that must work here."""

    name: str
    works: bool
    finding: str


@dataclass(frozen=True)
class Doctor:
    """The state of this installation."""

    einthoven: str
    python: str
    system: str
    packages: dict[str, str | None]
    extras: tuple[Extra, ...]
    devices: tuple[str, ...]
    checks: tuple[Check, ...]

    @property
    def exit_code(self) -> int:
        return 0 if all(check.works for check in self.checks) else 1

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        lines = [f"einthoven {self.einthoven}, Python {self.python}, {self.system}", "", "packages"]
        lines += [f"  {name:20} {found or 'not installed'}" for name, found in self.packages.items()]
        lines += ["", "extras"]
        for extra in self.extras:
            lines.append(f"  [{extra.name}]".ljust(23) + (extra.command if extra.lacking else "complete"))
        lines += ["", "devices", *(f"  {device}" for device in self.devices), "", "checks"]
        lines += [f"  {'ok  ' if check.works else 'FAIL'} {check.name}: {check.finding}" for check in self.checks]
        return "\n".join(lines)


def doctor() -> Doctor:
    """Look at the installation, at the machine, and at one recording on its way through the program."""
    needed = _requirements()
    names = sorted({name for part, found in needed.items() if part not in _NOT_FOR_USERS for name in found})
    return Doctor(
        einthoven=__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        packages={name: _version(name) for name in names},
        extras=tuple(_extra(part, found) for part, found in needed.items() if part and part not in _NOT_FOR_USERS),
        devices=_devices(),
        checks=(
            _check("a result can be written here", _write_here),
            _check("a recording is written, read and measured", _recording),
            *(
                _check(f"the shipped encoder {name} gives its numbers", partial(_encoder, name))
                for name in shipped.names()
            ),
        ),
    )


def _requirements() -> dict[str, list[str]]:
    """Names of the packages that the installation states, by extra; "" holds those of the core."""
    parts: dict[str, list[str]] = {"": []}
    for line in requires("einthoven") or []:
        match = _REQUIREMENT.match(line)
        if match and match[1] != "einthoven":
            parts.setdefault(match[2] or "", []).append(match[1])
    return parts


def _extra(name: str, packages: list[str]) -> Extra:
    lacking = tuple(package for package in packages if _version(package) is None)
    return Extra(name, lacking, f"pip install 'einthoven[{name}]'" if lacking else "")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _devices() -> tuple[str, ...]:
    found = [f"{os.cpu_count()} CPU cores"]
    if _version("torch") is None:
        return (*found, "GPU: seen once torch is there")
    import torch

    found += [f"GPU {i}: {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        found.append("GPU: Apple (mps)")
    return tuple(found) if len(found) > 1 else (*found, "no GPU")


def _check(name: str, work: Callable[[], str]) -> Check:
    """What `work` finds, or why it does not work: the doctor reports every fault and stops at none."""
    try:
        return Check(name, True, work())
    except (EinthovenError, OSError, ImportError) as error:
        return Check(name, False, " ".join(str(error).split()))


def _write_here() -> str:
    folder = Path.cwd()
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".einthoven-") as scratch:
        scratch.write(b"written")
    return str(folder)


def _recording() -> str:
    """One generated recording through a file: amplitudes to half a microvolt, heart rate to 2 beats per minute."""
    import numpy as np

    from einthoven import simulate
    from einthoven.core import registry
    from einthoven.core.facts import Value
    from einthoven.formats import read

    made = simulate.record("sinus", seed=1, rate=500, noise=0.0)
    with tempfile.TemporaryDirectory(prefix="einthoven-") as folder:
        header, *_ = registry.load("formats", "wfdb")().write(made, Path(folder) / "doctor.hea")
        got = read(header)
    off = float(np.nanmax(np.abs(got.signal - made.signal)))
    true = next(fact.value for fact in made.facts if isinstance(fact, Value) and fact.name == "truth.hr")
    measured = _heart_rate(got.signal[got.leads.index("II")], got.rate)
    finding = f"off by {off * 1000:.2f} uV, heart rate {measured:.1f}/min where {true:.1f}/min was made"
    if got.leads != made.leads or off > 0.00051 or abs(measured - true) > 2:
        raise EinthovenError("", finding, fix="reinstall numpy and scipy, then report it", reason="self-check")
    return finding


def _encoder(name: str) -> str:
    """A shipped encoder on its test vector, without torch."""
    from einthoven.app import models

    model = models.Exported(shipped.HERE / name)
    return f"within {model.difference:.1g} of its test vector, {model.width} numbers a recording"


def _heart_rate(lead: Any, rate: float) -> float:
    """Beats per minute of a regular rhythm from the first strong peak of the autocorrelation of the QRS band."""
    import numpy as np

    from einthoven.signal.filters import bandpass

    energy = bandpass(lead[None], rate, (5.0, 25.0), 2)[0] ** 2
    energy -= energy.mean()
    likeness = np.correlate(energy, energy, "full")[len(energy) :]  # from a lag of one sample
    shortest = round(0.3 * rate)  # 200 beats per minute
    strong = likeness[shortest : round(2 * rate)]
    return 60 * rate / (shortest + 1 + int(strong.argmax()))
