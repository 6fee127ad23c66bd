"""Reads the file: a pickle, joblib's or skops' form of one, each under the guard; and picks an object out of a bundle."""

from __future__ import annotations

import importlib
import json
import mmap
import re
import zipfile
from typing import Any, Dict, List, Mapping

_COMPRESSED = re.compile(rb"\x1f\x8b|x[\x01\x5e\x9c\xda]|BZh|\xfd7zXZ\x00|\]\x00\x00|\x04\x22M\x18|ZF")
_JOBLIB_MARK = b"ArrayWrapper"  # Numpy..., ND... and ZNDArrayWrapper
_STEP = re.compile(r"[^.\[\]]+")


def read(path: str, trusted: Any, entry: Any, guard: Any) -> Any:
    """The object in the file, or the one at `entry` in it.

    `trusted` is there for a skops file, of which the guard lists all types.
    """
    return _pick(_unpickle(path, trusted, guard), entry)


def _unpickle(path: str, trusted: Any, guard: Any) -> Any:
    """What the file holds; `trusted` is there for a skops file, of which the guard lists all types."""
    if trusted is not None:
        return _skops(path, guard)
    with open(path, "rb") as file:  # noqa: PTH123 - a loader stays plain
        if not _is_joblib(file):
            return guard.pickle.load(file)
    joblib = importlib.import_module("joblib")
    with guard.around("joblib.numpy_pickle", "numpy.lib"):  # object arrays are pickles that numpy reads
        return joblib.load(path)


def _skops(path: str, guard: Any) -> Any:
    """What a skops file holds; the guard raises when its schema names what the card does not list."""
    names: List[str] = []

    def note(part: Dict[str, Any]) -> Dict[str, Any]:
        names.extend([f"{part.get('__module__')}:{part['__class__']}"] if "__class__" in part else ())
        return part

    with zipfile.ZipFile(path) as archive:
        if len(set(archive.namelist())) < len(archive.namelist()):
            raise ValueError("the archive holds two files of the same name")
        json.loads(archive.read("schema.json"), object_hook=note)
    guard.check("types", names)
    guard.check_own(names)
    trusted = [name.replace(":", ".") for name in guard.listed("types")]
    return importlib.import_module("skops.io").load(path, trusted=trusted)


def _is_joblib(file: Any) -> bool:
    """Whether joblib wrote the file: plain pickles load several times faster by pickle itself."""
    if _COMPRESSED.match(file.peek(6)):
        return True
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(_JOBLIB_MARK) >= 0


def _pick(found: Any, entry: Any) -> Any:
    if entry in (None, ""):
        return found
    try:
        return _member(found, entry)
    except (KeyError, IndexError, TypeError, ValueError):
        for step in _STEP.findall(str(entry)):
            found = _member(found, step.strip("'\""))
        return found


def _member(found: Any, key: Any) -> Any:
    if isinstance(found, (Mapping, list, tuple)):
        return found[key] if isinstance(found, Mapping) and key in found else found[int(key)]
    return getattr(found, str(key))
