"""The guard in the image: a model file reaches the names in the card and nothing else, whatever inspection called it."""

from __future__ import annotations

import importlib
import importlib.util
import io
import pickle
import struct
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import joblib
import numpy as np
import pytest
from joblib import numpy_pickle

from mlpack.readers.pickles.files import read_pickles
from mlpack.runtime.models.guard import Guard, NotInspectedError
from tests.contract.served import SKLEARN_LOADER
from tests.hostile import P4, call, look_up, text
from tests.loading import module_at

ORDERED = OrderedDict(a=1)


def loader_module() -> ModuleType:
    return module_at(SKLEARN_LOADER, "loader_with_guard")


def listed(path: Path) -> Guard:
    """The guard of a card that lists what inspection found in the file."""
    pickles = read_pickles(path)
    assert pickles is not None
    return Guard({"globals": [name.reference for name in pickles.globals]})


def evil(canary: Path) -> bytes:
    """A pickle that makes a file when it is loaded."""
    return P4 + call(look_up("os", "system"), text(f"touch {canary}")) + b"."


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Callable[[str, str], Path]]:
    """Writes a module of the user's code and puts it on the path; the modules are forgotten afterwards."""
    folder = tmp_path / "code"
    folder.mkdir()
    sys.path.insert(0, str(folder))
    made: list[str] = []

    def write(name: str, source: str) -> Path:
        (folder / f"{name}.py").write_text(source)
        importlib.invalidate_caches()
        made.append(name)
        return folder

    yield write
    sys.path.remove(str(folder))
    for name in made:
        sys.modules.pop(name, None)


@pytest.mark.parametrize("protocol", range(6))
def test_listed_names_are_resolved(protocol: int) -> None:
    """A pickle of any protocol loads when the card lists its names, as the stream writes them."""
    data = pickle.dumps(ORDERED, protocol)
    names = ["collections:OrderedDict"]
    assert Guard({"globals": names}).pickle.loads(data) == ORDERED
    assert Guard({"globals": names}).pickle.load(io.BytesIO(data)) == ORDERED


@pytest.mark.parametrize(
    "names", [[], ["collections:deque"], ["collections.OrderedDict"], ["collections:OrderedDict.x"]]
)
def test_other_names_are_refused(names: list[str]) -> None:
    """A name that is not listed exactly, module and name apart, ends the loading with the name in one line."""
    with pytest.raises(NotInspectedError, match=r"asks for collections:OrderedDict, which inspection did not see"):
        Guard({"globals": names}).pickle.loads(pickle.dumps(ORDERED))


def test_names_are_escaped() -> None:
    """A name with a line break, which would start a line of its own in a log, is shown escaped."""
    with pytest.raises(NotInspectedError) as caught:
        Guard({}).check("types", ["a\n::error::b", "c"])
    assert str(caught.value) == r"the model file asks for a\n::error::b, c, which inspection did not see (types)"


def test_many_names_make_a_short_message() -> None:
    """Five names are shown, and how many more there are."""
    with pytest.raises(NotInspectedError, match="op12 and 95 more, which"):
        Guard({"operators": ["fine"]}).check("operators", [*(f"op{number}" for number in range(100)), "fine"])


@pytest.mark.parametrize("name", ["os.system", "helper", "run"])
def test_the_users_code_lends_only_what_it_defines(own: Callable[[str, str], Path], name: str) -> None:
    """A listed name of the user's module that the module imported from elsewhere is refused; what it defines is not."""
    folder = own(
        "mine", "import os\nfrom shutil import copy as helper\nfrom os import system as run\nclass Cleaner: ...\n"
    )
    guard = Guard({"globals": [f"mine:{name}", "mine:Cleaner"]}, [folder])
    assert guard.pickle.loads(b"cmine\nCleaner\n.").__name__ == "Cleaner"
    with pytest.raises(NotInspectedError, match=f"asks for mine.{name}, which is not defined in the user's code"):
        guard.pickle.loads(P4 + look_up("mine", name) + b".")


def test_the_users_modules_lend_each_others_classes(own: Callable[[str, str], Path]) -> None:
    """A class that one of the user's modules defines may be named through another of theirs, and through `__main__`."""
    folder = own("parts", "class Cleaner:\n    class Inner: ...\n")
    own("whole", "from parts import Cleaner\n")
    guard = Guard({"globals": ["whole:Cleaner", "parts:Cleaner.Inner"]}, [folder])
    assert guard.pickle.loads(b"cwhole\nCleaner\n.").__name__ == "Cleaner"
    assert guard.pickle.loads(P4 + look_up("parts", "Cleaner.Inner") + b".").__name__ == "Inner"


def test_a_package_without_a_file_lends_nothing_of_others(own: Callable[[str, str], Path]) -> None:
    """A folder of the user's that is a namespace package is the user's code too: names of others are not reached by it."""
    folder = own("unused", "")
    (folder / "space").mkdir()
    (folder / "space" / "inner.py").write_text("import os\nclass Cleaner: ...\n")
    guard = Guard({"globals": ["space:inner.os.system", "space:inner.Cleaner", "space.inner:Cleaner"]}, [folder])
    assert guard.pickle.loads(b"cspace.inner\nCleaner\n.").__name__ == "Cleaner"
    assert guard.pickle.loads(P4 + look_up("space", "inner.Cleaner") + b".").__name__ == "Cleaner"
    with pytest.raises(NotInspectedError, match=r"space\.inner\.os\.system, which is not defined"):
        guard.pickle.loads(P4 + look_up("space", "inner.os.system") + b".")


