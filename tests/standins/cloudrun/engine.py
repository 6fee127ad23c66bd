"""The engine's part: pulls the pushed digest and runs it as Cloud Run would, on a loopback port."""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
from dataclasses import dataclass
from typing import Any

import docker
from docker.errors import APIError, DockerException, NotFound

from . import checks, sizes
from .conditions import Failure
from .http_probe import probe_http
from .inside import Inside

LABEL = "dev.mlpack.standin.cloudrun"
GRACE = 10  # seconds from SIGTERM to SIGKILL
PERIOD = 0.2  # a probe asks no less often than this, so that a start is seen soon


@dataclass(frozen=True, kw_only=True)
class Instance:
    """A running container: its id, and where its port is."""

    id: str
    port: int
    probe_port: int


class Engine:
    """The container engine; `mark` tells our containers from another stand-in's, `inside` is what they reach."""

    def __init__(self, mark: str, inside: Inside | None = None) -> None:
        self._client = docker.from_env(timeout=600)
        self._mark = mark
        self._inside = inside
        self.info = self._client.version()

    def pull(self, image: str, login: dict[str, str] | None) -> str:
        """Pull from the registry and nowhere else; gives the reference with its digest."""
        repository, _, digest = image.partition("@")
        name = (
            repository
            if digest
            else repository.rpartition(":")[0]
            if ":" in repository.rpartition("/")[2]
            else repository
        )
        tag = digest or (repository.removeprefix(name).removeprefix(":") or "latest")
        try:
            lines = self._client.api.pull(
                name, tag=tag, auth_config=login, platform="linux/amd64", stream=True, decode=True
            )
            said = [line.get("status", line.get("error", "")) for line in lines]
            data: Any = self._client.api.inspect_image(  # type: ignore[no-untyped-call]  # the SDK's stubs leave it out
                f"{name}@{tag}" if digest else f"{name}:{tag}"
            )
        except DockerException as error:
            raise _pull_failure(image, str(error)) from error
        if (data["Os"], data["Architecture"]) != ("linux", "amd64"):
            raise _wrong_platform(image)
        found = next((words.removeprefix("Digest: ") for words in said if words.startswith("Digest: ")), digest)
        return f"{name}@{found}"

    def run(self, revision: Any, image: str, environment: dict[str, str], memory: int) -> Instance:
        """Start a container under the contract; it is not asked yet whether it is ready."""
        main = checks.serving(revision)
        port = main.ports[0].container_port
        probe = main.startup_probe
        probed = (probe.http_get.port or probe.tcp_socket.port or port) if main.HasField("startup_probe") else port
        api = self._client.api
        host = api.create_host_config(
            port_bindings=dict.fromkeys((port, probed), ("127.0.0.1", None)),
            mem_limit=memory,
            memswap_limit=memory,
            nano_cpus=int(sizes.cpus(main.resources.limits["cpu"]) * 10**9),
            extra_hosts={"metadata.google.internal": "127.0.0.1"},  # a container must start without it
        )
        made = api.create_container(
            image,
            command=list(main.args) or None,
            entrypoint=list(main.command) or None,
            working_dir=main.working_dir or None,
            environment=environment,
            ports=sorted({port, probed}),
            host_config=_within_cores(host, self._client.info()["NCPU"]),
            labels={LABEL: self._mark, f"{LABEL}.revision": revision.name},
        )
        try:
            api.start(made["Id"])
            state = api.inspect_container(made["Id"])
            ports = state["NetworkSettings"]["Ports"]
            published = {each: int(ports[f"{each}/tcp"][0]["HostPort"]) for each in {port, probed}}
            if self._inside is not None:
                self._inside.open(made["Id"], state["State"]["Pid"], environment, revision.service_account)
        except (APIError, KeyError, IndexError, TypeError) as error:
            self.remove(made["Id"])
            raise Failure(f"The container could not be started: {error}") from error
        except Failure:
            self.remove(made["Id"])
            raise
        return Instance(id=made["Id"], port=published[port], probe_port=published[probed])

    def comes_up(self, instance: Instance, probe: Any, *, patience: float | None = None) -> bool:
        """Ask the startup probe until it succeeds (True), the container ends or the probe's time is over (False)."""
        period = probe.period_seconds or 10
        whole = probe.initial_delay_seconds + max(period, probe.timeout_seconds) * (probe.failure_threshold or 3)
        end = time.monotonic() + (patience if patience is not None else whole)
        time.sleep(min(probe.initial_delay_seconds, 1))
        while time.monotonic() < end and self.lives(instance.id):
            if _answers(instance, probe) and self.lives(instance.id):
                return True
            time.sleep(PERIOD)
        return False

    def lives(self, container: str) -> bool:
        """Whether the container runs."""
        try:
            return bool(self._client.api.inspect_container(container)["State"]["Running"])
        except NotFound:
            return False

    def ran_out_of_memory(self, container: str) -> bool:
        """Whether the kernel ended something in it for memory."""
        with contextlib.suppress(NotFound):
            return bool(self._client.api.inspect_container(container)["State"]["OOMKilled"])
        return False

    def logs(self, container: str) -> str:
        """What the container said."""
        with contextlib.suppress(DockerException):
            return str(self._client.api.logs(container, tail=500).decode(errors="replace"))
        return ""

    def quit(self, container: str) -> None:
        """SIGTERM, ten seconds, SIGKILL."""
        with contextlib.suppress(DockerException):
            self._client.api.stop(container, timeout=GRACE)

    def remove(self, container: str) -> None:
        """Away with it at once."""
        if self._inside is not None:
            self._inside.close(container)
        with contextlib.suppress(DockerException):
            self._client.api.remove_container(container, force=True, v=True)

    def remove_all(self) -> None:
        """Away with every container of ours, an earlier run's as well."""
        for each in self._client.api.containers(all=True, filters={"label": f"{LABEL}={self._mark}"}):
            self.remove(each["Id"])


def _answers(instance: Instance, probe: Any) -> bool:
    timeout = max(probe.timeout_seconds or 1, 1)
    try:
        if probe.HasField("http_get"):
            return probe_http(instance.probe_port, probe.http_get, timeout)
        return _accepts(instance.probe_port)
    except (OSError, http.client.HTTPException):
        return False


def _accepts(port: int) -> bool:
    """Whether a server accepts. The engine's proxy always does, and hangs up where nobody is behind it."""
    with socket.create_connection(("127.0.0.1", port), timeout=1) as probe:
        probe.settimeout(0.3)
        try:
            return probe.recv(1) != b""
        except TimeoutError:
            return True


def _within_cores(host: Any, cores: int) -> Any:
    """An engine refuses more CPUs than it has; Cloud Run has them."""
    host["NanoCpus"] = min(host["NanoCpus"], cores * 10**9)
    return host


def _pull_failure(image: str, words: str) -> Failure:
    if "no matching manifest" in words or "does not provide the specified platform" in words:
        return _wrong_platform(image)
    if "unauthorized" in words or "denied" in words:
        return Failure(
            f"Google Cloud Run Service Agent must have permission to read the image, {image}. Ensure that the provided"
            " container image URL is correct and that the above account has permission to access the image.",
            reason="CONTAINER_PERMISSION_DENIED",
            part="ContainerReady",
        )
    return Failure(f"Image '{image}' not found.", reason="CONTAINER_MISSING", part="ContainerReady")


def _wrong_platform(image: str) -> Failure:
    return Failure(
        f"Cloud Run does not support image '{image}': Container manifest type must support amd64/linux.",
        reason="CONTAINER_MISSING",
        part="ContainerReady",
    )
