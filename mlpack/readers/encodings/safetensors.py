"""Read the header of a safetensors file: tensor names, dtypes and shapes, without the tensor data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

from mlpack.readers.limits import CutOffError
from mlpack.readers.streams import Source

LONGEST = 100 << 20  # the limit of the safetensors library
_MOST_READ = 16 << 20  # a hundred thousand tensors; parsing takes a hundred times the header's size in memory
_MOST_AXES, _LARGEST = 64, 1 << 48
_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16,
    "I32": 32, "U32": 32, "F32": 32, "F64": 64, "I64": 64, "U64": 64, "C64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A tensor in the file: dtype as written (`F32`), shape, and the (start, end) offsets of its data."""

    dtype: str
    shape: tuple[int, ...]
    place: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Header:
    """The header: the tensors by name, in file order, and the writer's metadata texts."""

    tensors: Mapping[str, Stored]
    metadata: Mapping[str, str] = field(default_factory=dict)


def looks_like_safetensors(head: bytes, size: int) -> bool:
    """Whether these first bytes look like a safetensors file of `size` bytes: a length, then a JSON object's brace.

    Some lengths look like the start of compressed data; such a file is not treated as compressed.
    """
    begins = len(head) > 9 and head[8:9] == b"{" and head[9:].lstrip(b" \t\r\n")[:1] in (b'"', b"}")
    return begins and 2 <= int.from_bytes(head[:8], "little") <= min(LONGEST, max(0, size - 8))


def read_header(source: Source, size: int) -> Header:
    """The header; `size` is the file's, -1 when unknown.

    Raises CutOffError when the header is too long or broken, or the file is cut off.
    """
    head = source.read(8)
    length = int.from_bytes(head, "little")
    if length > LONGEST or (size >= 0 and length + 8 > size):
        raise CutOffError(f"its header declares {length} bytes, but the file is shorter")
    if length > _MOST_READ:
        raise CutOffError(f"its header is too long to be read ({length} bytes)")
    text = bytearray()
    while len(text) < length and (data := source.read(length - len(text))):
        text += data
    try:
        document = json.loads(text, object_pairs_hook=_unique_keys)
    except (ValueError, RecursionError) as error:
        raise CutOffError(f"its header is not JSON ({str(error)[:100]})") from error
    if not isinstance(document, dict):
        raise CutOffError("its header is not a JSON object")
    metadata = document.pop("__metadata__", {})
    tensors = {str(name): _stored(str(name), one) for name, one in document.items()}
    end = 0
    for first, last in sorted(one.place for one in tensors.values()):
        if first != end:
            raise CutOffError("its tensors overlap, or leave unused bytes between them")
        end = last
    if size >= 0 and end + 8 + length != size:
        raise CutOffError(f"it is cut off or too long: it declares {end + 8 + length} bytes and has {size}")
    texts = {str(name): str(value)[:1000] for name, value in metadata.items()} if isinstance(metadata, dict) else {}
    return Header(tensors=tensors, metadata=texts)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _stored(name: str, described: Any) -> Stored:
    try:
        dtype, shape, (first, last) = described["dtype"], tuple(described["shape"]), described["data_offsets"]
        sound = all(type(one) is int and 0 <= one < _LARGEST for one in (*shape, first, last)) and dtype in _BITS
        sound = sound and len(shape) <= _MOST_AXES
    except (KeyError, TypeError, ValueError):
        sound, dtype, shape, first, last = False, "", (), 0, 0
    if not sound or (last - first) * 8 != prod(shape) * _BITS[dtype]:
        raise CutOffError(f"its header has an invalid entry for the tensor {name[:80]!r}")
    return Stored(dtype=dtype, shape=shape, place=(first, last))
