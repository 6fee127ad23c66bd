"""Where the engine is, and what is said when it is not there."""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mlpack.artifacts.references import is_loopback
from mlpack.engines.docker import DockerEngine
from mlpack.engines.docker.address import DEFAULT_URL, Address, find_address
from mlpack.engines.docker.client import unavailable
from mlpack.errors import EngineUnavailableError
from tests.ports import free_port


def context(folder: Path, name: str, host: str, *, tls: bool = False) -> None:
    """Write a context as `docker context create` does."""
    key = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts" / "meta" / key / "meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": False}}}))
    if tls:
        files = folder / "contexts" / "tls" / key / "docker"
        files.mkdir(parents=True)
        for file in ("ca.pem", "cert.pem", "key.pem"):
            (files / file).write_text("")


def test_order_of_belief(tmp_path: Path) -> None:
    """DOCKER_HOST, then DOCKER_CONTEXT, then the current context, then the default socket: as the docker CLI does."""
    env = {"DOCKER_CONFIG": str(tmp_path)}
    assert find_address(env) == Address(url=DEFAULT_URL, named_by="the default socket")
    context(tmp_path, "lab", "tcp://lab:2376", tls=True)
    context(tmp_path, "desk", "unix:///desk.sock")
    (tmp_path / "config.json").write_text('{"currentContext": "lab"}')
    lab = find_address(env)
    assert (lab.url, lab.host, lab.local) == ("tcp://lab:2376", "lab", False)
    assert lab.tls is not None
    assert lab.tls.verify
    assert lab.tls.key == lab.tls.ca.with_name("key.pem") if lab.tls.ca else False
    env["DOCKER_CONTEXT"] = "desk"
    assert find_address(env).url == "unix:///desk.sock"
    env["DOCKER_CONTEXT"] = "default"
    assert find_address(env).url == DEFAULT_URL
    env["DOCKER_HOST"] = "tcp://127.0.0.1:2375"
    assert find_address(env) == Address(url="tcp://127.0.0.1:2375", named_by="DOCKER_HOST=tcp://127.0.0.1:2375")
    env |= {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)}
    (tmp_path / "ca.pem").write_text("")
    tls = find_address(env).tls
    assert tls is not None
    assert (tls.ca, tls.cert, tls.verify) == (tmp_path / "ca.pem", None, True)


def test_context_that_does_not_exist(tmp_path: Path) -> None:
    """A context that is named but not there is an error that says who named it."""
    with pytest.raises(EngineUnavailableError, match=r"no Docker context 'gone', which DOCKER_CONTEXT names"):
        find_address({"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "gone"})


@pytest.mark.parametrize(
    ("url", "host", "local"),
    [
        ("unix:///var/run/docker.sock", "127.0.0.1", True),
        ("npipe:////./pipe/docker_engine", "127.0.0.1", True),
        ("tcp://localhost:2375", "127.0.0.1", True),
        ("tcp://[::1]:2375", "127.0.0.1", True),
        ("tcp://build.example:2376", "build.example", False),
        ("ssh://me@far", "far", False),
    ],
)
def test_where_its_ports_are(url: str, host: str, local: bool) -> None:
    """A published port is reached on this machine, or on the engine's."""
    address = Address(url=url, named_by="")
    assert (address.host, address.local) == (host, local)


def test_loopback() -> None:
    """Only this machine's own names and addresses are loopback."""
    assert all(map(is_loopback, ("localhost", "a.localhost", "127.0.0.1", "127.8.8.8", "::1", "[::1]")))
    assert not any(map(is_loopback, ("", "localhost.example.com", "10.0.0.1", "0.0.0.0", "registry")))


def test_no_engine_is_told_apart(tmp_path: Path) -> None:
    """No socket, nobody behind it, no permission, and a socket of another kind each have their sentence and remedy."""
    missing = f"unix://{tmp_path}/none.sock"
    with pytest.raises(EngineUnavailableError, match="there is no such socket") as none:
        DockerEngine.connect({"DOCKER_HOST": missing})
    assert missing in none.value.message
    assert "DOCKER_HOST" in none.value.hint

    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead.sock"))
        with pytest.raises(EngineUnavailableError, match="connection refused"):
            DockerEngine.connect({"DOCKER_HOST": f"unix://{tmp_path}/dead.sock"})

    default = Address(url=DEFAULT_URL, named_by="the default socket")
    refused = unavailable(default, PermissionError(13, "Permission denied"))
    assert "no permission" in refused.message
    assert "usermod" in refused.hint
    wrapped = ConnectionError("Connection aborted.", FileNotFoundError(2, "No such file or directory"))
    assert "no " in unavailable(default, wrapped).message

    with pytest.raises(EngineUnavailableError, match="connection refused"):
        DockerEngine.connect({"DOCKER_HOST": f"tcp://127.0.0.1:{free_port()}"})


def test_missing_installation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where no docker command is either, the remedy is to install one."""
    monkeypatch.setenv("PATH", str(tmp_path))
    default = Address(url=DEFAULT_URL, named_by="the default socket")
    assert "is installed" in unavailable(default, FileNotFoundError(2, "No such file")).message


def test_the_sdk_is_imported_late() -> None:
    """Naming the engine costs nothing of Docker's SDK: `--help` imports this module at most."""
    program = "import sys, mlpack.engines.docker; print({'docker', 'requests', 'urllib3', 'ssl'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
