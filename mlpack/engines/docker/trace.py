"""BuildKit's status messages of a running build, parsed from protobuf: Trace and its parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

# The field numbers are those of BuildKit's api/services/control/control.proto: StatusResponse, Vertex, VertexStatus,
# VertexLog, VertexWarning; and of google/protobuf/timestamp.proto. Fields that are not named here are stepped over.
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_NANO = 1e-9

Field = int | bytes


@dataclass(frozen=True, kw_only=True)
class Vertex:
    """A step of the build: `started` and `completed` in seconds since 1970, None until then."""

    digest: str
    name: str
    cached: bool
    started: float | None
    completed: float | None
    error: str


@dataclass(frozen=True, kw_only=True)
class Status:
    """A part of a step (a layer that is pulled, an upload): `current` of `total`, in bytes where it counts bytes."""

    id: str
    vertex: str
    current: int
    total: int


@dataclass(frozen=True, kw_only=True)
class Log:
    """Output of a step: `stream` 1 is stdout, 2 stderr; `text` may begin or end inside a line."""

    vertex: str
    stream: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Trace:
    """One message of news. Vertices come again whenever they change."""

    vertices: tuple[Vertex, ...]
    statuses: tuple[Status, ...]
    logs: tuple[Log, ...]
    warnings: tuple[str, ...]


def read_trace(data: bytes) -> Trace:
    """A StatusResponse. Raises ValueError when the bytes are no protobuf."""
    vertices: list[Vertex] = []
    statuses: list[Status] = []
    logs: list[Log] = []
    warnings: list[str] = []
    for number, value in _fields(data):
        if not isinstance(value, bytes):
            continue
        if number == 1:
            vertices.append(_vertex(value))
        elif number == 2:
            statuses.append(_status(value))
        elif number == 3:
            logs.append(_log(value))
        elif number == 4:
            warnings.append(_text(dict(_fields(value)), 3))
    return Trace(vertices=tuple(vertices), statuses=tuple(statuses), logs=tuple(logs), warnings=tuple(warnings))


def _vertex(data: bytes) -> Vertex:
    fields = dict(_fields(data))
    return Vertex(
        digest=_text(fields, 1),
        name=_text(fields, 3),
        cached=bool(fields.get(4, 0)),
        started=_time(fields, 5),
        completed=_time(fields, 6),
        error=_text(fields, 7),
    )


def _status(data: bytes) -> Status:
    fields = dict(_fields(data))
    return Status(id=_text(fields, 1), vertex=_text(fields, 2), current=_int(fields, 4), total=_int(fields, 5))


def _log(data: bytes) -> Log:
    fields = dict(_fields(data))
    return Log(vertex=_text(fields, 1), stream=_int(fields, 3), text=_text(fields, 4))


def _text(fields: dict[int, Field], number: int) -> str:
    value = fields.get(number, b"")
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""


def _int(fields: dict[int, Field], number: int) -> int:
    """An int64: negative ones travel as their two's complement."""
    value = fields.get(number, 0)
    if not isinstance(value, int):
        return 0
    return value - (1 << 64) if value >= 1 << 63 else value


def _time(fields: dict[int, Field], number: int) -> float | None:
    value = fields.get(number)
    if not isinstance(value, bytes):
        return None
    parts = dict(_fields(value))
    return _int(parts, 1) + _int(parts, 2) * _NANO


def _fields(data: bytes) -> Iterator[tuple[int, Field]]:
    """The fields of a message in their order: a number and an int, or the bytes of a string or an inner message."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if kind == _BYTES:
            length, at = _varint(data, at)
        elif kind in {_FIXED64, _FIXED32}:
            length = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {kind} at byte {at}")
        if at + length > len(data):
            raise ValueError(f"field {number} ends after the message")
        yield number, data[at : at + length]
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise ValueError("cut off inside a number")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & ((1 << 64) - 1), at
    raise ValueError(f"a number longer than 10 bytes before byte {at}")
