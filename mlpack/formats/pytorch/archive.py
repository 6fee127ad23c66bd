"""torch's zip archives: the one folder that everything lies in, and which of torch's writers made them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from mlpack.formats.base import Artifact
from mlpack.readers.archives.trees import Tree
from mlpack.readers.limits import CutOffError
from mlpack.readers.pickles.values import PickleFile

Kind = Literal["torchscript", "saved", "exported", "package"]
_PROGRAMS = ("serialized_exported_program.json",)  # torch 2.1 to 2.6; later ones lie in models/


@dataclass(frozen=True, kw_only=True)
class TorchArchive:
    """An archive of torch's: `tree` has the folder that everything lies in as its root; `pickles` by name below it."""

    kind: Kind
    tree: Tree
    pickles: dict[str, Any]
    program: str = ""  # of an exported one, the file that holds it

    def text(self, name: str, limit: int) -> str:
        """A file's text, at most `limit` bytes of it; "" when it is not there or cannot be read."""
        try:
            return self.tree.read(name, limit).decode("utf-8", "replace") if name in self.tree else ""
        except CutOffError:
            return ""


def open_archive(artifact: Artifact) -> TorchArchive | None:
    """The archive when torch wrote it; None for any other zip, and for what is no zip."""
    tree, pickle = artifact.tree, artifact.pickle
    if tree is None or tree.container != "zip" or artifact.packed is not None or not tree.names:
        return None
    prefix = _prefix(tree)
    if prefix is None:
        return None
    root = tree.below(prefix)
    program = _program(root)
    kind = _kind(root, program)
    if kind is None:
        return None
    return TorchArchive(kind=kind, tree=root, pickles=_pickles(pickle, prefix), program=program)


def _prefix(tree: Tree) -> str | None:
    """The folder that all members lie in; "" for an exported program, which old releases wrote without one."""
    tops = {name.partition("/")[0] for name in tree.names if "/" in name}
    loose = [name for name in tree.names if "/" not in name]
    if not loose and len(tops) == 1:
        return next(iter(tops))
    return "" if "version" in loose or "archive_format" in loose else None


def _program(root: Tree) -> str:
    models = [name for name in root.names if name.startswith("models/") and name.endswith(".json")]
    return next((name for name in (*_PROGRAMS, *models) if name in root), "")


def _kind(root: Tree, program: str) -> Kind | None:
    if program and ("archive_format" in root or "version" in root or "archive_version" in root):
        return "exported"
    if ".data/extern_modules" in root:
        return "package"
    lower = {name.lower() for name in root.names}  # torch's reader takes a name in any case
    if "data.pkl" not in lower:
        return None
    return "torchscript" if "constants.pkl" in lower else "saved"  # torch.load hands any such file to torch.jit.load


def _pickles(pickle: PickleFile | None, prefix: str) -> dict[str, Any]:
    start = f"{prefix}/" if prefix else ""
    members = pickle.members if pickle is not None else ()
    return {one.name[len(start) :]: one.root for one in members if one.name.startswith(start)}
