"""JSON in and out: strict, bounded, finite."""

from __future__ import annotations

import datetime as dt
import json
import random
import time
from typing import Any

import numpy as np
import pytest

from mlpack.runtime.errors import BadJsonError
from mlpack.runtime.protocols.encoding.text import MAX_DEPTH, dump, parse


def nested(depth: int, rng: random.Random | None = None) -> bytes:
    kinds = [(b"[", b"]"), (b'{"a":', b"}")]
    picks = [kinds[rng.randrange(2) if rng else 0] for _ in range(depth)]
    return b"".join(pair[0] for pair in picks) + b"1" + b"".join(pair[1] for pair in reversed(picks))


def test_the_depth_is_bounded_exactly() -> None:
    """32 levels are read, 33 are not, whatever brackets the texts hold and however wide the body is."""
    for seed in range(20):
        rng = random.Random(seed)
        assert parse(nested(MAX_DEPTH, rng)) is not None
        with pytest.raises(BadJsonError, match="deeper than 32"):
            parse(nested(MAX_DEPTH + 1, rng))
    assert parse(json.dumps([["]", "[", '"[', "\\"] * 20, [[1]] * 100, {"[[{{": "}" * 99}]).encode())
    assert parse(json.dumps(["[" * 1000] * 40).encode())
    with pytest.raises(BadJsonError, match="deeper than 32"):
        parse(b'["]]]]",' + nested(MAX_DEPTH) + b"]")


@pytest.mark.parametrize(
    "body", [b"[" * 10**6, b"[" * 10**6 + b"]" * 10**6, b'["[",' * 10**5, b'{"a":[' * 10**5, b"]" * 10**6]
)
def test_hostile_nesting_costs_little(body: bytes) -> None:
    """A megabyte of brackets is refused in a moment, without a deep stack."""
    start = time.process_time()
    with pytest.raises(BadJsonError):
        parse(body)
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    "body",
    [b"[1,]", b"[1 2]", b"{a: 1}", b"'a'", b"[01]", b"[+1]", b"[.5]", b"[0x1]", b"[1] x", b"", b" ", b"\xef\xbb\xbf"],
)
def test_what_is_not_json(body: bytes) -> None:
    """Refused, with the place."""
    with pytest.raises(BadJsonError):
        parse(body)


def test_texts_are_whole() -> None:
    """Pairs of surrogates are characters; halves are refused; a BOM is passed over."""
    assert parse(b'"\\ud83d\\ude00"') == "\U0001f600"
    assert parse(b"\xef\xbb\xbf[1]") == [1]
    for half in (b'"\\ud83d"', b'["\\udE00\\ud83d"]', b'{"\\uDFFF": 1}'):
        with pytest.raises(BadJsonError, match="surrogate"):
            parse(half)
    assert parse(b'"\\\\ud83d"') == "\\ud83d"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (float("nan"), "null"), ([1.5, float("inf"), {"a": -float("inf")}], '[1.5,null,{"a":null}]'), (np.float32(0.5), "0.5"),
        (np.int64(3), "3"), (np.array([1.0, np.nan]), "[1.0,null]"), (b"a\xc3\xa5", '"a\\u00e5"'), (np.bool_(True), "true"),
        (np.array(["a", None, np.nan, np.int8(1)], dtype=object).tolist(), '["a",null,null,1]'),
        (dt.date(2024, 1, 2), '"2024-01-02"'), ({"é": "\ud800"}, '{"\\u00e9":"\\ud800"}'),
        (np.array(["2024-01-02"], dtype="M8[D]").tolist(), '["2024-01-02"]'), (np.array([np.nan, 1], dtype=np.float16), "[null,1.0]"),
    ],
)  # fmt: skip
def test_answers_are_valid_json(value: Any, text: str) -> None:
    """Values of numpy are plain, what JSON cannot say is null, bytes are text."""
    assert dump(value) == text.encode()
