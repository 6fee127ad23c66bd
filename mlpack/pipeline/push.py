"""From Verified to Released: the image goes to a registry and gets a reference with a digest."""

from __future__ import annotations

import json

from mlpack.artifacts import labels
from mlpack.artifacts.progress import OnProgress, Progress
from mlpack.artifacts.references import parse_reference
from mlpack.artifacts.release import Released, Unverified, Verified
from mlpack.errors import RegistryError
from mlpack.pipeline.build import content_tag
from mlpack.registries.artifact_registry import Pusher
from mlpack.registries.destinations import Destination
from mlpack.registries.referrers import attach

RECEIPT_TYPE = "application/vnd.mlpack.receipt.v1+json"


def push(
    source: Verified | Unverified, *, engine: Pusher, destination: Destination, on_progress: OnProgress
) -> Released:
    """Push the image; without a tag it gets the content's. Raises UsageError for no reference, and the RegistryError family.

    The receipt is attached to the pushed digest (an OCI referrer), so that a deploy elsewhere finds it. A registry that
    takes no attachments is reported as a step that failed, and is no failure of the push.
    """
    name = parse_reference(destination.prepare())
    publisher, login = destination.publisher(engine)
    tag = name.tag or content_tag(source.image.labels.get(labels.BUNDLE) or source.image.id)
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


def stay(source: Verified | Unverified) -> Released:
    """The image where it is: on the engine that built it, its id is a name that never moves."""
    image = source.image
    return Released(reference=image.id, digest=image.id, tags=image.tags, source=source)
