"""Destinations of a push: a repository that the user named, or a project's repository in Artifact Registry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mlpack.artifacts.image import Image
from mlpack.artifacts.progress import OnProgress
from mlpack.artifacts.references import parse_reference
from mlpack.errors import UsageError
from mlpack.registries.artifact_registry import ArtifactRegistry, GooglePublisher, Pusher, Repository, repository_of
from mlpack.registries.credentials import Login
from mlpack.registries.google_login import GoogleLogin, is_google


class Publisher(Protocol):
    """Pushes images with a login of its own."""

    def push(self, image: Image, reference: str, *, on_progress: OnProgress) -> str:
        """Push as `host/repository:tag`; return the manifest's digest; raises RegistryError and its subclasses."""


class Destination(Protocol):
    """A repository for images in a registry."""

    def reference(self) -> str:
        """Return the image's name there, host/repository[:tag]. Changes nothing."""

    def prepare(self) -> str:
        """Create the repository and set its clean-up policy if that is necessary; return the image's name there."""

    def publisher(self, engine: Pusher) -> tuple[Publisher, Login | None]:
        """The publisher for this repository, and its login; None for the login in Docker's configuration."""


@dataclass(frozen=True, kw_only=True)
class NamedRepository:
    """`host/repository[:tag]` as the user wrote it; `keep` is the number of images that the clean-up policy keeps."""

    name: str
    keep: int | None = None

    def reference(self) -> str:
        """Return the name as the user wrote it."""
        return self.name

    def prepare(self) -> str:
        """Set the clean-up policy; return the name. Raises UsageError for a policy outside of Artifact Registry."""
        if self.keep is not None:
            repository = repository_of(self.name)
            if repository is None:
                raise UsageError(
                    f"--keep needs Artifact Registry, and {self.name} is in another registry", hint="Leave --keep out."
                )
            ArtifactRegistry().ensure(repository, newest=self.keep)
        return self.name

    def publisher(self, engine: Pusher) -> tuple[Publisher, Login | None]:
        """The engine with Docker's login; for Google's registries, a publisher with a Google login."""
        if not is_google(self.name.partition("/")[0]):
            return engine, None
        login = GoogleLogin()
        return GooglePublisher(engine, login, ArtifactRegistry()), login


@dataclass(frozen=True, kw_only=True)
class ProjectRepository:
    """The repository `mlpack` of a Google project and region, created if it does not exist; `image` is the name in it."""

    project: str
    region: str
    image: str
    keep: int | None = None

    def reference(self) -> str:
        """Return the address that the service reports, else the usual one."""
        repository = self._repository
        return f"{ArtifactRegistry().find(repository) or repository.usual_uri}/{self.image}"

    def prepare(self) -> str:
        """Create the repository if it does not exist, and set its clean-up policy."""
        return f"{ArtifactRegistry().ensure(self._repository, newest=self.keep)}/{self.image}"

    def publisher(self, engine: Pusher) -> tuple[Publisher, Login | None]:
        """A publisher with a Google token, for any host name."""
        login = GoogleLogin(always=True)
        return GooglePublisher(engine, login, ArtifactRegistry()), login

    @property
    def _repository(self) -> Repository:
        return Repository(project=self.project, location=self.region)


class OwnRegistry(Protocol):
    """The registry of a target, used if mlpack.yaml names no repository."""

    def repository(self, image: str, *, keep: int | None) -> Destination:
        """The destination of an image of this name; `keep` is the number of images that the clean-up policy keeps."""


@dataclass(frozen=True, kw_only=True)
class ProjectRegistry:
    """The OwnRegistry of a Google project and region: the repository `mlpack` of Artifact Registry there."""

    project: str
    region: str

    def repository(self, image: str, *, keep: int | None) -> Destination:
        """The repository, which is created when an image is pushed."""
        return ProjectRepository(project=self.project, region=self.region, image=image, keep=keep)


def choose_destination(
    named: str | None, *, project: str | None, region: str | None, default: str | None, image: str, keep: int | None
) -> Destination:
    """The destination of a push: `named`, else the project's repository, else `default` of mlpack.yaml.

    Raises UsageError without any of them.
    """
    if named is None and project and region:
        return ProjectRepository(project=project, region=region, image=image, keep=keep)
    name = named or default
    if name is None:
        raise UsageError(
            "no repository is named",
            hint="Give --to host/repository, --project and --region, or `image: {repository: ...}` in mlpack.yaml.",
        )
    parse_reference(name)  # report an invalid name before the push
    return NamedRepository(name=name, keep=keep)


def deploy_destination(
    named: str | None, *, target: str, needs_registry: bool, own: OwnRegistry | None, image: str, keep: int | None
) -> Destination | None:
    """The destination of a deployment: `named` in mlpack.yaml, else the target's `own`; None if no push is needed.

    Raises UsageError if the target needs a registry and there is none.
    """
    if named is not None:
        parse_reference(named)  # report an invalid name before the build
        return NamedRepository(name=named, keep=keep)
    if not needs_registry:
        return None
    if own is None:
        raise UsageError(
            f"the target {target} pulls images from a registry, and none is configured",
            hint="Name a repository in mlpack.yaml: `image: {repository: host/repository}`.",
        )
    return own.repository(image, keep=keep)
