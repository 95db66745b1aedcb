"""Normal ranges: only what a cited table says, for whom it says it."""

from einthoven.signal._quantities import UNITS
from einthoven.signal.measurements import Measurement
from einthoven.signal.ranges import _ordinal, place, ranges


def one(name: str, value: float | None) -> dict[str, Measurement]:
    return {name: Measurement(value, UNITS[name], 5, 1.0, "" if value is not None else "no_p_wave")}


def test_every_row_names_its_source_and_its_number():
    for row in ranges():
        assert row.quantity in UNITS
        assert row.lower < row.upper
        assert row.source
        assert row.n > 100


def test_a_value_inside_or_missing_or_without_a_table_is_not_spoken_of():
    assert place(one("pr", 160.0)) == {}
    assert place(one("pr", None)) == {}
    assert place(one("rmssd", 900.0)) == {}


def test_tables_of_women_are_for_women_of_that_age():
    assert place(one("qrs", 106.0)) == {}
    assert place(one("qrs", 106.0), 60, "male") == {}
    assert place(one("qrs", 106.0), None, "female") == {}
    assert place(one("qrs", 106.0), 60, "female") == {"qrs": ("above the 98th percentile (104) of WHI",)}
    assert place(one("hr", 47.0), 60, "female")["hr"] == (
        "below the 2nd percentile (48) of Mason 2007", "below the 2nd percentile (49) of WHI",
    )  # fmt: skip


def test_percentiles_are_spoken_as_people_speak_them():
    assert [_ordinal(n) for n in (1, 2, 3, 12, 50, 91, 98)] == ["1st", "2nd", "3rd", "12th", "50th", "91st", "98th"]
