"""A container that runs an image with limits, as a context manager."""

from __future__ import annotations

import contextlib
import math
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from mlpack.artifacts.image import Image
from mlpack.engines.base import Exit, Limits, Stats
from mlpack.engines.docker.address import Address
from mlpack.engines.docker.client import Client, engine_errors, explanation
from mlpack.engines.docker.memory import PeakMemory
from mlpack.engines.docker.owners import container_labels
from mlpack.errors import EngineError, ImageNotFoundError

_SETTLED_S = 3.0  # within this time, an abandoned request to the engine has taken effect
_PORT_TAKEN = ("port is already allocated", "address already in use", "ports are not available")


class DockerRunning:
    """A service in a container: `url` reaches it from here, `id` is the container's.

    When it ended at once it has no port, and `url` leads nowhere: ask `alive`.
    """

    def __init__(self, client: Client, engine: Address, container: str, url: str, address: str) -> None:
        self.id = container
        self.url = url
        self.address = address
        self._client = client
        self._engine = engine
        self._memory = PeakMemory(client, container)
        self._memory.start()

    def stats(self) -> Stats:
        """What it has used so far, a last look included."""
        self._memory.look()
        return Stats(peak_memory=self._memory.peak)

    def logs(self) -> str:
        """All it has written, stdout and stderr in their order."""
        with engine_errors(self._engine, "reading the log of the container"):
            text: bytes = self._client.logs(self.id, stdout=True, stderr=True)
            return text.decode("utf-8", "replace")

    def alive(self) -> bool:
        """Whether it still runs."""
        return bool(self._state()["Running"])

    def stop(self, *, grace_s: float) -> Exit:
        """SIGTERM, then SIGKILL after `grace_s` (whole seconds, rounded up); return how it ended."""
        self._memory.look()  # afterwards nothing is to be seen
        started = time.monotonic()
        with engine_errors(self._engine, "stopping the container"):
            self._client.stop(self.id, timeout=math.ceil(grace_s))
        seconds = time.monotonic() - started
        state = self._state()
        return Exit(code=int(state["ExitCode"]), oom_killed=bool(state["OOMKilled"]), seconds=seconds)

    def unwatch(self) -> None:
        """End the watching of its memory."""
        self._memory.stop()

    def _state(self) -> dict[str, Any]:
        with engine_errors(self._engine, "inspecting the container"):
            state: dict[str, Any] = self._client.inspect_container(self.id)["State"]
            return state


@contextlib.contextmanager
def run_container(
    client: Client,
    address: Address,
    image: Image,
    *,
    limits: Limits,
    env: Mapping[str, str],
    port: int,
    host_port: int,
    arguments: tuple[str, ...],
    host_network: bool,
    network: str,
) -> Iterator[DockerRunning]:
    """Run an image; the container is removed on every way out. See DockerEngine.run."""
    name = f"mlpack-{uuid.uuid4().hex[:12]}"
    running: DockerRunning | None = None
    known = False  # whether the engine has answered that the container exists, or does not
    try:
        with start_errors(address, image, host_port or port):
            # By its name it can be removed even when Ctrl-C comes between its creation and the answer that contains its id.
            container = client.create_container(
                image.id,
                command=list(arguments) or None,
                name=name,
                environment={**env, "PORT": str(port)},
                user=limits.user or None,
                ports=None if host_network else [port],
                labels=container_labels(name),
                host_config=_host_config(
                    client, address, limits, port, host_port, network="host" if host_network else network or None
                ),
                # A model makes no requests: it must not get the proxy of Docker's configuration, which may contain a password.
                use_config_proxy=False,
            )["Id"]
            known = True
            client.start(container)
            at = port if host_network else _published(client.inspect_container(container), port)
        url = f"http://{_in_url(address.host)}:{at}"
        running = DockerRunning(client, address, container, url, f"http://{name}:{port}" if network else url)
        yield running
    except Exception:
        known = True
        raise
    finally:
        if running is not None:
            running.unwatch()
        _remove(lambda: client.remove_container(name, v=True, force=True), known=known)


@contextlib.contextmanager
def stopped_container(
    client: Client, address: Address, image: Image, *, limits: Limits, command: tuple[str, ...], largest_file: int
) -> Iterator[str]:
    """The name of a container that will run `command` instead of the image's entrypoint, and is not started yet.

    It has no network and no health check. /tmp is a part of its root, because a tmpfs is lost when the container ends. No file
    that it writes has more than `largest_file` bytes. It is removed on every way out.
    """
    name, known = f"mlpack-{uuid.uuid4().hex[:12]}", False
    written = replace(limits, read_only=False, tmp_bytes=0)
    try:
        with start_errors(address, image, 0):
            config = _host_config(client, address, written, 0, 0, network=None)
            config |= {
                "PortBindings": {},
                "NetworkMode": "none",
                "Ulimits": [{"Name": "fsize", "Soft": largest_file, "Hard": largest_file}],
            }
            client.create_container(
                image.id,
                name=name,
                entrypoint=list(command),
                command=[],
                user=limits.user or None,
                labels=container_labels(name),
                healthcheck={"test": ["NONE"]},
                host_config=config,
                use_config_proxy=False,
            )
            known = True
        yield name
    except Exception:
        known = True
        raise
    finally:
        _remove(lambda: client.remove_container(name, v=True, force=True), known=known)