def test_main_lends_nothing_of_the_server() -> None:
    """`__main__` in the image is the server's program: its own functions and modules cannot be named by a file."""
    guard = Guard({"globals": ["__main__:sys", "__main__:os.system"]})
    main = sys.modules["__main__"]
    main.sys = sys  # type: ignore[attr-defined]
    with pytest.raises(NotInspectedError, match="not defined in the user's code"):
        guard.pickle.loads(b"c__main__\nsys\n.")


def files(folder: Path, canary: Path) -> Iterator[tuple[str, Path]]:
    """Files that run a command when they are loaded without a guard: each by another way to unpickle."""

    class Evil:
        def __reduce__(self) -> Any:
            import os

            return os.system, (f"touch {canary}",)

    plain = folder / "plain.pkl"
    plain.write_bytes(evil(canary))
    yield "plain", plain
    for name, compress in (("joblib", 0), ("compressed", 3), ("lzma", "lzma")):
        path = folder / f"{name}.joblib"
        joblib.dump({"marker": np.arange(4), "evil": Evil()}, path, compress=compress)
        yield name, path
    nested = folder / "nested.joblib"
    joblib.dump({"objects": np.array([Evil(), 1], dtype=object)}, nested)
    yield "the pickle of an object array", nested
    old = folder / "old.joblib"
    np.save(folder / "old_01.npy", np.array([Evil()], dtype=object))
    wrapper = b"cjoblib.numpy_pickle\nNDArrayWrapper\n)\x81}(" + b"".join(
        (text("filename"), text("old_01.npy"), text("subclass"), b"cnumpy\nndarray\n", text("allow_mmap"), b"\x89")
    )
    old.write_bytes(b"\x80\x02" + wrapper + b"ub.")
    yield "an array file beside it, as joblib before 0.10 wrote", old


@pytest.mark.filterwarnings("ignore:The file .* has been generated with a joblib version less than 0.10")
def test_every_way_to_unpickle_is_guarded(tmp_path: Path, subtests: pytest.Subtests) -> None:
    """With inspection's verdict overridden the loader refuses a name that is not listed, however joblib or numpy read it.

    The same files do run their command without a guard: the test can fail.
    """
    canary = tmp_path / "canary"
    loader = loader_module()
    for name, path in files(tmp_path, canary):
        with subtests.test(name):
            everything = [one for one in listed(path)._names["globals"] if not one.endswith(":system")]
            with pytest.raises(NotInspectedError, match=r"asks for (os|posix):system, which inspection did not see"):
                loader.load(str(path), {}, Guard({"globals": everything}))
            assert not canary.exists()
            if name == "plain":
                pickle.loads(path.read_bytes())
            else:
                joblib.load(path)
            assert canary.exists(), "the file is harmless: it proves nothing"
            canary.unlink()


def test_bytes_behind_a_frame_are_guarded(tmp_path: Path) -> None:
    """Opcodes that joblib reads, and a reader that follows frames does not, cannot reach a name that is not listed."""
    canary = tmp_path / "canary"

    def frame(data: bytes) -> bytes:
        return b"\x95" + struct.pack("<Q", len(data)) + data

    command = f"touch {canary}".encode()
    hidden = b"0cos\nsystem\nX" + struct.pack("<I", len(command)) + command + b"\x85R0"
    hidden += b"N0" * (len(hidden) % 2)
    wrapper = (
        b"cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}(" + text("subclass") + b"cnumpy\nndarray\n" + text("shape")
        + b"K\x01\x85" + text("order") + text("C") + text("dtype") + b"cnumpy\ndtype\n" + text("u1") + b"\x89\x88\x87R"
        + text("allow_mmap") + b"\x89" + text("numpy_array_alignment_bytes") + b"Nub"
    )  # fmt: skip
    path = tmp_path / "m.joblib"
    path.write_bytes(P4 + frame(wrapper) + b"\xff" + frame(hidden) + b"N.")
    guard = Guard({"globals": ["joblib.numpy_pickle:NumpyArrayWrapper", "numpy:ndarray", "numpy:dtype"]})
    with pytest.raises(NotInspectedError, match="asks for os:system"):
        loader_module().load(str(path), {}, guard)
    assert not canary.exists()


def test_joblib_is_left_as_it_was(tmp_path: Path) -> None:
    """The guard is in joblib only while a model loads: the user's own code reads its own files later."""
    before = numpy_pickle.NumpyUnpickler
    joblib.dump({"values": np.arange(3)}, tmp_path / "m.joblib")
    loader_module().load(str(tmp_path / "m.joblib"), {}, listed(tmp_path / "m.joblib"))
    with pytest.raises(NotInspectedError):
        loader_module().load(str(tmp_path / "m.joblib"), {}, Guard({}))
    assert numpy_pickle.NumpyUnpickler is before
    assert numpy_pickle.pickle is pickle
