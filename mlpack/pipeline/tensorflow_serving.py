"""A SavedModel as a folder for TensorFlow Serving's own image: the model, and a Dockerfile of four lines."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from mlpack.artifacts.bundle import BundleFile
from mlpack.artifacts.model import ModelInfo
from mlpack.discovery.model_files import model_files, model_root
from mlpack.errors import UsageError
from mlpack.templating import render as fill
from mlpack.version import __version__

BASE = "tensorflow/serving"


def render_tf_serving(
    info: ModelInfo,
    *,
    name: str,
    version: str | None = None,
    base: str | None = None,
    templates: Path | None = None,
    on_bytes: Callable[[int, int], None] | None = None,
) -> tuple[BundleFile, ...]:
    """The folder's files, sorted by name; `version` is the number under which the model is served when it is one, else 1.

    Raises UsageError for what is no SavedModel, ModelError when the model changed or went away, TemplateError.
    """
    if info.format != "savedmodel":
        raise UsageError(
            f"TensorFlow Serving takes SavedModels; {info.path.name} is {info.format}",
            hint="Leave --serve-with out; or save the model so (`model.export(path)`, `tf.saved_model.save`).",
        )
    values = {
        "name": name,
        "summary": f"SavedModel of tensorflow {info.framework_version or ''}".strip() + f", from {info.path.name}",
        "mlpack_version": __version__,
        "base": base or BASE,
        "root": model_root(info),
        "number": version if version and version.isdecimal() else "1",
    }
    text = fill("Dockerfile.tf-serving.j2", values, folder=templates).encode()
    ignore = f"*\n!{model_root(info).partition('/')[0]}\n".encode()
    files = [*model_files(info, on_bytes), _file("Dockerfile", text), _file(".dockerignore", ignore)]
    return tuple(sorted(files, key=lambda file: file.name))


def _file(name: str, content: bytes) -> BundleFile:
    return BundleFile(name=name, size=len(content), sha256=hashlib.sha256(content).hexdigest(), content=content)
