"""The loaders of pickles: Python's two unpicklers, joblib, numpy; each with a `find_class` that only records."""

from __future__ import annotations

import hashlib
import io
import pickle
import types
import zipfile
from typing import Any

from tests.fuzz.loaders.events import Events
from tests.fuzz.loaders.groups import Loader
from tests.fuzz.loaders.standins import Names


def recording_pickle(names: Names) -> Any:
    """A module with pickle's interface whose unpicklers record the names that they look up."""

    class Native(pickle.Unpickler):
        def find_class(self, module: str, name: str, /) -> Any:
            return names.find(module, name)

    class Python(pickle._Unpickler):  # the unpickler in Python, which joblib builds on
        def find_class(self, module: str, name: str) -> Any:
            return names.find(module, name)

    module = types.ModuleType("recording_pickle")
    for name in dir(pickle):
        if not name.startswith("__"):
            setattr(module, name, getattr(pickle, name))
    module.Unpickler, module._Unpickler = Native, Python  # type: ignore[attr-defined]
    module.load = lambda file, **how: Native(file, **how).load()  # type: ignore[attr-defined]
    module.loads = lambda data, **how: Native(io.BytesIO(data), **how).load()  # type: ignore[attr-defined]
    return module


def loaders(events: Events) -> dict[str, Loader]:
    """By name; `NAME*` resolves all names that inspection allowed to the real objects."""
    names = Names(events)
    recording = recording_pickle(names)
    joblib = _recording_joblib(names)
    numpy = _recording_numpy(recording)
    found: dict[str, Loader] = {
        "pickle": lambda path, _: _unpickled(path, recording.Unpickler),
        "pickle.py": lambda path, _: _unpickled(path, recording._Unpickler),
        "joblib": lambda path, _: _dropped(joblib.load(path)),
        "joblib.mmap": lambda path, _: _dropped(joblib.load(path, mmap_mode="r")),
        "numpy": lambda path, _: _by_numpy(path, numpy),
        "members": lambda path, _: _members(path, recording),
        "zipfile": lambda path, _: _digests(path),
    }
    return {**found, "pickle*": _really(found["pickle"], names), "joblib*": _really(found["joblib"], names)}


def _unpickled(path: str, unpickler: Any) -> None:
    with open(path, "rb") as file:  # noqa: PTH123 - as a loader does
        unpickler(file).load()


def _dropped(value: Any) -> None:
    """Forget what was loaded, while what that does is still watched."""
    del value


def _by_numpy(path: str, numpy: Any) -> None:
    found = numpy.load(path, allow_pickle=True)
    if isinstance(found, numpy.lib.npyio.NpzFile):
        for name in found.files:
            found[name]


def _members(path: str, recording: Any) -> None:
    with zipfile.ZipFile(path) as archive:
        for one in archive.infolist():
            data = archive.read(one)
            if one.filename.endswith((".pkl", ".pickle", ".joblib")):
                recording.Unpickler(io.BytesIO(data)).load()


def _digests(path: str) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        return {one.filename: hashlib.sha256(archive.read(one)).hexdigest() for one in archive.infolist()}


def _really(loader: Loader, names: Names) -> Loader:
    def load(path: str, request: dict[str, Any]) -> None:
        names.real = frozenset((module, name) for module, name in request.get("real", ()))
        try:
            loader(path, request)
        finally:
            names.real = frozenset()

    return load


def _recording_joblib(names: Names) -> Any:
    import joblib
    from joblib import numpy_pickle, numpy_pickle_compat

    class Unpickler(numpy_pickle.NumpyUnpickler):  # type: ignore[misc]  # joblib has no types
        def find_class(self, module: str, name: str) -> Any:
            return names.find(module, name)

    class Compatible(numpy_pickle_compat.ZipNumpyUnpickler):  # type: ignore[misc]  # joblib has no types
        def find_class(self, module: str, name: str) -> Any:
            return names.find(module, name)

    numpy_pickle.NumpyUnpickler = Unpickler
    numpy_pickle_compat.ZipNumpyUnpickler = Compatible
    # Loaders import some modules when they first need them; here that must happen before they are watched.
    joblib.dump({"a": 1}, warm := io.BytesIO(), compress=("lz4", 3))
    warm.seek(0)
    joblib.load(warm)
    return joblib


def _recording_numpy(recording: Any) -> Any:
    import numpy as np
    from numpy.lib import _format_impl, _npyio_impl

    for module in (_format_impl, _npyio_impl):
        vars(module)["pickle"] = recording
    np.savez(warm := io.BytesIO(), a=np.array([None], dtype=object), b=np.zeros(2))
    warm.seek(0)
    with np.load(warm, allow_pickle=True) as found:
        found["a"].copy(), found["b"].copy()
    return np
