"""SHA-256 of files, arrays and settings: the same content has the same name on every machine."""

from __future__ import annotations

import hashlib
import json
import math
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
