"""Which TensorFlow a SavedModel is served with: the recorded one, or the oldest that there is a Python for."""

from __future__ import annotations

import re

from mlpack.artifacts.model import Requirement
from mlpack.formats.savedmodel.graph import MetaGraph
from mlpack.packages.names import version_key

_KERAS_2_EXCLUDES = ("tensorflow",)  # tf-keras requires it, and its wheel would overwrite tensorflow-cpu's files
# TensorFlow 2.12 requires jax, which serving never imports and which had no wheels at that time.
_JAX_LINE, _JAX_EXCLUDES = (2, 12), ("jax", "jaxlib")
# TensorFlow before 2.7 requires typing-extensions 3, with which no current web server runs; 2.5 is the first for Python 3.9.
_OLDEST = "2.7.4"
_KERAS_3 = (2, 16)  # from here on TensorFlow brings Keras 3, which does not know Keras 2's optimizers
_KERAS_2 = ("_tf_keras_", "optimizer", "experimentalOptimizer")


def requirements_of(version: str | None, graph: MetaGraph) -> tuple[Requirement, ...]:
    """TensorFlow, pinned when a version is recorded, and Keras 2 where objects of it are in the file."""
    pinned = nearest(version)
    tensorflow = Requirement(
        module="tensorflow", distribution="tensorflow", version=pinned, newest=pinned is None, constraint=""
    )
    if not needs_keras_2(version, graph):
        return (tensorflow,)
    line = f"=={'.'.join((pinned or '').split('.')[:2])}.*" if pinned else ""
    return tensorflow, Requirement(module="tf_keras", distribution="tf-keras", constraint=line, newest=True)


def nearest(version: str | None) -> str | None:
    """The release to pin: what is recorded, without the mark of a candidate; the oldest that can be had for older ones."""
    found = re.match(r"\d+\.\d+(\.\d+)?", version or "")
    if found is None:
        return None
    return _OLDEST if version_key(found[0]) < version_key(_OLDEST)[:2] else found[0]


def excludes_of(version: str | None, graph: MetaGraph) -> tuple[str, ...]:
    """Required distributions that are not needed, or would break the installation."""
    if needs_keras_2(version, graph):
        return _KERAS_2_EXCLUDES
    return _JAX_EXCLUDES if version_key(nearest(version) or "0")[:2] == _JAX_LINE else ()


def needs_keras_2(version: str | None, graph: MetaGraph) -> bool:
    """Whether the file holds objects of Keras 2, and TensorFlow would meet them with Keras 3."""
    pinned = nearest(version)
    if pinned is not None and version_key(pinned) < _KERAS_3:
        return False
    return any(kind.startswith(_KERAS_2) for kind in graph.objects.kinds)
