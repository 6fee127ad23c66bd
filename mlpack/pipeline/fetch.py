"""Where the line begins: a model fetched by its reference, an image of the engine, or one that is in a registry."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from mlpack.artifacts import labels
from mlpack.artifacts.image import Image
from mlpack.artifacts.progress import OnProgress
from mlpack.artifacts.release import Released, Unverified, Verified
from mlpack.engines.base import Builder
from mlpack.errors import ImageNotFoundError, NotVerifiedError, UsageError
from mlpack.pipeline.push import RECEIPT_TYPE
from mlpack.registries.google_login import GoogleLogin
from mlpack.registries.images import pushed_image
from mlpack.registries.referrers import attachments
from mlpack.sources.base import Source
from mlpack.workspace import Workspace, require_passed


def fetch(reference: str, *, sources: Sequence[Source], folder: Path, on_progress: OnProgress) -> Path:
    """The model that a reference names, as a file or folder of this machine. Raises UsageError when no source knows it."""
    source = next((one for one in sources if one.accepts(reference)), None)
    if source is None:
        known = ", ".join(one.name for one in sources)
        raise UsageError(f"no source of models accepts {reference!r}", hint=f"Sources here: {known}.")
    return source.fetch(reference, folder=folder, on_progress=on_progress)


def find_image(
    reference: str | None, *, engine: Callable[[], Builder], workspace: Workspace, foreign: bool = False
) -> Image:
    """The engine's image of this name or id, else the one that was built last in the working folder, with its card.

    A `foreign` image, which mlpack did not build, has the card {}. Raises UsageError when none was built,
    ImageNotFoundError.
    """
    last = workspace.last_built()
    name = reference or (last.image if last else None)
    if name is None:
        raise UsageError("no image is named, and none was built in this folder", hint="`mlpack build model.pkl` first.")
    found = engine().find(name)
    if found is None:
        raise no_image(name)
    ours = not foreign or reference is None or labels.BUNDLE in found.labels
    found = replace(found, card=engine().card(found.id) if ours else {})
    return found if reference is not None or last is None else replace(found, tags=last.tags or found.tags)


def no_image(name: str) -> ImageNotFoundError:
    """The error of an image that the engine does not have; the hint differs where the name is a file's."""
    suffix = Path(name).suffix[1:]
    if os.path.exists(name):  # noqa: PTH110 - Path's would raise on a name that is too long for a file
        hint = f"It is a file or folder here: `mlpack build {name}` makes an image of it."
    elif name.startswith((".", "/", "~")) or (suffix.isidentifier() and ":" not in name):
        hint = "There is no file of that name either."
    else:
        hint = "Build it again, pull it, or name another one."
    return ImageNotFoundError(f"the engine has no image {name}", hint=hint)


def find_released(
    reference: str, *, platform: str, workspace: Workspace, verified: bool, receipt: Path | None
) -> Released:
    """The image that a registry has under `host/repository@sha256:...`, with its receipt unless `verified` is false.

    The receipt is `receipt`, else the one kept in the workspace, else the newest that is attached to the image. Raises
    NotVerifiedError, and the RegistryError family.
    """
    login = GoogleLogin()
    image = pushed_image(reference, platform=platform, login=login)
    source: Verified | Unverified
    if not verified:
        source = Unverified(image=image)
    elif receipt is not None or workspace.has_receipt(image.id):
        source = workspace.receipt(image, file=receipt)
    else:
        source = _attached(image, attachments(reference, RECEIPT_TYPE, login=login), reference)
    return Released(reference=reference, digest=reference.partition("@")[2], tags=image.tags, source=source)


def _attached(image: Image, documents: Sequence[bytes], reference: str) -> Verified:
    """The newest receipt of exactly this image among those that are attached to it."""
    found = [one for document in documents if (one := _receipt_in(document, image)) is not None]
    if not found:
        raise NotVerifiedError(
            f"no receipt is attached to {reference}, and none is kept here",
            hint="`mlpack push` attaches it; --receipt FILE names one, --no-verify goes on without.",
        )
    return require_passed(max(found, key=lambda one: one.time), reference)


def _receipt_in(document: bytes, image: Image) -> Verified | None:
    """The receipt of this image in a document; None for one of another platform, or a broken one."""
    try:
        return Verified.from_json(json.loads(document), image)
    except ValueError:
        return None
