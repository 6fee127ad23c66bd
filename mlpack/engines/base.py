"""The interfaces of an engine: Builder, Runner, Publisher, and LocalRunner for one without containers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from mlpack.artifacts.bundle import Bundle
from mlpack.artifacts.image import Image
from mlpack.artifacts.progress import OnProgress
from mlpack.packages.settings import PackageSettings
from mlpack.registries.credentials import Login


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits of a container: memory in bytes, CPUs, processes; `read_only` root, tmpfs /tmp of `tmp_bytes`.

    `user` "" is the image's own. The capabilities of root are dropped unless `capabilities`.
    """

    memory: int | None = 2 * 1024**3
    cpus: float | None = 1.0
    pids: int | None = 256
    read_only: bool = True
    tmp_bytes: int = 64 * 1024**2
    user: str = "65532:65532"
    capabilities: bool = False


@dataclass(frozen=True, kw_only=True)
class Stats:
    """What a run has used: `peak_memory` in bytes, None where the engine does not know."""

    peak_memory: int | None


@dataclass(frozen=True, kw_only=True)
class Exit:
    """How a container ended: exit code, whether the kernel killed it for memory, the seconds that stopping took."""

    code: int
    oom_killed: bool
    seconds: float


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """A job that ended: how it ended, what it wrote to stdout and stderr, and the files of its output folder by name."""

    exit: Exit
    log: str
    files: Mapping[str, bytes] = field(default_factory=dict)


class Running(Protocol):
    """A service that runs: `url` reaches it from here."""

    url: str

    def stats(self) -> Stats:
        """What it has used so far."""

    def logs(self) -> str:
        """All it has written, stdout and stderr."""

    def alive(self) -> bool:
        """Whether it still runs."""

    def stop(self, *, grace_s: float) -> Exit:
        """SIGTERM, then SIGKILL after `grace_s`; how it ended."""


@dataclass(frozen=True, kw_only=True)
class EngineFacts:
    """An engine's own description: `buildkit` whether it has BuildKit; `platform` its own, as `linux/amd64`.

    `details` holds what only one engine knows; Docker: `root_dir` (where its images are), `cpus`, `memory`, `storage`, `url`.
    """

    name: str
    version: str
    platform: str
    buildkit: bool
    details: Mapping[str, Any] = field(default_factory=dict)


class Builder(Protocol):
    """Builds images of bundles, and keeps them."""

    def facts(self) -> EngineFacts:
        """The engine's own description."""

    def base_digest(self, reference: str, platform: str) -> str | None:
        """The digest of a base image as its registry or the engine knows it, None where neither does."""

    def build(self, bundle: Bundle, *, tags: tuple[str, ...], on_progress: OnProgress, use_cache: bool = True) -> Image:
        """The image, built and tagged; raises BuildError, BaseImageError, DiskFullError, EngineUnavailableError."""

    def find(self, reference: str) -> Image | None:
        """The image that a reference or id names, None when the engine has none."""

    def find_by_label(self, bundle_digest: str, platform: str) -> Image | None:
        """The image that was built from the bundle of this digest, None when there is none."""

    def card(self, image_id: str) -> dict[str, Any]:
        """The whole ModelCard in an image, which is not run. Raises ImageNotFoundError when it holds none."""

    def tag(self, image: Image, tags: Iterable[str]) -> Image:
        """The image with more names; a name that another image has moves to this one."""


class Housekeeper(Protocol):
    """Shows what an engine keeps of mlpack, and removes it."""

    def images(self, *, label: str = ...) -> tuple[Image, ...]:
        """The images with a label (`name` or `name=value`), newest first; by default all that mlpack built."""

    def layers(self, image_id: str) -> list[tuple[str, int]]:
        """The command of each layer, and its bytes; newest first."""

    def packages(self, image_id: str) -> list[tuple[str, int]]:
        """The distributions in the image and their bytes, largest first."""

    def remove_tag(self, reference: str) -> None:
        """Remove a name; an image without another name is deleted. A missing name is no error."""


class Runner(Protocol):
    """Runs images."""

    def run(
        self,
        image: Image,
        *,
        limits: Limits,
        env: Mapping[str, str],
        port: int,
        publish: int = 0,
        command: tuple[str, ...] = (),
    ) -> AbstractContextManager[Running]:
        """A running container, removed at the end of the `with`. Its PORT is `port`; `publish` 0 is any free port.

        `command` replaces the words after the image's entrypoint.
        """

    def job(
        self, image: Image, *, limits: Limits, command: tuple[str, ...], outputs: str, timeout_s: float = 600
    ) -> JobResult:
        """Run a container to its end: `command` replaces its entrypoint, `outputs` is the folder whose files come back.

        The files are bounded (16 MiB in all); raises EngineError when they are not, or after `timeout_s`.
        """


class Publisher(Protocol):
    """Puts an image in a registry."""

    def push(self, image: Image, reference: str, *, on_progress: OnProgress, login: Login | None = None) -> str:
        """Push as `host/repository:tag`; gives the manifest's digest; raises the RegistryError family.

        `login` is for registries whose login is not Docker's own.
        """


class Engine(Builder, Housekeeper, Runner, Publisher, Protocol):
    """A container engine: all of it."""


class LocalRunner(Protocol):
    """Runs a bundle as a process of this machine. It builds and pushes nothing, and never proves anything of an image."""

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
        publish: int = 0,
        progress: Callable[[str], AbstractContextManager[OnProgress]],
    ) -> AbstractContextManager[Running]:
        """A running server of the bundle, in an environment with its locked packages."""
