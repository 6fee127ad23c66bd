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


class _Home(Protocol):
    @property
    def project(self) -> str: ...

    @property
    def region(self) -> str: ...


def deploy_destination(home: _Home | None, named: str | None, *, image: str, keep: int | None) -> Destination | None:
    """The destination of a deploy: `named` in mlpack.yaml, else the target's own repository; None: the image stays.

    `home` is the project and region that the target takes its images from; None when it runs on the engine that built them.
    """
    if home is None:
        return None
    if named is not None:
        return NamedRepository(name=named, keep=keep)
    return ProjectRepository(project=home.project, region=home.region, image=image, keep=keep)
