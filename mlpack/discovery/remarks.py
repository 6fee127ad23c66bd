"""What is said of a model's file itself, whatever the model is: a name that promises something else, a link, code by value."""

from __future__ import annotations

from typing import Any

from mlpack.readers.paths import Place, shown
from mlpack.readers.pickles.bytecode import tool_of
from mlpack.readers.pickles.values import PickleFile

_PICKLES = (".pkl", ".pickle", ".joblib", ".jbl", ".sav", ".p", ".pk")
_PACKED = (".gz", ".gzip", ".z", ".bz2", ".xz", ".lzma", ".lz4")
_TORCH = (".pt", ".pth", ".pt2", ".jit", ".ts", ".ckpt", ".tar", ".t7")
_ANY = (*_PICKLES, *_PACKED, *_TORCH, ".model", ".mdl", ".bin", ".dat", ".clf", ".est", ".skl", "")
_BY_CONTAINER = {
    "npy": (".npy",),
    "npz": (".npz", ".skops"),  # skops keeps its arrays like that
    "zip": (".zip", *_TORCH, ".bin", ".npz", ".skops", ".keras", ".mar"),
    "tar": (".tar", ".tgz", ".tbz", ".tbz2", ".txz", *_PACKED),
}


def remarks(place: Place, pickle: PickleFile | None) -> list[str]:
    """Warnings about the file itself: a name that promises something else, a link."""
    told = []
    suffix = place.path.suffix.lower()
    if pickle is not None and suffix not in _BY_CONTAINER.get(pickle.container, _ANY):
        told.append(f"The name ends in {suffix}, but the content is a {pickle.container} file.")
    if place.link:
        told.append(f"{shown(place.path)} is a symbolic link to {place.link}; the file it leads to was read.")
    return told


def by_value(pickle: PickleFile | None) -> dict[str, Any]:
    """What is told of code that the file carries itself: who wrote it, which Pythons may have compiled it."""
    if pickle is None or pickle.pythons is None:
        return {}
    return {"by_value": {"tool": tool_of(pickle.globals) or "pickle", "pythons": list(pickle.pythons)}}
