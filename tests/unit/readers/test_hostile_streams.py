"""Streams that loaders read differently and allowed objects that call each other are dangerous, each with its reason."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from joblib import numpy_pickle

from mlpack.readers.pickles.files import read_pickles
from mlpack.readers.pickles.values import PickleFile
from tests.hostile import P4, call, look_up, text
from tests.hostile_streams import CALLS, EVIL, MODEL, STREAMS, array, of_type, state_of, wrapped


def _read(data: bytes, tmp_path: Path) -> PickleFile:
    path = tmp_path / "model.pkl"
    path.write_bytes(data)
    told = read_pickles(path)
    assert told is not None
    return told


@pytest.mark.parametrize("kind", STREAMS)
def test_no_stream_is_safe_that_loaders_read_differently(kind: str, tmp_path: Path) -> None:
    """Frames, wrappers, dtypes and arrays in another form than their libraries write are dangerous, and the finding says why."""
    told = _read(STREAMS[kind], tmp_path)
    assert told.safety.verdict == "dangerous"
    assert all(finding.why for finding in told.safety.findings)


@pytest.mark.parametrize("kind", CALLS)
def test_no_file_is_safe_whose_allowed_objects_call_each_other(kind: str, tmp_path: Path) -> None:
    """Items put into what is no container, functions as arguments and attributes, method names: a call, and dangerous."""
    told = _read(CALLS[kind], tmp_path)
    assert told.safety.verdict == "dangerous"
    assert all(finding.why for finding in told.safety.findings)


def test_what_a_plain_loader_reads_in_an_array_counts(tmp_path: Path) -> None:
    """Names that only a loader without joblib looks up are listed and judged: unknown ones as well as dangerous ones."""
    hidden = b"0" + call(look_up("dataclasses", "_create_fn"), text("f")) + b"."
    told = _read(P4 + wrapped(len(hidden)) + hidden + b".", tmp_path)
    assert (told.container, told.safety.verdict) == ("joblib", "unknown")
    assert "dataclasses:_create_fn" in [name.reference for name in told.globals]


def test_numpy_reads_an_object_array_without_joblib(tmp_path: Path) -> None:
    """In a .npy joblib's wrapper is an object like any other: the bytes behind it are opcodes."""
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n"
    start = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    told = _read(start + P4 + wrapped(len(EVIL)) + EVIL + b".", tmp_path)
    assert told.safety.verdict == "dangerous"
    assert "os.system" in [finding.callable for finding in told.safety.findings]


DTYPES: list[Any] = [
    "f8", ">f4", "c16", "U5", "S3", "V8", "M8[ns]", "m8[D]", "m8", ">M8[25s]", "O", "?", [("a", "f8"), ("b", "O")], [("x", "f4", (2, 2))],
    np.dtype([("a", "i1"), ("b", "f8")], align=True), np.dtype((np.record, [("a", "i4"), ("b", "U3")])),
    np.dtype("M8[us]", metadata={"a": 1}), np.dtype("f8", metadata={"a": 1}),
    np.dtype([(("title", "name"), "f8")]), np.dtype({"names": ["a", "b"], "formats": ["i4", "O"], "offsets": [8, 0]}),
]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_arrays_of_every_dtype_are_safe(dtype: Any, tmp_path: Path) -> None:
    """What numpy and joblib write of any dtype, order and shape is read to its end and safe."""
    path = tmp_path / "array"
    for made in (np.zeros((2, 3), dtype), np.zeros((2, 3), dtype, order="F"), np.zeros((0, 4), dtype)):
        for protocol in range(6):
            told = _read(pickle.dumps([made, *made[:1, :1].ravel()], protocol), tmp_path)
            assert (told.problem, told.safety.verdict) == ("", "safe"), (protocol, told.safety)
        for protocol in (2, 4):
            joblib.dump({"a": made, "b": made.T}, path, protocol=protocol)
            read = read_pickles(path)
            assert read is not None
            assert (read.problem, read.safety.verdict, read.root["a"].shape) == ("", "safe", made.shape), read.safety


@pytest.mark.parametrize("extents", [(20_000, 20_000), (1 << 30, 0), (0, 1 << 30), (1 << 62, 4)])
def test_a_shape_is_bounded_by_its_bytes(extents: tuple[int, int], tmp_path: Path) -> None:
    """A shape that promises more elements than there are bytes is refused, and makes nothing of its size."""
    extents = tuple(min(extent, (1 << 31) - 1) for extent in extents)  # type: ignore[assignment]  # still two
    told = _read(P4 + array(of_type("f8"), b"C\x08" + bytes(8), *extents, order=b"\x88") + b".", tmp_path)
    assert told.safety.verdict == "unknown"
    assert "contradicts its dtype and shape" in told.problem


@pytest.mark.parametrize("digits", ["f\u0661", "U1\u00b9", "i\u00b2", "f8\u0668"])
def test_digits_of_other_scripts_are_none(digits: str, tmp_path: Path) -> None:
    """A dtype whose width is written in other digits is not understood, and breaks nothing."""
    assert _read(P4 + array(of_type(digits), b"C\x08" + bytes(8), 1) + b".", tmp_path).safety.verdict == "unknown"


class _Reached(numpy_pickle.NumpyUnpickler):  # type: ignore[misc]  # joblib has no types
    names: set[str]

    def find_class(self, module: str, name: str) -> Any:
        """Note the name, and give an inert class for all but what joblib needs to read arrays."""
        self.names.add(f"{module}:{name}")
        known = module.startswith(("numpy", "joblib.numpy_pickle", "_codecs", "builtins", "__builtin__"))
        return super().find_class(module, name) if known else type(name, (), {"__setstate__": lambda *_: None})


@pytest.mark.parametrize("protocol", [2, 4])
def test_the_names_of_a_file_are_complete(protocol: int, tmp_path: Path) -> None:
    """Every name that joblib looks up, also in the pickles within an object array, is listed as it stands in the file."""
    buffer = io.BytesIO()
    objects = np.array([complex(1, 2), range(3), np.float32(1)], dtype=object)
    joblib.dump({"a": objects, "b": np.arange(3.0), "c": slice(1)}, buffer, protocol=protocol)
    loader = _Reached("x", io.BytesIO(buffer.getvalue()), ensure_native_byte_order=False)
    loader.names = set()
    loader.load()
    told = _read(buffer.getvalue(), tmp_path)
    assert loader.names <= {name.reference for name in told.globals}
    assert told.safety.verdict == "safe"


def test_honest_containers_take_items(tmp_path: Path) -> None:
    """A model's own attributes and containers of Python's are filled without a finding."""
    filled = b"ccollections\nOrderedDict\n)R(" + text("a") + b"K\x01u"
    state = state_of(a=filled, b=b"ccollections\ndeque\n)R(K\x01K\x02e", coef_=array(of_type("u1"), b"C\x01A", 1))
    assert _read(P4 + MODEL + state + b"b.", tmp_path).safety.verdict == "safe"
