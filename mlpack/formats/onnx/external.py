"""The files beside an ONNX file that hold its tensors: which there are, which are missing, and none from outside the folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath

from mlpack.errors import UnreadableModelError, UnsafeModelError
from mlpack.formats.base import Artifact


def companions(artifact: Artifact, locations: Mapping[str, int]) -> Mapping[str, int]:
    """The files by their names relative to the model's folder, with their sizes in bytes; `locations` has the bytes they need.

    Raises UnsafeModelError when a name leads out of the folder, UnreadableModelError when a file is missing or too short.
    """
    names = sorted(locations)
    outside = [name for name in names if not _is_inside(name)]
    sizes = {} if outside else {name: _size(artifact, name) for name in names}
    outside += [name for name, size in sizes.items() if size == _OUTSIDE]
    if outside:
        raise UnsafeModelError(
            f"{artifact.name} reads tensors from outside its folder: {', '.join(outside[:3])}.",
            hint="Do not load this file; ask its author where it comes from.",
        )
    missing = [name for name, size in sizes.items() if size == _MISSING]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise UnreadableModelError(
            f"{artifact.name} lacks external data files: {', '.join(missing[:3])}{more}.",
            hint="Put them next to the model, under these names.",
            info={"contents": [{"key": name, "kind": "missing", "servable": False, "detail": ""} for name in missing]},
        )
    short = [name for name, size in sizes.items() if size < locations[name]]
    if short:
        raise UnreadableModelError(
            f"{artifact.name} has tensors in {short[0]}, which is too short for them.",
            hint="Download the external data files again.",
        )
    return sizes


_MISSING, _OUTSIDE = -2, -3
_OWN_MEMORY = "_ORT_MEM_ADDR_"  # onnxruntime's own mark: what follows as an offset is an address in its memory


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    printable = all(32 <= ord(letter) != 127 for letter in name)
    inside = not path.is_absolute() and ".." not in path.parts and "\\" not in name and not PureWindowsPath(name).drive
    return bool(name) and printable and inside and _OWN_MEMORY not in name


def _size(artifact: Artifact, name: str) -> int:
    if artifact.packed is not None and artifact.tree is not None:
        folder = artifact.packed.rpartition("/")[0]
        return artifact.tree.sizes.get((PurePosixPath(folder) / name).as_posix(), _MISSING)
    beside = artifact.path.parent / name
    if not beside.is_file():
        return _MISSING
    # A link that leads to where the model itself lies is a download cache's; one that leads elsewhere is not followed.
    places = (artifact.path.parent.resolve(), artifact.path.resolve().parent)
    real = beside.resolve()
    return real.stat().st_size if any(real.is_relative_to(place) for place in places) else _OUTSIDE
