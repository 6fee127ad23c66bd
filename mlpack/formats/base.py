"""The extension point for model formats: Format, and the Artifact that it inspects."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from mlpack.artifacts.model import ModelInfo
from mlpack.errors import UsageError
from mlpack.packages.distributions import Distribution
from mlpack.plugins import BUILT_IN, load, names
from mlpack.readers.archives.trees import Tree
from mlpack.readers.counts import is_whole
from mlpack.readers.pickles.values import PickleFile
from mlpack.readers.streams import FileSource, Source
from mlpack.templating import render

# The warning for dynamic quantization: rows must not share a call.
SCALED_TOGETHER = "It quantizes by the value range of a whole call, so each row is predicted in its own call."


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A file, folder or archive member to inspect, with its first bytes and its pickle, if it has one.

    `tree` lists the files of a folder or an archive (zip, tar, one gzipped file). With `packed`, the path is an archive and
    this member (a file) is inspected; size, head and `open` are those of the member. `entry` is the key that the user chose
    in a file with several objects; `framework` the version that the user set (`scikit-learn==1.0.2`); `sample` a few rows
    as JSON values (records, lists, texts), for facts that the file does not record. For formats that wrap another format,
    `inspect_path` inspects another path, and `inside` a file or folder below the tree's root by its name. Both take sample
    rows, which are used when the user gave none.
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
    inspect_path: Callable[[Path, tuple[Any, ...]], ModelInfo] | None = None
    inside: Callable[[str, tuple[Any, ...]], ModelInfo | None] | None = None

    @property
    def name(self) -> str:
        """The name of the file or member."""
        return self.packed.rpartition("/")[2] if self.packed else self.path.name

    @contextmanager
    def open(self) -> Iterator[Source]:
        """The file's bytes as a forward stream; skipping is cheap unless they are compressed."""
        if self.packed is not None and self.tree is not None:
            with self.tree.open(self.packed) as source:
                yield source
            return
        with self.path.open("rb") as file:
            yield FileSource(file, 0, self.size)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of file that a format reads: a row of the table in docs/formats.md.

    `reads` is what inspection finds, `serves` what runs it in the image ("" when it is only recognised, "nothing: ..." when
    the file is no model). `proof` is the test that builds an image of such a file and compares predictions ("" for none).
    """

    name: str
    reads: str
    serves: str = ""
    proof: str = ""


@dataclass(frozen=True, kw_only=True)
class OtherServer:
    """A server of another project that serves files of a format unchanged: `mlpack render --serve-with NAME`.

    `title` is its name in messages, `takes` the kind of file ("SavedModel"), `hint` how to get one. `base` is its default
    image, `port` its HTTP port. `dockerfile(values, templates)` returns the text of the Dockerfile: `values` are `name` (of
    the model), `summary`, `mlpack_version`, `base`, `root` (the model's file or folder in the bundle) and `number` (its
    version as a whole number); `templates` is the user's folder of templates.
    """

    name: str
    title: str
    takes: str
    hint: str
    base: str
    port: int
    dockerfile: Callable[[dict[str, Any], Path | None], str]


class Format(ABC):
    """A model format: everything that mlpack knows about it.

    A new format is a subclass, listed in `mlpack.plugins` or as an entry point of another package (`mlpack.formats`). It has
    two halves. The **host half** is this class: `inspect` reads the file as data and never imports its framework. The
    **image half** is `loader`, a file `loader.py` or a folder `loader/` with an `__init__.py`, which is copied into the image
    and imported there as the module `loader`. It imports the standard library, numpy, its framework and its own folder (by
    relative imports), runs on Python 3.9, and has

    - `load(path, options, guard) -> model`: the model at `path`, ready to predict. `options` is `ModelInfo.options`. The
      guard restricts the file to the names that inspection listed (`ModelInfo.names`): call `guard.check(kind, names)` with
      the file's names before the framework reads the file, and read pickles with `guard.pickle`.
    - `predict(model, signature, inputs) -> outputs`: `inputs` are arrays by input name, with all rows of a request, or one
      row where `signature.batch` requires it; `outputs` are arrays by output name.

    and, if needed,

    - `InputError`, a class: `predict` raises it when the client's values are wrong (status 400 instead of 500);
    - `prepare(options)`, called before the framework is imported, to set environment variables;
    - `wrap(object) -> model` and `unwrap(model) -> object`: convert between the object that the user's `predict.py` loads
      or expects and the model that `predict` takes;
    - `SHARED_BY_FORKS = True`: one process loads the model, and forked workers share its memory.

    docs/new-format.md shows a complete format.
    """

    name: ClassVar[str]
    loader: ClassVar[Path | None] = None
    """The image half, a file or a folder; None when the format is recognised but not served."""
    kinds: ClassVar[tuple[Kind, ...]] = ()
    """Its rows in the table of docs/formats.md."""

    # File names of this format, to find candidates in a folder or an archive.
    suffixes: ClassVar[tuple[str, ...]] = ()
    """Lower-case suffixes (`.onnx`) of files to inspect."""
    suffixes_in_archives: ClassVar[tuple[str, ...]] = ()
    """More suffixes, for archives only, such as `.json`, which many other files in a working folder have."""
    stands_for_its_folder: ClassVar[str | None] = None
    """A file name that means the whole folder when the user gives it as the model."""

    # For messages about unrecognised files and misleading suffixes.
    pickle_suffixes: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType({})
    """Usual suffixes of its files with pickles, by container: plain `stream`, `zip` or `npz`. Others get a warning."""
    frameworks: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """The framework of each top-level module that pickles may name (`sklearn`: `scikit-learn`)."""

    # Packages and the image.
    distributions: ClassVar[tuple[Distribution, ...]] = ()
    """Facts about the distributions that its models need: CPU and GPU variants, system libraries, test folders."""
    dockerfile_note: ClassVar[str] = ""
    """A comment for the Dockerfile, above the files that load and serve the model; may have several lines."""
    other_servers: ClassVar[tuple[OtherServer, ...]] = ()
    """Servers of other projects that can serve its files."""

    @abstractmethod
    def inspect(self, artifact: Artifact) -> ModelInfo | None:
        """The model's description, or None when it is of another format; never runs or imports code of the model."""

    def predictor_stub(self, info: ModelInfo) -> str | None:  # noqa: ARG002 - for formats that write one
        """The text of a `predict.py` to complete, for a file that cannot be served without one; else None."""
        return None


