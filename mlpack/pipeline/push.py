"""From Verified to Released: the image goes to a registry and comes back as a reference with digest."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from mlpack.artifacts.image import Image
from mlpack.artifacts.progress import OnProgress, Progress
from mlpack.artifacts.release import Released
from mlpack.engines.base import Publisher
from mlpack.errors import RegistryError, UsageError
from mlpack.pipeline.build import content_tag
from mlpack.pipeline.render import LABEL_BUNDLE
from mlpack.workspace import report_of

RECEIPT_TYPE = "application/vnd.mlpack.receipt.v1+json"
# Hangs a document on an image: (host/repository@sha256:..., artifact type, bytes).
Attach = Callable[[str, str, bytes], Any]

# distribution/reference: [domain[:port]/]path-component{/path-component}[:tag]
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?P<repository>(?:(?P<host>[A-Za-z0-9.-]+(?::\d+)?|\[[0-9a-fA-F:]+\](?::\d+)?)/)?{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?"
)


def push(
    image: Image,
    receipt: dict[str, Any] | None,
    *,
    publisher: Publisher,
    attach: Attach,
    reference: str,
    on_progress: OnProgress,
) -> Released:
    """Pushes the image under `reference`; without a tag it gets the content's. Raises the RegistryError family.

    The receipt is attached to the pushed digest, so that a deploy elsewhere finds it; a registry that takes no
    attachments is told of, and is no failure.
    """
    repository, tag = split_reference(reference)
    tag = tag or content_tag(image.labels.get(LABEL_BUNDLE) or image.id)
    digest = publisher.push(image, f"{repository}:{tag}", on_progress=on_progress)
    released = f"{repository}@{digest}"
    if receipt is not None:
        try:
            attach(released, RECEIPT_TYPE, json.dumps(receipt, sort_keys=True).encode())
        except RegistryError as error:
            on_progress(Progress(step="receipt", title="attach the receipt", error=error.message))
        else:
            on_progress(Progress(step="receipt", title="attach the receipt", seconds=0.0))
    report = None if receipt is None else report_of(receipt)
    return Released(reference=released, digest=digest, tags=(f"{repository}:{tag}",), image=image, report=report)


def split_reference(reference: str) -> tuple[str, str | None]:
    """`host/repository` and the tag or None; raises UsageError for what is no reference."""
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        hint = (
            "Such as europe-docker.pkg.dev/acme/ml/churn or 127.0.0.1:5000/iris:1.0, in lower case, without https://."
        )
        raise UsageError(f"{reference!r} is no image reference", hint=hint)
    return found["repository"], found["tag"]
