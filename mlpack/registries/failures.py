"""Error messages of engines and registries, classified by kind."""

from __future__ import annotations

from typing import Literal

Kind = Literal["disk", "network", "login", "denied", "missing", "platform", "other"]

# Phrases of Go's network library, of Docker's and containerd's clients, and of the registries in use (Docker Hub,
# Artifact Registry, ECR, ACR, GHCR). The first kind with a match wins, so kinds that name a cause come first.
_WORDS: tuple[tuple[Kind, tuple[str, ...]], ...] = (
    ("disk", ("no space left on device", "disk quota exceeded", "not enough space on the disk")),
    (
        "network",
        (
            "no such host",
            "connection refused",
            "connection reset",
            "i/o timeout",
            "tls handshake timeout",
            "network is unreachable",
            "no route to host",
            "temporary failure in name resolution",
            "server misbehaving",
            "x509:",
            "tls: ",
            "http response to https client",
            "client.timeout exceeded",
            "request canceled while waiting for connection",
            "context deadline exceeded",
            "proxyconnect",
            "bad gateway",
            "service unavailable",
            ": eof",
        ),
    ),
    (
        "login",
        (
            "unauthorized",
            "no basic auth credentials",
            "authentication required",
            "unauthenticated",
            "authorization failed",
            "token has expired",
            "incorrect username or password",
            "401 ",
        ),
    ),
    ("platform", ("no match for platform", "no matching manifest for", "does not match the specified platform")),
    (
        "missing",
        (
            "manifest unknown",
            "name unknown",
            "name_unknown",
            "name invalid",
            "repository does not exist",
            "repository name not known",
            "invalid repository name",
            "not found",
            "404 ",
        ),
    ),
    ("denied", ("denied", "forbidden", "403 ")),
)


def kind_of(text: str) -> Kind:
    """The kind of an error by its message; `other` if no phrase matches."""
    low = text.lower() + " "
    return next((kind for kind, words in _WORDS if any(word in low for word in words)), "other")


def cause(text: str) -> str:
    """The end of a chain of `this: that: cause`, on one line, at most 200 characters."""
    return " ".join(text.split()).rstrip(".")[-200:]
