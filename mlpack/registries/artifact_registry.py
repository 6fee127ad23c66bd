"""Artifact Registry: its repositories, created if they do not exist, and the publisher that pushes to them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit

from mlpack.artifacts.image import Image
from mlpack.artifacts.progress import OnProgress
from mlpack.artifacts.references import is_loopback
from mlpack.errors import RegistryAuthError, RegistryError, RegistryNotFoundError, RegistryUnreachableError, UsageError
from mlpack.registries.credentials import Login
from mlpack.registries.google_login import MISSING, GoogleLogin, default_credentials

REPOSITORY = "mlpack"  # the default repository for images
_VARIABLE = "CLOUDSDK_API_ENDPOINT_OVERRIDES_ARTIFACTREGISTRY"
_WAIT_S = 300
_VERSIONS = 2  # of an image: itself, and its receipt, which is a referrer


@dataclass(frozen=True, kw_only=True)
class Repository:
    """A Docker repository of Artifact Registry by project, location and name."""

    project: str
    location: str
    name: str = REPOSITORY

    @property
    def parent(self) -> str:
        """The location's resource name."""
        return f"projects/{self.project}/locations/{self.location}"

    @property
    def resource(self) -> str:
        """The repository's resource name."""
        return f"{self.parent}/repositories/{self.name}"

    @property
    def usual_uri(self) -> str:
        """The usual address; the one that the service reports takes precedence."""
        return f"{self.location}-docker.pkg.dev/{self.project.replace(':', '/')}/{self.name}"


def repository_of(reference: str) -> Repository | None:
    """The repository of `LOCATION-docker.pkg.dev/PROJECT/NAME/...`; None for another host."""
    host, _, path = reference.partition("/")
    parts = path.split("/")
    if not host.endswith("-docker.pkg.dev") or len(parts) < 3:
        return None
    project = ":".join(parts[:2]) if "." in parts[0] and len(parts) > 3 else parts[0]
    name = parts[2] if ":" in project else parts[1]
    return Repository(project=project, location=host.removesuffix("-docker.pkg.dev"), name=name)


class ArtifactRegistry:
    """The control plane; connects at its first use. CLOUDSDK_API_ENDPOINT_OVERRIDES_ARTIFACTREGISTRY sets its address."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._endpoint = environ.get(_VARIABLE, "").rstrip("/")
        self._opened: Any = None

    def find(self, repository: Repository) -> str | None:
        """The repository's address as the service reports it; None if there is no such repository."""
        client = self._client
        from google.api_core.exceptions import NotFound

        with _google_errors(repository):
            try:
                found = client.get_repository(name=repository.resource)
            except NotFound:
                return None
        return str(found.registry_uri) or repository.usual_uri

    def ensure(self, repository: Repository, *, newest: int | None = None) -> str:
        """Return the repository's address; create it if it does not exist.

        With `newest`, set a clean-up policy that keeps this number of images; other policies are kept.
        """
        client = self._client
        from google.api_core.exceptions import Conflict, NotFound

        with _google_errors(repository):
            try:
                found = client.get_repository(name=repository.resource)
            except NotFound:
                with suppress(Conflict):  # created by someone else in the meantime
                    client.create_repository(
                        parent=repository.parent, repository_id=repository.name, repository=_message()
                    ).result(timeout=_WAIT_S)
                found = client.get_repository(name=repository.resource)
            if newest is not None:
                client.update_repository(
                    repository=_message(
                        name=repository.resource, policies={**found.cleanup_policies, **_policies(newest)}
                    ),
                    update_mask={"paths": ["cleanup_policies"]},
                )
        return str(found.registry_uri) or repository.usual_uri

    @property
    def _client(self) -> Any:
        if self._opened is None:
            self._opened = _connect(self._endpoint)
        return self._opened


class Pusher(Protocol):
    """The part of an engine that pushes, with its own login or a given one."""

    def push(self, image: Image, reference: str, *, on_progress: OnProgress, login: Login | None = None) -> str:
        """Push as `host/repository:tag`; return the manifest's digest; raises RegistryError and its subclasses."""


