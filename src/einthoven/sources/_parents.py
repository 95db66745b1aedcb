"""Which recordings of a data set are excerpts of another one: what must not be on both sides of a test."""

from __future__ import annotations

_QTDB = {
    "mitdb": "100 102 103 104 114 116 117 123 213 221 223 230 231 232 233",
    "stdb": "301 302 306 307 308 310",
    "svdb": "803 808 811 820 821 840 847 853 871 872 873 883 891",
    "nsrdb": "16265 16272 16273 16420 16483 16539 16773 16786 16795 17453",
    "ltdb": "14046 14157 14172 15814",
    "edb": "e0104 e0106 e0107 e0110 e0111 e0112 e0114 e0116 e0121 e0122 e0124 e0126 e0129 e0133 e0136 e0166 e0170 "
           "e0203 e0210 e0211 e0303 e0405 e0406 e0409 e0411 e0509 e0603 e0604 e0606 e0607 e0609 e0612 e0704",
    "sddb": "30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 17152",
}  # fmt: skip
"""By parent: MIT-BIH Arrhythmia, ST Change, Supraventricular, Normal Sinus Rhythm and Long-Term, European ST-T, Sudden
Cardiac Death (17152 by elimination). Counts 15, 6, 13, 10, 4, 33 and 24 are those of table 1 of Laguna 1997."""

_SOURCES = {"qtdb": _QTDB}

SAME_PERSON = {("mitdb", "202"): "201"}
"""Recordings of one person, by what the documentation of the parent says: the name of the first of them."""


def sources_of(name: str) -> dict[str, tuple[str, ...]]:
    """Recordings that the data set `name` took from others: their names there, by the short name of the parent.

    >>> sources_of("qtdb")["ltdb"], sources_of("ludb")
    (('14046', '14157', '14172', '15814'), {})
    """
    return {parent: tuple(names.split()) for parent, names in _SOURCES.get(name, {}).items()}
