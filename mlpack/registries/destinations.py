"""Where an image is pushed to: a repository that the user named, or the project's own in Artifact Registry."""

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
    """Pushes with the login that it has."""

    def push(self, image: Image, reference: str, *, on_progress: OnProgress) -> str:
        """Push as `host/repository:tag`; gives the manifest's digest; raises the RegistryError family."""


class Destination(Protocol):
    """A place for images in a registry."""

    def reference(self) -> str:
        """The image's name there as far as it is known now: host/repository[:tag]. Changes nothing."""

    def prepare(self) -> str:
        """The same, with the repository created and its clean-up policy set where that is ours to do."""

    def publisher(self, engine: Pusher) -> tuple[Publisher, Login | None]:
        """What pushes there, and the registry's login where it is not Docker's own."""


@dataclass(frozen=True, kw_only=True)
class NamedRepository:
    """`host/repository[:tag]` as the user wrote it; `keep` is the clean-up policy: how many images stay."""

    name: str
    keep: int | None = None

    def reference(self) -> str:
        """As it was written."""
        return self.name

    def prepare(self) -> str:
        """As it was written. Raises UsageError for a policy outside of Artifact Registry."""
        if self.keep is not None:
            repository = repository_of(self.name)
            if repository is None:
                raise UsageError(
                    f"--keep is a policy of Artifact Registry, and {self.name} is not there", hint="Leave --keep out."
                )
            ArtifactRegistry().ensure(repository, newest=self.keep)
        return self.name

    def publisher(self, engine: Pusher) -> tuple[Publisher, Login | None]:
        """The engine with Docker's login; for Google's registries one with Google's."""
        if not is_google(self.name.partition("/")[0]):
            return engine, None
        login = GoogleLogin()
        return GooglePublisher(engine, login, ArtifactRegistry()), login


@dataclass(frozen=True, kw_only=True)
class ProjectRepository:
    """The repository `mlpack` of a Google project and region, created when it is missing; `image` is the name in it."""

    project: str
    region: str
    image: str
    keep: int | None = None

    def reference(self) -> str:
        """Its address as the service gives it, else the usual one."""
        repository = self._repository
        return f"{ArtifactRegistry().find(repository) or repository.usual_uri}/{self.image}"

    def prepare(self) -> str:
        """The same, with the repository created and its policy set."""
        return f"{ArtifactRegistry().ensure(self._repository, newest=self.keep)}/{self.image}"

    def publisher(self, engine: Pusher) -> tuple[Publisher, Login | None]:
        """The engine with a token of Google's, whatever the host's name is."""
        login = GoogleLogin(always=True)
        return GooglePublisher(engine, login, ArtifactRegistry()), login

    @property
    def _repository(self) -> Repository:
        return Repository(project=self.project, location=self.region)


class OwnRegistry(Protocol):
    """The registry of a target, used if mlpack.yaml names no repository."""

    def repository(self, image: str, *, keep: int | None) -> Destination:
        """Where an image of this name goes; `keep` is the clean-up policy: how many images stay."""


@dataclass(frozen=True, kw_only=True)
class ProjectRegistry:
    """The OwnRegistry of a Google project and region: the repository `mlpack` of Artifact Registry there."""

    project: str
    region: str

    def repository(self, image: str, *, keep: int | None) -> Destination:
        """The repository, created when the image is pushed if it is missing."""
        return ProjectRepository(project=self.project, region=self.region, image=image, keep=keep)


def choose_destination(
    named: str | None, *, project: str | None, region: str | None, usual: str | None, image: str, keep: int | None
) -> Destination:
    """The destination of a push: `named`, else the project's own repository, else the `usual` one of mlpack.yaml.

    Raises UsageError when none is known.
    """
    if named is None and project and region:
        return ProjectRepository(project=project, region=region, image=image, keep=keep)
    name = named or usual
    if name is None:
        raise UsageError(
            "no repository to push to is named",
            hint="--to host/repository, --project and --region, or `image: {repository: ...}` in mlpack.yaml.",
        )
    parse_reference(name)  # a mistake in it is reported before anything is pushed
    return NamedRepository(name=name, keep=keep)


def deploy_destination(
    named: str | None, *, target: str, needs_registry: bool, own: OwnRegistry | None, image: str, keep: int | None
) -> Destination | None:
    """The destination of a deployment: `named` in mlpack.yaml, else the target's `own`; None: the image is not pushed.

    Raises UsageError if the target needs a registry and there is none.
    """
    if named is not None:
        parse_reference(named)  # a mistake in it is reported before anything is built
        return NamedRepository(name=named, keep=keep)
    if not needs_registry:
        return None
    if own is None:
        raise UsageError(
            f"the target {target} pulls images from a registry, and none is configured",
            hint="Name a repository in mlpack.yaml: `image: {repository: host/repository}`.",
        )
    return own.repository(image, keep=keep)
