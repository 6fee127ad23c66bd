"""A TensorFlow Lite file as data (tensorflow/compiler/mlir/lite/schema/schema.fbs): tensors, signatures, operators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from mlpack.readers.encodings.flatbuffers import Bytes, Table, root
from mlpack.readers.limits import CutOffError

# TensorType -> V2's name; the rest has none there.
DTYPES = {
    0: "FP32", 1: "FP16", 2: "INT32", 3: "UINT8", 4: "INT64", 5: "BYTES", 6: "BOOL", 7: "INT16", 9: "INT8", 10: "FP64",
    12: "UINT64", 15: "UINT32", 16: "UINT16",
}  # fmt: skip
_CUSTOM = 32
_FIELDS = 8  # of a Model; newer ones name buffers in other files
_STATEFUL = frozenset({129, 142, 143, 144})  # CALL_ONCE, VAR_HANDLE, READ_VARIABLE, ASSIGN_VARIABLE
_MOST_TENSORS = 2000  # of a graph's edge


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """An input or output: `dtype` is V2's name, "" when it has none; an axis that the model leaves free is -1.

    `scale` and `zero` turn a quantised value into a real one: (value - zero) * scale.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    scale: float | None = None
    zero: int = 0


@dataclass(frozen=True, kw_only=True)
class Call:
    """One way to run it: a signature's key ("" for the main graph) with its inputs and outputs."""

    key: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


@dataclass(frozen=True, kw_only=True)
class Model:
    """What the file says: `custom` are operators by name that TensorFlow Lite itself may not have.

    `newer` says that the file holds more than this schema knows, such as the names of files with its numbers.
    """

    version: int
    description: str
    calls: tuple[Call, ...]
    custom: tuple[str, ...]
    stateful: bool
    operators: int
    metadata: tuple[str, ...]
    newer: bool


def read_model(data: Bytes) -> Model:
    """The model in a buffer whose identifier is TFL3. Raises CutOffError when it is broken or cut off."""
    table = root(data)
    graphs = list(table.tables(2, 1000))
    codes = [_code(one) for one in table.tables(1, 10_000)]
    for one in table.tables(4):
        if one.scalar(1, "Q") + one.scalar(2, "Q") > data.size:
            raise CutOffError("one of its buffers is outside the file")
    calls = [_signature(one, graphs) for one in table.tables(7, 100)]
    if not calls and graphs:
        calls = [_main(graphs[0])]
    return Model(
        version=table.scalar(0, "I"),
        description=table.text(3),
        calls=tuple(sorted(calls, key=lambda one: one.key != "serving_default")),
        custom=tuple(sorted({name or "(without a name)" for code, name in codes if code == _CUSTOM})),
        newer=any(table.has(field) for field in range(_FIELDS, _FIELDS + 32)),
        stateful=any(code in _STATEFUL for code, _ in codes),
        operators=sum(one.count(3) for one in graphs),
        metadata=tuple(one.text(0) for one in table.tables(6, 1000)),
    )


def _code(table: Table) -> tuple[int, str]:
    """An operator's number (files before 2020 have it in a byte) and, of a custom one, its name."""
    return max(table.scalar(0, "b"), table.scalar(3, "i")), table.text(1)


def _signature(table: Table, graphs: list[Table]) -> Call:
    number = table.scalar(4, "I")
    tensors = list(graphs[number].tables(0)) if number < len(graphs) else []
    return Call(
        key=table.text(2),
        inputs=tuple(_named(table, 0, tensors)),
        outputs=tuple(_named(table, 1, tensors)),
    )


def _named(signature: Table, field: int, tensors: list[Table]) -> Iterator[Tensor]:
    for one in signature.tables(field, _MOST_TENSORS):
        place = one.scalar(1, "I")
        if place < len(tensors):
            yield _tensor(tensors[place], one.text(0))


def _main(graph: Table) -> Call:
    tensors = list(graph.tables(0))
    inputs, outputs = (
        tuple(
            _tensor(tensors[place], "")
            for place in graph.numbers(field, "i", _MOST_TENSORS)
            if 0 <= place < len(tensors)
        )
        for field in (1, 2)
    )
    return Call(key="", inputs=tuple(_unique(inputs)), outputs=tuple(_unique(outputs)))


def _unique(tensors: Sequence[Tensor]) -> Iterator[Tensor]:
    """The tensors by names of their own, as the loader counts them: names of a graph may be the same, or none."""
    taken: set[str] = set()
    for one in tensors:
        name, number = one.name, 0
        while name in taken:
            number += 1
            name = f"{one.name}_{number}"
        taken.add(name)
        yield replace(one, name=name)


def _tensor(table: Table, name: str) -> Tensor:
    shape = table.numbers(0, "i", 64)
    free = table.numbers(7, "i", 64)
    quantisation = table.table(4)
    scales = quantisation.numbers(2, "f") if quantisation is not None and quantisation.count(2) == 1 else ()
    zeros = quantisation.numbers(3, "q") if quantisation is not None and quantisation.count(3) == 1 else ()
    return Tensor(
        name=name or table.text(3),
        dtype=DTYPES.get(table.scalar(1, "b"), ""),
        shape=tuple(int(size) for size in (free if len(free) == len(shape) else shape)),
        scale=float(scales[0]) if len(scales) == 1 else None,
        zero=int(zeros[0]) if len(zeros) == 1 else 0,
    )
