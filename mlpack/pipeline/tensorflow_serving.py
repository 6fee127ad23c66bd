"""A SavedModel as a folder for TensorFlow Serving's own image: the model, and a Dockerfile of four lines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mlpack.artifacts.bundle_file import BundleFile
from mlpack.artifacts.model import ModelInfo
from mlpack.artifacts.prepared import Prepared
from mlpack.config import Config
from mlpack.discovery.model_files import model_files, model_root
from mlpack.errors import UsageError
from mlpack.pipeline.render import bundle_name, write_file
from mlpack.templating import render as fill
from mlpack.version import __version__

NAME = "tf-serving"
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
    files = [
        *model_files(info, on_bytes),
        BundleFile.of_bytes("Dockerfile", text),
        BundleFile.of_bytes(".dockerignore", ignore),
    ]
    return tuple(sorted(files, key=lambda file: file.name))


def write_tf_serving(
    prepared: Prepared, server: str, out: Path, *, config: Config
) -> tuple[str, tuple[BundleFile, ...]]:
    """Write the folder for the server that the user named; gives the image's name, and the files.

    Raises UsageError for another server's name, and for a model with user code.
    """
    if server != NAME:
        raise UsageError(f"no server {server!r} is known", hint=f"--serve-with {NAME}, or leave it out.")
    if prepared.code is not None:
        raise UsageError(
            "TensorFlow Serving runs no Python", hint="Leave --serve-with out to serve with code of your own."
        )
    name = bundle_name(config, prepared.info)
    files = render_tf_serving(
        prepared.info, name=name, version=config.version, base=config.build.base, templates=config.templates
    )
    for file in files:
        write_file(file, out / file.name)
    return name, files
