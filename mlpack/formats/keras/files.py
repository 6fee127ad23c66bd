"""What a Keras file holds: configuration, version and weights, out of HDF5 or a .keras archive; KerasFile."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlpack.formats.base import Artifact
from mlpack.readers.archives.trees import Tree, open_tree
from mlpack.readers.hdf5 import Dataset, Hdf5
from mlpack.readers.hdf5.blocks import RandomAccess
from mlpack.readers.limits import MIB, CutOffError
from mlpack.readers.streams import CHUNK, FileSource, Source, Window, peek, spooled

_LONGEST_JSON = 16 * MIB
_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_NPZ = "model.weights.npz"  # read by early releases of Keras 3 with whatever pickles it holds


@dataclass(frozen=True, kw_only=True)
class KerasFile:
    """What was read: `config` describes the model, None for a file of weights alone; `training` how it was compiled."""

    container: str  # hdf5, zip or folder
    config: Mapping[str, Any] | None
    version: str | None
    backend: str | None = None
    training: Mapping[str, Any] | None = None
    weights: tuple[tuple[str, Dataset], ...] = ()
    escaping: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()  # weights that lie in other files
    others: tuple[str, ...] = ()  # files of weights that are not read here

    @property
    def parameters(self) -> int:
        """How many numbers the weights are."""
        return sum(math.prod(one.shape) for _, one in self.weights)


def read_hdf5(artifact: Artifact) -> KerasFile | None:
    """A model or weights in HDF5; None for HDF5 of another kind. Raises CutOffError, ValueError for what is broken."""
    with _seekable(artifact) as (file, size):
        hdf5 = Hdf5(file, size)
        attributes = hdf5.root.attributes()
        members = hdf5.root.members()
        text = attributes.get("model_config")
        keras = "keras_version" in attributes or "layer_names" in attributes or {"layers", "vars"} & set(members)
        if not text and not keras:
            return None
        weights = tuple(_weights(hdf5))
        outside = tuple(hdf5.outside)
    version = attributes.get("keras_version")
    backend = attributes.get("backend")
    return KerasFile(
        container="hdf5",
        config=_object(text, "model_config") if isinstance(text, str) and text else None,
        version=version if isinstance(version, str) and version else _guess(attributes),
        backend=backend if isinstance(backend, str) and backend else None,
        training=_training(attributes.get("training_config")),
        weights=weights,
        outside=outside,
    )


def read_archive(artifact: Artifact) -> KerasFile | None:
    """A .keras archive, also unzipped; None for any other. Raises CutOffError, ValueError for what is broken."""
    with _tree(artifact) as tree:
        if tree is None or _CONFIG not in tree or not {_METADATA, _WEIGHTS} & set(tree.names):
            return None
        if tree.container not in ("zip", "folder") and artifact.packed is None:
            return None  # inspected again as the archive's content
        if _METADATA not in tree and "class_name" not in _read(tree, _CONFIG):
            return None  # another's config.json beside a file of weights
        config = _read(tree, _CONFIG)
        version = (_read(tree, _METADATA) if _METADATA in tree else {}).get("keras_version")
        if not isinstance(config.get("class_name"), str):
            raise ValueError(f"its {_CONFIG} describes no model")  # noqa: TRY004  # an invalid file, not a wrong type of an argument
        weights, outside = _inner_weights(tree)
        return KerasFile(
            container="folder" if tree.container == "folder" or artifact.packed == "" else "zip",
            config=config,
            version=version if isinstance(version, str) else None,
            training=_training(config.get("compile_config")),
            weights=weights,
            escaping=tree.escaping,
            outside=outside,
            others=(_NPZ,) if _NPZ in tree else (),
        )


def read_architecture(artifact: Artifact) -> KerasFile | None:
    """The JSON that `to_json` gives: a model's configuration without its weights; None for any other file."""
    if artifact.head.lstrip()[:1] != b"{" or b'"class_name"' not in artifact.head:
        return None
    with artifact.open() as source:
        text, _ = peek(source, _LONGEST_JSON + 1)
    try:
        config = _object(text, "JSON")
    except ValueError:
        return None  # reported as an unknown file
    if not isinstance(config.get("class_name"), str) or not isinstance(config.get("config"), dict | list):
        return None
    version = config.get("keras_version")
    return KerasFile(container="json", config=config, version=version if isinstance(version, str) else None)


def _inner_weights(tree: Tree) -> tuple[tuple[tuple[str, Dataset], ...], tuple[str, ...]]:
    """The weights, and which of them lie in other files."""
    if _WEIGHTS not in tree:
        return (), ()
    with tree.open(_WEIGHTS) as source, _spooled(source) as (file, size):
        hdf5 = Hdf5(file, size)
        weights = tuple(_weights(hdf5))
        return weights, tuple(hdf5.outside)


def _guess(attributes: Mapping[str, Any]) -> str | None:
    """Keras 1 wrote no version with weights; Keras 3's files of weights have none of its older attributes."""
    return "2" if "layer_names" in attributes else None


def _weights(hdf5: Hdf5) -> Iterator[tuple[str, Dataset]]:
    """The model's own weights, without the optimizer's."""
    for name, dataset in hdf5.walk():
        if not name.startswith(("optimizer_weights/", "optimizer/", "_optimizer/")):
            yield name.removeprefix("model_weights/"), dataset


def _read(tree: Tree, name: str) -> Mapping[str, Any]:
    text = tree.read(name, _LONGEST_JSON + 1)
    return _object(text, name)


def _object(text: str | bytes, name: str) -> Mapping[str, Any]:
    if len(text) > _LONGEST_JSON:
        raise CutOffError(f"its {name} is too long to be read")
    try:
        found = json.loads(text, object_pairs_hook=_unique_keys)
    except _TwiceError as error:
        raise ValueError(f"its {name} names {error} twice") from error
    except ValueError as error:
        raise ValueError(f"its {name} is not JSON") from error
    if not isinstance(found, dict):
        raise ValueError(f"its {name} is not a JSON object")  # noqa: TRY004  # an invalid file, not a wrong type of an argument
    return found


class _TwiceError(Exception):
    """A key stands twice in a JSON object, of which readers take one or the other."""


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _TwiceError(repr(key)[:80])
        found[key] = value
    return found


def _training(config: Any) -> Mapping[str, Any] | None:
    if isinstance(config, str) and len(config) <= _LONGEST_JSON:
        try:
            config = json.loads(config)
        except ValueError:
            return None
    return config if isinstance(config, Mapping) else None


@contextmanager
def _seekable(artifact: Artifact) -> Iterator[tuple[RandomAccess, int]]:
    """The file's bytes in any order: the file itself, or a copy of what an archive holds."""
    if artifact.packed is None:
        with artifact.path.open("rb") as file:
            yield file, artifact.size
        return
    with artifact.open() as source, _spooled(source) as held:
        yield held


@contextmanager
def _spooled(source: Source) -> Iterator[tuple[RandomAccess, int]]:
    """A source's bytes in any order, on disk when they are many."""
    if isinstance(source, FileSource):
        window = Window(source)
        yield window, window.size
        return
    with spooled(source) as held:
        yield held


@contextmanager
def _tree(artifact: Artifact) -> Iterator[Tree | None]:
    """The inspected archive or folder, also one inside another archive."""
    if not artifact.packed or not artifact.head:
        yield artifact.tree
        return
    if not artifact.head.startswith(b"PK"):
        yield None
        return
    with artifact.open() as source, tempfile.NamedTemporaryFile() as file:
        while data := source.read(CHUNK):
            file.write(data)
        file.flush()
        yield open_tree(Path(file.name))
