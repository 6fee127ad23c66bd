"""What company networks have: private indexes, proxies, own authorities, no network at all, engines elsewhere."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlpack.engines.docker import DockerEngine
from tests.integration.cli import mlpack, predictions, refused, served, told
from tests.integration.conftest import BASE, Name, Packed
from tests.integration.networks import PRIVATE, bridge_address, certificate, pip_conf, working_folder
from tests.standins.engine_forwarder import engine_forwarder
from tests.unit.packages.standin_index import serve

pytestmark = [pytest.mark.docker, pytest.mark.slow]


# engines elsewhere ----------------------------------------------------------------------------------


@pytest.fixture
def by_tcp(engine: DockerEngine) -> Iterator[str]:
    """The engine's address by TCP."""
    if not engine.address.url.startswith("unix://"):
        pytest.skip(f"the engine is at {engine.address.url}, which has no socket here")
    with engine_forwarder(engine.address.url.removeprefix("unix://")) as forwarder:
        yield forwarder.url
        assert forwarder.connections


@pytest.fixture
def context_config(by_tcp: str, tmp_path: Path) -> Path:
    """A Docker config whose current context is the engine by TCP."""
    folder = tmp_path / "docker"
    meta = folder / "contexts" / "meta" / hashlib.sha256(b"company").hexdigest()
    meta.mkdir(parents=True)
    endpoints = {"docker": {"Host": by_tcp, "SkipTLSVerify": False}}
    (meta / "meta.json").write_text(json.dumps({"Name": "company", "Metadata": {}, "Endpoints": endpoints}))
    (folder / "config.json").write_text(json.dumps({"currentContext": "company"}))
    return folder


def test_an_engine_by_tcp_builds_and_serves(by_tcp: str, iris: Packed, monkeypatch: pytest.MonkeyPatch) -> None:
    """DOCKER_HOST=tcp://...: a build, and an answer from the port that it published."""
    monkeypatch.setenv("DOCKER_HOST", by_tcp)
    assert told("build", "--name", iris.name, cwd=iris.folder)["id"] == iris.image
    request = json.loads((iris.folder / "request.json").read_text())["instances"]
    with served(iris.image, cwd=iris.folder) as url:
        assert len(predictions(url, request)) == len(request)


def test_a_docker_context_is_followed(context_config: Path, iris: Packed, monkeypatch: pytest.MonkeyPatch) -> None:
    """The config's current context, or the one that DOCKER_CONTEXT names; one that is not there is named."""
    monkeypatch.delenv("DOCKER_HOST")
    monkeypatch.setenv("DOCKER_CONFIG", str(context_config))
    assert told("image", iris.image, cwd=iris.folder)["layers"]
    checks = {check["name"]: check for check in told_of_doctor(iris.folder)}
    assert "tcp://127.0.0.1" in checks["engine"]["seen"]
    document = refused(5, "engine_unavailable", "image", iris.image, cwd=iris.folder, env={"DOCKER_CONTEXT": "absent"})
    assert "absent" in document["error"]["message"]


@pytest.mark.parametrize("kind", ["podman", "rootless", "ssh"])
def test_other_engines(kind: str) -> None:
    """Podman's socket, a rootless engine, an engine by ssh: the same probe, where there is one."""
    address = os.environ.get(f"MLPACK_TEST_{kind.upper()}_HOST")
    if not address:
        pytest.skip(f"no {kind} engine here: MLPACK_TEST_{kind.upper()}_HOST names one")
    with DockerEngine.connect({**os.environ, "DOCKER_HOST": address}) as other:
        assert other.facts().platform.startswith("linux/")
        assert kind != "podman" or not other.facts().details["buildkit"]


# packages -------------------------------------------------------------------------------------------


@pytest.mark.network
def test_an_authority_of_its_own_has_to_be_named(engine: DockerEngine, tmp_path: Path) -> None:
    """An index that a company signed is refused with the setting that helps; test_secrets.py builds with it."""
    host = bridge_address(engine)
    context, _ = certificate(tmp_path, host)
    folder = working_folder(tmp_path / "here", requirements=(PRIVATE.name,))
    with serve((PRIVATE,), login="me:pass", host=host, tls=context) as index:
        env = {"PIP_CONFIG_FILE": str(pip_conf(tmp_path / "pip.conf", index.url)), "MLPACK_CACHE": str(tmp_path / "c")}
        document = refused(4, "index_unreachable", "build", cwd=folder, env=env)
    assert "PIP_CERT" in document["error"]["hint"]


