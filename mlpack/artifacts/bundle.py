"""The folder that an image is built from, as a value: Bundle, what `render` returns."""

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
    """All that a build needs, in a fixed order, and the digest that names it.

    `digest` is `sha256:...` over names, modes and contents, so the same input gives the same digest on any host.
    `private` files serve the build alone (CA bundle, wheels, credentials): not part of the digest, never in a layer.
    `card` is the ModelCard: the JSON in the image at /app/model.json. `labels` go on the image, beside those of the plan.
    `plan` is the image as data; None where the Dockerfile comes from the user's own template: then only an engine that builds
    by Dockerfiles can build it.
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
