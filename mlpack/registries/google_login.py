"""The login to Google's registries: from Docker's configuration, else a token of Application Default Credentials."""

from __future__ import annotations

import warnings
from typing import Any

from mlpack.errors import RegistryAuthError, UsageError
from mlpack.registries.credentials import Credentials, find_credentials

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_USER = "oauth2accesstoken"  # the user name that Artifact Registry requires with an access token


class GoogleLogin:
    """A Login. `always` uses the token even if Docker's configuration has another login for the host.

    The token is fetched at its first use, after the build; `renew` discards it.
    """

    def __init__(self, *, always: bool = False) -> None:
        self._always = always
        self._google: Any = None
        self.remedy = ""  # the hint if the login is refused; "" for `docker login`

    def __call__(self, registry: str) -> Credentials | None:
        """The login for a registry; None if neither Docker's configuration nor Google credentials provide one."""
        own = None if self._always else find_credentials(registry)
        if own is not None:
            return own
        token = self._token(registry)
        self.remedy = "" if token is None else REMEDY
        return None if token is None else Credentials(username=_USER, password=token)

    def renew(self) -> None:
        """Use a new token for the next login."""
        self._google = None

    def _token(self, registry: str) -> str | None:
        try:
            from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
            from google.auth.transport.requests import Request
        except ImportError as error:
            if not self._always:
                return None
            raise UsageError("Google's client libraries are missing", hint=MISSING) from error
        try:
            if self._google is None:
                self._google = default_credentials()
            if not self._google.valid:  # a token is valid for an hour, and some pushes take longer
                self._google.refresh(Request())
        except DefaultCredentialsError as error:
            if not self._always:
                return None
            raise RegistryAuthError(
                f"no Google credentials for {registry}",
                hint="`gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS.",
            ) from error
        except GoogleAuthError as error:
            raise RegistryAuthError(
                f"Google issued no token for {registry}: {error.args[0] if error.args else error}",
                hint="Log in again with `gcloud auth application-default login`; a key file may have been revoked.",
            ) from error
        return str(self._google.token)


def default_credentials() -> Any:
    """Application Default Credentials; raises Google's DefaultCredentialsError if there are none."""
    import google.auth

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about end-user credentials without a quota project, which is no problem here
        return google.auth.default(scopes=[_SCOPE])[0]


REMEDY = "`gcloud auth application-default login`, with an account that has roles/artifactregistry.writer there"
MISSING = "Install them: pip install 'mlpack-cli[cloudrun]'."


def is_google(registry: str) -> bool:
    """Whether a registry's host is one of Google's."""
    return registry == "gcr.io" or registry.endswith(("-docker.pkg.dev", ".gcr.io"))
