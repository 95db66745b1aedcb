"""WFDB, the format of PhysioNet: a text header (.hea) beside one or more files of samples.

Records of one segment are read here, several times as fast as by the wfdb package, which reads the rest. Only channels
of a voltage become leads; pressures and the like stay behind. L leads, T samples.
Sources: header(5) and signal(5) of the WFDB Applications Guide, https://wfdb.io/spec/.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from einthoven.core.errors import FormatError, OutputError
from einthoven.core.facts import Category, Fact, Text, Value
from einthoven.core.output import replaced_file
from einthoven.core.record import Record
from einthoven.formats import _wfdb_header, _wfdb_package, _wfdb_samples
from einthoven.formats._mapping import Mapping, millivolts
from einthoven.formats._wfdb_header import Channel, Header

_COUNTS_PER_MV = 1000
_SEGMENTED = re.compile(rb"\A(?:[ \t\r]*(?:#[^\n]*)?\n)*[ \t]*[^\s#/]+/[0-9]+\s")
_NO_ECG = re.compile(r"\b(resp|pleth|abp|art|bp|pap|cvp|icp|co2|spo2|eeg|emg|eog|pulse|temp)", re.IGNORECASE)
_AGE = re.compile(r"\bage>?[ \t]{0,9}:?[ \t]{0,9}([0-9]{1,3}(?:\.[0-9]+)?)\b", re.IGNORECASE)
_SEX = re.compile(r"\b(?:sex|gender)>?[ \t]{0,9}:?[ \t]{0,9}(male|female|m|f)\b", re.IGNORECASE)


class _Trace(NamedTuple):
    """One channel, ready to be scaled: millivolts = (samples - zero) / counts; counts 0: unit not stated."""

    name: str
    frame: int
    counts: float
    zero: int
    invalid: int | None
    samples: np.ndarray


class Wfdb:
    """WFDB records. FLAC and records of several segments need the extra [formats]. Writes format 16."""

    suffixes = (".hea",)
    by_name = True

    def sniff(self, path: Path, head: bytes) -> bool:
        """A WFDB header is known by its name: its text has no mark of its own."""
        return path.suffix.lower() == ".hea"

    def parts(self, path: Path, head: bytes) -> list[Path]:
        """Headers of the segments of a record: files that are no recordings by themselves."""
        if not _SEGMENTED.search(head):
            return []
        try:
            return [path.with_name(f"{name}.hea") for name, _ in _wfdb_header.read(path).segments if name != "~"]
        except FormatError:
            return []  # reading the record will say what is wrong with it

    def digital(self, path: Path) -> tuple[Header, list[np.ndarray]]:
        """The header and the stored samples of all channels, (frames * channel.frame,) each.

        Raises:
            FormatError: the record is damaged, incomplete or unsafe (`reason` says how), or its segments differ in
                signals or gains, so that there are no common stored numbers (`segments`).
            ExtraError: its kind needs the extra [formats].
        """
        header = _wfdb_header.read(path)
        if not header.segments:
            return header, _samples(header, path)
        first, *others = _wfdb_package.segments(header, path)
        if any(_scales(other) != _scales(first) for other in others):
            raise FormatError(
                path, "its segments differ in signals or gains", fix="read it in millivolts", reason="segments"
            )
        header = replace(header, channels=first.channels)
        return header, _wfdb_package.digital(path, header.channels)

    def read(self, path: Path, mapping: Mapping) -> Record:
        """The channels of a voltage as one Record; facts are age, sex and comments, where the header states them.

        Raises:
            FormatError: as `digital`; or rate or unit is not stated (`rate`, `unit`), no channel is a voltage (`lead`),
                or the leads differ in rate (`rate`).
        """
        header = _wfdb_header.read(path)
        if header.segments:
            traces = _joined(header, path)
        else:
            traces = [_trace(channel, row) for channel, row in zip(header.channels, _samples(header, path))]
        traces = [trace for trace in traces if trace is not None]
        if not traces:
            raise FormatError(
                path, "holds no channel of an ECG", expected="a channel in mV, uV or V",
                got=", ".join(f"{c.name} [{c.unit}]" for c in header.channels), reason="lead",
            )  # fmt: skip
        take, leads = mapping.leads_of([trace.name for trace in traces], path)
        traces = [traces[i] for i in take]
        frame = traces[0].frame
        if any(trace.frame != frame for trace in traces):
            raise FormatError(
                path, "leads differ in rate", expected="one rate",
                got=", ".join(f"{trace.name} {trace.frame} a frame" for trace in traces),
                fix=f"choose one, for example --lead {leads[0]}", reason="rate",
            )  # fmt: skip
        stated = None if header.rate is None else header.rate * frame
        signal_LT = _scaled(traces, mapping, path)
        return Record(path.stem, leads, signal_LT, mapping.rate_of(stated, path), facts=_facts(header.comments))

    def describe(self, path: Path) -> str:
        """Stored formats, gains and number of channels."""
        header = _wfdb_header.read(path)
        parts = _wfdb_package.segments(header, path) if header.segments else [header]
        channels = [channel for part in parts for channel in part.channels]
        kinds = sorted({str(channel.format) for channel in channels})
        gains = sorted({f"{c.gain:g}/{c.unit or 'mV'}" if c.gain else "not stated" for c in channels})
        segments = f", {len(parts)} segments" if header.segments else ""
        said = ", ".join(gains[:3]) + (f" and {len(gains) - 3} more" if len(gains) > 3 else "")
        return f"format {' '.join(kinds)}, {len(parts[0].channels)} channels{segments}, gain {said}"

    def write(self, record: Record, path: Path) -> list[Path]:
        """Write `path` (.hea) and its signal file in format 16 at 1 uV a count; a lost sample is -32768.

        Raises:
            OutputError: the name holds a space, or the file cannot be written. Nothing is left half-written.
        """
        path = path.with_suffix(".hea")
        data = path.with_suffix(".dat")
        if re.search(r"\s", path.name):
            raise OutputError(path, "a WFDB name cannot hold a space", fix="choose another name", reason="name")
        counts_LT = np.where(np.isnan(record.signal), np.float32(-32768), np.round(record.signal * _COUNTS_PER_MV))
        stored_TL = np.ascontiguousarray(counts_LT.T, dtype="<i2")
        sums = stored_TL.sum(axis=0, dtype=np.int64) & 0xFFFF
        lines = [f"{path.stem} {len(record.leads)} {record.rate!r} {record.samples}"]
        for i, lead in enumerate(record.leads):
            checksum = int(sums[i]) - (1 << 16) * (int(sums[i]) >> 15)
            lines.append(f"{data.name} 16 {_COUNTS_PER_MV}(0)/mV 16 0 {stored_TL[0, i]} {checksum} 0 {lead}")
        lines += [f"# {line}" for line in _comments(record.facts)]
        with replaced_file(data) as scratch:
            scratch.write_bytes(stored_TL.tobytes())
        with replaced_file(path) as scratch:  # last: a header says that its samples are there
            scratch.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
        return [path, data]


def _samples(header: Header, path: Path) -> list[np.ndarray]:
    if any(channel.format in _wfdb_package.FLAC for channel in header.channels):
        return _wfdb_package.digital(path, header.channels)
    return _wfdb_samples.read(header, path)


def _scales(header: Header) -> tuple[tuple[object, ...], ...]:
    return tuple((c.name, c.frame, c.gain, c.baseline, c.unit) for c in header.channels)


def _trace(channel: Channel, samples: np.ndarray) -> _Trace | None:
    """The channel with its scale, None when it is no ECG; header(5): a gain without unit is counts per millivolt."""
    unit = millivolts(channel.unit or "mV")
    if unit is None or _no_ecg(channel.name):
        return None
    counts = channel.gain / unit
    return _Trace(
        channel.name, channel.frame, counts, channel.baseline, _wfdb_samples.INVALID.get(channel.format), samples
    )


def _joined(header: Header, path: Path) -> list[_Trace | None]:
    """Channels of a record of several segments, each already in its unit, NaN in gaps."""
    for part in _wfdb_package.segments(header, path):
        for channel in part.channels:
            if channel.gain == 0:
                raise FormatError(
                    path, f"a segment does not state the unit of {channel.name}", expected="a gain",
                    fix="read the segments one by one with --unit", reason="unit",
                )  # fmt: skip
    traces: list[_Trace | None] = []
    for name, unit, frame, samples in _wfdb_package.physical(path):
        scale = millivolts(unit)
        traces.append(_Trace(name, frame, 1 / scale, 0, None, samples) if scale and not _no_ecg(name) else None)
    return traces


@lru_cache(maxsize=1024)  # a data set has few names, each in every file
def _no_ecg(name: str) -> bool:
    return _NO_ECG.search(name) is not None


def _scaled(traces: list[_Trace], mapping: Mapping, path: Path) -> np.ndarray:
    """Millivolts of all channels, (L, T) float32."""
    stated = [1 / trace.counts if trace.counts else None for trace in traces]
    scale = [mapping.millivolts_of(one, path, f"channel {trace.name}") for one, trace in zip(stated, traces)]
    stored_LT = np.array([trace.samples for trace in traces])
    # float32 holds every difference of 16-bit numbers exactly; wider ones are scaled in float64
    kind = np.float32 if stored_LT.dtype.itemsize <= 2 else np.float64
    signal_LT = stored_LT.astype(kind)
    if any(trace.zero for trace in traces):
        signal_LT -= np.array([[trace.zero] for trace in traces], kind)
    signal_LT /= (1 / np.array(scale)).astype(kind)[:, None]  # 1000/mV is exact, 0.001 is not
    for i, low in enumerate(stored_LT.min(axis=1).tolist()):
        if low == traces[i].invalid:
            signal_LT[i, stored_LT[i] == low] = np.nan
    return signal_LT


def _facts(comments: tuple[str, ...]) -> tuple[Fact, ...]:
    text = "\n".join(comments).strip()
    if not text:
        return ()
    facts: list[Fact] = [Text("comments", text)]
    if age := _AGE.search(text):
        facts.append(Value("age", float(age[1]), "years"))
    if sex := _SEX.search(text):
        facts.append(Category("sex", "male" if sex[1].lower().startswith("m") else "female"))
    return tuple(facts)


def _comments(facts: tuple[Fact, ...]) -> list[str]:
    """Comment lines that `_facts` reads back."""
    lines = [
        line for fact in facts if isinstance(fact, Text) and fact.name == "comments" for line in fact.text.splitlines()
    ]
    text = "\n".join(lines)
    lines += [f"age: {f.value:g}" for f in facts if isinstance(f, Value) and f.name == "age" and not _AGE.search(text)]
    lines += [f"sex: {f.value}" for f in facts if isinstance(f, Category) and f.name == "sex" and not _SEX.search(text)]
    return lines
