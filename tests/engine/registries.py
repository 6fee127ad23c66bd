"""Two registries on loopback: the engine's mirror, and one that asks for a password."""

from __future__ import annotations

import http.client
import json
from pathlib import Path

from .processes import Service, keep_running, running, stop
from .shell import which
from .state import State, remembered_port
from .web import loopback, status

MIRROR = "mirror"
REGISTRY = "registry"


def keep_mirror(state: State) -> int:
    """Let the mirror run; give its port."""
    return _keep(state, MIRROR, {})


def keep_registry(state: State, htpasswd: Path) -> int:
    """Let the password registry run; give its port."""
    return _keep(state, REGISTRY, {"htpasswd": {"realm": "mlpack", "path": str(htpasswd)}})


def mirror_port(state: State) -> int:
    """Give the mirror's port, whether it runs or will."""
    return _port(state, MIRROR)


def stop_registries(state: State) -> None:
    """Stop both, if they run."""
    stop(state, REGISTRY)
    stop(state, MIRROR)


def _keep(state: State, name: str, auth: dict[str, dict[str, str]]) -> int:
    port = _port(state, name)
    config = state.root / f"{name}.yml"
    keep_running(
        state,
        Service(
            name=name,
            argv=(which("docker-registry") or "docker-registry", "serve", str(config)),
            config=config,
            text=_config(state, name, port, auth),
            answers=lambda: answers(port),
        ),
    )
    return port


def _port(state: State, name: str) -> int:
    return remembered_port(state, name, runs=running(state, name) is not None)


def _config(state: State, name: str, port: int, auth: dict[str, dict[str, str]]) -> str:
    # The registry reads YAML, and JSON is YAML.
    return json.dumps(
        {
            "version": "0.1",
            "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {"rootdirectory": str(state.root / name)},
                "delete": {"enabled": True},
            },
            "http": {"addr": f"127.0.0.1:{port}", "secret": f"mlpack-{name}"},
            **({"auth": auth} if auth else {}),
        },
        indent=1,
    )


def answers(port: int) -> bool:
    """Tell whether a registry answers there, be it only that it wants a password."""
    return status(loopback(port), "/v2/") in {http.client.OK, http.client.UNAUTHORIZED}
