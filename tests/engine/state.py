"""The one cache folder: where things are, who holds the lock, which ports are remembered."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import EngineError

# Linux holds 108 bytes for a socket's path, the closing zero included.
SOCKET_PATH_LIMIT = 107
# Below the kernel's usual ephemeral range (32768 and up), so that no outgoing connection takes one.
PORTS = range(15000, 16000)


@dataclass(frozen=True)
class State:
    """The cache folder, and the names of what lies in it."""

    root: Path

    @property
    def run(self) -> Path:
        """Pid records and sockets."""
        return self.root / "run"

    @property
    def logs(self) -> Path:
        """One log file for each process."""
        return self.root / "logs"

    @property
    def tmp(self) -> Path:
        """What is half made."""
        return self.root / "tmp"

    @property
    def docker_config(self) -> Path:
        """The private DOCKER_CONFIG."""
        return self.root / "docker-config"

    @property
    def socket(self) -> Path:
        """Where our own dockerd listens."""
        return self.run / "docker.sock"

    @property
    def host(self) -> str:
        """Our own dockerd, as DOCKER_HOST says it."""
        return f"unix://{self.socket}"


def open_state(env: Mapping[str, str]) -> State:
    """Find the cache folder, and make what is missing of it."""
    state = State(_root(env))
    if len(os.fsencode(state.socket)) > SOCKET_PATH_LIMIT:
        raise EngineError(
            f"The cache folder's path {state.root} is too long for a socket in it.",
            "Set MLPACK_TEST_CACHE to a shorter one.",
        )
    try:
        state.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (state.run, state.logs, state.tmp, state.docker_config):
            folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise EngineError(f"The cache folder cannot be made: {error}.", "Set MLPACK_TEST_CACHE to another.") from error
    return state


def _root(env: Mapping[str, str]) -> Path:
    if own := env.get("MLPACK_TEST_CACHE"):
        return Path(own).expanduser().absolute()
    cache = env.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser().absolute() / "mlpack-test-engine"


@contextlib.contextmanager
def locked(state: State, name: str) -> Iterator[None]:
    """Hold one of the folder's locks; a second caller waits."""
    with (state.root / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a small file at once, so that a reader sees the old or the new and no half."""
    half = path.with_name(path.name + ".new")
    half.unlink(missing_ok=True)
    with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
    half.replace(path)


def remembered_port(state: State, name: str, *, runs: bool) -> int:
    """Give the port of a service that runs; else the one it had, unless a stranger took it."""
    path = state.root / "ports.json"
    with locked(state, "ports"):  # two that start at once would choose the same
        try:
            ports: dict[str, int] = json.loads(path.read_text())
        except (FileNotFoundError, ValueError):
            ports = {}
        if name not in ports or not (runs or _free(ports[name])):
            others = set(ports.values())
            port = next((p for p in PORTS if p not in others and _free(p)), None)
            if port is None:
                raise EngineError(f"No port of {PORTS} is free on 127.0.0.1.", "Free one.")
            ports[name] = port
            write(path, json.dumps(ports))
        return ports[name]


def _free(port: int) -> bool:
    with socket.socket() as probe:
        # A connection that is dying there does no harm; a listener still refuses us.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
