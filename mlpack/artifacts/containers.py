"""The values of an engine's interface: Limits, Stats, Exit and JobResult of a container, and EngineFacts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlpack.artifacts.image_plan import USER


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits of a container. An engine that cannot enforce one of them ignores it and says so in its documentation.

    `memory` is in bytes, `cpus` a number of CPUs, `pids` a number of processes; None means no limit. With `read_only` the root
    file system cannot be written, and /tmp is a tmpfs of `tmp_bytes` (0: there is none). `user` is UID:GID; "" means the user
    that the image sets. The container has no Linux capabilities unless `capabilities` is True.
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
    """The resources that a service has used: `peak_memory` in bytes, or None if the engine cannot measure it."""

    peak_memory: int | None


@dataclass(frozen=True, kw_only=True)
class Exit:
    """How a container ended.

    `code` is its exit code, or 128 + N after signal N. `oom_killed` is True if it was killed because it used too much memory.
    `seconds` is the duration of stopping for a service, and the duration of the whole run for a job.
    """

    code: int
    oom_killed: bool
    seconds: float


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """The result of a job: how it ended, what it wrote to stdout and stderr, and its output files.

    The keys of `files` are paths relative to the job's output folder.
    """

    exit: Exit
    log: str
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class EngineFacts:
    """The properties of an engine. `mlpack doctor` shows them.

    `platform` is the platform that images are built for by default, such as `linux/amd64`. Set `caches_secrets` to True if the
    build cache would store the bundle's private files: mlpack then downloads the packages itself, and passes no logins of
    package indexes to `build`. `details` are optional: `url` is the address of the engine, `root_dir` the folder of its images,
    whose free disk space `mlpack doctor` checks. The Docker engine adds `buildkit`, `cpus`, `memory` (in bytes), `storage`,
    `cgroup` and `api`.
    """

    name: str
    version: str
    platform: str
    caches_secrets: bool = False
    details: Mapping[str, Any] = field(default_factory=dict)
