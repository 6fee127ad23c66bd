"""JSON as the contracts read and write it: bounded in depth, strict about keys and numbers; NaN is null in answers."""

from __future__ import annotations

import json
import math
import re
import sys
from typing import Any, Callable, Dict, List, Tuple

import numpy as np

from ...errors import BadJsonError
from .binary import as_json

MAX_DEPTH = 32
_TOO_DEEP = f"the body is nested deeper than {MAX_DEPTH}"
_SQUARE = bytes.maketrans(b"{}", b"[]")
_ALL_ELSE = bytes(byte for byte in range(256) if byte not in b"[]{}")
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_LONG_NUMBER = re.compile(r"\d{4301}")
# Python before 3.9.14 reads an integer of any length, in quadratic time
_READS_ANY_INTEGER = not hasattr(sys, "get_int_max_str_digits")


def parse(body: bytes, *, tokens: bool = False) -> Any:
    """The JSON value in `body`: UTF-8 (a byte order mark is passed over), RFC 8259; NaN and Infinity only with `tokens`.

    Raises:
        BadJsonError: not JSON, not UTF-8, deeper than 32, a key twice in one object, half a surrogate pair.
    """
    text = _decoded(body)
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _too_deep(body):
        raise BadJsonError(_TOO_DEEP)
    if _READS_ANY_INTEGER and _LONG_NUMBER.search(text):
        raise BadJsonError("the body holds a number of more than 4300 digits")
    try:
        document = _decode(_LENIENT if tokens else _DECODER, text)
        if "\\u" in text and _SURROGATE.search(text):
            json.dumps(document, ensure_ascii=False).encode("utf-8")
    except json.JSONDecodeError as error:
        raise BadJsonError(f"the body is not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from error
    except UnicodeEncodeError as error:
        raise BadJsonError("a text in the body holds half a surrogate pair") from error
    except RecursionError as error:
        raise BadJsonError(_TOO_DEEP) from error
    except ValueError as error:
        raise BadJsonError(f"the body is not JSON: {error}") from error
    return document


def dump(document: Any) -> bytes:
    """The value as compact JSON; NaN and infinity are null, numpy's values are plain ones."""
    try:
        return _PLAIN(document).encode("ascii")
    except ValueError:
        return _PLAIN(_without_nan(document)).encode("ascii")


def dump_with_tokens(document: Any) -> bytes:
    """The value as compact JSON in which NaN and Infinity stand as they are, which is no JSON."""
    return _WITH_TOKENS(document).encode("ascii")


def _decoded(body: bytes) -> str:
    if not body:
        raise BadJsonError("the body is empty")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadJsonError(f"the body is not UTF-8 (byte {error.start})") from error
    return text[1:] if text[0] == "\ufeff" else text


def _too_deep(body: bytes) -> bool:
    """Whether brackets nest deeper than the bound, at C speed: keep the brackets, fold innermost pairs level by level.

    Brackets that do not match, and their kinds, are left to the parser, which says where.
    """
    if not _unfolded(body, stuck=True):
        return False
    return _unfolded(_STRING.sub(b"", body), stuck=False)  # brackets inside texts count for nothing


def _unfolded(body: bytes, *, stuck: bool) -> bool:
    """Whether brackets are left after the bound's number of rounds; `stuck` is said of those that cannot be folded."""
    brackets = body.translate(_SQUARE, _ALL_ELSE)
    for _ in range(MAX_DEPTH):
        folded = brackets.replace(b"[]", b"")
        if not folded:
            return False
        if len(folded) == len(brackets):
            return stuck
        brackets = folded
    return True


def _decode(decoder: json.JSONDecoder, text: str) -> Any:
    """What the decoder makes of the text, at once where nothing stands around the value."""
    try:
        document, end = decoder.scan_once(text, 0)  # type: ignore[attr-defined]  # there since 2.6, not in the stubs
    except StopIteration:
        return decoder.decode(text)
    return document if end == len(text) else decoder.decode(text)


def _unique(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {json.dumps(twice[:100])} is there twice")
    return document


def _no_constant(token: str) -> Any:
    raise ValueError(f"{token} is not a JSON number; write null for a missing value")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)
_LENIENT = json.JSONDecoder(object_pairs_hook=_unique)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, (bytes, bytearray)):
        return as_json(bytes(value))
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value)


def _encoder(*, allow_nan: bool) -> Callable[[Any], str]:
    """An encoder that is made once: json.dumps, and JSONEncoder.encode as well, set one up at every call."""
    whole = json.JSONEncoder(separators=(",", ":"), default=_plain, allow_nan=allow_nan)
    in_c = getattr(json.encoder, "c_make_encoder", None)
    if in_c is None:
        return whole.encode
    text = json.encoder.encode_basestring_ascii
    pieces = in_c(None, _plain, text, None, ":", ",", False, False, allow_nan)
    return lambda document: "".join(pieces(document, 0))


_PLAIN = _encoder(allow_nan=False)
_WITH_TOKENS = _encoder(allow_nan=True)


def _without_nan(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, (list, tuple)):
        return [_without_nan(one) for one in value]
    if isinstance(value, dict):
        return {str(key): _without_nan(one) for key, one in value.items()}
    return value
