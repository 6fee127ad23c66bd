"""From Bundle to Image: built and tagged, or found when nothing changed."""

from __future__ import annotations

import time
from dataclasses import replace

from mlpack.artifacts import labels
from mlpack.artifacts.bundle import Bundle
from mlpack.artifacts.image import Image
from mlpack.artifacts.progress import OnProgress
from mlpack.engines.base import Builder
from mlpack.errors import ImageTooLargeError, TagConflictError, UsageError


def build(
    bundle: Bundle,
    *,
    builder: Builder,
    extra_tags: tuple[str, ...] = (),
    force: bool = False,
    use_cache: bool = True,
    on_progress: OnProgress,
) -> Image:
    """The bundle's image, tagged NAME:CONTENTDIGEST12, NAME:latest, NAME:VERSION and as the user said.

    Unchanged input builds nothing. A version's tag does not move to other content without `force`; `latest` and the
    user's own tags move freely. Raises TagConflictError and what `Builder.build` raises.
    """
    began = time.perf_counter()
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


def refuse_large(image: Image, limit: int | None) -> None:
    """Raise ImageTooLargeError for an image of more bytes than `--max-size` allows; the image stays, to be looked at."""
    if limit is not None and image.size > limit:
        error = ImageTooLargeError(
            f"{image.tags[0]} has {image.size / 1e6:.1f} MB; {limit / 1e6:.1f} MB are allowed",
            hint="`mlpack image` shows its layers and packages by size.",
        )
        error.document = image.to_json()
        raise error


def tags_of(bundle: Bundle, extra: tuple[str, ...]) -> tuple[str, ...]:
    """Every name that the image gets, the content tag first. Raises UsageError for one that is no reference."""
    own = [f"{bundle.name}:{content_tag(bundle.digest)}", f"{bundle.name}:latest"]
    if bundle.version is not None:
        own.append(f"{bundle.name}:{tag_text(bundle.version)}")
    named = [tag if ":" in tag.rpartition("/")[2] else f"{tag}:latest" for tag in extra]
    return tuple(dict.fromkeys([*own, *named]))


def content_tag(digest: str) -> str:
    """The first 12 hex digits of a `sha256:...` digest."""
    return digest.removeprefix("sha256:")[:12]


def tag_text(version: str) -> str:
    """A version as a tag (distribution spec: `[A-Za-z0-9_][A-Za-z0-9._-]{0,127}`); `+` becomes `_`."""
    text = version.replace("+", "_")
    allowed = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")
    if not text or len(text) > 128 or text[0] in ".-" or not set(text) <= allowed:
        raise UsageError(
            f"version {version!r} cannot be an image tag", hint="Use letters, digits, dots, dashes: 1.4.0, 2024-05-01."
        )
    return text


def _refuse_moved_version(bundle: Bundle, builder: Builder) -> None:
    reference = f"{bundle.name}:{tag_text(bundle.version or '')}"
    there = builder.find(reference)
    if there is not None and there.labels.get(labels.BUNDLE) != bundle.digest:
        raise TagConflictError(
            f"{reference} exists with other content ({there.id[:19]})",
            hint="Give a new --version, or --force to move this one.",
        )