@contextlib.contextmanager
def unstarted(client: Client, image_id: str) -> Iterator[str]:
    """The id of a container that is never started, which is the API's only way to a file of an image."""
    name, known = f"mlpack-{uuid.uuid4().hex[:12]}", False
    try:
        made = client.create_container(
            image_id, name=name, command=["-"], labels=container_labels(name), use_config_proxy=False
        )
        known = True
        yield made["Id"]
    except Exception:
        known = True
        raise
    finally:
        _remove(lambda: client.remove_container(name, v=True, force=True), known=known)


@contextlib.contextmanager
def service_network(client: Client, address: Address) -> Iterator[str]:
    """A network whose containers reach each other by name; it is removed on every way out."""
    name, known = f"mlpack-{uuid.uuid4().hex[:12]}", False
    try:
        with engine_errors(address, "creating a network"):
            client.create_network(name, labels=container_labels(name))
        known = True
        yield name
    except Exception:
        known = True
        raise
    finally:
        _remove(lambda: client.remove_network(name), known=known)


def _host_config(
    client: Client, address: Address, limits: Limits, port: int, host_port: int, *, network: str | None
) -> Any:
    # On an engine elsewhere its loopback is out of our reach: there the port is open on all its addresses.
    on = "127.0.0.1" if address.local else "0.0.0.0"  # noqa: S104  # see above
    return client.create_host_config(
        mem_limit=limits.memory,
        memswap_limit=limits.memory,
        nano_cpus=_nano_cpus(client, limits.cpus),
        pids_limit=limits.pids,
        read_only=limits.read_only,
        tmpfs={"/tmp": f"size={limits.tmp_bytes},mode=1777"} if limits.tmp_bytes else None,  # noqa: S108  # in the container
        cap_drop=None if limits.capabilities else ["ALL"],
        security_opt=["no-new-privileges"],
        network_mode=network,
        port_bindings=None if network == "host" else {port: (on, host_port or None)},
        # Readable through the API whatever the engine's default driver is, and bounded.
        log_config={"Type": "json-file", "Config": {"max-size": "64m"}},
    )


def _nano_cpus(client: Client, cpus: float | None) -> int | None:
    """CPUs in the engine's unit; it refuses more than it has."""
    return None if cpus is None else int(min(cpus, client.info()["NCPU"]) * 1e9)


@contextlib.contextmanager
def start_errors(address: Address, image: Image, port: int) -> Iterator[None]:
    """Translate the errors of creating or starting a container."""
    from docker.errors import APIError, ImageNotFound

    with engine_errors(address, "starting the container"):
        try:
            yield
        except ImageNotFound as error:
            raise ImageNotFoundError(
                f"the engine has no image {image.id}", hint="Build it again with `mlpack build`."
            ) from error
        except APIError as error:
            words = explanation(error)
            if any(sign in words.lower() for sign in _PORT_TAKEN):
                raise EngineError(
                    f"port {port} on the engine's machine is already in use",
                    hint="Choose another one with `--port`.",
                    detail=words,
                ) from error
            raise EngineError(f"the container did not start: {words}", detail=words) from error


def _published(inspected: dict[str, Any], port: int) -> int:
    bound = (inspected["NetworkSettings"].get("Ports") or {}).get(f"{port}/tcp") or []
    return int(bound[0]["HostPort"]) if bound else 0


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _remove(remove: Callable[[], None], *, known: bool) -> None:
    """Remove a container with its volumes, or a network, even when Ctrl-C is pressed once more."""
    try:
        _remove_once(remove, known=known)
    except KeyboardInterrupt:
        _remove_once(remove, known=known)
        raise


def _remove_once(remove: Callable[[], None], *, known: bool) -> None:
    """Remove it; one that Ctrl-C met while it was made or started may come to be, or become removable, a little later."""
    from docker.errors import APIError, NotFound

    ends = time.monotonic() + _SETTLED_S
    while True:
        try:
            remove()
        except NotFound:
            if known:
                return
        except APIError:  # it is being started, or removed by someone else
            pass
        else:
            return
        if time.monotonic() > ends:
            return
        time.sleep(0.1)