def stub_for_weights(template: str, info: ModelInfo, *, width_axis: int, **values: Any) -> str:
    """Render the `predict.py` for a file of weights; axis `width_axis` of a weight is the number of columns of a row.

    The width is taken from the first matrix in `details["first_tensors"]`; 1 when there is none.
    """
    tensors = dict(info.details.get("first_tensors") or {})
    shapes = (described.rpartition(" ")[2].split("x") for described in tensors.values())  # "FP32 8x4"
    first = next((shape[width_axis] for shape in shapes if len(shape) == 2), "1")
    known = {
        "file": info.path.name,
        "count": info.details.get("tensors", 0),
        "tensors": list(tensors.items())[:8],
        "width": int(first) if is_whole(first) else 1,
    }
    return render(template, {**known, **values})


def installed_formats() -> dict[str, Format]:
    """All formats by name, built-in ones first. Raises UsageError for a plugin class that is no Format."""
    found: dict[str, Format] = {}
    for name in names("formats"):
        class_ = load("formats", name)
        if not (isinstance(class_, type) and issubclass(class_, Format)):
            raise UsageError(
                f"The format {name!r} is not a subclass of mlpack.formats.base.Format.",
                hint="Update or uninstall the package that provides it.",
            )
        found[name] = class_()
    return found


def distributions_for(name: str, formats: Mapping[str, Format]) -> tuple[Distribution, ...]:
    """The distributions of the built-in formats and of the format `name`, without duplicates, sorted by name.

    Other plugin formats are ignored, so that a model gives the same bundle on any host.
    """
    known: dict[str, Distribution] = {}
    for own, one in formats.items():
        if own == name or own in BUILT_IN["formats"]:
            for distribution in one.distributions:
                known.setdefault(distribution.name, distribution)
    return tuple(known[name] for name in sorted(known))
