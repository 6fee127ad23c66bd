"""From Bundle to Image: build and tag it, or reuse the image of an unchanged bundle."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

from mlpack.artifacts import labels
from mlpack.artifacts.bundle import Bundle
from mlpack.artifacts.diagnosis import Diagnosis, diagnose
from mlpack.artifacts.image import Image
from mlpack.artifacts.progress import OnProgress
from mlpack.artifacts.references import is_tag, short_digest
from mlpack.engines.base import Builder, Engine, Limits
from mlpack.errors import CheckFailedError, ImageTooLargeError, TagConflictError, UsageError

_LEAST_MEMORY = 2 * 1024**3  # as `mlpack test`
# Of the files in the bundle: a model in memory, once more while it is loaded, and room for its library.
_MEMORY_PER_BYTE = 5
_NO_OUTPUTS = "/tmp/outputs"  # noqa: S108 - a folder in the container; the check writes no files


def build(
    bundle: Bundle,
    *,
    builder: Builder,
    extra_tags: tuple[str, ...] = (),
    force: bool = False,
    use_cache: bool = True,
    on_progress: OnProgress,
) -> Image:
    """Build the bundle's image, tagged NAME:CONTENTDIGEST12, NAME:latest, NAME:VERSION and with `extra_tags`.

    The image of an unchanged bundle is reused. A version's tag moves to other content only with `force`; the other tags
    always move. Raises TagConflictError, UsageError and what `Builder.build` raises.
    """
    began = time.perf_counter()
    refuse_own_dockerfile(builder, own=bundle.plan is None)
    tags = tags_of(bundle, extra_tags)
    if bundle.version is not None and not force:
        _refuse_moved_version(bundle, builder)
    if use_cache:
        existing = builder.find_by_label(bundle.digest, bundle.lock.platform)
        if existing is not None:
            tagged = builder.tag(existing, tags)
            return replace(tagged, card=bundle.card, tags=tags, seconds=time.perf_counter() - began, cached=True)
    image = builder.build(bundle, tags=tags, on_progress=on_progress, use_cache=use_cache)
    return replace(image, card=bundle.card, tags=tags, seconds=time.perf_counter() - began, cached=False)


def check_sample(
    image: Image, bundle: Bundle, *, engine: Engine, progress: Callable[[str], AbstractContextManager[OnProgress]]
) -> None:
    """Load the model in a container of the image and let it predict the sample rows; nothing is served.

    It is skipped without a sample, for a platform that the engine may not run, and for a Dockerfile of the user's own, whose
    entrypoint is not known. Raises CheckFailedError with the reason.
    """
    if bundle.plan is None or not bundle.card.get("sample") or image.platform != engine.facts().platform:
        return
    command = (*bundle.plan.entrypoint, "check")
    memory = max(_LEAST_MEMORY, _MEMORY_PER_BYTE * sum(file.size for file in bundle.files))
    with progress("checking the sample rows in the image"):
        done = engine.job(image, limits=Limits(memory=memory), command=command, outputs=_NO_OUTPUTS)
    if done.exit.oom_killed:
        raise CheckFailedError(
            f"{image.tags[0]} was built, but its model needs more than {memory / 1024**3:.1f} GiB of memory",
            hint="A smaller model, or fewer rows in the sample, may fit.",
        )
    if done.exit.code:
        found = diagnose(done.log) or Diagnosis(
            reason=f"exit code {done.exit.code}", hint="The log above shows the reason."
        )
        raise CheckFailedError(
            f"{image.tags[0]} was built, but cannot serve: {found.reason}", hint=found.hint, detail=done.log[-6000:]
        )


def refuse_own_dockerfile(builder: Builder, *, own: bool) -> None:
    """Raise UsageError if the Dockerfile comes from the user's `own` template and the engine reads no Dockerfiles."""
    if own and not builder.builds_dockerfiles:
        raise UsageError(
            f"the engine {builder.facts().name} cannot build from a Dockerfile of your own",
            hint="Remove Dockerfile.j2 from the folder that `templates:` names, or build with --engine docker.",
        )


def refuse_large(image: Image, limit: int | None) -> None:
    """Raise ImageTooLargeError for an image of more bytes than `--max-size` allows; the image is kept."""
    if limit is not None and image.size > limit:
        error = ImageTooLargeError(
            f"{image.tags[0]} has {image.size / 1e6:.1f} MB; the limit is {limit / 1e6:.1f} MB",
            hint="`mlpack image` shows its layers and packages by size.",
        )
        error.document = image.to_json()
        raise error


def tags_of(bundle: Bundle, extra: tuple[str, ...]) -> tuple[str, ...]:
    """All tags of the image, the content tag first. Raises UsageError for an invalid one."""
    own = [f"{bundle.name}:{short_digest(bundle.digest)}", f"{bundle.name}:latest"]
    if bundle.version is not None:
        own.append(f"{bundle.name}:{tag_text(bundle.version)}")
    named = [tag if ":" in tag.rpartition("/")[2] else f"{tag}:latest" for tag in extra]
    return tuple(dict.fromkeys([*own, *named]))


def tag_text(version: str) -> str:
    """A version as a tag; `+` becomes `_`. Raises UsageError for one that cannot be a tag."""
    text = version.replace("+", "_")
    if not is_tag(text):
        raise UsageError(
            f"version {version!r} cannot be an image tag", hint="Use letters, digits, dots, dashes: 1.4.0, 2024-05-01."
        )
    return text


def _refuse_moved_version(bundle: Bundle, builder: Builder) -> None:
    reference = f"{bundle.name}:{tag_text(bundle.version or '')}"
    existing = builder.find(reference)
    if existing is not None and existing.labels.get(labels.BUNDLE) != bundle.digest:
        raise TagConflictError(
            f"{reference} exists with other content ({existing.id[:19]})",
            hint="Choose a new --version, or move the tag with --force.",
        )
