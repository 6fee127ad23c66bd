"""The start of the line: a model fetched by its reference, an image of the engine, or an image in a registry."""

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
    """Return the model that a reference names, as a local file or folder. Raises UsageError if no source accepts it."""
    source = next((one for one in sources if one.accepts(reference)), None)
    if source is None:
        known = ", ".join(one.name for one in sources)
        raise UsageError(f"no source of models accepts {reference!r}", hint=f"Installed sources: {known}.")
    return source.fetch(reference, folder=folder, on_progress=on_progress)


def find_image(
    reference: str | None, *, engine: Callable[[], Builder], workspace: Workspace, foreign: bool = False
) -> Image:
    """Return the engine's image of this name or id, with its card; by default the one last built in the working folder.

    With `foreign`, an image that mlpack did not build is accepted, with the card {}. Raises UsageError if no image was
    built, ImageNotFoundError.
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


def refuse_coordinator(image: Image) -> Image:
    """Return the same image. Raises UsageError for the coordinator of an ensemble, which serves nothing without its members."""
    if image.card.get("format") == "ensemble":
        name = str(image.card.get("name"))
        raise UsageError(
            f"{image.tags[0] if image.tags else image.id} is the coordinator of the ensemble {name}, and needs its members",
            hint="Use `mlpack ensemble test`, `up` or `deploy`, with the ensemble.yaml.",
        )
    return image


def no_image(name: str) -> ImageNotFoundError:
    """The error for an image that the engine does not have, with another hint if the name looks like a file's."""
    suffix = Path(name).suffix[1:]
    if os.path.exists(name):  # noqa: PTH110 - Path's would raise on a name that is too long for a file
        hint = f"This is a file or folder: `mlpack build {name}` builds an image from it."
    elif name.startswith((".", "/", "~")) or (suffix.isidentifier() and ":" not in name):
        hint = "There is no file with that name either."
    else:
        hint = "Build it again, pull it, or name another image."
    return ImageNotFoundError(f"the engine has no image {name}", hint=hint)


def find_released(
    reference: str, *, platform: str, workspace: Workspace, verified: bool, receipt: Path | None
) -> Released:
    """Return a registry's image `host/repository@sha256:...`, with its receipt unless `verified` is false.

    The receipt is the file `receipt`, else the one in the workspace, else the newest referrer of the image. Raises
    NotVerifiedError, RegistryError and its subclasses.
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
    """The newest receipt for exactly this image among its referrers."""
    found = [one for document in documents if (one := _receipt_in(document, image)) is not None]
    if not found:
        raise NotVerifiedError(
            f"no receipt is attached to {reference}, and none is stored in this folder",
            hint="`mlpack push` attaches one. Give --receipt FILE, or --no-verify to continue without a receipt.",
        )
    return require_passed(max(found, key=lambda one: one.time), reference)


def _receipt_in(document: bytes, image: Image) -> Verified | None:
    """The receipt in a document; None if it is for another image or platform, or invalid."""
    try:
        return Verified.from_json(json.loads(document), image)
    except ValueError:
        return None
