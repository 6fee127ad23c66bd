"""Images as the engine holds them: what it says of one, and the card inside."""

from __future__ import annotations

import io
import json
import tarfile
from contextlib import closing
from typing import Any

from mlpack.artifacts import labels
from mlpack.artifacts.image import Image
from mlpack.engines.docker.client import Client
from mlpack.engines.docker.containers import unstarted
from mlpack.errors import ImageNotFoundError

CARD_PATH = "/app/model.json"
# A card names classes and categories, so it may be long; an image of others may hold anything at that path.
_CARD_LIMIT = 64 * 1024 * 1024


def find_image(client: Client, reference: str) -> Image | None:
    """The image that a reference or an id names, None when the engine has none."""
    from docker.errors import APIError

    try:
        return _image(client.inspect_image(reference))
    except APIError as error:
        # 400 is for a text that cannot name an image.
        if error.status_code in {400, 404}:
            return None
        raise


def list_images(client: Client, label: str) -> tuple[Image, ...]:
    """The images that bear a label (`name` or `name=value`), newest first."""
    found = sorted(client.images(filters={"label": label}), key=lambda image: image["Created"], reverse=True)
    return tuple(image for entry in found if (image := find_image(client, entry["Id"])))


def read_card(client: Client, image_id: str) -> dict[str, Any]:
    """The ModelCard out of an image, read without running it. Raises ImageNotFoundError when it holds none."""
    from docker.errors import NotFound

    try:
        with unstarted(client, image_id) as container:
            chunks, stat = client.get_archive(container, CARD_PATH)
            with closing(chunks):
                if stat["size"] > _CARD_LIMIT:
                    raise _no_card(image_id)
                archive = b"".join(chunks)
    except NotFound as error:
        raise _no_card(image_id) from error
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            member = tar.next()
            file = tar.extractfile(member) if member else None
            card = json.load(file) if file else None
    except (tarfile.TarError, ValueError) as error:
        raise _no_card(image_id) from error
    if not isinstance(card, dict):
        raise _no_card(image_id)
    return card


def _image(inspected: dict[str, Any]) -> Image:
    found = dict((inspected.get("Config") or {}).get("Labels") or {})
    try:
        card = json.loads(found.get(labels.CARD, "{}"))
    except ValueError:
        card = {}
    return Image(
        id=inspected["Id"],
        tags=tuple(inspected.get("RepoTags") or ()),
        size=int(inspected["Size"]),
        platform=f"{inspected['Os']}/{inspected['Architecture']}",
        card=card if isinstance(card, dict) else {},
        labels=found,
    )


def _no_card(image_id: str) -> ImageNotFoundError:
    return ImageNotFoundError(
        f"the image {image_id} was not built by mlpack: it has no {CARD_PATH}",
        hint="Build one with `mlpack build MODEL`.",
    )
