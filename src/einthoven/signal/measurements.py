"""Intervals, axes, amplitudes, rates: each measurement with its unit, the beats it rests on, or why it is missing.

A value that is not measured is None with a reason, never a guess; a value outside its plausible range is withheld, not
clipped. Values are medians over the normal beats (over the commonest kind where none is normal), limits those of all
leads together. Formulae, ranges and sources: docs/measure.md. Letters: K beats, L leads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from einthoven.core.leads import pick
from einthoven.signal import _pacing, _rhythm
from einthoven.signal._order import median_known, quantiles_known
from einthoven.signal._pacing import More, more_of
from einthoven.signal._perbeat import OFF, ON, PEAK, QRS, P, PerBeat, T, per_beat
from einthoven.signal._quantities import AMPLITUDES, AXES, INTERVALS, LIMITS, ONE_NUMBER, UNITS, Measurement, per_lead
from einthoven.signal.formulae import axis_degrees, corrected, folded
from einthoven.signal.marks import Delineation
from einthoven.signal.median import median_beat
from einthoven.signal.quality import Quality

SLOWEST_HZ = 50.0
"""At a lower sampling rate nothing is measured: a QRS complex would have three samples."""
AMPLITUDE_HZ = 100.0
"""At a lower sampling rate peaks are cut off, and amplitudes are flagged."""
LEAST_PAIRS = {"rmssd": 5, "pnn50": 20}
QTC_RATES, ST_RATE = (40.0, 130.0), 120.0
_FEW, _SHARE = 2, 1 / 3
"""An interval rests on two beats at least, and on a third of the beats that it could be measured in."""
_ABSENT = {"p_duration": "no_p_wave", "pr": "no_p_wave", "ptf_v1": "no_p_wave", "qrs": "too_few_beats"}
"""What too few beats have for an interval; without T wave the others end nowhere."""
CORNELL_WOMEN_MV = 0.8
"""Added to the Cornell voltage of women before it is multiplied (physiology.md 3)."""
_UNSTEADY_MS = 100.0
"""A PR whose middle half is wider than this belongs to no fixed conduction."""


def measure(
    signal_LT: np.ndarray,
    rate: float,
    leads: Sequence[str],
    found: Delineation,
    quality: Quality | None = None,
    *,
    units: bool = True,
) -> dict[str, Measurement]:
    """All measurements of a recording, by name, always the same names for the same leads.

    Args:
        signal_LT: millivolts, NaN where there is no sample. rate: hertz. leads: canonical names.
        found: beats and waves. quality: what can be trusted; None trusts everything.
        units: False where the numbers are in no known unit: amplitudes are withheld.

    Example:
        >>> import numpy as np
        >>> from einthoven.signal.marks import Beats, Delineation
        >>> none = Delineation(Beats(np.zeros(0), np.zeros(0, str), np.zeros(0)), np.zeros((0, 1, 3, 3)),
        ...                    np.zeros((0, 3, 3)), np.zeros((0, 3)), "no_beats", "none")
        >>> measure(np.zeros((1, 5000)), 500, ["II"], none)["hr"].reason
        'no_beats'
    """
    median = median_beat(signal_LT, rate, found.beats)
    table = per_beat(signal_LT, rate, found, median.corr)
    more = more_of(signal_LT, rate, leads, found, median)
    return summarise(table, more, rate, leads, found.no_p, quality, units=units)


def summarise(
    table: PerBeat,
    more: More,
    rate: float,
    leads: Sequence[str],
    no_p: str,
    quality: Quality | None,
    *,
    units: bool = True,
) -> dict[str, Measurement]:
    """The measurements that the beats of a whole recording make."""
    return _Summary(table, more, rate, tuple(leads), no_p, quality, units).all()


class _Summary:
    def __init__(
        self, table: PerBeat, more: More, rate: float, leads: tuple[str, ...], no_p: str, quality: Quality | None,
        units: bool,
    ) -> None:  # fmt: skip
        self.table, self.more, self.rate, self.leads, self.no_p = table, more, rate, leads, no_p
        count = len(table)
        self.fine_KL = np.ones((count, len(leads)), bool) if quality is None else quality.fine(table.place)
        self.grade = 1.0 if quality is None else quality.grade
        self.lead_grade = np.ones(len(leads)) if quality is None else np.nan_to_num(quality.lead)
        self.lead_reason = [""] * len(leads) if quality is None else [quality.why_not(i) for i in range(len(leads))]
        self.units = "" if units else "no_units"
        self.why = self._nothing(quality)
        broken = np.zeros(count, bool) if quality is None else quality.broken(table.place)
        with np.errstate(invalid="ignore"):
            qrs = 1000 * (table.whole[:, QRS, OFF] - table.whole[:, QRS, ON])
            self.rhythm = _rhythm.rhythm(table.place, table.label, qrs, table.corr, broken, no_p == "af")
        self.rows, self.kind = self._rows()
        self.found: dict[str, Measurement] = {}

    def _nothing(self, quality: Quality | None) -> str:
        """Why nothing at all is measured, or an empty word."""
        if self.rate < SLOWEST_HZ:
            return "sampling_rate"
        if quality is not None and (reason := quality.nothing()):
            return reason
        if self.no_p == "no_beats" or not len(self.table):
            return "no_beats"
        return ""

    def _rows(self) -> tuple[np.ndarray, str]:
        """The beats that intervals and amplitudes are measured in, and their kind: conducted ones where there are."""
        good = self.fine_KL.any(axis=1)
        label, ectopic = self.table.label, self.rhythm.narrow | self.rhythm.wide
        kind = "N" if ((label == "N") & good).sum() >= ((label == "wide") & good).sum() else "wide"
        mine = (label == kind) & good
        if not mine.any() and good.any():
            words, counts = np.unique(label[good], return_counts=True)
            kind = str(words[counts.argmax()])
            mine = (label == kind) & good
        calm = mine & ~ectopic
        return np.flatnonzero(calm if calm.sum() >= max(_FEW, _SHARE * mine.sum()) else mine), kind

    def all(self) -> dict[str, Measurement]:
        self._rates()
        self._intervals()
        self._corrected()
        self._axes()
        self._amplitudes()
        self._indices()
        self._beats()
        order = [*ONE_NUMBER, *(name for kind in AMPLITUDES for name in per_lead(kind, self.leads))]
        return {name: self.found[name] for name in order}

    # How a value gets its place

    def _put(
        self, name: str, value: float | str | None, n: int, quality: float, reason: str = "", *, spread: float = np.nan,
        flag: str = "",
    ) -> None:  # fmt: skip
        kind = name if name in UNITS else name.rpartition("_")[0]
        reason = self.why or reason
        if not reason and (value is None or not (isinstance(value, str) or np.isfinite(value))):
            reason = "too_few_beats"
        if not reason and kind in LIMITS and not isinstance(value, str) and value is not None:
            low, high = LIMITS[kind]
            reason = "" if low <= value <= high else "implausible"
        if reason:
            self.found[name] = Measurement(None, UNITS[kind], 0, 0.0, reason)
            return
        grade = quality * self.grade
        grade = min(max(grade, 0.0), 1.0) if grade == grade else 0.0
        shown = round(float(value), 6) if not isinstance(value, str) and value is not None else value
        wide = round(float(spread), 6) if spread == spread else None
        self.found[name] = Measurement(shown, UNITS[kind], int(n), round(float(grade), 4), "", wide, flag)

    def _value(self, name: str) -> float:
        value = self.found[name].value
        return float(value) if isinstance(value, float) else np.nan

    def _flag(self) -> str:
        return "paced" if self.kind == "paced" else "ventricular" if self.kind == "V" else ""

    # Rate and rhythm

    def _rates(self) -> None:
        rr, conf = self.rhythm.rr, self.table.confidence
        quality = float(np.mean(conf[:, QRS])) if len(conf) else 0.0
        few = "" if len(rr) else "too_few_beats"
        some = rr if len(rr) else np.array([np.nan])
        self._put("hr", 60000 / float(np.median(some)), len(rr) + 1, quality, few)
        self._put("hr_mean", 60000 / float(np.mean(some)), len(rr) + 1, quality, few)
        spread = float(np.subtract(*np.percentile(some, [75, 25])))
        self._put("rr_mean", float(some.mean()), len(rr), quality, few, spread=spread)
        sd = float(rr.std(ddof=1)) if len(rr) > 1 else np.nan
        for name, value in (("rr_sd", sd), ("rr_cv", sd / float(some.mean()))):
            self._put(name, value, len(rr), quality, "" if len(rr) > 1 else "too_few_beats")
        for name, value in (("rr_min", some.min()), ("rr_max", some.max())):
            self._put(name, float(value), len(rr), quality, few)
        for name, of in (("rmssd", _rhythm.rmssd), ("pnn50", _rhythm.pnn50)):
            value, pairs = of(self.rhythm)
            self._put(name, value, pairs, quality, "" if pairs >= LEAST_PAIRS[name] else "too_few_beats")
        word = _rhythm.regularity(self.rhythm) if len(rr) >= _rhythm.LEAST_INTERVALS else None
        self._put("regularity", word, len(rr), quality, "" if word else "too_few_beats")
        narrow, wide = self.rhythm.narrow, self.rhythm.wide
        few = "" if len(self.table) >= 4 else "too_few_beats"
        flag = self.no_p if self.no_p in ("af", "paced") else ""
        for name, hits in (("", narrow | wide), ("_narrow", narrow), ("_wide", wide)):
            share = float(hits.mean()) if len(hits) else None
            unknown = "fibrillation" if self.no_p == "af" and name != "_wide" else ""
            self._put(f"ectopy_share{name}", share, len(hits), quality, few or unknown, flag=flag)

    # Intervals

    def _intervals(self) -> None:
        whole, conf = 1000 * self.table.whole[self.rows], self.table.confidence[self.rows]
        for name, (late, late_point, early, early_point) in INTERVALS.items():
            with np.errstate(invalid="ignore"):
                each = whole[:, late, late_point] - whole[:, early, early_point]
            involved = sorted({late, early})
            why, torn = self._why_interval(name), self._torn(involved)
            self._over_beats(name, each, conf[:, involved].min(axis=1), why, self._flag(), torn)
        if np.isfinite(self._value("qt")) and np.isfinite(self._value("qrs")):
            each = whole[:, T, OFF] - whole[:, QRS, OFF]
            self._over_beats("jt", each, conf[:, [QRS, T]].min(axis=1), "", self._flag(), self._torn([QRS, T]))
        else:
            self._put("jt", None, 0, 0, self.found["qt"].reason or self.found["qrs"].reason)
        if (spread := self.found["pr"].spread) is not None and spread > _UNSTEADY_MS:
            self._put("pr", None, 0, 0, "varies")
        leads = [self.leads.index(name) for name in ("V5", "II") if name in self.leads]
        leads = leads or ([0] if len(self.leads) == 1 else [])
        if not leads:
            return self._put("t_peak_end", None, 0, 0, "missing_lead")
        lead = next((i for i in leads if not self.lead_reason[i]), leads[0])
        mine = np.where(self.fine_KL[self.rows, lead, None], self.table.lead[self.rows, lead, T], np.nan).astype(float)
        self._over_beats(
            "t_peak_end", mine[:, OFF] - mine[:, PEAK], conf[:, T], self.lead_reason[lead], torn=self._torn([T], lead)
        )
        return None

    def _why_interval(self, name: str) -> str:
        if name in ("p_duration", "pr") and (self.no_p or self.kind in ("paced", "V")):
            return "paced" if self.kind == "paced" or self.no_p == "paced" else "no_p_wave"
        return ""

    def _torn(self, waves: list[int], lead: int | None = None) -> np.ndarray:
        """Beats in which gaps hide one of the waves, in one lead or in all."""
        torn_KL: np.ndarray = np.logical_or.reduce(self.table.torn[self.rows][:, :, waves], axis=2)
        return np.logical_and.reduce(torn_KL, axis=1) if lead is None else torn_KL[:, lead]

    def _over_beats(
        self, name: str, each_K: np.ndarray, confidence: np.ndarray, reason: str, flag: str = "",
        torn: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        """The median over beats, if enough of those that could show it have it."""
        known = np.isfinite(each_K)
        n, hidden = int(known.sum()), 0 if torn is None else int((torn & ~known).sum())
        enough = n >= _FEW and n >= _SHARE * (len(each_K) - hidden)
        if not reason and not enough:
            reason = "too_few_beats" if len(each_K) < _FEW else _ABSENT.get(name, "no_t_wave")
            reason = "gaps" if 2 * hidden >= len(each_K) - n > 0 else reason
        if reason:
            return self._put(name, None, 0, 0, reason)
        low, middle, high = quantiles_known(each_K, (0.25, 0.5, 0.75))[0].tolist()
        self._put(name, middle, n, float(confidence[known].mean()) * n / len(each_K), spread=high - low, flag=flag)
        return None

    def _corrected(self) -> None:
        """QT corrected for rate. In AF each beat has its own RR interval, and ten are needed (physiology.md 5.5)."""
        qt, hr = self._value("qt"), self._value("hr")
        reason = self.found["qt"].reason or self.found["hr"].reason
        source = self.found["qt"]
        flag = self._flag() or ("" if QTC_RATES[0] <= hr <= QTC_RATES[1] else "rate_out_of_range")
        rr = 60 / hr
        if self.no_p == "af" and not reason:
            flag = "af" if len(self.rhythm.rr) >= 10 else "af, too_few_beats"
            each = np.full(len(self.table), np.nan)
            each[self.rows] = 1000 * (self.table.whole[self.rows, T, OFF] - self.table.whole[self.rows, QRS, ON])
            qt, rr = _rhythm.by_interval(self.rhythm, each, (qt, rr))
        for name, value in corrected(qt, rr).items():
            self._put(name, value, source.n_beats, source.quality / max(self.grade, 1e-9), reason, flag=flag)

    # Axes

    def _axes(self) -> None:
        limb = [i for i, why in enumerate(self.lead_reason) if not why]  # of these, any two give the axis
        matrix, status = pick([self.leads[i] for i in limb], ("I", "aVF"), "axis")
        lacks = "missing" in status
        lacking = "poor_signal" if lacks and "missing" not in pick(self.leads, ("I", "aVF"), "axis")[1] else ""
        size_KL = np.abs(np.where(self.fine_KL[self.rows], self.table.area[self.rows, :, QRS], np.nan))
        largest = float(np.max(np.nan_to_num(quantiles_known(size_KL, (0.5,))[0]), initial=0.0))
        for wave, name in enumerate(AXES):
            here = (lacking or "missing_lead") if lacks else ""
            if not here and wave == P:
                here = self._why_interval("pr")
            told = np.any(matrix, axis=0)
            used = np.array(limb, int)[told]
            good = self.fine_KL[self.rows][:, used].all(axis=1) if len(used) else np.zeros(len(self.rows), bool)
            each_K2 = self.table.area[self.rows][:, used, wave] @ matrix[:, told].T
            known = np.isfinite(each_K2).all(axis=1) & good
            n = int(known.sum())
            if not here and n < _FEW:
                here = "poor_signal" if not good.any() else {P: "no_p_wave", T: "no_t_wave"}.get(wave, "too_few_beats")
                hidden = self.table.torn[self.rows][:, used, wave].any(axis=1).sum()
                here = "gaps" if 2 * hidden >= len(self.rows) > n else here
            if here:
                self._put(name, None, 0, 0, here)
                continue
            one, foot = median_known(each_K2[known], 0).tolist()
            seen = "" if np.hypot(one, foot) >= 0.05 * largest else "small"
            angle = axis_degrees(one, foot + one / 2)  # II = aVF + I / 2
            ones, feet = each_K2[known].T
            turns = folded(axis_degrees(ones, feet + ones / 2) - angle)
            spread = quantiles_known(turns, (0.25, 0.75))[0]
            conf = float(self.table.confidence[self.rows, wave][known].mean())
            self._put(name, angle, n, conf * n / len(self.rows), seen, spread=spread[1] - spread[0], flag=self._flag())
        qrs, t = self.found["axis_qrs"], self.found["axis_t"]
        angle = float(abs(folded(self._value("axis_qrs") - self._value("axis_t"))))
        self._put(
            "qrs_t_angle", angle, min(qrs.n_beats, t.n_beats), min(qrs.quality, t.quality), qrs.reason or t.reason
        )

    # Amplitudes

    def _amplitudes(self) -> None:
        table, rows, fine = self.table, self.rows, self.fine_KL[self.rows]
        slope = (table.st[..., 3] - table.st[..., 0]) / np.float32(0.08)
        each = np.concatenate([table.wave, table.st, slope[..., None], table.r_time[..., None]], axis=2)[rows]
        each[~fine] = np.nan
        quartiles, known = quantiles_known(each, (0.25, 0.5, 0.75))
        low, middle, high, count = (part.T.tolist() for part in (*quartiles, known))
        sure = table.confidence[rows].mean(axis=0).tolist() if len(rows) else [0.0, 0.0, 0.0]
        usable, lead_grade, no_p = fine.sum(axis=0).tolist(), self.lead_grade.tolist(), self._why_interval("pr")
        fast, torn = self._value("hr") > ST_RATE, table.torn[rows].sum(axis=0).T
        for i, kind in enumerate(AMPLITUDES):
            usual = sure[{"amp_p": P, "amp_t": T}.get(kind, QRS)]
            slow = "sampling_rate" if self.rate < AMPLITUDE_HZ else ""
            flag = "rate_out_of_range" if fast and kind == "st_j60" else slow or self._flag()
            without = "" if kind == "r_peak_time" else self.units
            if kind == "amp_p":
                without = without or no_p
            absent = "too_few_beats" if kind.startswith("st_") else "no_wave"
            for j, lead in enumerate(self.leads):
                n = count[i][j]
                reason = without or self.lead_reason[j]
                if not reason and (n < _FEW or n < usable[j] / 2):
                    reason = absent if usable[j] >= _FEW else "too_few_beats"
                    hidden = torn[{"amp_p": P, "amp_t": T}.get(kind, QRS)][j]
                    reason = "gaps" if 2 * hidden >= len(rows) - n > 0 else reason
                grade = usual * n / max(len(rows), 1) * lead_grade[j]
                spread = high[i][j] - low[i][j]
                self._put(f"{kind}_{lead}", middle[i][j], n, grade, reason, spread=spread, flag=flag)

    def _indices(self) -> None:
        """Voltages that are added up, and areas of one lead; a wave that a lead does not have counts as 0."""
        self._sum("sokolow_lyon", ("V1", "V5", "V6"), lambda deep, r: deep["V1"] + max(r["V5"], r["V6"]))
        self._sum("cornell", ("aVL", "V3"), lambda deep, r: r["aVL"] + deep["V3"])
        qrs = self.found["qrs"]
        products = (("sokolow_lyon", 0.0, ""), ("cornell", 0.0, ""), ("cornell", CORNELL_WOMEN_MV, "_women"))
        for name, more, whose in products:
            index = self.found[name]
            product = (self._value(name) + more) * self._value("qrs")
            grade = min(index.quality, qrs.quality) / max(self.grade, 1e-9)
            self._put(f"{name}_product{whose}", product, index.n_beats, grade, index.reason or qrs.reason)
        if "V1" not in self.leads:
            return self._put("ptf_v1", None, 0, 0, "missing_lead")
        lead = self.leads.index("V1")
        why = self.units or self._why_interval("pr") or self.lead_reason[lead]
        each = np.where(self.fine_KL[:, lead], self.table.terminal[:, lead], np.nan)[self.rows].astype(float)
        conf, torn = self.table.confidence[self.rows, P], self._torn([P], lead)
        return self._over_beats("ptf_v1", each, conf, why, torn=torn)

    def _sum(
        self, name: str, leads: tuple[str, ...], rule: Callable[[dict[str, float], dict[str, float]], float]
    ) -> None:
        if any(lead not in self.leads for lead in leads):
            return self._put(name, None, 0, 0, self.units or "missing_lead")
        parts = {lead: [self.found[f"amp_{wave}_{lead}"] for wave in "qrs"] for lead in leads}
        broken = next((m.reason for mine in parts.values() for m in mine if m.reason not in ("", "no_wave")), "")
        if broken:
            return self._put(name, None, 0, 0, broken)
        size = {
            lead: [abs(m.value) if isinstance(m.value, float) else 0.0 for m in mine] for lead, mine in parts.items()
        }
        deep = {lead: max(q, s) for lead, (q, _, s) in size.items()}
        value = rule(deep, {lead: r for lead, (_, r, _) in size.items()})
        rest = [m for mine in parts.values() for m in mine if not m.reason]
        if not rest:
            return self._put(name, None, 0, 0, "no_wave")
        grade = min(m.quality for m in rest) / max(self.grade, 1e-9)
        self._put(name, float(value), min(m.n_beats for m in rest), grade)
        return None

    # Beats among themselves

    def _beats(self) -> None:
        corr = self.table.corr[np.isfinite(self.table.corr)]
        few = "" if len(corr) >= 3 else "too_few_beats"
        self._put("beat_corr_mean", float(corr.mean()) if len(corr) else None, len(corr), 1.0, few)
        self._put("beat_corr_min", float(corr.min()) if len(corr) else None, len(corr), 1.0, few)
        count = len(self.table)
        shown = self.table.confidence[~self.table.torn[:, :, P].all(axis=1), P] > 0.5
        few = "" if len(shown) >= max(1, _SHARE * count) else "gaps" if count else "too_few_beats"
        self._put("p_present_share", float(shown.mean()) if len(shown) else None, len(shown), 1.0, few)
        index, n = self.more.f_wave
        why = self.lead_reason[self.leads.index("V1")] if "V1" in self.leads else "missing_lead"
        why = why or ("poor_signal" if index != index and count >= 3 else "")  # a gap
        self._put("f_wave_index", float(index), n, 1.0, why)
        spikes = np.array(self.more.spikes)
        reason = "sampling_rate" if self.rate < _pacing.SLOWEST_HZ else ""
        flag = "sampling_rate" if self.rate < _pacing.SURE_HZ else ""
        ahead = _pacing.ventricular(spikes, self.table.place)
        for name, hits in (("", len(spikes)), ("_ventricular", ahead.sum()), ("_atrial", (~ahead).sum())):
            self._put(f"pacing{name}", float(hits), count, 1.0, reason or self.units, flag=flag)
