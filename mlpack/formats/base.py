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

# The warning of a model that quantizes while it runs: its rows must not share a call.
SCALED_TOGETHER = "It quantizes by the range of what it is given, so rows are asked one at a time."


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A file, folder or archive member to inspect, and what is read of it already: its first bytes, its pickle if it has one.

    `tree` lists the files of a folder or an archive (zip, tar, one gzipped file). With `packed` the path is an archive, and
    that member (a file) is inspected; size, head and `open` are the member's then. `entry` is the key in a bundle that the
    user chose to serve; `framework` is the version that the user gives (`scikit-learn==1.0.2`); `sample` a few rows as JSON
    values (records, lists, texts), for what the file does not record. For formats that wrap another, `ask` inspects another
    path (a file that this one names), and `inside` a file or folder below the tree's root by its name. Both take rows too,
    which count when the user gave none.
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
        """The file's bytes, read forward; skipping them costs nothing where they are not compressed."""
        if self.packed is not None and self.tree is not None:
            with self.tree.open(self.packed) as source:
                yield source
            return
        with self.path.open("rb") as file:
            yield FileSource(file, 0, self.size)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of file that a format reads: a row of the table in docs/formats.md.

    `reads` is what is known without running it, `serves` what serves it in the image ("" where it is only recognised, and
    "nothing: ..." where the file is no model). `proof` is the test that builds an image of such a file and compares its
    answers ("" for none).
    """

    name: str
    reads: str
    serves: str = ""
    proof: str = ""


@dataclass(frozen=True, kw_only=True)
class OtherServer:
    """A server of another project that takes the files of a format as they are: `mlpack render --serve-with NAME`.

    `title` is its name in messages, `takes` the kind of file ("SavedModel"), `hint` how to get one. `base` is its image
    unless the user names another, `port` the one that answers HTTP there. `dockerfile(values, templates)` makes the text of
    the Dockerfile: `values` are `name` (of the model), `summary`, `mlpack_version`, `base`, `root` (the model's file or
    folder in the bundle) and `number` (its version as a whole number); `templates` is the user's folder of templates.
    """

    name: str
    title: str
    takes: str
    hint: str
    base: str
    port: int
    dockerfile: Callable[[dict[str, Any], Path | None], str]


class Format(ABC):
    """A kind of model file: everything that mlpack knows of it.

    A new format is a subclass, named in `mlpack.plugins` or by another package's entry point in the group `mlpack.formats`.
    It has two halves. The **host half** is this class: `inspect` reads the file as data and never imports its framework. The
    **image half** is `loader`, a file `loader.py` or a folder `loader/` with an `__init__.py`, which is copied into the image
    and imported there as the module `loader`. It imports the standard library, numpy, its framework and its own folder (by
    relative imports), runs on Python 3.9, and has

    - `load(path, options, guard) -> model`: the model at `path`, ready to predict. `options` is `ModelInfo.options`. The
      guard restricts what the file may reach to the names that inspection listed (`ModelInfo.names`): give it the names that
      the file holds by `guard.check(kind, names)` before the framework reads the file, and read pickles by `guard.pickle`.
    - `predict(model, signature, inputs) -> outputs`: arrays by the names of the signature's outputs; `inputs` are arrays by
      the names of its inputs, all rows of a request, or one row where `signature.batch` says so.

    and, where it needs them,

    - `InputError`, a class: what `predict` raises when the client's values are wrong (status 400 instead of 500);
    - `prepare(options)`, called before anything imports the framework: environment variables;
    - `wrap(object) -> model` and `unwrap(model) -> object`: between a model that the user's `predict.py` loaded or expects
      and the one that `predict` takes;
    - `SHARED_BY_FORKS = True`: one process loads the model, and forked workers share its memory.

    docs/new-format.md shows a whole format.
    """

    name: ClassVar[str]
    loader: ClassVar[Path | None] = None
    """The image half, a file or a folder; None for what is recognised and not served."""
    kinds: ClassVar[tuple[Kind, ...]] = ()
    """What the table in docs/formats.md says of it."""

    # Which files of a folder or an archive may be of this format, by their names alone.
    suffixes: ClassVar[tuple[str, ...]] = ()
    """Lower-case endings (`.onnx`) of files that are worth inspecting."""
    suffixes_in_archives: ClassVar[tuple[str, ...]] = ()
    """More of them in archives: endings such as `.json`, which too many other files in a working folder have."""
    stands_for_its_folder: ClassVar[str | None] = None
    """The name of the file in a model's folder that stands for the whole folder where the user names it."""

    # What is said of files that no format recognises, and of names that do not fit the content.
    pickle_suffixes: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType({})
    """Endings of its files that hold pickles: in a plain `stream`, in a `zip` or in an `npz`. Others get a warning."""
    frameworks: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Top-level modules that pickles name, and the framework that each belongs to (`sklearn`: `scikit-learn`)."""

    # Packages and the image.
    distributions: ClassVar[tuple[Distribution, ...]] = ()
    """What is known of the distributions that its models need: variants for CPU and GPU, system libraries, test folders."""
    dockerfile_note: ClassVar[str] = ""
    """A comment for the Dockerfile, above the files that load and serve the model; several lines may be given."""
    other_servers: ClassVar[tuple[OtherServer, ...]] = ()
    """Servers of other projects that take its files."""

    @abstractmethod
    def inspect(self, artifact: Artifact) -> ModelInfo | None:
        """What the model is, or None when it is not of this format; never runs or imports anything of the model."""

    def predictor_stub(self, info: ModelInfo) -> str | None:  # noqa: ARG002 - for formats that write one
        """The text of a `predict.py` to fill in, for a file that cannot be served without; None for any other."""
        return None


def stub_for_weights(template: str, info: ModelInfo, *, width_axis: int, **values: Any) -> str:
    """The `predict.py` of a template for weights without a model; their `width_axis` says how many columns a row has.

    The width is that of the first matrix among `details["first_tensors"]`, 1 when there is none.
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
    """Every format by its name, the built-in ones first. Raises UsageError for a class of another package that is no Format."""
    found: dict[str, Format] = {}
    for name in names("formats"):
        class_ = load("formats", name)
        if not (isinstance(class_, type) and issubclass(class_, Format)):
            raise UsageError(
                f"The format {name!r} is no subclass of mlpack.formats.base.Format.",
                hint="Update the package that brings it, or remove it.",
            )
        found[name] = class_()
    return found


def distributions_for(name: str, formats: Mapping[str, Format]) -> tuple[Distribution, ...]:
    """What the built-in formats and the format `name` know of distributions, each once, by their names.

    Other packages' formats have no say in the images of other formats: the same model gives the same bytes on any host.
    """
    known: dict[str, Distribution] = {}
    for own, one in formats.items():
        if own == name or own in BUILT_IN["formats"]:
            for distribution in one.distributions:
                known.setdefault(distribution.name, distribution)
    return tuple(known[name] for name in sorted(known))
