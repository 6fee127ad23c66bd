"""A fuzzer that cannot fail is worth nothing: with a blind inspection every oracle fails."""

from __future__ import annotations

import os
import resource
import signal
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz.cases import Failure, generator
from tests.fuzz.generators import archives, hdf5, pickles, protobufs
from tests.fuzz.generators.protobufs import varint
from tests.fuzz.inspection import Seen, Watch
from tests.fuzz.loaders.client import Loaders
from tests.fuzz.oracles.hdf5 import differences as hdf5_differences
from tests.fuzz.oracles.protobufs import onnx_differences
from tests.fuzz.oracles.reaching import broken_promises

_BLIND = Seen(verdict="safe")
_HIDDEN_IN_FRAME = b"\x80\x04\x95\x0b\0\0\0\0\0\0\0cos\nsystem\n0N."
# numpy takes an object's pointer out of these bytes: the flags of its dtype deny that it holds objects.
_POINTER = (
    b"\x80\x04cnumpy._core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R(K\x01K\x01\x85"
    b"cnumpy\ndtype\n\x8c\x02O8\x89\x88\x87R(K\x03\x8c\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x01tb"
    b"\x89C\x08" + b"\x41" * 8 + b"tb."
)


@pytest.fixture(scope="module")
def loaders() -> Iterator[Loaders]:
    """The loaders of pickles."""
    found = Loaders(group="pickles", modules=("os", "datetime", "collections"))
    yield found
    found.stop()


@pytest.mark.parametrize("loader", ["pickle", "pickle.py", "joblib", "numpy"])
def test_a_name_that_inspection_does_not_list_is_a_failure(loader: str, loaders: Loaders, tmp_path: Path) -> None:
    """Each loader's names are recorded, none is resolved, and one that is not listed fails."""
    path = _file(tmp_path, _HIDDEN_IN_FRAME)
    reached = loaders.run(path, [loader])
    assert [one.promise for one in broken_promises(_BLIND, reached)] == ["unlisted"]
    listed = Seen(verdict="unknown", globals=frozenset({("os", "system")}))
    assert not list(broken_promises(listed, reached))


def test_a_loader_that_ends_between_two_files_mixes_up_no_answers(loaders: Loaders, tmp_path: Path) -> None:
    """A process that is ended too late, when it has answered, costs no file its own answer."""
    for name in ("system", "popen", "getcwd"):
        reached = loaders.run(_file(tmp_path, b"cos\n%s\n." % name.encode()), ["pickle", "joblib"])
        assert [one.globals for one in reached] == [{("os", name)}] * 2
        os.kill(loaders._serving, signal.SIGKILL)


def test_a_file_that_inspection_refuses_may_hold_anything(loaders: Loaders, tmp_path: Path) -> None:
    """Nothing is promised of what no image can be built of."""
    reached = loaders.run(_file(tmp_path, _HIDDEN_IN_FRAME), ["pickle"])
    assert not list(broken_promises(Seen(verdict="dangerous"), reached))
    assert not list(broken_promises(Seen(verdict="unreadable"), reached))


def test_an_effect_is_stopped_and_is_a_failure(loaders: Loaders, tmp_path: Path) -> None:
    """Were os.system on the allow-list, the command would not run, and the fuzzer would say so."""
    canary = tmp_path / "canary"
    command = f"touch {canary}".encode()
    path = _file(tmp_path, b"cos\nsystem\nX" + struct.pack("<I", len(command)) + command + b"\x85R.")
    reached = loaders.run(path, ["pickle*"], real=[["os", "system"]])
    listed = Seen(verdict="safe", globals=frozenset({("os", "system")}))
    assert [one.key for one in broken_promises(listed, reached)] == ["effect os.system"]
    assert not canary.exists()


def test_a_file_that_is_opened_beside_the_input_is_a_failure(loaders: Loaders, tmp_path: Path) -> None:
    """joblib's old wrappers name files: opening one is an effect."""
    state = b"}(X\x08\0\0\0filenameX\x0b\0\0\0/etc/passwdX\x08\0\0\0subclassNu"
    path = _file(tmp_path, b"\x80\x02cjoblib.numpy_pickle_compat\nNDArrayWrapper\n)\x81" + state + b"b.")
    assert "open" in {one.about for one in broken_promises(_BLIND, loaders.run(path, ["joblib"]))}


