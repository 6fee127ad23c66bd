"""Headers of safetensors files: what the format's own reader refuses is refused, and no header costs more than its length allows."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import pytest

from mlpack.readers.encodings.safetensors import read_header
from mlpack.readers.limits import CutOffError
from mlpack.readers.streams import MemorySource


def written(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def read(content: bytes) -> Any:
    return read_header(MemorySource(content), len(content))


def one(first: int, last: int) -> dict[str, Any]:
    return {"dtype": "U8", "shape": [last - first], "data_offsets": [first, last]}


def test_tensors_that_fill_the_file_are_read() -> None:
    """In any order, and empty ones too."""
    found = read(written({"b": one(2, 4), "a": one(0, 2), "e": one(2, 2), "__metadata__": {"format": "pt"}}, b"four"))
    assert list(found.tensors) == ["b", "a", "e"]


@pytest.mark.parametrize(
    "header",
    [
        {"a": one(0, 3), "b": one(2, 4)},
        {"a": one(0, 1), "b": one(2, 4)},
        {"a": one(1, 4)},
        b'{"a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}, "a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}}',
        b'{"a": {"dtype": "U8", "dtype": "I8", "shape": [4], "data_offsets": [0, 4]}}',
        {"a": {"dtype": "U8", "shape": [1] * 100 + [4], "data_offsets": [0, 4]}},
        {"a": {"dtype": "U8", "shape": [1 << 60, 0], "data_offsets": [0, 0]}, "b": one(0, 4)},
    ],
)
def test_headers_that_readers_understand_differently(header: Any) -> None:
    """Tensors over each other, holes, a name twice, axes without measure: refused."""
    with pytest.raises(CutOffError):
        read(written(header, b"four"))


def test_long_headers_cost_nothing() -> None:
    """Millions of axes, deep nesting, and a header of 40 MB end soon."""
    begun = time.process_time()
    for text in (
        b'{"a": {"dtype": "U8", "shape": [' + b"9," * 1_000_000 + b'9], "data_offsets": [0, 4]}}',
        b"[" * 1_000_000,
        b'{"a": ' + b"[]," * 13_000_000,
    ):
        with pytest.raises(CutOffError):
            read(written(text, b"four"))
    assert time.process_time() - begun < 5


def test_damaged_headers_end_with_a_cut_off_or_not_at_all() -> None:
    """Bytes changed anywhere: a header or a CutOffError, and no other failure."""
    chance = random.Random(10)
    whole = written({"b": one(2, 4), "a": one(0, 2), "__metadata__": {"format": "pt"}}, b"four")
    for _ in range(5000):
        changed = bytearray(whole)
        for _ in range(chance.choice((1, 1, 2, 4))):
            changed[chance.randrange(len(changed))] = chance.choice(
                (0, 34, 44, 58, 91, 93, 123, 125, 57, chance.randrange(256))
            )
        try:
            read(bytes(changed))
        except CutOffError:
            continue
