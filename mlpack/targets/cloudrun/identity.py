"""Identity tokens for requests to a private service, from the credentials on this machine."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

from mlpack.shell import run

_IAM_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_GCLOUD_S = 30
# For a person's shell, after a deploy.
TOKEN_COMMAND = "gcloud auth print-identity-token"  # noqa: S105  # a command, no secret


def identity_token(audience: str, credentials: Any, *, impersonate: str | None = None) -> str | None:
    """An identity token for `audience` (the service's address, also for a tagged revision); None if there is none.

    Tried in turn: impersonation if it is configured, a service account's key or the machine's own account, credentials
    that impersonate or are federated, gcloud.
    """
    ways: list[Callable[[], str | None]] = [
        lambda: _impersonated(audience, credentials, impersonate) if impersonate else None,
        lambda: _own(audience, credentials),
        lambda: _acting(audience, credentials),
        lambda: _gcloud(audience, impersonate),
    ]
    for way in ways:
        token = _tried(way)
        if token:
            return token
    return None


def _tried(way: Callable[[], str | None]) -> str | None:
    from google.auth.exceptions import GoogleAuthError

    try:
        return way()
    except (GoogleAuthError, OSError, ValueError, subprocess.TimeoutExpired):
        return None


def _own(audience: str, credentials: Any) -> str | None:
    """A service account's key file, or the metadata server, which is used only if the machine has one, to avoid a timeout."""
    from google.auth import compute_engine
    from google.auth.transport.requests import Request
    from google.oauth2 import id_token, service_account

    if not isinstance(credentials, (service_account.Credentials, compute_engine.Credentials)):
        return None
    return str(id_token.fetch_id_token(Request(), audience))  # type: ignore[no-untyped-call]  # Google's library has none


def _impersonated(audience: str, source: Any, account: str) -> str | None:
    from google.auth import impersonated_credentials

    target = impersonated_credentials.Credentials(  # type: ignore[no-untyped-call]  # Google's library has no types
        source_credentials=source, target_principal=account, target_scopes=[_IAM_SCOPE]
    )
    return _identity_of(target, audience)


def _acting(audience: str, credentials: Any) -> str | None:
    """Workload identity federation and `--impersonate-service-account` logins: both name the account that they act as."""
    from google.auth import external_account, impersonated_credentials

    if isinstance(credentials, impersonated_credentials.Credentials):
        return _identity_of(credentials, audience)
    if not isinstance(credentials, external_account.Credentials) or not credentials.service_account_email:
        return None
    info = {name: value for name, value in credentials.info.items() if name != "service_account_impersonation_url"}
    source = type(credentials).from_info(info, scopes=[_IAM_SCOPE])  # type: ignore[no-untyped-call]  # as above
    return _impersonated(audience, source, credentials.service_account_email)


def _identity_of(target: Any, audience: str) -> str:
    """The identity token of an account that `target` acts as."""
    from google.auth import impersonated_credentials
    from google.auth.transport.requests import Request

    found = impersonated_credentials.IDTokenCredentials(  # type: ignore[no-untyped-call]  # as above
        target, target_audience=audience, include_email=True
    )
    found.refresh(Request())
    return str(found.token)


def _gcloud(audience: str, impersonate: str | None) -> str | None:
    """What gcloud says of who is logged in; a person's token takes no audience, a service account's needs one."""
    command = ["gcloud", "auth", "print-identity-token"]
    as_account = [f"--impersonate-service-account={impersonate}"] if impersonate else []
    for words in ([*as_account, f"--audiences={audience}"], as_account):
        done = run([*command, *words], timeout_s=_GCLOUD_S)
        if done.code == 0 and done.stdout.strip():
            return done.stdout.strip().splitlines()[-1]
    return None
