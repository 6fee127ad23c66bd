"""What a looked-up name resolves to in the sandbox: the real object where reading depends on it, else an inert class."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from tests.fuzz.loaders.events import Events

_PYTHON_2 = {"__builtin__": "builtins", "copy_reg": "copyreg"}
_ELSEWHERE = frozenset(
    [
        "joblib",
        "keras",
        "numpy",
        "pandas",
        "scipy",
        "sklearn",
        "statsmodels",
        "tensorflow",
        "torch",
        "xgboost",
        "lightgbm",
        "catboost",
    ]
)
_CONTAINERS = "list dict set frozenset tuple bytearray bytes str int float complex bool slice range object"
# How many bytes a loader takes from the file depends on these.
_REAL: frozenset[tuple[str, str]] = frozenset(
    {
        *(("builtins", name) for name in _CONTAINERS.split()),
        *(("collections", name) for name in ("OrderedDict", "defaultdict", "deque", "Counter")),
        *(("copyreg", name) for name in ("_reconstructor", "__newobj__", "__newobj_ex__")),
        ("_codecs", "encode"),
        *((f"numpy.{home}.multiarray", name) for home in ("core", "_core") for name in ("_reconstruct", "scalar")),
        *((f"numpy.{home}.numeric", "_frombuffer") for home in ("core", "_core")),
        *(
            ("numpy", name)
            for name in [
                "ndarray",
                "dtype",
                "matrix",
                "recarray",
                "record",
                "void",
                "object_",
                "float64",
                "int64",
                "uint8",
            ]
        ),
        *(("joblib.numpy_pickle", name) for name in ("NumpyArrayWrapper", "NDArrayWrapper", "ZNDArrayWrapper")),
        *(("joblib.numpy_pickle_compat", name) for name in ("NDArrayWrapper", "ZNDArrayWrapper")),
    }
)
_TORCH = frozenset(
    {
        *(("torch._utils", name) for name in ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_parameter")),
        *(
            ("torch", name)
            for name in ["FloatStorage", "LongStorage", "DoubleStorage", "IntStorage", "ByteStorage", "HalfStorage"]
        ),
        ("torch", "Size"),
        ("torch.storage", "UntypedStorage"),
    }
)


def preload(modules: Iterable[str] = ()) -> None:
    """Import what a loader may need, before it is watched: an import later on is an effect."""
    codecs = ("ascii", "latin_1", "raw_unicode_escape", "unicode_escape", "utf_8", "utf_16", "utf_32", "cp437", "idna")
    wanted = {*modules, *(module for module, _ in _REAL | _TORCH), *(f"encodings.{one}" for one in codecs)}
    for module in sorted(wanted):
        with contextlib.suppress(Exception):  # not installed, or not under this name
            importlib.import_module(module)


class InertType(type):
    """The class of the stand-ins for classes: calling one gives an instance, whatever the arguments."""

    events: Events

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG002 - any are accepted
        """Make an instance."""
        made: Any = object.__new__(cls)  # type: ignore[arg-type]  # each class of this kind is one of plain objects
        return made

    def __setstate__(cls, state: Any) -> None:
        """Record that a class itself is given a state."""
        cls.events.add("call", f"class {cls.__module__}.{cls.__qualname__}", "__setstate__")


def _recorder(attribute: str) -> Any:
    def record(self: Any, *args: Any) -> None:  # noqa: ARG001 - any are accepted
        kind = type(self)
        if kind.container:
            return
        kind.events.add("call", f"{kind.__module__}.{kind.__qualname__}", attribute)

    return record


class Inert(metaclass=InertType):
    """An object of a class that is not loaded: accepts all that an unpickler does, and records calls of its methods."""

    events: Events
    container = False  # whether it stands for a kind of list, dict or set, which have these methods, or cannot be known
    can_be_called = True  # whether objects of the real class have `__call__`

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG004 - any are accepted
        """Make an instance, as NEWOBJ does."""
        return object.__new__(cls)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG002 - any are accepted
        """Record that an object which the file made is called; raise TypeError, as Python does, when it cannot be."""
        if not self.can_be_called:
            raise TypeError(f"{type(self).__qualname__!r} object is not callable")
        self.events.add("call", f"{type(self).__module__}.{type(self).__qualname__}", "__call__")
        return object.__new__(type(self))

    def __setstate__(self, state: Any) -> None:
        """Accept BUILD."""

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    append = _recorder("append")
    extend = _recorder("extend")
    add = _recorder("add")
    update = _recorder("update")
    __setitem__ = _recorder("__setitem__")


class Names:
    """Resolves the names of one file, and records each. `real` are further names to take as they are."""

    def __init__(self, events: Events, *, torch: bool = False) -> None:
        self._events, self._torch = events, torch
        self._inert: dict[tuple[str, str], type] = {}
        self.real: frozenset[tuple[str, str]] = frozenset()
        Inert.events = InertType.events = events

    def find(self, module: str, name: str) -> Any:
        """The object for a name, which is recorded."""
        with self._events.paused():
            if "hidden" not in module and not _can_be_there(module.partition(".")[0]):
                raise ModuleNotFoundError(f"No module named {module!a}")
            self._events.add("global", module, name)
            return self._resolved(module, name)

    def _resolved(self, module: str, name: str) -> Any:
        pair = (_PYTHON_2.get(module, module), name)
        if pair in _REAL or (self._torch and pair in _TORCH) or (module, name) in self.real:
            found = _loaded(*pair)
            if found is not None:  # else it is not installed, and stays inert
                return found
        if pair not in self._inert:
            if len(self._inert) > 5000:
                self._inert.clear()
            real = _loaded(*pair)
            container = real is None or (isinstance(real, type) and issubclass(real, (list, dict, set, deque)))
            # What is not installed beside this loader is installed beside another one.
            called = (
                any("__call__" in vars(one) for one in real.__mro__) if isinstance(real, type) else real is not None
            )
            named: dict[str, Any] = {"__module__": ascii(module), "__qualname__": ascii(name)}
            named |= {"container": container, "can_be_called": called}
            self._inert[pair] = InertType("Inert", (Inert,), named)
        return self._inert[pair]


@cache
def _can_be_there(root: str) -> bool:
    """Whether a package can be imported where a model is loaded; where none is, a look-up fails and reaches nothing."""
    if root in sys.modules or root in _PYTHON_2 or root in _ELSEWHERE:
        return True
    try:
        return importlib.util.find_spec(root) is not None
    except (ImportError, ValueError):
        return False


def _loaded(module: str, name: str) -> Any:
    """The object of a name whose module was imported beforehand; None where it was not, or has no such name."""
    found = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found
