"""Requests to package indexes, with the user's proxies, certificates and logins."""

from __future__ import annotations

import netrc
import time
from base64 import b64encode
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from mlpack.errors import ConfigError, IndexUnreachableError
from mlpack.http import CertificateError, Connection, Trust, UnansweredError, send
from mlpack.packages.names import redact
from mlpack.packages.settings import PackageSettings

TRIES = 3

OFFLINE_HINT = "Check the network and the proxy (HTTPS_PROXY), or resolve offline with --wheelhouse DIR."
CA_HINT = "If this network has a certificate authority of its own, set PIP_CERT (or SSL_CERT_FILE) to its bundle."
LOGIN_HINT = "Put it in the index address (PIP_INDEX_URL=https://USER:PASSWORD@HOST/simple), pip.conf or ~/.netrc."


def fetch(url: str, settings: PackageSettings, *, accept: str = "*/*") -> Any:
    """The open response of an address, None for 404 and 410; temporary failures are retried.

    Raises IndexUnreachableError: no answer, an untrusted certificate, no login, or a server error, each with its own message.
    """
    parts = urlsplit(with_login(url, settings))
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    login = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        login = "Basic " + b64encode(pair.encode()).decode()
    connection = _connection(settings, parts.hostname or "", parts.port)
    headers = {"Accept": accept, "User-Agent": "mlpack"}
    for attempt in range(TRIES):
        try:
            answer = send(bare, connection, headers=headers, authorization=login)
        except CertificateError as error:
            raise ConfigError(str(error), hint="Correct PIP_CERT or PIP_CLIENT_CERT.") from None
        except UnansweredError as error:
            if attempt == TRIES - 1 or error.final:
                raise _unreachable(error, parts.hostname or redact(url)) from None
        else:
            if answer.status < 400:
                return answer
            answer.close()
            if answer.status in (404, 410):
                return None
            if answer.status < 500 or attempt == TRIES - 1:
                raise _refused(answer.status, answer.reason, url)
        time.sleep(0.2 * 2**attempt)
    raise AssertionError  # the last attempt returned or raised


def download(url: str, settings: PackageSettings, write: Callable[[bytes], Any]) -> None:
    """Pass a file's bytes to `write` as they arrive. Raises IndexUnreachableError."""
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
            raise _unreachable(UnansweredError(error), urlsplit(url).hostname or "") from None


def with_login(url: str, settings: PackageSettings) -> str:
    """The address with a login, unless it has one: that of an index on the same host, else the netrc file's."""
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


def _connection(settings: PackageSettings, host: str, port: int | None) -> Connection:
    """How the index is reached: the user's proxies and certificates; a trusted host is not verified."""
    trusted = host in settings.trusted_hosts or f"{host}:{port}" in settings.trusted_hosts
    return Connection(
        trust=Trust(bundle=settings.ca_bundle, client=settings.client_cert, verify=not trusted),
        proxies={name: settings.proxies.get(name) or settings.proxies.get("all", "") for name in ("http", "https")},
        no_proxy=settings.proxies.get("no", ""),
        timeout_s=settings.timeout_s,
    )


def _unreachable(error: UnansweredError, host: str) -> IndexUnreachableError:
    if error.untrusted:
        return IndexUnreachableError(f"the package index at {host} is not trusted: {error.reason}", hint=CA_HINT)
    return IndexUnreachableError(f"the package index at {host} did not answer: {error.reason}", hint=OFFLINE_HINT)


def _refused(status: int, reason: str, address: str) -> IndexUnreachableError:
    if status in (401, 403, 407):
        who = "proxy" if status == 407 else "package index"
        return IndexUnreachableError(f"the {who} refused the login for {redact(address)} ({status})", hint=LOGIN_HINT)
    return IndexUnreachableError(f"{redact(address)} answered {status} {reason}", hint="Try again later.")