@pytest.mark.network
def test_a_wheelhouse_needs_no_network(iris: Packed, engine: DockerEngine, tmp_path: Path, fresh_name: Name) -> None:
    """Filled by `pip download` of what a lock names: resolved and built with every index and proxy out of reach."""
    folder, house = working_folder(tmp_path / "here"), tmp_path / "house"
    rendered = tmp_path / "rendered"
    told("render", "-o", str(rendered), cwd=iris.folder)
    house.mkdir()
    python = next((path for name in ("python3.11", "python3") if (path := shutil.which(name)) and _is_311(path)), None)
    if python is None:
        pytest.skip("no Python 3.11 with pip here to download for")
    for lock in ("requirements.lock", "installer.lock"):
        words = [python, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "-d", str(house), "-r"]
        subprocess.run([*words, str(rendered / lock)], check=True)
    dead = "http://127.0.0.1:9"
    env = {
        "PIP_INDEX_URL": f"{dead}/simple", "PIP_EXTRA_INDEX_URL": "", "PIP_CONFIG_FILE": os.devnull,
        "HTTPS_PROXY": dead, "HTTP_PROXY": dead, "MLPACK_CACHE": str(folder / "cache"),
    }  # fmt: skip
    built = told("build", "--wheelhouse", str(house), "--name", fresh_name("offline"), cwd=folder, env=env)
    assert {name.partition(" ")[0].replace("_", "-") for name, _ in engine.packages(built["id"])} >= {
        "scikit-learn", "numpy", "httptools",
    }  # fmt: skip


def test_a_base_behind_a_password(iris: Packed, engine: DockerEngine, registry: str, fresh_name: Name) -> None:
    """`build: base:` names an image that only the user's login may read."""
    base = f"{registry}/{fresh_name('base')}:3.11"
    found = engine.find(BASE)
    assert found is not None
    engine.push(found, base, on_progress=lambda _: None)
    engine.remove_tag(base)
    folder = working_folder(iris.folder.parent / f"private-base-{uuid.uuid4().hex[:6]}")
    with (folder / "mlpack.yaml").open("a") as config:
        config.write(f"build: {{base: {base}}}\n")
    try:
        built = told("build", "--name", fresh_name("on-private"), cwd=folder)
        image = engine.find(built["id"])
        assert image is not None
        assert image.labels["org.opencontainers.image.base.name"] == base
    finally:
        engine.remove_tag(base)


# doctor ---------------------------------------------------------------------------------------------


def test_doctor_on_a_machine_that_is_well(iris: Packed) -> None:
    """Every thing is looked at."""
    checks = {check["name"]: check["state"] for check in told_of_doctor(iris.folder)}
    assert checks.keys() >= {"python", "namesake", "disk (cache)", "disk (here)", "engine", "buildkit", "index"}
    assert checks["engine"] == checks["buildkit"] == checks["python"] == "ok"


def test_doctor_has_a_remedy_for_each_ill(tmp_path: Path) -> None:
    """A dead engine, a dead index, a wrong login, PyPI's other mlpack: each in its line, each with what to do."""
    (tmp_path / "other" / "mlpack-4.6.0.dist-info").mkdir(parents=True)
    (tmp_path / "other" / "mlpack-4.6.0.dist-info" / "METADATA").write_text("Name: mlpack\nVersion: 4.6.0\n")
    with serve((PRIVATE,), login="me:right") as index:
        env = {
            "DOCKER_HOST": f"unix://{tmp_path}/absent.sock",
            "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
            "PIP_EXTRA_INDEX_URL": index.url.replace("right", "wrong"),
            "PYTHONPATH": str(tmp_path / "other"),
        }
        document = refused(5, "doctor", "doctor", cwd=tmp_path, env=env)
        said = mlpack("doctor", cwd=tmp_path, env=env)
    checks: dict[str, list[dict[str, Any]]] = {}
    for check in document["checks"]:
        checks.setdefault(check["name"], []).append(check)
    assert checks["engine"][0]["state"] == "fail"
    assert "no such socket" in checks["engine"][0]["seen"]
    assert "4.6.0" in checks["namesake"][0]["seen"]
    assert "pip uninstall mlpack" in checks["namesake"][0]["remedy"]
    wrong, dead = checks["index"]
    assert "refused the login" in wrong["seen"]
    assert "did not answer" in dead["seen"]
    assert all(check["remedy"] for found in checks.values() for check in found if check["state"] != "ok")
    assert "wrong" not in said.stdout + said.stderr
    assert "pip uninstall mlpack" in said.stdout


def test_doctor_says_when_there_is_no_buildkit(iris: Packed) -> None:
    """The classic builder is named."""
    found = told("doctor", cwd=iris.folder, env={"MLPACK_CLASSIC": "1"})
    (check,) = [check for check in found["checks"] if check["name"] == "buildkit"]
    assert (check["state"], "classic" in check["seen"]) == ("warn", True)
    assert check["remedy"]


# helpers --------------------------------------------------------------------------------------------


def told_of_doctor(folder: Path) -> list[dict[str, Any]]:
    """What `mlpack doctor` found."""
    found: list[dict[str, Any]] = told("doctor", cwd=folder)["checks"]
    return found


def _is_311(python: str) -> bool:
    words = [python, "-c", "import pip, sys; sys.exit(sys.version_info[:2] != (3, 11))"]
    with contextlib.suppress(OSError):
        return subprocess.run(words, capture_output=True, check=False).returncode == 0
    return False
