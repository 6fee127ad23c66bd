"""The folder that an image is built from, as a value: Bundle, what `render` returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mlpack.artifacts.bundle_file import BundleFile
from mlpack.artifacts.lock import Lock


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """All that a build needs, in a fixed order, and the digest that names it.

    `digest` is `sha256:...` over names, modes and contents, so the same input gives the same digest on any host.
    `private` files serve the build alone (CA bundle, wheels, credentials): not part of the digest, never in a layer.
    `dockerfile` names the file to build by; `dockerfile_classic` is the same without BuildKit's mounts.
    `card` is the ModelCard: the JSON in the image at /app/model.json. `labels` go on the image.
    """

    lock: Lock
    name: str
    version: str | None
    files: tuple[BundleFile, ...]
    private: tuple[BundleFile, ...]
    digest: str
    card: dict[str, Any]
    labels: dict[str, str]
    dockerfile: str = "Dockerfile"
    sample: dict[str, Any] | None = None
    build_args: dict[str, str] = field(default_factory=dict)
