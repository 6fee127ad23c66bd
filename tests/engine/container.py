"""The password registry as a container of the user's engine, where no package can be installed."""

from __future__ import annotations

import contextlib
from pathlib import Path

from .errors import EngineError
from .processes import until
from .registries import answers
from .shell import run, say
from .state import State, remembered_port

NAME = "mlpack-test-registry"
IMAGE = "registry:2"
SETTINGS = {
    "REGISTRY_AUTH": "htpasswd",
    "REGISTRY_AUTH_HTPASSWD_REALM": "mlpack",
    "REGISTRY_AUTH_HTPASSWD_PATH": "/etc/docker/registry/htpasswd",
    "REGISTRY_STORAGE_DELETE_ENABLED": "true",
}


def keep_container(state: State, host: str, htpasswd: Path) -> int:
    """Let the registry's container run in the user's engine; give its port."""
    ours = _ours(state, host)
    port = remembered_port(state, NAME, runs=bool(ours))
    if ours and answers(port):
        return port
    remove_container(state, host)
    settings = [f"--env={name}={value}" for name, value in SETTINGS.items()]
    publish = f"--publish=127.0.0.1:{port}:5000"
    created = _docker(host, "create", f"--name={NAME}", publish, *settings, IMAGE).strip()
    _record(state).write_text(created)
    # Copied and not mounted: the engine may live in a virtual machine with files of its own.
    _docker(host, "cp", str(htpasswd), f"{created}:{SETTINGS['REGISTRY_AUTH_HTPASSWD_PATH']}")
    _docker(host, "start", created)
    if not until(lambda: answers(port), 30):
        raise EngineError(f"{NAME} gave no answer on port {port}.", f"See: docker logs {NAME}")
    say(f"{NAME} runs as a container of {host}")
    return port


def remove_container(state: State, host: str) -> None:
    """Remove the container that we made, and no other of that name."""
    if ours := _ours(state, host):
        _docker(host, "rm", "--force", "--volumes", ours)
        say(f"{NAME} stopped")
    _record(state).unlink(missing_ok=True)


def _ours(state: State, host: str) -> str | None:
    """Give the id of our container, if the engine still has it."""
    with contextlib.suppress(FileNotFoundError, EngineError):
        made = _record(state).read_text()
        return _docker(host, "inspect", "--type=container", "--format={{.Id}}", made).strip()
    return None


def _record(state: State) -> Path:
    return state.run / f"{NAME}.id"


def _docker(host: str, *words: str) -> str:
    return run(["docker", "--host", host, *words])
