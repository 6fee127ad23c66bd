"""The three small interfaces of an engine: Builder, Runner, Publisher."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from mlpack.artifacts.bundle import Bundle
from mlpack.artifacts.image import Image
from mlpack.artifacts.progress import OnProgress


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of a container: memory in bytes, CPUs, processes; `read_only` root, tmpfs /tmp of `tmp_bytes`.

    `user` "" is the image's own. Capabilities of root are dropped unless `capabilities`.
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
    """What a run has used: `peak_memory` in bytes, None if the engine does not report it."""

    peak_memory: int | None


@dataclass(frozen=True, kw_only=True)
class Exit:
    """How a container ended: exit code, whether the kernel killed it for memory, the seconds that stopping took."""

    code: int
    oom_killed: bool
    seconds: float


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
        """SIGTERM, then SIGKILL after `grace_s`; return how it ended."""


class Builder(Protocol):
    """Makes an image of a bundle."""

    def build(self, bundle: Bundle, *, tags: tuple[str, ...], on_progress: OnProgress, use_cache: bool = True) -> Image:
        """The image, built and tagged; raises BuildError, BaseImageError, DiskFullError, EngineUnavailableError."""

    def find(self, reference: str) -> Image | None:
        """The image that a reference or id names, None when the engine has none."""


class Runner(Protocol):
    """Runs an image."""

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
        """A running container, removed on leaving the `with`. The variable PORT is `port`; `publish` 0 is any free port.

        `command` are words after the image's entrypoint, in place of its own.
        """


class Publisher(Protocol):
    """Puts an image in a registry."""

    def push(self, image: Image, reference: str, *, on_progress: OnProgress) -> str:
        """Pushes as `host/repository:tag`; gives the manifest's digest; raises the RegistryError family."""


@dataclass(frozen=True, kw_only=True)
class EngineFacts:
    """The properties of an engine: `buildkit`: whether it has BuildKit; `platform`: its own, such as `linux/amd64`.

    `details` holds what only one engine knows; Docker: `root_dir` (where images lie), `cpus`, `memory`, `storage`, `url`.
    """

    name: str
    version: str
    platform: str
    buildkit: bool
    details: Mapping[str, Any] = field(default_factory=dict)
