"""The whole line: find or start an engine, its registries and its base, and tell the shell."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from . import packages
from .bases import keep_base
from .daemon import keep_engine, stop_engine
from .found import find_engine, user_config
from .login import htpasswd, write_docker_config
from .registries import keep_mirror, keep_registry, stop_registries
from .shell import say
from .state import State, locked, open_state

FIRST_BASE = "3.11"


def start(env: Mapping[str, str]) -> str:
    """Let everything run; give the lines that a shell evaluates."""
    state = open_state(env)
    with locked(state, "engine"):
        host = find_engine(env, state)
        if host is None:
            host = state.host
            mirror = _start_own(state)
        else:
            say(f"an engine answers at {host}")
            mirror = None
            packages.install(packages.REGISTRY)
        registry = f"127.0.0.1:{keep_registry(state, str(htpasswd(state)))}"
        write_docker_config(state, user_config(env, state), registry)
    if mirror is not None:
        keep_base(state, mirror, FIRST_BASE)
    return _exports(
        DOCKER_HOST=host,
        MLPACK_TEST_REGISTRY=registry,
        DOCKER_CONFIG=str(state.docker_config),
    )


def base(env: Mapping[str, str], python: str) -> None:
    """Let python:X.Y-slim be there for a FROM; a user's engine pulls the real one by itself."""
    state = open_state(env)
    with locked(state, "engine"):
        if find_engine(env, state) is not None:
            return
        mirror = _start_own(state)
    keep_base(state, mirror, python)


def stop(env: Mapping[str, str]) -> None:
    """Stop what was started here; what is on disk stays."""
    state = open_state(env)
    with locked(state, "engine"):
        stop_engine(state)
        stop_registries(state)


def _start_own(state: State) -> int:
    packages.install(packages.ENGINE)
    mirror = keep_mirror(state)
    keep_engine(state, mirror)
    return mirror


def _exports(**values: str) -> str:
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in values.items())
