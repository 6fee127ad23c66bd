"""The interfaces of an engine: Builder, Housekeeper, Runner, Publisher; and LocalRunner for one without images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from mlpack.artifacts.bundle import Bundle
from mlpack.artifacts.image import Image
from mlpack.artifacts.image_plan import USER
from mlpack.artifacts.progress import OnProgress
from mlpack.packages.settings import PackageSettings
from mlpack.registries.credentials import Login

if TYPE_CHECKING:
    from typing_extensions import Self

LARGEST_OUTPUT = 16 * 1024**2  # bytes, of all the files that a job gives back


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of a container: memory in bytes, CPUs, processes; `read_only` root, tmpfs /tmp of `tmp_bytes`.

    `user` is UID:GID, "" the image's own. The capabilities of root are dropped unless `capabilities`.
    """

    memory: int | None = 2 * 1024**3
    cpus: float | None = 1.0
    pids: int | None = 256
    read_only: bool = True
    tmp_bytes: int = 64 * 1024**2
    user: str = USER
    capabilities: bool = False


@dataclass(frozen=True, kw_only=True)
class Stats:
    """What a run has used: `peak_memory` in bytes, None if the engine does not report it."""

    peak_memory: int | None


@dataclass(frozen=True, kw_only=True)
class Exit:
    """How a container ended: its exit code (128 + N: by signal N), and whether it was killed for its use of memory.

    `seconds` is what stopping a service took, and how long a job ran.
    """

    code: int
    oom_killed: bool
    seconds: float


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """A job that ended: how, its output on stdout and stderr, and the files of its output folder by their names in it."""

    exit: Exit
    log: str
    files: Mapping[str, bytes] = field(default_factory=dict)


class Running(Protocol):
    """A running service: `url` reaches it from this machine."""

    url: str

    def stats(self) -> Stats:
        """The resources that it has used so far."""

    def logs(self) -> str:
        """Its output on stdout and stderr."""

    def alive(self) -> bool:
        """Whether it still runs."""

    def stop(self, *, grace_s: float) -> Exit:
        """SIGTERM, then SIGKILL after `grace_s`; return how it ended."""


@dataclass(frozen=True, kw_only=True)
class EngineFacts:
    """The properties of an engine: `platform` is its own, such as `linux/amd64`.

    `caches_secrets`: a bundle's private files stay in its build cache, so no login of a package index may be among them.
    `details` are optional: `url` (the engine's address), `root_dir` (the folder of its images); Docker also gives `buildkit`,
    `cpus`, `memory` (bytes), `storage`, `cgroup`, `api`.
    """

    name: str
    version: str
    platform: str
    caches_secrets: bool = False
    details: Mapping[str, Any] = field(default_factory=dict)


class Builder(Protocol):
    """Builds images of bundles, and finds and tags those that it has."""

    builds_dockerfiles: ClassVar[
        bool
    ]  # by the bundle's Dockerfile, which may be the user's own; else by its plan alone

    def facts(self) -> EngineFacts:
        """The engine's own description."""

    def base_digest(self, reference: str, platform: str) -> str | None:
        """The digest of a base image in its registry, else in the engine; None where neither has it."""

    def build(self, bundle: Bundle, *, tags: tuple[str, ...], on_progress: OnProgress, use_cache: bool = True) -> Image:
        """Build and tag an image, with the labels of the plan and of the bundle.

        Raises BuildError, BaseImageError, DiskFullError, EngineUnavailableError.
        """

    def find(self, reference: str) -> Image | None:
        """The image of a reference or an id, None when the engine has none. Its card may be the one in its label."""

    def find_by_label(self, bundle_digest: str, platform: str) -> Image | None:
        """The image that was built from the bundle of this digest, None when there is none."""

    def card(self, image_id: str) -> dict[str, Any]:
        """The whole ModelCard of an image, read without running it. Raises ImageNotFoundError when it has none."""

    def tag(self, image: Image, tags: Iterable[str]) -> Image:
        """Give the image more names; a name of another image moves to this one."""


class Housekeeper(Protocol):
    """Lists the images of mlpack with their contents, and removes them."""

    def images(self, *, label: str = ...) -> tuple[Image, ...]:
        """The images with a label (`name` or `name=value`), newest first; by default all that mlpack built."""

    def layers(self, image_id: str) -> list[tuple[str, int]]:
        """The command that made each layer, and the layer's size in bytes; newest first."""

    def packages(self, image_id: str) -> list[tuple[str, int]]:
        """The distributions in the image and their sizes in bytes, largest first."""

    def remove_tag(self, reference: str) -> None:
        """Remove a name; an image without another name is deleted. A missing name is no error."""


class Runner(Protocol):
    """Runs images: as a service, or as a job that ends by itself."""

    def run(
        self,
        image: Image,
        *,
        limits: Limits,
        env: Mapping[str, str],
        port: int,
        host_port: int = 0,
        arguments: tuple[str, ...] = (),
    ) -> AbstractContextManager[Running]:
        """A running container, removed on leaving the `with`. The variable PORT is `port`; `host_port` 0 is any free port.

        `command` replaces the words after the image's entrypoint. Raises EngineError (port taken, no start),
        ImageNotFoundError.
        """

    def job(
        self, image: Image, *, limits: Limits, command: tuple[str, ...], outputs: str, timeout_s: float = 600
    ) -> JobResult:
        """Run a container to its end, without a network: `command` replaces the image's entrypoint.

        The job writes to /tmp. Its files below the folder `outputs` come back, at most LARGEST_OUTPUT bytes in all. A command
        that fails is no error here: see `exit`. Raises EngineError when the job does not end in `timeout_s`, writes more, or
        cannot start; ImageNotFoundError. The container is removed on every way out.
        """


class Publisher(Protocol):
    """Pushes images to registries."""

    def push(self, image: Image, reference: str, *, on_progress: OnProgress, login: Login | None = None) -> str:
        """Push as `host/repository:tag`; returns the manifest's digest. Raises the RegistryError family.

        `login` replaces the engine's own login at that registry.
        """


class Engine(Builder, Housekeeper, Runner, Publisher, Protocol):
    """An engine with images: it does all of it."""

    is_local: ClassVar[Literal[False]]

    @classmethod
    def connect(cls, environ: Mapping[str, str] = ...) -> Self:
        """The engine, connected. Raises EngineUnavailableError with the reason and a remedy."""


class LocalRunner(Protocol):
    """Runs a bundle as a process of this machine. It has no images: it builds, pushes and verifies none."""

    is_local: ClassVar[Literal[True]]

    def __init__(self, cache: Path) -> None:
        """`cache` is the user's cache folder."""

    @property
    def user(self) -> int:
        """The number of the user who will run the model."""

    def pythons(self, wanted: str | None) -> Iterator[tuple[str, ...]]:
        """The sets of Pythons to choose from, such as ("3.11",), one after the other until a lock can be made for one."""

    def serve(
        self,
        bundle: Bundle,
        *,
        settings: PackageSettings,
        limits: Limits,
        host_port: int = 0,
        progress: Callable[[str], AbstractContextManager[OnProgress]],
    ) -> AbstractContextManager[Running]:
        """A running server of the bundle, in an environment with its locked packages; ends with the `with`."""
