"""Starts the stand-in and the engine it needs, detached, once; and ends it."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.engine import engine
from tests.engine.errors import EngineError
from tests.engine.found import find_engine
from tests.engine.processes import Service, keep_running, running, stop
from tests.engine.state import locked, open_state, remembered_port
from tests.engine.web import loopback, status

ROOT = Path(__file__).parents[3]
# Each clone of the project has its own, so that one's sources do not restart another's; and each worker of its tests, so
# that none meets the faults that another arms.
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
NAME = f"cloudrun-{hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]}" + (f"-{WORKER}" if WORKER else "")
REGISTRY = f"{NAME}-registry"


def start(env: Mapping[str, str]) -> str:
    """Let the engine and the stand-in run; give the lines that a shell evaluates."""
    exports = engine.start(env)
    state = open_state(env)
    with locked(state, NAME):
        runs = running(state, NAME) is not None
        port = remembered_port(state, NAME, runs=runs)
        registry = remembered_port(state, REGISTRY, runs=runs)
        folder = state.root / NAME
        folder.mkdir(mode=0o700, exist_ok=True)
        for word in shlex.split(exports):
            name, equals, value = word.partition("=")
            if equals:
                os.environ[name] = value  # what is started inherits it
        keep_running(state, _service(folder, port, registry))
    endpoint = f"http://127.0.0.1:{port}/"
    lines = {
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN": endpoint,
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_ARTIFACTREGISTRY": endpoint,
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_LOGGING": endpoint,
        "GOOGLE_APPLICATION_CREDENTIALS": str(folder / "service-account.json"),
    }
    return exports + "".join(f"export {name}={shlex.quote(value)}\n" for name, value in lines.items())


def end(env: Mapping[str, str]) -> None:
    """End the stand-in and its containers, and those of test workers that were killed; the engine stays."""
    state = open_state(env)
    workers = [path.stem for path in state.run.glob(f"{NAME}-gw*.json")]
    for name in (NAME, *workers):
        with locked(state, name):
            stop(state, name)
            _remove_what_is_left(find_engine(env, state) or state.host, state.root / name)


def _remove_what_is_left(host: str, folder: Path) -> None:
    """Containers of a stand-in that was killed; without an engine there are none."""
    from docker.errors import DockerException

    from .engine import Engine

    os.environ["DOCKER_HOST"] = host
    with contextlib.suppress(DockerException):
        Engine(mark=str(folder)).remove_all()


def _service(folder: Path, port: int, registry: int) -> Service:
    arguments = ("serve", "--folder", str(folder), "--port", str(port), "--registry-port", str(registry))
    # It is started in /, where `-m` would not find it.
    begin = f"import sys; sys.path.insert(0, {str(ROOT)!r})"
    program = f"{begin}; from tests.standins.cloudrun.__main__ import main; sys.exit(main())"
    return Service(
        name=NAME,
        argv=(sys.executable, "-c", program, *arguments),
        config=folder / "source",
        text=_source(),
        answers=lambda: status(loopback(port), "/standin/health") == http.client.OK,
    )


def _source() -> str:
    """What a running one was made of: another version of the stand-in is started anew."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return "\n".join(path.read_text() for path in files if not path.name.startswith(("test_", "conftest")))


__all__ = ["EngineError", "end", "start"]
