"""The user's logins to registries: from Docker's configuration and credential helpers."""

from __future__ import annotations

import base64
import json
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from mlpack.artifacts.references import DOCKER_HUB
from mlpack.errors import RegistryAuthError
from mlpack.registries.docker_config import config_file


@dataclass(frozen=True, kw_only=True, repr=False)
class Credentials:
    """A login; `identity_token` replaces user and password if a registry issued one. Its repr shows no secret."""

    username: str = ""
    password: str = ""
    identity_token: str = ""


# A function that returns the login for a registry, or None; it looks it up at each call.
Login = Callable[[str], Credentials | None]


def remedy(registry: str, login: Login | None) -> str:
    """What to do about a refused login: the remedy of the login itself, else `docker login`."""
    return str(getattr(login, "remedy", "")) or f"`docker login {registry}`"


def find_credentials(registry: str) -> Credentials | None:
    """The login for a registry (`host` or `host:port`), None if there is none.

    Looked up at each call, because helpers return short-lived tokens. Raises RegistryAuthError if a helper fails.
    """
    from docker import auth
    from docker.errors import DockerException

    path = config_file(os.environ)
    if not path.is_file():
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about a missing helper, which the error names too
            found = auth.resolve_authconfig(auth.load_config(str(path)), registry)
    except (DockerException, OSError, ValueError) as error:
        raise RegistryAuthError(
            f"cannot read the login for {registry} from {path}: {error}",
            hint=f"Check that the credential helper named there is installed and works, or run `docker login {registry}`.",
        ) from error
    entry = {key.lower(): value for key, value in (found or {}).items()}
    given = Credentials(
        username=entry.get("username") or "",
        password=entry.get("password") or "",
        identity_token=entry.get("identitytoken") or "",
    )
    return given if given.username or given.identity_token else None


def registry_header(registry: str, *, needed: bool = True, login: Login | None = None) -> str:
    """The value of X-Registry-Auth for the engine: the login, or an empty object, because engines require the header.

    If the login is not `needed` (public images), a broken helper is no error. `login` replaces that of Docker.
    """
    try:
        found = (login or find_credentials)(registry)
    except RegistryAuthError:
        if needed:
            raise
        found = None
    address = "https://index.docker.io/v1/" if registry == DOCKER_HUB else registry
    fields = {} if found is None else {"serveraddress": address, **_login(found)}
    return base64.urlsafe_b64encode(json.dumps(fields).encode()).decode()


def _login(found: Credentials) -> dict[str, str]:
    if found.identity_token:
        return {"identitytoken": found.identity_token}
    return {"username": found.username, "password": found.password}
