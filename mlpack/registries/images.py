"""Read an image in a registry, for the deployment of `name@sha256:...`."""

from __future__ import annotations

import json
from typing import Any

from mlpack.artifacts import labels as image_labels
from mlpack.artifacts.image import Image
from mlpack.artifacts.references import parse_reference
from mlpack.errors import RegistryNotFoundError, UsageError
from mlpack.registries.credentials import Login
from mlpack.registries.referrers import OCI_INDEX, read_blob, read_manifest

_LISTS = (OCI_INDEX, "application/vnd.docker.distribution.manifest.list.v2+json")


def pushed_image(reference: str, *, platform: str, login: Login | None = None) -> Image:
    """Read the image `host/repository@sha256:...`; if it is an index, the image for the platform.

    `card` is the summary in the label dev.mlpack.card. Raises RegistryError and its subclasses; UsageError without a digest.
    """
    name = parse_reference(reference)
    if name.digest is None:
        raise UsageError(f"{reference} has no digest", hint="Name the image as HOST/REPOSITORY@sha256:...")
    manifest = read_manifest(reference, login=login)
    if manifest.get("mediaType") in _LISTS or "manifests" in manifest:
        chosen = _of_platform(manifest, platform)
        if chosen is None:
            raise RegistryNotFoundError(
                f"{reference} has no image for {platform}", hint=f"Build it with `mlpack build --platform {platform}`."
            )
        manifest = read_manifest(name.at(chosen), login=login)
    config_digest = str(manifest["config"]["digest"])
    config = json.loads(read_blob(reference, config_digest, login=login))
    labels = (config.get("config") or {}).get("Labels") or {}
    return Image(
        id=config_digest,
        tags=(reference,),
        size=sum(int(layer.get("size", 0)) for layer in manifest.get("layers") or []),
        platform=f"{config.get('os')}/{config.get('architecture')}",
        card=_summary(labels.get(image_labels.CARD, "")),
        labels=labels,
    )


def _of_platform(index: dict[str, Any], platform: str) -> str | None:
    for entry in index.get("manifests") or []:
        found = entry.get("platform") or {}
        if f"{found.get('os')}/{found.get('architecture')}" == platform:
            return str(entry["digest"])
    return None


def _summary(text: str) -> dict[str, Any]:
    try:
        card = json.loads(text)
    except ValueError:
        return {}
    return card if isinstance(card, dict) else {}
