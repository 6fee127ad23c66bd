"""SavedModels written by hand: protocol buffers of TensorFlow's own field numbers, for graphs that no exporter would make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

Shape = tuple[int, ...] | None
DTYPES = {"float": 1, "string": 7, "int64": 9, "resource": 20}


def varint(value: int) -> bytes:
    """A base-128 number; a negative one as 64 bits."""
    value &= (1 << 64) - 1
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def number(field: int, value: int) -> bytes:
    """A varint field."""
    return varint(field << 3) + varint(value)


def held(field: int, *parts: bytes | str) -> bytes:
    """A length-delimited field."""
    data = b"".join(part.encode() if isinstance(part, str) else part for part in parts)
    return varint(field << 3 | 2) + varint(len(data)) + data


def node(name: str, op: str, *inputs: str, calls: Sequence[str] = (), **texts: str | bytes) -> bytes:
    """A NodeDef; `texts` are attributes that are texts."""
    called = [held(5, held(1, f"f{place}"), held(2, held(10, held(1, one)))) for place, one in enumerate(calls)]
    called += [held(5, held(1, key), held(2, held(2, text))) for key, text in texts.items()]
    return held(1, name) + held(2, op) + b"".join(held(3, one) for one in inputs) + b"".join(called)


def function(name: str, *nodes: bytes, arguments: Sequence[str] = ()) -> bytes:
    """A FunctionDef."""
    return held(1, held(1, name), *(held(2, held(1, one)) for one in arguments)) + b"".join(
        held(3, one) for one in nodes
    )


def tensor(name: str, dtype: str, shape: Shape, at: str = "") -> bytes:
    """A TensorInfo of a signature, as an entry of its map."""
    lengths = number(3, 1) if shape is None else b"".join(held(2, number(1, length)) for length in shape)
    return held(1, name) + held(2, held(1, at or f"{name}:0"), number(2, DTYPES[dtype]), held(3, lengths))


def signature(name: str, inputs: Sequence[bytes], outputs: Sequence[bytes], method: str = "predict") -> bytes:
    """A SignatureDef, as an entry of its map."""
    parts = [*(held(1, one) for one in inputs), *(held(2, one) for one in outputs), held(3, method)]
    return held(1, name) + held(2, *parts)


ADDS = signature("serving_default", [tensor("x", "float", (-1, 4))], [tensor("y", "float", (-1, 2))])


def graph(
    *signatures: bytes,
    nodes: Sequence[bytes] = (),
    functions: Sequence[bytes] = (),
    tags: Sequence[str] = ("serve",),
    version: str = "2.15.1",
    assets: Sequence[str] = (),
    kinds: Sequence[str] = (),
    objects: Sequence[bytes] = (),
) -> bytes:
    """A MetaGraphDef; the nodes of its `assets` are asset_0, asset_1 ..., `objects` are fields of its object graph."""
    about = held(1, *(held(4, tag) for tag in tags), held(5, version))
    library = held(2, *(held(1, one) for one in functions))
    definition = held(2, *(held(1, one) for one in nodes), library)
    made = held(7, *(held(1, held(4, held(1, kind))) for kind in kinds), *objects)
    return about + definition + b"".join(held(5, one) for one in signatures) + b"".join(
        held(6, held(1, held(1, f"asset_{place}:0")), held(2, name)) for place, name in enumerate(assets)
    ) + made  # fmt: skip


def saved(folder: Path, *graphs: bytes, files: Mapping[str, bytes] | None = None) -> Path:
    """A SavedModel's folder; with variables unless `files` says what lies in it."""
    if files is None:
        files = {"variables/variables.index": b"i", "variables/variables.data-00000-of-00001": b"d"}
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(number(1, 1) + b"".join(held(2, one) for one in graphs))
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder
