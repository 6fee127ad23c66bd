"""References of images: their grammar, tags and digests."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from mlpack.errors import UsageError

DOCKER_HUB = "docker.io"
# The distribution spec's grammar of a name, a tag and a digest.
_NAME = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Reference:
    """`registry/repository:tag@digest`; for short names of Docker Hub, the registry and `library/` are filled in."""

    registry: str
    repository: str
    tag: str | None
    digest: str | None
    name: str  # as written, without tag and digest

    def at(self, digest: str) -> str:
        """The same repository with a digest."""
        return f"{self.name}@{digest}"


def parse_reference(text: str) -> Reference:
    """Parse a reference. Raises UsageError if it is invalid."""
    rest, _, digest = text.partition("@")
    name, colon, tag = rest.rpartition(":")
    if not colon or "/" in tag:
        name, tag = rest, ""
    registry, repository = _split(name)
    if (
        not _NAME.fullmatch(repository)
        or (tag and not _TAG.fullmatch(tag))
        or rest.endswith(":")
        or ("@" in text and not _DIGEST.fullmatch(digest))
    ):
        raise UsageError(
            f"{text!r} is not a valid image reference",
            hint="Write HOST[:PORT]/REPOSITORY[:TAG], with the repository in lower case.",
        )
    return Reference(registry=registry, repository=repository, tag=tag or None, digest=digest or None, name=name)


def is_tag(text: str) -> bool:
    """Whether a text can be a tag."""
    return _TAG.fullmatch(text) is not None


def short_digest(digest: str) -> str:
    """The first 12 hexadecimal digits of a `sha256:...` digest."""
    return digest.removeprefix("sha256:")[:12]


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _split(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        if first in {DOCKER_HUB, "index.docker.io"}:
            return DOCKER_HUB, rest if "/" in rest else f"library/{rest}"
        return first, rest
    return DOCKER_HUB, name if slash else f"library/{name}"
