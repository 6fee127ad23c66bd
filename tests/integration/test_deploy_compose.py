"""The second target: a compose project on this machine, under the same gate, with the same way back."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from mlpack.engines.docker import DockerEngine
from tests.integration.cli import ask, refused, told
from tests.integration.conftest import Packed
from tests.ports import free_port

pytestmark = [pytest.mark.docker, pytest.mark.slow]


@pytest.fixture(scope="module")
def receipts(iris: Packed) -> Path:
    """The folder with the receipt of iris' image."""
    told("test", iris.image, cwd=iris.folder)
    return iris.folder / ".mlpack" / "receipts"


@pytest.fixture
def folder(compose: None, receipts: Path, iris: Packed, tmp_path: Path) -> Iterator[Path]:  # noqa: ARG001  # is there
    """A working folder with iris' question, answer and receipt; whatever runs from it ends with it."""
    for name in ("mlpack.yaml", "request.json", "expected.json"):
        shutil.copy(iris.folder / name, tmp_path)
    shutil.copytree(receipts, tmp_path / ".mlpack" / "receipts")
    yield tmp_path
    if (tmp_path / ".mlpack" / "deployed.json").exists():
        told("delete", "--yes", cwd=tmp_path)


def test_compose_releases_replaces_puts_back_and_goes_back(iris: Packed, folder: Path, engine: DockerEngine) -> None:
    """Only what passed its test; held tight; asked before and after; a broken release leaves the one that serves.

    Trap 12: what is written is the engine's own id of the image, never a name that another one may have tomorrow.
    """
    service = f"compose-{iris.name}"
    words = ("deploy", iris.image, "--target", "compose", "--service", service, "--set", f"port={free_port()}", "--yes")
    (folder / "empty").mkdir()
    refused(6, "not_verified", *words, cwd=folder / "empty")
    first = told(*words, cwd=folder)
    assert (first["verified"], first["image"], first["previous"]) == ("golden", iris.image, None)
    body, expected = (json.loads((folder / file).read_text()) for file in ("request.json", "expected.json"))
    assert ask(first["url"], body) == expected

    text = (folder / ".mlpack" / "compose" / service / "compose.yaml").read_text()
    written = yaml.safe_load(text)["services"][service]
    assert (written["image"], written["read_only"], written["cap_drop"]) == (iris.image, True, ["ALL"])
    [container] = engine._client.containers(filters={"label": f"com.docker.compose.project=mlpack-{service}"})
    held = engine._client.inspect_container(container["Id"])
    assert held["Image"] == iris.image
    host = held["HostConfig"]
    assert (host["ReadonlyRootfs"], host["CapDrop"], host["PidsLimit"]) == (True, ["ALL"], 256)
    assert 0 < host["Memory"] == host["MemorySwap"]
    assert {port["HostIp"] for ports in host["PortBindings"].values() for port in ports} == {"127.0.0.1"}

    again = told(*words, cwd=folder)
    assert (again["plan"]["changes"], again["revision"]) == ([], first["revision"])
    second = told(*words, "--env", "TAX=5$ each", cwd=folder)
    assert (second["previous"], second["verified"]) == (first["revision"], "golden")
    [container] = engine._client.containers(filters={"label": f"com.docker.compose.project=mlpack-{service}"})
    assert "TAX=5$ each" in engine._client.inspect_container(container["Id"])["Config"]["Env"]
    for env, code in (("MLPACK_SERVE_MAX_BODY=10", "deploy_check"), ("MLPACK_SERVE_MAX_ROWS=x", "deploy_start")):
        told_so = refused(8, code, *words, "--env", env, cwd=folder)
        assert told_so["service"] == service
        assert ask(first["url"], body) == expected
    back = told("rollback", cwd=folder)
    assert (back["revision"], back["previous"]) == (first["revision"], second["revision"])
    assert ask(first["url"], body) == expected
    told("delete", "--yes", cwd=folder)
    refused(8, "deploy_missing", "status", cwd=folder)
    (folder / ".mlpack" / "deployed.json").unlink()
    assert not engine._client.containers(all=True, filters={"label": f"com.docker.compose.project=mlpack-{service}"})


