"""Models inside a folder or an archive: which folders and files of a Tree to ask the formats about, and their answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from mlpack.artifacts.model import ModelInfo
from mlpack.errors import MlpackError
from mlpack.readers.limits import CutOffError
from mlpack.readers.paths import HEAD
from mlpack.readers.trees import Tree

# Endings of models that lie in an archive as a file of their own; pickles are read where they lie (see readers/pickles.py).
_SUFFIXES = frozenset({
    ".onnx", ".tflite", ".h5", ".hdf5", ".keras", ".cbm", ".ubj", ".safetensors", ".json", ".txt", ".model", ".pb", ".gguf",
    ".bin", ".ftz", ".mlmodel", ".pmml",
})  # fmt: skip
_DEPTH = 3
_MOST_FOLDERS = 200
_MOST_FILES = 40


@dataclass(frozen=True, kw_only=True)
class Inside:
    """A model in a tree: the name of its folder or file below the root, and what it is, or why that cannot be told."""

    name: str
    info: ModelInfo | None = None
    error: MlpackError | None = None


def folders_inside(tree: Tree, ask: Callable[[Tree, str], ModelInfo | None]) -> list[Inside]:
    """The folders that are models, outermost first; `ask(the folder's tree, its name)`. Nothing below a model is asked."""
    found: list[Inside] = []
    for folder in _folders(tree):
        if any(folder.startswith(f"{one.name}/") for one in found):
            continue
        try:
            info = ask(tree.below(folder), folder)
        except MlpackError as error:
            found.append(Inside(name=folder, error=error))
        else:
            if info is not None:
                found.append(Inside(name=folder, info=info))
    return found


def files_inside(tree: Tree, ask: Callable[[Tree, str, int, bytes], ModelInfo | None]) -> list[Inside]:
    """The files that are models; `ask(tree, name, size, first bytes)`. A lone compressed file is asked whatever its name."""
    likely = [
        name for name in tree.names if tree.container == "packed" or PurePosixPath(name).suffix.lower() in _SUFFIXES
    ]
    asked = (_asked(tree, name, ask) for name in likely[:_MOST_FILES])
    return [one for one in asked if one is not None]


def _asked(tree: Tree, name: str, ask: Callable[[Tree, str, int, bytes], ModelInfo | None]) -> Inside | None:
    try:
        info = ask(tree, name, tree.sizes[name], tree.read(name, HEAD))
    except CutOffError:
        return None  # what cannot be unpacked is told where the archive is unknown
    except MlpackError as error:
        return Inside(name=name, error=error)
    return None if info is None else Inside(name=name, info=info)


def _folders(tree: Tree) -> Iterator[str]:
    """Every folder of the tree to a depth of three, outermost first, sorted."""
    seen: set[str] = set()
    for name in tree.names:
        parts = name.split("/")[:-1][:_DEPTH]
        seen.update("/".join(parts[:count]) for count in range(1, len(parts) + 1))
    yield from sorted(seen, key=lambda folder: (folder.count("/"), folder))[:_MOST_FOLDERS]
