"""The whole line: find or start an engine, its registries and its base, and tell the shell."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from . import packages
from .bases import keep_base
from .container import keep_container, remove_container
from .daemon import keep_engine, stop_engine
from .found import find_engine, user_config
from .leftovers import remove_leftovers
from .login import htpasswd, write_docker_config
from .registries import keep_mirror, keep_registry, mirror_port, stop_registries
from .shell import say, which
from .state import State, locked, open_state

FIRST_BASE = "3.11"


@dataclass(frozen=True, kw_only=True)
class Engine:
    """An engine that answers: DOCKER_HOST, and the mirror's port if it is our own."""

    host: str
    mirror: int | None


def start(env: Mapping[str, str]) -> str:
    """Let everything run; give the lines that a shell evaluates."""
    state = open_state(env)
    with locked(state, "engine"):
        engine = _keep_engine(env, state)
        registry = f"127.0.0.1:{_keep_registry(state, engine)}"
        write_docker_config(state, user_config(env, state), registry)
    if engine.mirror is not None:
        keep_base(state, engine.mirror, FIRST_BASE)
    return _exports(
        DOCKER_HOST=engine.host,
        MLPACK_TEST_REGISTRY=registry,
        DOCKER_CONFIG=str(state.docker_config),
    )


def base(env: Mapping[str, str], python: str) -> None:
    """Let python:X.Y-slim be there for a FROM; a user's engine pulls the real one by itself."""
    state = open_state(env)
    with locked(state, "engine"):
        engine = _keep_engine(env, state)
    if engine.mirror is not None:
        keep_base(state, engine.mirror, python)


def stop(env: Mapping[str, str]) -> None:
    """Stop what was started here, and nothing else; what is on disk stays."""
    state = open_state(env)
    with locked(state, "engine"):
        if users := find_engine(env, state):
            remove_container(state, users)
        stop_engine(state, mirror_port(state))
        stop_registries(state)


def _keep_engine(env: Mapping[str, str], state: State) -> Engine:
    if users := find_engine(env, state):
        say(f"the engine at {users} answers and is used")
        return Engine(host=users, mirror=None)
    packages.install(packages.ENGINE)
    mirror = keep_mirror(state)
    keep_engine(state, mirror)
    remove_leftovers(state)
    return Engine(host=state.host, mirror=mirror)


def _keep_registry(state: State, engine: Engine) -> int:
    passwords = htpasswd(state)
    if not which("docker-registry") and not packages.can_install():
        return keep_container(state, engine.host, passwords)
    packages.install(packages.REGISTRY)
    return keep_registry(state, passwords)


def _exports(**values: str) -> str:
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())
