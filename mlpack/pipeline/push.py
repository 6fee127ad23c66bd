"""From Verified to Released: push the image to a registry, where it gets a reference with a digest."""

from __future__ import annotations

import json

from mlpack.artifacts import labels
from mlpack.artifacts.progress import OnProgress, Progress
from mlpack.artifacts.references import parse_reference, short_digest
from mlpack.artifacts.release import Released, Unverified, Verified
from mlpack.errors import RegistryError
from mlpack.registries.artifact_registry import Pusher
from mlpack.registries.destinations import Destination
from mlpack.registries.referrers import attach

RECEIPT_TYPE = "application/vnd.mlpack.receipt.v1+json"


def push(
    source: Verified | Unverified, *, engine: Pusher, destination: Destination, on_progress: OnProgress
) -> Released:
    """Push the image; the default tag is its content digest. Raises UsageError, RegistryError and its subclasses.

    The receipt is attached to the pushed digest (an OCI referrer), so that a deployment from another machine finds it. If
    the registry accepts no referrers, that step is reported as failed, and the push succeeds.
    """
    name = parse_reference(destination.prepare())
    publisher, login = destination.publisher(engine)
    tag = name.tag or short_digest(source.image.labels.get(labels.BUNDLE) or source.image.id)
    digest = publisher.push(source.image, f"{name.name}:{tag}", on_progress=on_progress)
    reference = name.at(digest)
    if isinstance(source, Verified):
        step, title = "receipt", "attach the receipt"
        try:
            attach(reference, RECEIPT_TYPE, json.dumps(source.to_json(), sort_keys=True).encode(), login=login)
        except RegistryError as error:
            on_progress(Progress(step=step, title=title, error=error.message))
        else:
            on_progress(Progress(step=step, title=title, seconds=0.0))
    return Released(reference=reference, digest=digest, tags=(f"{name.name}:{tag}",), source=source)


def leave_on_engine(source: Verified | Unverified) -> Released:
    """Release the image without pushing it: the engine that built it finds it by its id, which never changes."""
    image = source.image
    return Released(reference=image.id, digest=image.id, tags=image.tags, source=source)
