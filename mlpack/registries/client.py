"""Requests to a registry's HTTP interface: its login, its redirects, its failures."""

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

_PATIENCE_S = 60
_ANSWER_LIMIT = 32 * 1024 * 1024
_CHALLENGE_PART = re.compile(r'(\w+)="([^"]*)"')
# Where Python and curl users name their company's CA, beside OpenSSL's own SSL_CERT_FILE.
_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a registry answered; header names in any case."""

    status: int
    headers: Message
    body: bytes


class RegistryHttp:
    """A registry's interface, with the user's login: plain HTTP on this machine's own addresses, else HTTPS.

    `login` instead of that of Docker's config.
    """

    def __init__(self, registry: str, *, login: Login | None = None) -> None:
        host = urlsplit(f"//{registry}").hostname or ""
        self._registry = registry
        self._base = f"{'http' if is_loopback(host) else 'https'}://{_endpoint(registry)}"
        self._login = login
        self._credentials: Credentials | None = (login or find_credentials)(registry)
        self._authorization: dict[str, str] = {}
        # This machine's own addresses are reached directly, whatever proxy is set.
        self._connection = Connection(
            trust=_trust(registry), proxies={} if is_loopback(host) else None, timeout_s=_PATIENCE_S
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is kept open."""

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        write: bool = False,
    ) -> Answer:
        """One request; `path` may be a whole address that the registry gave. The login is made when it asks for one.

        Raises RegistryAuthError (401), RegistryNotFoundError (403), RegistryUnreachableError; other statuses are the
        caller's to judge.
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
            raise self._refused("it does not accept it")
        if answer.status == 403:
            raise RegistryNotFoundError(
                f"{self._registry} does not let this login {'write to' if write else 'read'} {urlsplit(address).path}",
                hint="See to the repository's name and the login's rights.",
            )
        return answer

    def _send(
        self, method: str, address: str, headers: Mapping[str, str], body: bytes | None, authorization: str | None
    ) -> Answer:
        # What the registry hands on to another host (a bucket) is signed by its address and must not see the login.
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
                hint="See to the host and port, the network and its proxy, and the certificates that are trusted here.",
            ) from error

    def _log_in(self, refusal: Answer, scope: str) -> str:
        """The Authorization header that a 401's challenge asks for: Basic, or a Bearer token fetched for it."""
        challenge = refusal.headers.get("WWW-Authenticate") or ""
        scheme = challenge.partition(" ")[0].lower()
        if scheme == "basic":
            if self._credentials is None:
                raise self._refused("there is none")
            return _basic(self._credentials)
        if scheme == "bearer":
            return "Bearer " + self._token(dict(_CHALLENGE_PART.findall(challenge)), scope)
        raise RegistryAuthError(f"{self._registry} asks for a login of a kind unknown here: {challenge[:80]!r}")

    def _token(self, challenge: Mapping[str, str], scope: str) -> str:
        """A token from the realm that the challenge names (distribution spec, token authentication)."""
        realm = challenge.get("realm", "")
        if not realm.startswith("https://") and not is_loopback(urlsplit(realm).hostname or ""):
            raise self._refused(f"it wants the login sent to {realm!r}, which is not encrypted")
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
        told = f"{self._registry} refused the login: {why}" if known else f"{self._registry} asks for a login: {why}"
        return RegistryAuthError(told, hint=f"{remedy(self._registry, self._login)}, then try again.")


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
