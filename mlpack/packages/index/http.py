"""Fetching over HTTP with the user's proxies, certificates and logins."""

from __future__ import annotations

import functools
import netrc
import ssl
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from mlpack.errors import ConfigError, IndexUnreachableError
from mlpack.packages.names import redact
from mlpack.packages.settings import PackageSettings

TRIES = 3

OFFLINE_HINT = "Check the network and the proxy (HTTPS_PROXY), or resolve offline with --wheelhouse DIR."
CA_HINT = "If this network has a certificate authority of its own, set PIP_CERT (or SSL_CERT_FILE) to its bundle."
LOGIN_HINT = "Put it in the index address (PIP_INDEX_URL=https://USER:PASSWORD@HOST/simple), pip.conf or ~/.netrc."


def fetch(url: str, settings: PackageSettings, *, accept: str = "*/*") -> Any:
    """An open answer of the address, None when it is not there (404, 410); brief failures are tried again.

    Raises IndexUnreachableError: no answer, an untrusted certificate, no login, or a server error, each with its own message.
    """
    parts = urlsplit(with_login(url, settings))
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    request = urllib.request.Request(bare, headers={"Accept": accept, "User-Agent": "mlpack"})  # noqa: S310  only http(s) gets here
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        # not sent on to another host when the index redirects
        request.add_unredirected_header("Authorization", "Basic " + b64encode(login.encode()).decode())
    opener = _opener(settings, parts.scheme, parts.hostname or "", parts.port)
    for attempt in range(TRIES):
        try:
            return opener.open(request, timeout=settings.timeout_s)
        except urllib.error.HTTPError as error:
            with error:
                if error.code in (404, 410):
                    return None
                if error.code < 500 or attempt == TRIES - 1:
                    raise _refused(error, url) from None
        except (urllib.error.URLError, OSError, HTTPException) as error:
            if attempt == TRIES - 1 or _is_final(error):
                raise _unreachable(error, parts.hostname or redact(url)) from None
        time.sleep(0.2 * 2**attempt)
    raise AssertionError  # the last attempt returned or raised


def download(url: str, settings: PackageSettings, write: Callable[[bytes], Any]) -> None:
    """Give a file's bytes to `write` as they arrive. Raises IndexUnreachableError."""
    answer = fetch(url, settings)
    if answer is None:
        raise IndexUnreachableError(
            f"the package index lists {redact(url)}, which does not exist", hint="Try again later."
        )
    with answer:
        try:
            while block := answer.read(1024 * 1024):
                write(block)
        except (OSError, HTTPException) as error:
            raise _unreachable(error, urlsplit(url).hostname or "") from None


def with_login(url: str, settings: PackageSettings) -> str:
    """The address with the login for its host, unless it holds one: that of an index there, else the netrc file's."""
    parts = urlsplit(url)
    if "@" in parts.netloc or not parts.hostname:
        return url
    for place in (*settings.indexes, *settings.find_links):
        other = urlsplit(place)
        login, at, host = other.netloc.rpartition("@")
        if at and (other.scheme, host) == (parts.scheme, parts.netloc):
            return urlunsplit(parts._replace(netloc=f"{login}@{host}"))
    login = _netrc_login(settings.netrc, parts.hostname)
    return urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc}")) if login else url


def _netrc_login(path: Path | None, host: str) -> str:
    """`user:password`, quoted, from the netrc file; empty when it has none for the host."""
    try:
        found = netrc.netrc(str(path)).authenticators(host) if path else None
    except (OSError, netrc.NetrcParseError):
        return ""
    return ":".join(quote(part or "", safe="") for part in (found[0], found[2])) if found else ""


def _opener(settings: PackageSettings, scheme: str, host: str, port: int | None) -> urllib.request.OpenerDirector:
    """An opener with the user's proxies and certificates."""
    proxies = {name: settings.proxies.get(name) or settings.proxies.get("all", "") for name in ("http", "https")}
    bypass = urllib.request.proxy_bypass_environment  # type: ignore[attr-defined]  # urllib's own, missing in its stubs
    if bypass(f"{host}:{port}" if port else host, {"no": settings.proxies.get("no", "")}):
        proxies = {}
    handlers: list[urllib.request.BaseHandler] = [
        urllib.request.ProxyHandler({name: address for name, address in proxies.items() if address}),
        _SameHost(),
    ]
    if scheme == "https":
        trusted = host in settings.trusted_hosts or f"{host}:{port}" in settings.trusted_hosts
        handlers.append(urllib.request.HTTPSHandler(context=_tls(settings.ca_bundle, settings.client_cert, trusted)))
    return urllib.request.build_opener(*handlers)


@functools.lru_cache(maxsize=8)
def _tls(bundle: Path | None, client: Path | None, trusted: bool) -> ssl.SSLContext:
    """How HTTPS is checked: by the bundle, else by the system's store; not at all for a trusted host."""
    try:
        context = ssl.create_default_context(cafile=str(bundle) if bundle else None)
        if client:
            context.load_cert_chain(client)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(
            f"{client or bundle} is not a certificate file: {error}", hint="Correct PIP_CERT or PIP_CLIENT_CERT."
        ) from None
    if trusted:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Redirects that keep the login as long as they stay on the host that it is for."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        login = req.unredirected_hdrs.get("Authorization")
        if following and login and urlsplit(newurl)[:2] == urlsplit(req.full_url)[:2]:
            following.add_unredirected_header("Authorization", login)
        return following


def _is_final(error: Exception) -> bool:
    """Whether a retry cannot help: an untrusted certificate, or a refused connection."""
    reason = getattr(error, "reason", error)
    return isinstance(reason, (ssl.SSLError, ConnectionRefusedError))


def _unreachable(error: Exception, host: str) -> IndexUnreachableError:
    reason = getattr(error, "reason", error)
    if isinstance(reason, ssl.SSLError):
        return IndexUnreachableError(f"the package index at {host} is not trusted: {reason}", hint=CA_HINT)
    return IndexUnreachableError(f"the package index at {host} did not answer: {reason}", hint=OFFLINE_HINT)


def _refused(error: urllib.error.HTTPError, address: str) -> IndexUnreachableError:
    if error.code in (401, 403, 407):
        who = "proxy" if error.code == 407 else "package index"
        return IndexUnreachableError(
            f"the {who} refused the login for {redact(address)} ({error.code})",
            hint=LOGIN_HINT,
        )
    return IndexUnreachableError(f"{redact(address)} answered {error.code} {error.reason}", hint="Try again later.")
