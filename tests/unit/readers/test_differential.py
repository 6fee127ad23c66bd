"""What we say a stream holds is what the real unpickler makes of it."""

from __future__ import annotations

import pickle
import random
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

from mlpack.readers.pickles.files import read_pickles
from mlpack.readers.pickles.values import Array, Instance, PickleFile

ARRAYS = [
    np.arange(6.0).reshape(2, 3),
    np.asfortranarray(np.arange(24, dtype=np.int32).reshape(2, 3, 4)),
    np.array(["a", "ünïcode", ""]),
    np.array([b"a", b"bc"]),
    np.array([True, False]),
    np.array(5, dtype=np.uint8),
    np.array([], dtype=np.float32),
    np.arange(3, dtype=">i2"),
    np.array([1.5, -2], dtype=np.float16),
    np.array(["x", 1, None], dtype=object),
    np.array([["x", "y"], ["z", "w"]], dtype=object),
]


def _read(data: bytes, tmp_path: Path) -> PickleFile:
    path = tmp_path / "value"
    path.write_bytes(data)
    told = read_pickles(path)
    assert told is not None
    assert not told.problem
    return told


def _value(rng: random.Random, depth: int) -> Any:
    leaves: list[Any] = [
        None, True, False, 0, 1, -1, 255, 256, 65536, -(1 << 31), 1 << 31, -(1 << 70), 1 << 2000, 0.5, -1e300, "", "abc",
        "ünï\n\\u0041", "\ud800", "x" * 300, b"", b"\x00\xff\n'", b"b" * 300, bytearray(b"ab"), complex(1, -2), ("a", 1),
        frozenset({1, "a"}), {2, b"c"}, float("inf"),
    ]  # fmt: skip
    if depth == 0 or rng.random() < 0.2:
        return rng.choice(leaves)
    children = [_value(rng, depth - 1) for _ in range(rng.choice([0, 1, 2, 3, 4, 12]))]
    kind = rng.randrange(4)
    if kind == 0:
        return children + children[:1]  # the same object twice: the memo
    if kind == 1:
        return tuple(children)
    return {rng.choice(["k", 3, ("t", 2), 2.5, b"b"]) if i else i: child for i, child in enumerate(children)}


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_are_read_as_the_unpickler_reads_them(protocol: int, tmp_path: Path) -> None:
    """Nested plain values of every kind come out equal, in every protocol, and are safe."""
    rng = random.Random(protocol)
    for _ in range(80):
        value = _value(rng, 4)
        data = pickle.dumps(value, protocol)
        told = _read(data, tmp_path)
        assert told.root == pickle.loads(data) == value
        assert told.safety.verdict == "safe"
        assert told.protocol == protocol or protocol < 2


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype.str}{array.shape}")
def test_arrays_are_read_as_numpy_reads_them(array: Any, protocol: int, tmp_path: Path) -> None:
    """An array's dtype, shape and elements come out as numpy has them, pickled by numpy itself."""
    _check(_read(pickle.dumps({"a": array}, protocol), tmp_path).root["a"], array)


@pytest.mark.parametrize(
    "compress", [0, ("zlib", 3), ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3), ("lz4", 3)], ids=str
)
def test_arrays_of_joblib_are_read_in_the_stream(compress: Any, tmp_path: Path) -> None:
    """Arrays that joblib wrote, objects among them, are found where they lie, and the stream goes on behind them."""
    path = tmp_path / "value.joblib"
    joblib.dump([*ARRAYS, "end"], path, compress=compress)
    told = read_pickles(path)
    assert told is not None
    assert (told.container, told.compression, told.problem) == ("joblib", compress[0] if compress else None, "")
    for read, array in zip(told.root, ARRAYS, strict=False):
        _check(read, array)
    assert told.root[-1] == "end"
    assert told.safety.verdict == "safe"


def _check(read: Any, array: Any) -> None:
    assert isinstance(read, Array)
    assert (read.dtype, read.shape) == (array.dtype.str, array.shape)
    assert read.values() == array.ravel(order="C").tolist()


def test_numpy_scalars_are_plain_values(tmp_path: Path) -> None:
    """A numpy scalar is told as the Python value that it equals."""
    scalars = [np.float64(1.5), np.int64(-3), np.bool_(True), np.str_("abc"), np.float32(0.25)]
    for protocol in range(6):
        assert _read(pickle.dumps(scalars, protocol), tmp_path).root == [1.5, -3, True, "abc", 0.25]


class Slotted:
    """State in slots."""

    __slots__ = ("a",)

    def __init__(self) -> None:
        self.a = 1


class Plain:
    """State in a dict."""

    def __init__(self) -> None:
        self.b = [2]


@pytest.mark.parametrize("protocol", range(6))
def test_objects_are_told_by_class_and_attributes(protocol: int, tmp_path: Path) -> None:
    """An object's class is seen through copyreg, its state through dict and slots."""
    objects: list[Any] = [Plain()] if protocol < 2 else [Plain(), Slotted()]
    told = _read(pickle.dumps(objects, protocol), tmp_path)
    for read, made in zip(told.root, objects, strict=True):
        assert isinstance(read, Instance)
        assert read.class_name == f"{type(made).__module__}.{type(made).__name__}"
    assert told.root[0].attributes() == {"b": [2]}
    assert protocol < 2 or told.root[1].attributes() == {"a": 1}
    assert told.safety.verdict == "unknown"
