"""The walker over protocol buffers: every field as the protobuf library reads it, nothing read that nobody asks for, every bound kept."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2

from mlpack.readers.encodings.protobuf import Field, fields, signed, varints
from mlpack.readers.limits import CutOffError
from mlpack.readers.streams import FileSource


def message() -> Any:
    made = descriptor_pb2.FileDescriptorProto(name="a.proto", package="p" * 300, public_dependency=[1, 300, -2])
    made.message_type.add(name="Inner").field.add(name="x", number=7)
    return made


def walked(data: bytes) -> None:
    """Reads all that a message's bytes may be."""

    def every(found: Field, depth: int) -> None:
        if depth % 2:
            found.read()
        else:
            for inner in found.fields():
                every(inner, depth + 1)

    for field in fields(data):
        every(field, 0)


def test_fields_are_what_protobuf_wrote() -> None:
    """Numbers, texts, negative numbers and nested messages come out as they were put in."""
    found: list[tuple[int, object]] = []
    for field in fields(message().SerializeToString()):
        if field.number in (1, 2):
            found.append((field.number, field.text()))
        elif field.number == 10:
            found.append((10, field.signed))
        elif field.number == 4:
            inner = [(one.number, [(leaf.number, leaf.value) for leaf in one.fields()] if one.number == 2 else one.text())
                     for one in field.fields()]  # fmt: skip
            found.append((4, inner))
    assert found == [
        (1, "a.proto"),
        (2, "p" * 300),
        (4, [(1, "Inner"), (2, [(1, 1), (3, 7)])]),
        (10, 1),
        (10, 300),
        (10, -2),
    ]


def test_what_is_not_asked_for_is_not_read(tmp_path: Path) -> None:
    """A field of 3 GB in a file is stepped over, and the field behind it is found."""
    path = tmp_path / "big"
    size = 3 << 30
    head = b"\x0a" + bytes([*(size >> shift & 0x7F | 0x80 for shift in (0, 7, 14, 21)), size >> 28])
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + size)
        file.seek(len(head) + size)
        file.write(b"\x10\x05")
    with path.open("rb") as file:
        found = [(one.number, one.value) for one in fields(FileSource(file, 0, path.stat().st_size))]
    assert found == [(1, size), (2, 5)]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x0a\x05abc", "cut off"),
        (b"\x0a", "cut off"),
        (b"\x80" * 11, "without an end"),
        (b"\x0b", "wire type 3"),
        (b"\x02\x00", "without a number"),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x3fabc", "cut off"),
        (b"\x0a\x03\x0a\x05a", "longer than the message"),
        (b"\x08\x01" * 2_000_001, "more than 2,000,000 fields"),
    ],
)
def test_broken_and_hostile_messages_are_cut_off(data: bytes, said: str) -> None:
    """Broken lengths, numbers and types, and fields without measure, end with the reason."""
    with pytest.raises(CutOffError, match=said):
        [inner.number for field in fields(data) for inner in field.fields()]


def test_nesting_has_an_end() -> None:
    """Messages nested without measure are cut off, not followed until Python gives up."""
    data = b""
    for _ in range(300):
        size = len(data)
        data = b"\x0a" + (bytes([size]) if size < 128 else bytes([size & 0x7F | 0x80, size >> 7])) + data

    def deep(level: bytes | Field) -> None:
        for field in level.fields() if isinstance(level, Field) else fields(level):
            deep(field)

    with pytest.raises(CutOffError, match="nested deeper"):
        deep(data)


def test_a_long_text_is_refused_unread() -> None:
    """A field longer than the limit is not taken into memory."""
    field = next(iter(fields(b"\x0a\x0a0123456789")))
    with pytest.raises(CutOffError, match="more than the limit"):
        field.read(9)


def test_damaged_messages_end_with_a_cut_off_or_not_at_all() -> None:
    """Any damage to a message's bytes gives fields or a CutOffError, and no other failure."""
    data = bytearray(message().SerializeToString())
    chance = random.Random(4)
    for _ in range(3000):
        damaged = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            walked(bytes(damaged[: chance.randint(1, len(damaged))]))
        except CutOffError:
            continue


def test_packed_numbers() -> None:
    """Packed repeated numbers come out one by one, negative ones signed; a number that is cut off is told."""
    assert [signed(one) for one in varints(b"\x01\xac\x02" + b"\xfe" + b"\xff" * 8 + b"\x01")] == [1, 300, -2]
    with pytest.raises(CutOffError, match="cut off"):
        varints(b"\x80")
