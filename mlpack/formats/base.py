"""The interface of a model format, Format, and of the Artifact that it inspects.

A class of another package becomes a format through the entry point `mlpack.formats`; docs/new-format.md shows a complete one.
"""

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
from mlpack.packages.distributions import COMMON, Distribution
from mlpack.plugins import BUILT_IN, load, names
from mlpack.readers.archives.trees import Tree
from mlpack.readers.counts import is_whole
from mlpack.readers.pickles.values import PickleFile
from mlpack.readers.streams import FileSource, Source
from mlpack.templating import render

# The warning of several built-in formats about dynamic quantization; no part of the interface.
SCALED_TOGETHER = "It quantizes by the value range of a whole call, so each row is predicted in its own call."


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """What `Format.inspect` gets: a file, a folder, or a member of an archive.

    - `path` is the path of the file, the folder or the archive.
    - `size` is in bytes: of the file, or of all files in a folder (0 for a folder in an archive).
    - `head` holds the first bytes of the file; it is empty for a folder.
    - `pickle` is the content of the file's pickles, which mlpack has read as data; None if the file has none.
    - `tree` lists the files of a folder or an archive (zip, tar, one compressed file); None for other files.
    - `packed` is the name of the archive's member to inspect, a file or a folder; "" means the root of the archive, and None
      that `path` itself is inspected. `size`, `head` and `open` then belong to the member.
    - `entry` is the key that the user chose with `--entry` in a file with several objects.
    - `framework` is the version that the user set in mlpack.yaml or with an option, such as `scikit-learn==1.0.2`.
    - `sample` are a few rows of the user as JSON values, for facts that the file does not record.

    The other two are functions for a format that wraps other formats, as MLflow's does. Both inspect with all formats and
    return the ModelInfo of the wrapped model, and both take rows that replace `sample` if the user gave none.

    - `inspect_path(path, rows)` inspects a file or folder on the disk. It raises the errors of an inspection.
    - `inside(name, rows)` inspects a file or folder in the archive, by its name below the root of `tree`. It returns None if
      no format recognises it. It is None unless an archive is inspected.
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
        """The name of the file, folder or member, without its parent folders."""
        return self.packed.rpartition("/")[2] if self.packed else self.path.name

    @contextmanager
    def open(self) -> Iterator[Source]:
        """Open the file or member as a stream of bytes that is read forwards.

        Skipping bytes is fast unless they are compressed. A folder cannot be opened: use `tree`.
        """
        if self.packed is not None and self.tree is not None:
            with self.tree.open(self.packed) as source:
                yield source
            return
        with self.path.open("rb") as file:
            yield FileSource(file, 0, self.size)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of file that a format reads. For built-in formats it is a row of the table in docs/formats.md.

    `name` describes the kind and its usual suffix. `reads` lists what inspection finds in it. `serves` names the library that
    runs the model in the image; it is "" if the file is only recognised, and "nothing: REASON" if it is not a model. `proof`
    is the path of mlpack's own test that builds an image from such a file and compares its predictions; it is empty for
    formats of other packages.
    """

    name: str
    reads: str
    serves: str = ""
    proof: str = ""


@dataclass(frozen=True, kw_only=True)
class OtherServer:
    """A server of another project that serves the files of a format unchanged, for `mlpack render --serve-with NAME`.

    `name` is NAME, and `title` the name in messages. `takes` is the kind of file that the server accepts, such as
    "SavedModel", and `hint` says how to make one. `base` is the server's default image, and `port` its HTTP port.

    `dockerfile(values, templates)` returns the text of the Dockerfile. The keys of `values` are `name` (the model's name),
    `summary`, `mlpack_version`, `base`, `root` (the model's file or folder in the bundle) and `number` (the model's version as
    a whole number). `templates` is the user's folder of templates; None if there is none.
    """

    name: str
    title: str
    takes: str
    hint: str
    base: str
    port: int
    dockerfile: Callable[[dict[str, Any], Path | None], str]


