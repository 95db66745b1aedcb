"""Run one program over a folder of recordings: `python worker.py PROGRAM beats|waves GIVEN FOUND`.

Runs in the program's own environment, so it knows nothing of einthoven but in the part of ours. GIVEN/KEY.npz holds
`signal` (leads, samples) in mV without gaps, `rate` and `leads`. Each FOUND/KEY.npz gets `R_i` (M,), and with `waves`
`P_i`, `QRS_i`, `T_i` (M, 3: onset, peak, offset) for each lead i, in samples, NaN where there is none; a program that
fuses leads adds `R_all`, `P_all`, `QRS_all`, `T_all`. `cpu` is the processor time in seconds, `failed` are the leads
that raised an exception, each with its text.
"""

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"

import sys  # noqa: E402
import time  # noqa: E402
import warnings  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402

WAVES = ("P", "QRS", "T")


def points(*columns):
    """(M, 3) from three lists of equal length, NaN for what is missing."""
    table = np.array([np.asarray([np.nan if one is None else one for one in column], float) for column in columns]).T
    table = table.reshape(-1, 3)
    return table[np.isfinite(table).any(axis=1)]


class Ours:
    def __init__(self):
        sys.path.append(str(Path(__file__).parents[2]))
        from bench.rivals.score import marks_of
        from einthoven.signal import beats, waves

        self.beats, self.waves, self.marks_of = beats, waves, marks_of

    def all(self, signal, rate, leads, what):
        signal = signal.astype(np.float32)
        if what == "beats":
            found = {f"R_{i}": self.beats.find(signal[i : i + 1], rate).sample for i in range(len(signal))}
            return {**found, "R_all": self.beats.find(signal, rate).sample}
        marks = self.waves.delineate(signal, rate)
        return {f"R_{i}": marks.beats.sample for i in range(len(signal))} | self.marks_of(marks)


class Neurokit2:
    def __init__(self):
        import neurokit2

        self.nk = neurokit2

    def lead(self, signal, rate, what):
        clean = self.nk.ecg_clean(signal, sampling_rate=rate)
        _, info = self.nk.ecg_peaks(clean, sampling_rate=rate)
        peaks = np.asarray(info["ECG_R_Peaks"])
        if what == "beats":
            return {"R": peaks}
        _, marks = self.nk.ecg_delineate(clean, peaks, sampling_rate=rate, method="dwt")
        get = lambda name: list(marks[name])  # noqa: E731
        return {
            "R": peaks,
            "P": points(get("ECG_P_Onsets"), get("ECG_P_Peaks"), get("ECG_P_Offsets")),
            "QRS": points(get("ECG_R_Onsets"), list(peaks), get("ECG_R_Offsets")),
            "T": points(get("ECG_T_Onsets"), get("ECG_T_Peaks"), get("ECG_T_Offsets")),
        }


class Xqrs:
    def __init__(self):
        from wfdb import processing

        self.processing = processing

    def lead(self, signal, rate, what):
        return {"R": self.processing.xqrs_detect(signal, rate, verbose=False)}


class Sleepecg:
    def __init__(self):
        import sleepecg

        self.detect = sleepecg.detect_heartbeats

    def lead(self, signal, rate, what):
        return {"R": self.detect(signal, rate)}


