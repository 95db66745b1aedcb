"""Names of leads: canonical spelling, aliases, order, and which lead follows from which.

A lead is a name, never a position. The limb leads are linear forms of I and II (Einthoven 1913, Goldberger 1942), so
any two of the six give the other four; nothing gives a chest lead.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import numpy as np

from einthoven.core.errors import LeadError, nearest

LIMB = ("I", "II", "III", "aVR", "aVL", "aVF")
CHEST = ("V1", "V2", "V3", "V4", "V5", "V6")
STANDARD = LIMB + CHEST
KNOWN = (*STANDARD, "V1R", "V2R", "V3R", "V4R", "V5R", "V6R", "V7", "V8", "V9", "X", "Y", "Z")
"""Names with one meaning, in the order in which leads are listed."""

UNKNOWN, ANY = "unknown", "any"

# In units of (I, II); III = II - I, aVR = -(I + II) / 2, aVL = I - II / 2, aVF = II - I / 2.
_FORM = {"I": (1, 0), "II": (0, 1), "III": (-1, 1), "aVR": (-0.5, -0.5), "aVL": (1, -0.5), "aVF": (-0.5, 1)}
_SPELLING = {name.upper(): name for name in KNOWN} | {
    "D1": "I", "D2": "II", "D3": "III", "DI": "I", "DII": "II", "DIII": "III", "VR": "aVR", "VL": "aVL", "VF": "aVF",
    **{f"C{i}": f"V{i}" for i in range(1, 10)}, "VX": "X", "VY": "Y", "VZ": "Z",
}  # fmt: skip
_PREFIX = re.compile(r"^(?:MDC_ECG_LEAD|EKG|ECG|LEAD)(?=[\s_:-])[\s_:-]*", re.IGNORECASE)
_SAYS_NOTHING = re.compile(
    r"^$|^(?:ecg|ekg|lead|signal|sig|channel|chan|ch|column|col|voltage|value|values|unknown|data|record.*,? ?signal)"
    r"[\s_.#-]*\d*$",
    re.IGNORECASE,
)

Status = Literal["measured", "derived", "missing"]


class Lead(str):
    """The canonical name of one lead: `Lead("AVR") == "aVR"`, `Lead("ECG") == "unknown"`; other places keep their name.

    >>> Lead(" avf "), Lead("MDC_ECG_LEAD_V1"), Lead("MLII"), Lead("signal 0")
    ('aVF', 'V1', 'MLII', 'unknown')
    """

    __slots__ = ()

    def __new__(cls, name: str) -> Lead:
        return name if isinstance(name, Lead) else super().__new__(cls, _canonical(str(name)))

    def __repr__(self) -> str:
        return str.__repr__(self)


@lru_cache(maxsize=4096)  # a data set has few names, each in every file
def _canonical(name: str) -> str:
    text = " ".join(name.replace("\0", " ").split())
    bare = text
    while (shorter := _PREFIX.sub("", bare)) != bare:
        bare = shorter
    compact = re.sub(r"[\s_.-]", "", bare).upper()
    if compact in _SPELLING:
        return _SPELLING[compact]
    return UNKNOWN if _SAYS_NOTHING.match(text) or _SAYS_NOTHING.match(bare) else bare


def resolve(names: Sequence[str], where: str = "leads") -> tuple[Lead, ...]:
    """Canonical names of the channels of one recording, in the file's order.

    Channels that say nothing become `unknown`, `unknown-2`, ...; a lead that occurs twice raises `LeadError`.
    """
    if all(type(name) is Lead for name in names) and len(set(names)) == len(names):
        return tuple(map(Lead, names))  # resolved before
    found: list[Lead] = []
    nothing = 0
    for name in names:
        lead = Lead(name)
        if lead == UNKNOWN:
            nothing += 1
            if nothing > 1:
                lead = str.__new__(Lead, f"{UNKNOWN}-{nothing}")  # past the reading of aliases, which would undo it
        if lead in found:
            raise LeadError(
                where, f"lead {lead} occurs twice", expected="each lead once", got=" ".join(map(str, names)),
                fix="name the leads apart, or drop one", reason="lead",
            )  # fmt: skip
        found.append(lead)
    return tuple(found)


def order(leads: Sequence[str]) -> list[int]:
    """Positions that sort leads canonically: I II III aVR aVL aVF V1 ..., then the others by name."""
    place = {name: i for i, name in enumerate(KNOWN)}
    return sorted(range(len(leads)), key=lambda i: (place.get(leads[i], len(place)), leads[i]))


def pick(have: Sequence[str], want: Sequence[str], where: str = "leads") -> tuple[np.ndarray, tuple[Status, ...]]:
    """How to make the wanted leads from those at hand.

    Args:
        have: canonical names in the recording's order.
        want: canonical names in the layout's order; `("any",)` takes the only lead there is, whatever its name.

    Returns:
        Matrix (want, have) in float64 such that `wanted = matrix @ signal`, and for each wanted lead `measured`,
        `derived` (from two limb leads) or `missing` (a row of zeros).

    Raises:
        LeadError: `any` was wanted and there are several leads.
    """
    matrix = np.zeros((len(want), len(have)))
    if tuple(want) == (ANY,):
        if len(have) != 1:
            raise LeadError(
                where, "the layout takes one lead of any name", expected="1 lead", got=" ".join(have) or "none",
                fix=f"say which one, for example --lead {have[0] if have else 'I'}", reason="lead",
            )  # fmt: skip
        matrix[0, 0] = 1
        return matrix, ("measured",)
    pair = [lead for lead in LIMB if lead in have][:2]
    status: list[Status] = []
    for i, lead in enumerate(want):
        if lead in have:
            matrix[i, have.index(lead)] = 1
            status.append("measured")
        elif lead in _FORM and len(pair) == 2:
            basis = np.array([_FORM[pair[0]], _FORM[pair[1]]], float)  # (pair, I and II)
            matrix[i, [have.index(pair[0]), have.index(pair[1])]] = np.linalg.solve(basis.T, np.array(_FORM[lead]))
            status.append("derived")
        else:
            status.append("missing")
    return matrix, tuple(status)


def known(name: str, where: str = "leads") -> Lead:
    """The lead of that name, refused with the nearest name when it is none of the standard ones (for settings)."""
    lead = Lead(name)
    if lead not in KNOWN and lead != ANY:
        raise LeadError(where, f"no lead called '{name}'", fix=nearest(str(name), KNOWN), reason="lead")
    return lead