def test_a_loader_that_crashes_is_a_failure(loaders: Loaders, tmp_path: Path) -> None:
    """The process ends, a new one takes its place, and the file is to blame."""
    reached = loaders.run(_file(tmp_path, _POINTER), ["pickle", "pickle.py"])
    promises = [one.promise for one in broken_promises(_BLIND, reached)]
    assert "crash" in promises
    assert loaders.run(_file(tmp_path, b"N."), ["pickle"])[0].status == "loaded"


def test_a_call_of_a_method_is_a_failure(loaders: Loaders, tmp_path: Path) -> None:
    """APPENDS on an object that is no list calls its `extend`, whatever that is."""
    path = _file(tmp_path, b"\x80\x02cdatetime\ndate\n)\x81(K\x01e.")
    failures = {one.key for one in broken_promises(_BLIND, loaders.run(path, ["pickle"]))}
    assert failures == {"unlisted", "call extend"}
    bunch = _file(tmp_path, b"\x80\x02ccollections\nUserDict\n)\x81(K\x01K\x01u.")
    assert "call __setitem__" in {one.key for one in broken_promises(_BLIND, loaders.run(bunch, ["pickle"]))}
    counter = _file(tmp_path, b"\x80\x02ccollections\nCounter\n)\x81(K\x01K\x01u.")
    assert {one.key for one in broken_promises(_BLIND, loaders.run(counter, ["pickle"]))} == {"unlisted"}


def test_other_attributes_of_an_hdf5_file_are_a_failure() -> None:
    """What h5py sees and inspection does not, by name or by value."""
    there = {"attributes": {"": {"model_config": "evil", "a": 1}}, "datasets": {"w": [2]}, "outside": ["w"]}
    here = {"attributes": {"": {"model_config": "good"}}, "datasets": {}, "outside": []}
    assert len(list(hdf5_differences(here, there))) == 4
    assert not list(hdf5_differences(there, there))


def test_other_operators_of_a_model_are_a_failure(tmp_path: Path) -> None:
    """What onnx sees and inspection does not."""
    node = varint(4 << 3 | 2) + b"\x04PyOp"
    graph = varint(1 << 3 | 2) + varint(len(node)) + node
    path = _file(tmp_path, b"\x08\x08" + varint(7 << 3 | 2) + varint(len(graph)) + graph)
    onnx = Loaders(group="onnx")
    try:
        found = onnx.run(path, ["onnx"])[0].found
    finally:
        onnx.stop()
    here: dict[str, list[list[str]]] = {"operators": [], "functions": [], "external": []}
    assert [one.about for one in onnx_differences(here, found)] == ["operators"]
    assert not list(onnx_differences({**here, "operators": [["", "PyOp"]]}, found))


def test_an_inspection_that_fails_takes_long_or_much_is_a_failure() -> None:
    """Only inspection's own errors are answers."""
    watch = Watch(longest=0.2)
    watch.start()

    def broken() -> Seen:
        raise AttributeError("no such thing")

    def endless() -> Seen:
        while True:
            pass

    def greedy() -> Seen:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # of tests that ran in this process before
        return Seen(verdict="safe", facts=len(b"x" * (peak + (600 << 20))))

    def runs_code() -> Seen:
        exec(compile("1", "<file>", "exec"))
        return _BLIND

    failures: list[Failure] = [one for work in (broken, endless, greedy, runs_code) for one in watch.run(work).failures]
    assert [one.promise for one in failures][:2] == ["exception", "slow"]
    assert {"memory", "inspection-effect"} <= {one.promise for one in failures}


@pytest.mark.parametrize(
    ("kind", "module"),
    [
        pytest.param("pickle", pickles, marks=pytest.mark.slow),  # its seeds take seconds to make
        ("zip", archives),
        ("hdf5", hdf5),
        ("protobuf", protobufs),
    ],
)
def test_a_number_gives_the_same_input_again(kind: str, module: object) -> None:
    """An input is known by its kind and number."""
    make = module.make  # type: ignore[attr-defined]  # each generator has one
    assert [make(generator(kind, number)) for number in range(20)] == [
        make(generator(kind, number)) for number in range(20)
    ]


def _file(folder: Path, data: bytes) -> Path:
    path = folder / "input.pkl"
    path.write_bytes(data)
    return path
