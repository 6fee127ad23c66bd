"""The HTTP client for registries and package indexes: certificates, proxies, redirects; logins are sent to their host only."""

from __future__ import annotations

import functools
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit


class UnansweredError(Exception):
    """No HTTP response; `reason` is the cause. `untrusted`: an invalid certificate; `final`: a retry cannot help."""

    def __init__(self, error: Exception) -> None:
        self.reason: object = getattr(error, "reason", None) or error
        self.untrusted = isinstance(self.reason, ssl.SSLError)
        self.final = self.untrusted or isinstance(self.reason, ConnectionRefusedError)
        super().__init__(str(self.reason))


class CertificateError(Exception):
    """A file that should contain certificates, but does not."""


@dataclass(frozen=True, kw_only=True)
class Trust:
    """The CAs for HTTPS: `bundle`, or else the system's store, and the files `more`; with `verify` false, no verification.

    `client` is the client certificate and key.
    """

    bundle: Path | None = None
    more: tuple[Path, ...] = ()
    client: Path | None = None
    verify: bool = True


@dataclass(frozen=True, kw_only=True)
class Connection:
    """Settings of connections: `proxies` by scheme (None: those of the environment), except for hosts in `no_proxy`."""

    trust: Trust = field(default_factory=Trust)
    proxies: Mapping[str, str] | None = None
    no_proxy: str = ""
    timeout_s: float = 60


def send(
    url: str,
    connection: Connection,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    authorization: str | None = None,
) -> Any:
    """Send a request; return the open response, of any status, for the caller to close. Redirects of reads are followed.

    `authorization` is the value of the header; it is not sent to another host after a redirect. Raises UnansweredError,
    CertificateError.
    """
    parts = urlsplit(url)
    request = urllib.request.Request(url, data=body, headers=dict(headers or {}), method=method)  # noqa: S310 - http(s) only
    if authorization:
        request.add_unredirected_header("Authorization", authorization)
    handlers: list[urllib.request.BaseHandler] = [_Redirects(), _proxies(connection, parts.hostname or "", parts.port)]
    if parts.scheme == "https":
        handlers.append(urllib.request.HTTPSHandler(context=_context(connection.trust)))
    try:
        return urllib.request.build_opener(*handlers).open(request, timeout=connection.timeout_s)
    except urllib.error.HTTPError as answer:
        return answer
    except (urllib.error.URLError, OSError, HTTPException) as error:
        raise UnansweredError(error) from error


def _proxies(connection: Connection, host: str, port: int | None) -> urllib.request.ProxyHandler:
    if connection.proxies is None:
        return urllib.request.ProxyHandler()
    bypass = urllib.request.proxy_bypass_environment  # type: ignore[attr-defined]  # urllib's own, missing in its stubs
    if bypass(f"{host}:{port}" if port else host, {"no": connection.no_proxy}):
        return urllib.request.ProxyHandler({})
    return urllib.request.ProxyHandler({name: address for name, address in connection.proxies.items() if address})


@functools.lru_cache(maxsize=16)
def _context(trust: Trust) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=str(trust.bundle) if trust.bundle else None)
        for path in trust.more:
            context.load_verify_locations(cafile=path)
        if trust.client:
            context.load_cert_chain(trust.client)
    except OSError as error:  # ssl.SSLError is one
        raise CertificateError(
            f"{trust.client or trust.bundle or trust.more} is not a certificate file: {error}"
        ) from error
    if not trust.verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, with the login only while they stay on its host."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        login = req.unredirected_hdrs.get("Authorization")
        if following and login and urlsplit(newurl)[:2] == urlsplit(req.full_url)[:2]:
            following.add_unredirected_header("Authorization", login)
        return following
