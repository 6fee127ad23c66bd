"""The seam for model formats: Format, and the Artifact it is asked about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mlpack.artifacts.model import ModelInfo
from mlpack.readers.archives.trees import Tree
from mlpack.readers.pickles.values import PickleFile
from mlpack.readers.streams import FileSource, Source

# Said of a model that quantizes as it goes; its rows must not share a call.
SCALED_TOGETHER = "It quantizes by the range of what it is given, so rows are asked one at a time."


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A path and what was already read of it: the first bytes, and its pickle, if it holds one.

    `tree` lists what is in it where it is a folder or an archive (zip, tar, one gzipped file). With `packed` the path is an
    archive, and that member (a file) is what is asked about; size, head and `open` are the member's then.
    `entry` is the key in a bundle that the user chose to serve; `framework` is the user's word (`scikit-learn==1.0.2`);
    `sample` a few rows as JSON values (records, lists, texts), for what the file does not tell. `ask` inspects another path
    (a file that this one names), for formats that wrap another; of what lies in an archive `inside` does, by the name of a
    file or folder below the tree's root. Both take rows too, for when the user gave none.
    """

    path: Path
    size: int
    head: bytes
    pickle: PickleFile | None = None
    tree: Tree | None = None
    packed: str | None = None
    entry: str | None = None
    framework: str | None = None
    sample: tuple[Any, ...] = ()
    ask: Callable[[Path, tuple[Any, ...]], ModelInfo] | None = None
    inside: Callable[[str, tuple[Any, ...]], ModelInfo | None] | None = None

    @property
    def name(self) -> str:
        """The file's name; of a member, its own."""
        return self.packed.rpartition("/")[2] if self.packed else self.path.name

    @contextmanager
    def open(self) -> Iterator[Source]:
        """The file's bytes, read forward; stepping over them costs nothing where they lie uncompressed."""
        if self.packed is not None and self.tree is not None:
            with self.tree.open(self.packed) as source:
                yield source
            return
        with self.path.open("rb") as file:
            yield FileSource(file, 0, self.size)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of file that a format reads, as the README's table tells of it.

    `reads` is what is known without running it, `serves` what answers in the image ("" where it is only recognised, and
    "nothing: ..." where the file is no model);
    `proof` is the test that takes such a file to an image and compares its answers ("" where none does).
    """

    name: str
    reads: str
    serves: str = ""
    proof: str = ""


class Format(Protocol):
    """A kind of model file.

    Ours have `kinds` too (what the README's table says of them), and those of folders may name a file in them that
    `stands_for_its_folder` where the user names it.
    """

    name: str

    @property
    def loader(self) -> Path | None:
        """The image half: a file of its own that imports only its framework; None of what is not served."""

    def inspect(self, artifact: Artifact) -> ModelInfo | None:
        """What the model is, or None when it is not of this format; never runs or imports anything of the model."""
