"""Other addresses of Google's interfaces: taken as they are, but never unencrypted to another machine."""

from __future__ import annotations

from urllib.parse import urlsplit

from mlpack.errors import UsageError

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def checked(endpoint: str) -> str:
    """The address with its scheme; "" for Google's own. Raises UsageError for plain http to another machine."""
    if not endpoint:
        return ""
    parts = urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise UsageError(f"{endpoint!r} is not an address", hint="Such as https://run.googleapis.com.")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise UsageError(
            f"{endpoint} is not encrypted, so your access token could be read",
            hint="Use https; plain http is allowed only for this machine.",
        )
    return f"{parts.scheme}://{parts.netloc}"