class GooglePublisher:
    """A Publisher that uses a fresh token, retries once with a new one, and creates a missing repository."""

    def __init__(self, engine: Pusher, login: GoogleLogin, registry: ArtifactRegistry) -> None:
        self._engine = engine
        self._registry = registry
        self.login = login

    def push(self, image: Image, reference: str, *, on_progress: OnProgress) -> str:
        """Push as `host/repository:tag`; return the manifest's digest; raises RegistryError and its subclasses."""
        try:
            return self._engine.push(image, reference, on_progress=on_progress, login=self.login)
        except RegistryAuthError:  # a token may expire during a long push; layers that have arrived are kept
            self.login.renew()
        except RegistryNotFoundError:
            repository = repository_of(reference)
            if repository is None or self._registry.find(repository) is not None:
                raise
            self._registry.ensure(repository)
        return self._engine.push(image, reference, on_progress=on_progress, login=self.login)


def _connect(endpoint: str) -> Any:
    try:
        from google.api_core.client_options import ClientOptions
        from google.auth.exceptions import GoogleAuthError
        from google.cloud import artifactregistry_v1
    except ImportError as error:
        raise UsageError("Google's client libraries are missing", hint=MISSING) from error
    try:
        credentials = default_credentials()
    except GoogleAuthError as error:
        raise _no_credentials(error) from error
    if not endpoint:
        return artifactregistry_v1.ArtifactRegistryClient(credentials=credentials)
    parts = urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise UsageError(
            f"{_VARIABLE}: {endpoint} is not encrypted", hint="Use https; plain http is allowed only for this machine."
        )
    options = ClientOptions(api_endpoint=f"{parts.scheme}://{parts.netloc}")
    return artifactregistry_v1.ArtifactRegistryClient(credentials=credentials, transport="rest", client_options=options)


def _no_credentials(error: Exception) -> RegistryAuthError:
    return RegistryAuthError(
        f"no Google credentials for Artifact Registry: {error.args[0] if error.args else error}",
        hint="`gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS.",
    )


def _message(*, name: str = "", policies: Mapping[str, Any] | None = None) -> Any:
    from google.cloud import artifactregistry_v1

    return artifactregistry_v1.Repository(
        name=name,
        format_=artifactregistry_v1.Repository.Format.DOCKER,
        description="images of models, pushed by mlpack",
        cleanup_policies=policies or {},
    )


def _policies(newest: int) -> dict[str, Any]:
    """Delete versions older than a day, except the newest of each image; a KEEP policy alone deletes nothing."""
    from google.cloud import artifactregistry_v1

    policy = artifactregistry_v1.CleanupPolicy
    return {
        "mlpack-delete": policy(
            id="mlpack-delete",
            action=policy.Action.DELETE,
            condition=artifactregistry_v1.CleanupPolicyCondition(
                tag_state=artifactregistry_v1.CleanupPolicyCondition.TagState.ANY, older_than=timedelta(days=1)
            ),
        ),
        "mlpack-keep": policy(
            id="mlpack-keep",
            action=policy.Action.KEEP,
            most_recent_versions=artifactregistry_v1.CleanupPolicyMostRecentVersions(keep_count=_VERSIONS * newest),
        ),
    }


@contextmanager
def _google_errors(repository: Repository) -> Iterator[None]:
    """Translate Google's exceptions into RegistryError and its subclasses."""
    from google.api_core import exceptions as google
    from google.auth.exceptions import GoogleAuthError

    where = repository.resource
    try:
        yield
    except (google.Forbidden, google.Unauthorized) as error:
        raise RegistryAuthError(
            f"this account has no access to {where} in Artifact Registry: {error.message}",
            hint="It needs roles/artifactregistry.writer, and roles/artifactregistry.admin to create the repository.",
        ) from error
    except GoogleAuthError as error:
        raise _no_credentials(error) from error
    except (google.ServiceUnavailable, google.RetryError, google.DeadlineExceeded) as error:
        raise RegistryUnreachableError(
            f"Artifact Registry does not answer: {error}", hint="Check the network, the proxy and the certificates."
        ) from error
    except google.GoogleAPICallError as error:
        raise RegistryError(f"Artifact Registry failed at {where}: {error.message}", hint="Try again.") from error
