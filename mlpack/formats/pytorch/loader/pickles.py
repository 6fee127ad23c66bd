"""Files of torch.save, read by torch with the guard's names alone."""

from __future__ import annotations

import importlib
import inspect
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, List, Optional

import torch

_torch_load = torch.load
_ZIP = b"PK\x03\x04"


def unpickled(file: Any, guard: Any, *, weights: bool = False) -> Any:
    """What `torch.save` wrote: tensors by torch's own reader of weights, all else by names that the guard lists."""
    if "constants.pkl" in {name.lower() for name in records_of(file)}:  # torch.load would hand it to torch.jit.load
        raise ValueError("the file is TorchScript, and was taken for another kind: inspect it again")
    chosen = "weights_only" in inspect.signature(_torch_load).parameters  # since torch 1.13
    if weights and chosen:
        try:
            return _torch_load(file, map_location="cpu", weights_only=True)
        except Exception:  # noqa: BLE001 - whatever it is: the file holds more than tensors, or is broken for all readers
            file.seek(0) if hasattr(file, "seek") else None
    how = {"weights_only": False} if chosen else {}
    return _torch_load(file, map_location="cpu", pickle_module=_pickle_of(guard), **how)


def _pickle_of(guard: Any) -> Any:
    """The guard's pickle module as torch needs it: of a module that torch renamed it looks up the new name."""

    class Unpickler(guard.pickle.Unpickler):  # type: ignore[misc]  # a class that the guard made
        def find_class(self, module: str, name: str, /) -> Any:
            if module == "torch._tensor" and f"torch.tensor:{name}" in guard.listed("globals"):
                return getattr(importlib.import_module(module), name)
            return super().find_class(module, name)

    made = type(guard.pickle)("mlpack_guarded_pickle_of_torch")
    vars(made).update({**vars(guard.pickle), "__name__": made.__name__, "Unpickler": Unpickler})
    return made


@contextmanager
def only_listed(guard: Any) -> Iterator[None]:
    """While torch.export reads a program, the pickles in it resolve the guard's names alone."""
    try:
        package = importlib.import_module("torch.export.pt2_archive._package")
    except ImportError:  # before torch 2.8
        package = None
    kept = getattr(package, "pickle", None)

    def guarded(file: Any, *_: Any, **__: Any) -> Any:
        return unpickled(file, guard, weights=True)

    torch.load = guarded
    if kept is not None:
        vars(package)["pickle"] = guard.pickle
    try:
        yield
    finally:
        torch.load = _torch_load
        if kept is not None:
            vars(package)["pickle"] = kept


def records_of(file: Any) -> List[str]:
    """The names of a zip's members as torch reads them; none of a file of another kind. `file` may be open already."""
    if isinstance(file, str):
        with Path(file).open("rb") as opened:
            head = opened.read(4)
        return list(reader_of(file).get_all_records()) if head == _ZIP else []
    head = file.read(4)
    file.seek(0)
    names = list(reader_of(file).get_all_records()) if head == _ZIP else []
    file.seek(0)
    return names


def reader_of(file: Any) -> Any:
    """Torch's own reader of its archives, which is the one that its loaders use."""
    return torch._C.PyTorchFileReader(file)  # noqa: SLF001 - no other name reaches it


def picked(held: Any, key: Optional[str]) -> Any:
    """What lies at a key of what was saved, at a place of a list or tuple; all of it without a key."""
    if not key:
        return held
    return held[int(key)] if isinstance(held, (list, tuple)) else held[key]
