"""The engine that the user has, found as the docker CLI finds it."""

from __future__ import annotations

import hashlib
import http.client
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .errors import EngineError
from .shell import run, say
from .state import State
from .web import engine_answers, status

DEFAULT = "unix:///var/run/docker.sock"


def find_engine(env: Mapping[str, str], state: State) -> str | None:
    """Give the DOCKER_HOST of an engine that answers and is not our own, or None."""
    host = endpoint(env, user_config(env, state))
    if host is None or host == state.host:
        return None
    if not _answers(host, env):
        if host != DEFAULT:
            say(f"no engine answers at {host}")
        return None
    return host


def user_config(env: Mapping[str, str], state: State) -> Path:
    """Give the user's own DOCKER_CONFIG, also in a shell that has ours."""
    own = env.get("DOCKER_CONFIG")
    if own and Path(own) != state.docker_config:
        return Path(own)
    return Path("~/.docker").expanduser()


def endpoint(env: Mapping[str, str], config: Path) -> str | None:
    """Give where the CLI would look for its engine, or None for a context that is not there."""
    if host := env.get("DOCKER_HOST"):
        return host
    context = env.get("DOCKER_CONTEXT") or _read(config / "config.json").get("currentContext")
    if not context or context == "default":
        return DEFAULT
    name = hashlib.sha256(str(context).encode()).hexdigest()
    meta = _read(config / "contexts" / "meta" / name / "meta.json")
    try:
        return str(meta["Endpoints"]["docker"]["Host"])
    except (KeyError, TypeError):
        return None


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _answers(host: str, env: Mapping[str, str]) -> bool:
    url = urlsplit(host)
    if url.scheme == "unix":
        return engine_answers(url.path)
    if url.scheme == "tcp" and url.hostname and url.port == 2375:
        plain = http.client.HTTPConnection(url.hostname, url.port, timeout=10)
        return status(plain, "/_ping") == http.client.OK
    # ssh and TLS have keys and habits of their own: only the CLI knows them all.
    try:
        run(["docker", "version", "--format", "{{.Server.Version}}"], env=env, timeout=30)
    except EngineError:
        return False
    return True
