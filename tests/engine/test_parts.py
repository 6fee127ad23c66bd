"""The engine's parts that can be tried without an engine."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import io
import json
import os
import socket
import subprocess
import sys
import tarfile
from datetime import datetime, timezone
from pathlib import Path

import pytest

from . import found, login, processes
from .bridge import NETS, keep_bridge, remove_bridge
from .errors import EngineError
from .layer import write_layer
from .leftovers import leftovers
from .registries import MIRROR
from .shell import run, which
from .state import State, open_state, remembered_port


@pytest.fixture
def state(tmp_path: Path) -> State:
    return open_state({"MLPACK_TEST_CACHE": str(tmp_path / "cache")})


def test_the_engine_is_found_as_the_cli_finds_it(tmp_path: Path) -> None:
    """DOCKER_HOST, then DOCKER_CONTEXT, then the current context, then the usual socket."""
    meta = tmp_path / "contexts" / "meta" / hashlib.sha256(b"mine").hexdigest() / "meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text(json.dumps({"Endpoints": {"docker": {"Host": "unix:///mine.sock"}}}))
    assert found.endpoint({}, tmp_path) == found.DEFAULT
    assert found.endpoint({"DOCKER_CONTEXT": "mine"}, tmp_path) == "unix:///mine.sock"
    (tmp_path / "config.json").write_text('{"currentContext": "mine"}')
    assert found.endpoint({}, tmp_path) == "unix:///mine.sock"
    assert found.endpoint({"DOCKER_CONTEXT": "default"}, tmp_path) == found.DEFAULT
    assert found.endpoint({"DOCKER_CONTEXT": "nowhere"}, tmp_path) is None
    assert found.endpoint({"DOCKER_CONTEXT": "mine", "DOCKER_HOST": "tcp://a:1"}, tmp_path) == "tcp://a:1"


def test_a_path_too_long_for_a_socket_is_told_with_its_remedy(tmp_path: Path) -> None:
    """No start fails deep inside dockerd for it."""
    with pytest.raises(EngineError, match="MLPACK_TEST_CACHE"):
        open_state({"MLPACK_TEST_CACHE": str(tmp_path / ("long" * 30))})


def test_a_port_is_kept_until_a_stranger_has_it(state: State) -> None:
    """The engine knows its mirror by the port."""
    port = remembered_port(state, MIRROR, runs=False)
    assert remembered_port(state, MIRROR, runs=False) == port
    with socket.create_server(("127.0.0.1", port)):
        assert remembered_port(state, MIRROR, runs=True) == port
        assert remembered_port(state, MIRROR, runs=False) != port


@pytest.mark.skipif(os.geteuid() != 0 or not which("ip"), reason="makes a network bridge, which only root may")
def test_the_bridge_keeps_its_address_whoever_joins_it(state: State) -> None:
    """A container's connections hang for a minute when the bridge takes another's hardware address."""
    name = keep_bridge(state)
    try:
        address = (NETS / name / "address").read_text()
        port = name.replace("mlpk", "mlpp")
        run(["ip", "link", "add", port, "address", "02:00:00:00:00:01", "type", "veth"])
        try:
            run(["ip", "link", "set", port, "master", name])
            assert (NETS / name / "address").read_text() == address
        finally:
            run(["ip", "link", "delete", port])
    finally:
        remove_bridge(state)


@pytest.mark.filterwarnings("ignore:subprocess:ResourceWarning")  # what outlives us is not waited for
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_process_is_ours_only_with_its_start_time(state: State) -> None:
    """A pid that was given to another is never stopped."""
    program = state.tmp / "sleeper"
    service = processes.Service(name="sleeper", argv=("sleep", "60"), config=program, text="", answers=lambda: True)
    processes.keep_running(state, service)
    process = processes.running(state, "sleeper")
    assert process is not None
    record = state.run / "sleeper.json"
    ours = record.read_text()
    record.write_text(ours.replace(process.started, "1"))
    processes.stop(state, "sleeper")
    os.kill(process.pid, 0)
    record.write_text(ours)
    processes.stop(state, "sleeper")
    assert processes.running(state, "sleeper") is None
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process.pid, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="asks the machine's libcrypt")
def test_the_password_is_hashed_as_the_registry_wants_it(state: State) -> None:
    """Hashing the password with its own hash as salt gives the hash."""
    user, _, hashed = login.htpasswd(state).read_text().strip().partition(":")
    crypt = ctypes.CDLL("libcrypt.so.1").crypt
    crypt.restype = ctypes.c_char_p
    assert (user, hashed[:4]) == ("mlpack", "$2b$")
    assert crypt((state.root / "password").read_bytes(), hashed.encode()) == hashed.encode()


def test_the_private_config_is_the_users_and_the_login(state: State, tmp_path: Path) -> None:
    """The user's contexts and plugins stay in sight, and the user's own file as it was."""
    user = tmp_path / "docker"
    (user / "contexts").mkdir(parents=True)
    (user / "config.json").write_text('{"auths": {"a.example": {"auth": "YTpi"}}, "currentContext": "mine"}')
    login.htpasswd(state)
    for _ in range(2):
        login.write_docker_config(state, user, "127.0.0.1:1")
    config = json.loads((state.docker_config / "config.json").read_text())
    assert set(config["auths"]) == {"a.example", "127.0.0.1:1"}
    assert config["currentContext"] == "mine"
    assert (state.docker_config / "contexts").readlink() == user / "contexts"
    assert "127.0.0.1" not in (user / "config.json").read_text()


def test_a_layer_has_the_real_images_names_and_no_docs(tmp_path: Path) -> None:
    """/usr/local/bin/python3 leads to Debian's Python, and its digest is its content's."""
    with tarfile.open(tmp_path / "debian.tar", "w") as tar:
        for name in ("./usr/bin/python3.11", "./usr/share/doc/a/copyright", "./usr/lib/python3.11/EXTERNALLY-MANAGED"):
            member = tarfile.TarInfo(name)
            member.size = 1
            tar.addfile(member, io.BytesIO(b"x"))
    layer = write_layer(
        tmp_path / "debian.tar", tmp_path / "layer", python="3.11", suite="bookworm", archive="http://127.0.0.1/debian"
    )
    assert layer.digest == "sha256:" + hashlib.sha256(layer.path.read_bytes()).hexdigest()
    with tarfile.open(layer.path) as tar:
        names = set(tar.getnames())
        assert tar.getmember("./usr/local/bin/python3.11").linkname == "/usr/bin/python3.11"
    assert {"./usr/bin/python3.11", "./usr/local/bin/python3", "./usr/local/bin/pip"} <= names
    assert not {name for name in names if "/doc/" in name or "EXTERNALLY" in name}


def test_only_images_that_nobody_used_for_hours_are_leftovers() -> None:
    """An image that the cache gave a new name is in use, however old it is; a base image stays."""

    def image(name: str, made: str, named: str, *tags: str) -> dict[str, object]:
        return {"Id": name, "Created": made, "Metadata": {"LastTagTime": named}, "RepoTags": list(tags)}

    old, new, never = "2026-01-02T03:04:05.123456789Z", "2026-01-02T09:00:00Z", "0001-01-01T00:00:00Z"
    images = [
        image("old", old, old, "iris:1"),
        image("dangling", old, never),
        image("named again", old, new, "iris:2"),
        image("new", new, never),
        image("base", old, old, "python:3.11-slim"),
    ]
    assert leftovers(images, datetime(2026, 1, 2, 6, tzinfo=timezone.utc)) == ["old", "dangling"]


def test_a_wrong_command_line_starts_nothing() -> None:
    """The commands are start, stop and base."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.engine", "base", "2.7"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
