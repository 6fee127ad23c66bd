"""Warnings about the file itself, of any format: a misleading suffix, a symbolic link, code stored by value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlpack.formats.base import Format
from mlpack.readers.paths import Place, shown
from mlpack.readers.pickles.bytecode import tool_of
from mlpack.readers.pickles.files import SUFFIXES as PICKLES
from mlpack.readers.pickles.values import PickleFile
from mlpack.readers.streams import COMPRESSED_SUFFIXES

# Usual suffixes of files with pickles, by container; a format adds its own. Other containers count as streams.
_ANY: dict[str, tuple[str, ...]] = {
    "stream": (*PICKLES, *COMPRESSED_SUFFIXES, ".bin", ".dat", ""),
    "npy": (".npy",),
    "npz": (".npz",),
    "zip": (".zip", ".npz"),
    "tar": (".tar", ".tgz", ".tbz", ".tbz2", ".txz", *COMPRESSED_SUFFIXES),
}


def remarks(place: Place, pickle: PickleFile | None, formats: Sequence[Format]) -> list[str]:
    """The warnings: a suffix that does not fit the content, a symbolic link."""
    warnings = []
    suffix = place.path.suffix.lower()
    if pickle is not None and suffix not in _usual(pickle.container, formats):
        warnings.append(f"The name ends in {suffix}, but the content is a {pickle.container} file.")
    if place.link:
        warnings.append(f"{shown(place.path)} is a symbolic link to {place.link}; its target was read.")
    return warnings


def _usual(container: str, formats: Sequence[Format]) -> set[str]:
    held = container if container in _ANY else "stream"
    return {*_ANY[held], *(suffix for one in formats for suffix in one.pickle_suffixes.get(held, ()))}


def by_value(pickle: PickleFile | None) -> dict[str, Any]:
    """The card's entry for code stored by value: the tool that wrote it, and the Pythons that may have compiled it."""
    if pickle is None or pickle.pythons is None:
        return {}
    return {"by_value": {"tool": tool_of(pickle.globals) or "pickle", "pythons": list(pickle.pythons)}}
