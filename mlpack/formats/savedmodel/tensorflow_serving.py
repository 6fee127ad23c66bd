"""TensorFlow Serving's own image as a server for SavedModels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlpack.formats.base import OtherServer
from mlpack.templating import render


def _dockerfile(values: dict[str, Any], templates: Path | None) -> str:
    return render("Dockerfile.tf-serving.j2", values, folder=templates)


TENSORFLOW_SERVING = OtherServer(
    name="tf-serving",
    title="TensorFlow Serving",
    takes="SavedModel",
    hint="Leave --serve-with out; or save the model so (`model.export(path)`, `tf.saved_model.save`).",
    base="tensorflow/serving",
    port=8501,
    dockerfile=_dockerfile,
)
