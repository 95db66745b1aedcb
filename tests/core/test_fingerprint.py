"""Equal content has an equal name, and any change another one."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from einthoven.core import fingerprint

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=5), json_values, max_size=5))
def test_the_order_of_keys_does_not_count(table: dict):
    assert fingerprint.of_json(dict(reversed(table.items()))) == fingerprint.of_json(table)


def test_settings_that_are_no_number_are_refused():
    with pytest.raises(ValueError, match="JSON"):
        fingerprint.of_json({"rate": float("nan")})


def test_a_file_has_the_digest_that_sha256sum_prints(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    # FIPS 180-4, appendix B.1
    assert fingerprint.of_file(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_an_array_is_its_values_type_and_shape_not_its_layout_in_memory():
    array = np.arange(12, dtype=np.int16).reshape(3, 4)
    name = fingerprint.of_array(array)
    assert fingerprint.of_array(np.asfortranarray(array)) == name
    assert fingerprint.of_array(array.astype(">i2")) == name
    assert fingerprint.of_array(np.repeat(array, 2, axis=0)[::2]) == name
    others = [array.reshape(4, 3), array.astype(np.int32), array + np.int16(1), array[::-1]]
    assert len({name, *map(fingerprint.of_array, others)}) == 5


def test_an_array_is_hashed_from_its_little_endian_bytes():
    want = hashlib.sha256(b"<i2(2,)" + b"\x01\x00\x02\x00").hexdigest()
    assert fingerprint.of_array(np.array([1, 2], dtype=np.int16)) == want


@given(json_values, st.sampled_from([float("nan"), float("inf"), -float("inf")]))
def test_a_number_that_is_none_becomes_null_wherever_it_stands(value, odd: float):
    nested = {"a": [value, odd, {"b": (odd, value)}]}
    assert fingerprint.finite(nested) == {"a": [value, None, {"b": [None, value]}]}
