"""Facts as arrays, against the Records they came from."""

import numpy as np
import pytest

from einthoven.core.errors import CohortError
from einthoven.core.facts import Category, Label, LabelSet, Value
from einthoven.core.record import Record
from einthoven.data.targets import fact_arrays
from tests.data.given import cohort_of, wavy

FACTS = [
    (Label("rhythm", "AF"), Value("age", 61.0, "years"), Category("sex", "male")),
    (Label("rhythm", "SR"), Category("sex", "female")),
    (Value("age", 80.5, "years"),),
]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    records = [Record(f"r{i}", ("I",), wavy(1, 50, i), 100.0, f"p{i}", facts) for i, facts in enumerate(FACTS)]
    return cohort_of(records, tmp_path_factory.mktemp("facts"), [LabelSet("rhythm", "test", ("SR", "AF", "VT"))])


def test_unknown_is_nan_or_minus_1_and_never_0(cohort):
    got = fact_arrays(cohort, ("labels:rhythm", "value:age", "category:sex"))
    np.testing.assert_array_equal(got["labels:rhythm"], [[0, 1, 0], [1, 0, 0], [np.nan] * 3])
    np.testing.assert_array_equal(got["value:age"], np.float32([61, np.nan, 80.5]))
    np.testing.assert_array_equal(got["category:sex"], [1, 0, -1])
    assert [got[name].dtype for name in got] == [np.float32, np.float32, np.int64]


@pytest.mark.parametrize("need", ["rhythm", "labels:", "text:report", "label:rhythm", "labels:rythm", "value:height"])
def test_a_fact_that_is_not_there_is_refused(cohort, need):
    with pytest.raises(CohortError):
        fact_arrays(cohort, (need,))
