"""The base images of a build, those of a user's own Dockerfile included; and fetching an image that the engine lacks."""

from __future__ import annotations

import re
from contextlib import closing

from mlpack.artifacts.progress import OnProgress
from mlpack.artifacts.references import parse_reference
from mlpack.engines.docker.client import Client, explanation
from mlpack.engines.docker.layers import LayerProgress
from mlpack.engines.docker.stream import post_stream
from mlpack.errors import BaseImageError, DiskFullError, EngineError
from mlpack.registries.credentials import registry_header
from mlpack.registries.failures import cause, kind_of

_INSTRUCTION = re.compile(
    r"^[ \t]*(?:ARG[ \t]+(\w+)=(\S+)|FROM[ \t]+(?:--\S+[ \t]+)*(\S+)(?:[ \t]+AS[ \t]+(\S+))?)",
    re.IGNORECASE | re.MULTILINE,
)
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")


def base_images(dockerfile: str) -> tuple[str, ...]:
    """The images in the FROM lines of a user's own Dockerfile, in their order, without its own stages and `scratch`.

    Only a Dockerfile of the user's own is read; for all others the plan names the bases.
    """
    known: dict[str, str] = {}
    stages: set[str] = {"scratch"}
    found: dict[str, None] = {}
    for name, value, reference, stage in _INSTRUCTION.findall(dockerfile):
        if name:
            known.setdefault(name, value.strip("\"'"))
            continue
        image = _VARIABLE.sub(lambda match: known.get(match[1] or match[2], match[0]), reference)
        if image.lower() not in stages:
            found[image] = None
        if stage:
            stages.add(stage.lower())
    return tuple(found)


def fetch(client: Client, reference: str, on_progress: OnProgress, *, what: str = "base image") -> None:
    """Pull an image unless the engine has it, with the user's credentials, which BuildKit does not get.

    With the base in the engine a build also works without a network: BuildKit looks up a name in the registry when it has it
    only in its cache. `what` names the image in messages. Raises BaseImageError, DiskFullError.
    """
    from docker.errors import APIError, ImageNotFound

    try:
        client.inspect_image(reference)
    except ImageNotFound:
        pass
    else:
        return
    name = parse_reference(reference)
    layers = LayerProgress(on_progress)
    answer = post_stream(
        client,
        "/images/create",
        params={"fromImage": name.name, "tag": name.digest or name.tag or "latest"},
        headers={"X-Registry-Auth": registry_header(name.registry, needed=False)},
    )
    try:
        with closing(answer):
            for item in answer:
                if "error" in item:
                    raise failed_base(reference, str(item["error"]), what)
                layers.take(item)
    except APIError as error:
        raise failed_base(reference, explanation(error), what) from error


def failed_base(reference: str, text: str, what: str = "base image") -> EngineError:
    """The failure to fetch an image, classified by the engine's message."""
    kind, why = kind_of(text), cause(text)
    instead = ", or set another `build.base`" if what == "base image" else ""
    if kind == "disk":
        return DiskFullError(
            f"the engine's disk is full: no room for the {what} {reference}",
            hint="Free space (`docker system prune`), then run the command again.",
            detail=text,
        )
    if kind == "network":
        return BaseImageError(
            f"the {what} {reference} could not be fetched: its registry cannot be reached ({why})",
            hint="Check the engine's network and proxy, or load the image into the engine (`docker load`).",
            detail=text,
        )
    if kind in {"login", "denied"}:
        return BaseImageError(
            f"the {what} {reference} could not be fetched: its registry requires a login ({why})",
            hint=f"Run `docker login {parse_reference(reference).registry}`{instead}.",
            detail=text,
        )
    if kind == "platform":
        return BaseImageError(
            f"the {what} {reference} does not exist for this platform ({why})",
            hint=f"Use an image for this platform{instead}.",
            detail=text,
        )
    if kind == "missing":
        return BaseImageError(
            f"the {what} {reference} does not exist in its registry",
            hint=f"Check its name{instead}.",
            detail=text,
        )
    return BaseImageError(f"the {what} {reference} could not be fetched: {why}", detail=text)