class Ecgdeli:
    def __init__(self):
        import ecgdeli
        from scipy.signal import resample_poly

        self.ecgdeli, self.resample = ecgdeli, resample_poly

    def all(self, signal, rate, leads, what):
        if rate >= 200:
            return self._all(signal, rate, what)
        # its notch and its wavelets need more than 100 Hz
        found = self._all(self.resample(signal, 5, 1, axis=1), 5 * rate, what)
        return {name: value if name == "failed" else value / 5 for name, value in found.items()}

    def _all(self, signal, rate, what):
        filtered = self.ecgdeli.filter_ecg(signal.T, rate)
        if what == "beats":
            found = {"R_all": self._r(self.ecgdeli.annotate(filtered, rate, waves="QRS").consensus)}
            for i in range(len(signal)):
                try:
                    found[f"R_{i}"] = self._r(self.ecgdeli.annotate(filtered[:, i], rate, waves="QRS").consensus)
                except Exception as error:
                    found.setdefault("failed", []).append(f"{i}: {type(error).__name__}: {error}")
            return found
        marks = self.ecgdeli.annotate(filtered, rate)
        found = {}
        for name, table in [("all", marks.consensus), *((str(i), table) for i, table in enumerate(marks.leads))]:
            found[f"R_{name}"] = self._r(table)
            for wave, on, peak, off in (("P", 0, 1, 2), ("QRS", 3, 5, 7), ("T", 9, 10, 11)):
                columns = [self._column(table, column) for column in (on, peak, off)]
                found[f"{wave}_{name}"] = points(*columns)
        return found

    def _column(self, table, column):
        at = table.positions[:, column]
        return np.where(at == self.ecgdeli.MISSING, np.nan, at.astype(float))

    def _r(self, table):
        at = self._column(table, 5)
        return at[np.isfinite(at)]


class Prominence:
    def __init__(self):
        from prominence_delineator import ProminenceDelineator

        self.delineator = ProminenceDelineator

    def lead(self, signal, rate, what):
        tool = self.delineator(sampling_frequency=rate)
        peaks = np.asarray(tool.find_rpeaks(signal))
        if what == "beats":
            return {"R": peaks}
        marks = tool.find_waves(tool.clean_ecg(signal), rpeaks=peaks, include_nodetections=True)
        wave = lambda on, peak, off: points(marks[on], marks[peak], marks[off])  # noqa: E731
        return {
            "R": peaks, "P": wave("P_on", "P", "P_off"), "QRS": wave("R_on", "R", "R_off"),
            "T": wave("T_on", "T", "T_off"),
        }  # fmt: skip


class Openecg:
    def __init__(self):
        from openecg import detect_qrs
        from openecg.deploy import Inference
        from scipy.signal import resample_poly

        self.detect, self.network, self.resample = detect_qrs, Inference(), resample_poly

    def lead(self, signal, rate, what):
        peaks = np.asarray(self.detect(signal, round(rate)))
        if what == "beats":
            return {"R": peaks}
        step = np.gcd(250, round(rate))
        windows = self.network.predict(self.resample(signal, 250 // step, round(rate) // step))
        found = {"R": peaks}
        for wave in WAVES:
            marks = [(2500 * k + b.start, 2500 * k + b.end) for k, w in enumerate(windows) for b in w if b.name == wave]
            table = np.array(marks, float).reshape(-1, 2) * rate / 250
            found[wave] = np.stack([table[:, 0], np.full(len(table), np.nan), table[:, 1]], axis=1)
        return found


def main(name, what, given, found):
    warnings.simplefilter("ignore")
    program = {cls.__name__.lower(): cls for cls in (Ours, Neurokit2, Xqrs, Sleepecg, Ecgdeli, Prominence, Openecg)}[
        name
    ]()
    files = sorted(Path(given).glob("*.npz"))
    for file in [*files[:1], *files]:  # the first one twice, since what is loaded late would be timed with it
        with np.load(file) as data:
            signal, rate, leads = (
                data["signal"].astype(float),
                float(data["rate"]),
                [str(lead) for lead in data["leads"]],
            )
        rate = int(rate) if rate == int(rate) else rate
        out, failed = {}, []
        start = time.process_time()
        try:
            if hasattr(program, "all"):
                out = program.all(signal, rate, leads, what)
                failed = out.pop("failed", [])
            else:
                for i, row in enumerate(signal):
                    try:
                        out.update(
                            {f"{wave}_{i}": marks for wave, marks in program.lead(row.copy(), rate, what).items()}
                        )
                    except Exception as error:
                        failed.append(f"{i}: {type(error).__name__}: {error}")
        except Exception as error:
            failed = [f"all: {type(error).__name__}: {error}"]
        cpu = time.process_time() - start
        np.savez(Path(found) / file.name, cpu=cpu, failed=np.array(failed, dtype=str), **out)


if __name__ == "__main__":
    main(*sys.argv[1:])
