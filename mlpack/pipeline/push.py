"""From Verified to Released: the image goes to a registry and comes back as a reference with digest."""

from __future__ import annotations

import re

from mlpack.artifacts.image import Image, Released
from mlpack.artifacts.report import Report
from mlpack.engines.base import OnProgress, Publisher
from mlpack.errors import UsageError
from mlpack.pipeline.build import content_tag
from mlpack.pipeline.render import LABEL_BUNDLE

# distribution/reference: [domain[:port]/]path-component{/path-component}[:tag]
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?P<repository>(?:(?P<host>[A-Za-z0-9.-]+(?::\d+)?|\[[0-9a-fA-F:]+\](?::\d+)?)/)?{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?"
)


def push(
    image: Image, report: Report | None, *, publisher: Publisher, reference: str, on_progress: OnProgress
) -> Released:
    """Pushes the image under `reference`; without a tag it gets the content's. Raises the RegistryError family."""
    repository, tag = split_reference(reference)
    tag = tag or content_tag(image.labels.get(LABEL_BUNDLE) or image.id)
    digest = publisher.push(image, f"{repository}:{tag}", on_progress=on_progress)
    return Released(
        reference=f"{repository}@{digest}", digest=digest, tags=(f"{repository}:{tag}",), image=image, report=report
    )


def split_reference(reference: str) -> tuple[str, str | None]:
    """`host/repository` and the tag or None; raises UsageError for what is no reference."""
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        hint = (
            "Such as europe-docker.pkg.dev/acme/ml/churn or 127.0.0.1:5000/iris:1.0, in lower case, without https://."
        )
        raise UsageError(f"{reference!r} is no image reference", hint=hint)
    return found["repository"], found["tag"]
