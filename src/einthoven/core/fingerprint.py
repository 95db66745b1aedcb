"""SHA-256 of files, arrays and settings: the same content has the same name on every machine."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np


def of_json(value: Any) -> str:
    """Digest of a JSON value, keys sorted, no spaces; NaN is refused."""
    return hashlib.sha256(to_json(value).encode()).hexdigest()


def finite(value: Any) -> Any:
    """The same value with null for every number that is none: JSON has no NaN."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def json_pieces(value: Any) -> Iterator[str]:
    """JSON text in pieces, NaN as null; an iterator becomes an array that is never held as a whole.

    >>> "".join(json_pieces({"a": iter([1.5, float("nan")]), "b": {}}))
    '{"a": [1.5, null], "b": {}}'
    """
    if isinstance(value, dict) and value:
        for i, (key, item) in enumerate(value.items()):
            yield f"{', ' if i else '{'}{json.dumps(key)}: "
            yield from json_pieces(item)
        yield "}"
    elif isinstance(value, Iterator):
        mark = "["
        while items := list(islice(value, 512)):
            yield mark + _encoded(items)[1:-1]
            mark = ", "
        yield "[]" if mark == "[" else "]"
    else:
        yield _encoded(value)


def _encoded(value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:  # NaN is rare, and looking for it slow
        return json.dumps(finite(value), allow_nan=False)


def to_json(value: Any, indent: int | None = None) -> str:
    """JSON text with sorted keys and a fixed form, so that equal values are equal bytes."""
    return json.dumps(
        value, sort_keys=True, allow_nan=False, ensure_ascii=False, indent=indent,
        separators=None if indent else (",", ":"),
    )  # fmt: skip


def of_array(array: np.ndarray) -> str:
    """Digest of dtype, shape and little-endian C-order bytes."""
    state = hashlib.sha256(f"{array.dtype.newbyteorder('<').str}{array.shape}".encode())
    state.update(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).data)
    return state.hexdigest()


def of_file(path: str | Path) -> str:
    """Digest of a file's bytes."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_json(path: str | Path) -> Any:
    """The JSON value in a file of ours."""
    return json.loads(Path(path).read_text(encoding="utf-8"))
