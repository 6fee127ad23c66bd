"""Bundle, the folder that an image is built from, as a value; `render` returns it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mlpack.artifacts.bundle_file import BundleFile
from mlpack.artifacts.image_plan import ImagePlan
from mlpack.artifacts.lock import Lock

DOCKERFILE = "Dockerfile"  # with BuildKit's mounts
CLASSIC_DOCKERFILE = "Dockerfile.classic"  # the same without them


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """All files of a build in a fixed order, and their digest.

    `digest` is `sha256:...` over names, modes and contents, so the same input gives the same digest on any host.
    `private` files are for the build only (CA bundle, wheels, credentials): not part of the digest, never in a layer.
    `card` is the ModelCard, the JSON in the image at /app/model.json. The image gets `labels` in addition to those of the
    plan. `plan` is the image as data; None if the Dockerfile comes from the user's own template, which only an engine that
    reads Dockerfiles can build.
    """

    lock: Lock
    name: str
    version: str | None
    files: tuple[BundleFile, ...]
    private: tuple[BundleFile, ...]
    digest: str
    card: dict[str, Any]
    labels: dict[str, str]
    plan: ImagePlan | None = None