class Format(ABC):
    """A model format: everything that mlpack knows about one format is in its subclass.

    A subclass becomes a format through an entry point `mlpack.formats` of its package, or through a line in `mlpack.plugins` if
    it is built in. mlpack creates its object without arguments.

    A format has two halves. The **host half** is this class, which runs on the user's machine: `inspect` reads the file as data
    and never imports its framework. The **image half** is `loader`, a file `loader.py` or a folder `loader/` with an
    `__init__.py`. It is copied into the image and imported there as the module `loader`. It may import the standard library,
    numpy, its framework, and its own folder (by relative imports). It must run on Python 3.9, the oldest Python of an image.

    The image half must define two functions:

    - `load(path, options, guard) -> model` returns the model at `path`, ready to predict. `options` are `ModelInfo.options`.
      The guard restricts the file to the names that inspection listed (`ModelInfo.names`): call `guard.check(kind, names)`
      with the file's names before the framework reads the file, and read pickles with `guard.pickle`.
    - `predict(model, signature, inputs) -> outputs` gets arrays by input name and returns arrays by output name. The inputs
      have all rows of a request, or one row if `signature.batch` requires it.

    It may define these names too:

    - `InputError`, an exception class. `predict` raises it if the client's values are wrong; the client then gets status 400
      instead of 500.
    - `prepare(options)` is called before `load` and before the framework is imported, for example to set environment variables.
    - `wrap(object) -> model` and `unwrap(model) -> object` are for users who write a `predict.py`. `wrap` turns the object that
      the user's `load` returns into a model for `predict`. `unwrap` turns a model that this loader loaded into the object of
      the framework, which the user's functions get. Without them both are the same object.
    - `SHARED_BY_FORKS`: set it to True only if a loaded model still works in a process that is forked after `load`. That
      requires that it has no threads, no locks that may be held, and no connections or GPU handles. The workers then share
      the memory of one model; otherwise each of them loads its own.
    """

    name: ClassVar[str]
    """The name of the format. It must equal the entry point's name: `ModelInfo.format` finds the loader by it."""
    loader: ClassVar[Path | None] = None
    """The image half, a file or a folder; None if files of the format are recognised and not served."""
    kinds: ClassVar[tuple[Kind, ...]] = ()
    """The kinds of files that it reads."""

    # mlpack uses these file names to find models in a folder or an archive.
    suffixes: ClassVar[tuple[str, ...]] = ()
    """The suffixes of files to inspect, in lower case and with the dot, such as `.onnx`."""
    suffixes_in_archives: ClassVar[tuple[str, ...]] = ()
    """Further suffixes for archives only, such as `.json`, which too many other files in a working folder have."""
    stands_for_its_folder: ClassVar[str | None] = None
    """The name of a main file, such as `MLmodel`. If the user names that file as the model, its folder is the model."""

    # mlpack uses these in messages about unrecognised files and misleading suffixes.
    pickle_suffixes: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType({})
    """The usual suffixes of its files that hold pickles. The keys are `stream` (no container), `zip` and `npz`.

    A file with pickles and another suffix gets a warning."""
    frameworks: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """The framework of each top-level module that pickles may name, such as `scikit-learn` for `sklearn`."""

    # mlpack uses these to choose packages and to write the Dockerfile.
    distributions: ClassVar[tuple[Distribution, ...]] = ()
    """Facts about the packages that its models need: CPU and GPU variants, system libraries, test folders."""
    dockerfile_note: ClassVar[str] = ""
    """A comment for the Dockerfile, above the files that load and serve the model. It may have several lines."""
    other_servers: ClassVar[tuple[OtherServer, ...]] = ()
    """Servers of other projects that can serve its files."""

    @abstractmethod
    def inspect(self, artifact: Artifact) -> ModelInfo | None:
        """Return the description of the model, or None if the file is not of this format.

        Every command that gets a model calls it, for every format. It must not run or import code of the model, and must read
        a limited part of the file. Raises UnreadableModelError, with a remedy, for a file of this format that is damaged; the
        command ends with exit code 3. If two formats recognise a file, mlpack raises AmbiguousFormatError.
        """

    def predictor_stub(self, info: ModelInfo) -> str | None:  # noqa: ARG002 - a subclass may need it
        """Return the text of a `predict.py` for the user to complete, or None if the file can be served without one.

        `mlpack init` calls it, and writes the file.
        """
        return None


def stub_for_weights(template: str, info: ModelInfo, *, width_axis: int, **values: Any) -> str:
    """Render the `predict.py` for a file that contains only weights. Built-in formats use it; it is no part of the interface.

    Axis `width_axis` of a matrix of weights is the number of columns in a row. The width is taken from the first matrix in
    `details["first_tensors"]`; it is 1 if there is none.
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
    """Return all formats by name, the built-in ones first. Raises UsageError for a plugin that is not a Format."""
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
    """Return the common distributions, those of the built-in formats and of the format `name`, each once, sorted by name.

    Other formats of other packages are ignored, so that a model gives the same bundle on every machine.
    """
    known = {one.name: one for one in COMMON}
    for own, one in formats.items():
        if own == name or own in BUILT_IN["formats"]:
            for distribution in one.distributions:
                known.setdefault(distribution.name, distribution)
    return tuple(known[name] for name in sorted(known))
