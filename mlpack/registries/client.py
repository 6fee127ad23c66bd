"""Requests to a registry's HTTP API: login, redirects, errors."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlencode, urljoin, urlsplit

from mlpack.artifacts.references import DOCKER_HUB, is_loopback
from mlpack.errors import RegistryAuthError, RegistryError, RegistryNotFoundError, RegistryUnreachableError
from mlpack.http import CertificateError, Connection, Trust, UnansweredError, send
from mlpack.registries.credentials import Credentials, Login, find_credentials, remedy

if TYPE_CHECKING:
    from typing_extensions import Self

_TIMEOUT_S = 60
_ANSWER_LIMIT = 32 * 1024 * 1024
_CHALLENGE_PART = re.compile(r'(\w+)="([^"]*)"')
# Variables with a CA bundle that Python and curl users set, in addition to OpenSSL's own SSL_CERT_FILE.
_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A registry's response; header names are case-insensitive."""

    status: int
    headers: Message
    body: bytes


class RegistryHttp:
    """A registry's API, with the user's login: plain HTTP for addresses of this machine, else HTTPS.

    `login` replaces the login in Docker's configuration.
    """

    def __init__(self, registry: str, *, login: Login | None = None) -> None:
        host = urlsplit(f"//{registry}").hostname or ""
        self._registry = registry
        self._base = f"{'http' if is_loopback(host) else 'https'}://{_endpoint(registry)}"
        self._login = login
        self._credentials: Credentials | None = (login or find_credentials)(registry)
        self._authorization: dict[str, str] = {}
        # Addresses of this machine are reached directly, even if a proxy is set.
        self._connection = Connection(
            trust=_trust(registry), proxies={} if is_loopback(host) else None, timeout_s=_TIMEOUT_S
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing: no connection is kept open."""

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        write: bool = False,
    ) -> Answer:
        """Send one request; log in if the registry requires it. `path` may be a URL that the registry returned.

        Raises RegistryAuthError (401), RegistryNotFoundError (403), RegistryUnreachableError; the caller handles other
        statuses.
        """
        address = urljoin(self._base, path)
        if query:
            address += ("&" if urlsplit(address).query else "?") + urlencode(query)
        scope = "pull,push" if write else "pull"
        answer = self._send(method, address, headers or {}, body, self._authorization.get(scope))
        if answer.status == 401:
            self._authorization[scope] = self._log_in(answer, scope)
            answer = self._send(method, address, headers or {}, body, self._authorization[scope])
        if answer.status == 401:
            raise self._refused("the credentials are wrong or have no access")
        if answer.status == 403:
            raise RegistryNotFoundError(
                f"this login may not {'write to' if write else 'read'} {urlsplit(address).path} at {self._registry}",
                hint="Check the name of the repository and the permissions of the login.",
            )
        return answer

    def _send(
        self, method: str, address: str, headers: Mapping[str, str], body: bytes | None, authorization: str | None
    ) -> Answer:
        # An upload address on another host (a bucket) is signed, and must not receive the login.
        own = urlsplit(address).netloc == urlsplit(self._base).netloc
        return self._open(
            address, method=method, headers=headers, body=body, authorization=authorization if own else None
        )

    def _open(self, address: str, **request: Any) -> Answer:
        try:
            with send(address, self._connection, **request) as answer:
                return _read(answer.status, answer.headers, answer)
        except (UnansweredError, CertificateError, HTTPException, OSError) as error:
            raise RegistryUnreachableError(
                f"{self._registry} cannot be reached: {error}",
                hint="Check the host and port, the network, the proxy, and the certificates that this machine trusts.",
            ) from error

    def _log_in(self, refusal: Answer, scope: str) -> str:
        """The Authorization header for the challenge of a 401: Basic, or Bearer with a token that is fetched for it."""
        challenge = refusal.headers.get("WWW-Authenticate") or ""
        scheme = challenge.partition(" ")[0].lower()
        if scheme == "basic":
            if self._credentials is None:
                raise self._refused("no login is configured")
            return _basic(self._credentials)
        if scheme == "bearer":
            return "Bearer " + self._token(dict(_CHALLENGE_PART.findall(challenge)), scope)
        raise RegistryAuthError(
            f"{self._registry} requires a kind of login that mlpack does not support: {challenge[:80]!r}"
        )

    def _token(self, challenge: Mapping[str, str], scope: str) -> str:
        """A token from the realm that the challenge names (distribution spec, token authentication)."""
        realm = challenge.get("realm", "")
        if not realm.startswith("https://") and not is_loopback(urlsplit(realm).hostname or ""):
            raise self._refused(f"the login would be sent to {realm!r}, which is not encrypted")
        wanted = re.sub(r":[a-z,]+$", f":{scope}", challenge.get("scope", ""))
        fields = {"service": challenge.get("service", ""), "scope": wanted}
        credentials, login, body = self._credentials, None, None
        if credentials is not None and credentials.identity_token:
            form = {**fields, "grant_type": "refresh_token", "refresh_token": credentials.identity_token}
            body = urlencode({**form, "client_id": "mlpack"}).encode()
        else:
            realm += ("&" if urlsplit(realm).query else "?") + urlencode(fields)
            if credentials is not None:
                login = _basic(credentials)
        answer = self._open(realm, method="GET" if body is None else "POST", authorization=login, body=body)
        with contextlib.suppress(ValueError, AttributeError):
            found = json.loads(answer.body)
            if answer.status == 200 and (token := found.get("token") or found.get("access_token")):
                return str(token)
        raise self._refused(f"{urlsplit(realm).hostname} answered {answer.status}")

    def _refused(self, why: str) -> RegistryAuthError:
        known = self._credentials is not None
        message = f"{self._registry} refused the login: {why}" if known else f"{self._registry} requires a login: {why}"
        return RegistryAuthError(message, hint=f"{remedy(self._registry, self._login)}, then try again.")


def _read(status: int, headers: Message, answer: IO[bytes]) -> Answer:
    body = answer.read(_ANSWER_LIMIT + 1)
    if len(body) > _ANSWER_LIMIT:
        raise RegistryError(f"the registry's answer is longer than {_ANSWER_LIMIT} bytes")
    return Answer(status=status, headers=headers, body=body)


def _endpoint(registry: str) -> str:
    return "registry-1.docker.io" if registry == DOCKER_HUB else registry


def _basic(credentials: Credentials) -> str:
    pair = f"{credentials.username}:{credentials.password}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"


def _trust(registry: str) -> Trust:
    """The certificates of this machine, of the user's CA bundle, and of Docker's folder for the registry."""
    folders = (Path.home() / ".docker" / "certs.d" / registry, Path("/etc/docker/certs.d") / registry)
    named = [Path(text) for name in _CA_VARIABLES if (text := os.environ.get(name))]
    docker = (path for folder in folders if folder.is_dir() for path in sorted(folder.glob("*.crt")))
    return Trust(more=tuple(path for path in (*named, *docker) if path.is_file()))