def test_a_stage_without_traffic_waits_for_its_share(iris: Packed, folder: Path, engine: DockerEngine) -> None:
    """`--no-traffic`: known to every command from the first on, and without its own container once it has the traffic.

    A move to one that dies again and again is put back, without waiting for its end, also where compose.yaml was changed by hand.
    """
    service, port = f"aside-{iris.name}", free_port()
    words = ("deploy", iris.image, "--target", "compose", "--service", service, "--set", f"port={port}", "--yes")
    body, expected = (json.loads((folder / file).read_text()) for file in ("request.json", "expected.json"))
    aside = told(*words, "--no-traffic", cwd=folder)
    assert running(engine, service) == [f"mlpack-{service}-next"]
    waiting = told("status", cwd=folder)
    assert [(one["name"], one["percent"], one["proven"]) for one in waiting["revisions"]] == [
        (aside["revision"], 0, False)
    ]
    assert "no revision serves yet" in waiting["message"]
    first = told(*aside["share"].split()[1:], cwd=folder)
    assert running(engine, service) == [f"mlpack-{service}"]
    assert ask(first["url"], body) == ask(f"http://127.0.0.1:{port}", body) == expected

    assert [one["proven"] for one in first["revisions"]] == [True]
    home = folder / ".mlpack" / "compose" / service
    text = (home / "compose.yaml").read_text()
    broken = text.replace("environment:\n", "environment:\n      MLPACK_SERVE_MAX_ROWS: x\n")
    (home / "releases" / "r0009-broken.yaml").write_text(broken)
    edited = text.replace("pids_limit: 256", "pids_limit: 200")
    (home / "compose.yaml").write_text(edited)
    found = refused(8, "deploy_start", "traffic", "r0009-broken=100", cwd=folder)
    assert "serves again" in found["error"]["message"]
    assert (home / "compose.yaml").read_text() == edited
    assert ask(first["url"], body) == expected
    assert "changed by hand" in told("status", cwd=folder)["message"]
    told("delete", "--yes", cwd=folder)
    (folder / ".mlpack" / "deployed.json").unlink()
    assert running(engine, service) == []
    assert not home.exists()


def running(engine: DockerEngine, service: str) -> list[str]:
    """The compose projects of a service that have a container, whatever its state."""
    label = "com.docker.compose.project"
    found = [one["Labels"].get(label, "") for one in engine._client.containers(all=True, filters={"label": label})]
    return sorted(name for name in found if name in {f"mlpack-{service}", f"mlpack-{service}-next"})


def test_a_taken_port_is_told_before_anything_runs(iris: Packed, folder: Path) -> None:
    """Exit 8 with the way out; a first release that failed leaves nothing."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        port = one.getsockname()[1]
        words = ("deploy", iris.image, "--target", "compose", "--service", "taken", "--set", f"port={port}", "--yes")
        found = refused(8, "deploy_taken", *words, cwd=folder)
    assert "--set port=" in found["error"]["hint"]
    assert not (folder / ".mlpack" / "compose" / "taken" / "compose.yaml").exists()
    assert not (folder / ".mlpack" / "deployed.json").exists()


def test_without_compose_nothing_is_begun(iris: Packed, receipts: Path, tmp_path: Path) -> None:
    """Exit 8 with what to install, and no file of a service that never was; the plan alone needs none."""
    shutil.copytree(receipts, tmp_path / ".mlpack" / "receipts")
    words = ("deploy", iris.image, "--target", "compose", "--service", "none", "--set", f"port={free_port()}")
    env = {"PATH": str(tmp_path)}
    refused(8, "deploy_no_compose", *words, "--yes", cwd=tmp_path, env=env)
    assert [path.name for path in (tmp_path / ".mlpack").iterdir()] == ["receipts"]
    told(*words, "--dry-run", "--write", "compose.yaml", cwd=tmp_path, env=env)
    assert yaml.safe_load((tmp_path / "compose.yaml").read_text())["services"]["none"]["image"] == iris.image


def test_with_a_repository_the_digest_there_is_deployed(iris: Packed, folder: Path, registry: str) -> None:
    """`image.repository` is honoured: the image is pushed first, and compose.yaml names its digest."""
    (folder / "mlpack.yaml").write_text(
        f"{(folder / 'mlpack.yaml').read_text()}\nimage: {{repository: {registry}/{iris.name}}}\n"
    )
    service = f"pushed-{iris.name}"
    words = ("deploy", iris.image, "--target", "compose", "--service", service, "--set", f"port={free_port()}", "--yes")
    first = told(*words, cwd=folder)
    assert first["verified"] == "golden"
    assert first["image"].startswith(f"{registry}/{iris.name}@sha256:")
    home = folder / ".mlpack" / "compose" / service
    written = yaml.safe_load((home / "compose.yaml").read_text())
    assert (written["services"][service]["image"], written["x-mlpack-image"]) == (first["image"], iris.image)
    again = told(*words, cwd=folder)
    assert (again["plan"]["changes"], again["revision"]) == ([], first["revision"])


def test_settings_of_another_target_are_refused(folder: Path, iris: Packed) -> None:
    """Compose has no setting `region`: exit 2, before anything is done."""
    words = ("deploy", iris.image, "--target", "compose", "--yes")
    refused(2, "usage", *words, "--region", "europe-west1", cwd=folder)
    found = refused(2, "config", *words, "--set", "region=europe-west1", cwd=folder)
    assert "region" in found["error"]["message"]
    assert "Available settings" in found["error"]["hint"]
    assert [path.name for path in (folder / ".mlpack").iterdir()] == ["receipts"]
