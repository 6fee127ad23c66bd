"""Passwords in every place that people keep them, and then looked for in every place that others look."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from docker.errors import ImageNotFound

from mlpack.engines.docker import DockerEngine
from tests.integration.cli import Done, mlpack
from tests.integration.conftest import BASE, MakeBundle, Name, containers_of, file_of
from tests.integration.networks import PRIVATE, bridge_address, certificate, in_container, pip_conf, working_folder
from tests.standins.connect_proxy import ConnectProxy, connect_proxy
from tests.unit.packages.standin_index import StandinIndex, serve

pytestmark = [pytest.mark.docker, pytest.mark.slow, pytest.mark.network]

CHUNK = 1024 * 1024


@dataclass(kw_only=True)
class Line:
    """A model that went the whole line with a password in each place; `began` is the engine's files' time before it."""

    folder: Path
    canary: str
    classic: bool
    began: float
    index: StandinIndex
    proxy: ConnectProxy
    said: list[Done] = field(default_factory=list)
    image: str = ""
    container: dict[str, Any] = field(default_factory=dict)
    container_log: str = ""
    processes: list[str] = field(default_factory=list)

    @property
    def forms(self) -> list[bytes]:
        """The password as it is, and as HTTP and Docker's config write it beside its user."""
        logins = [f"me:{self.canary}", f"me:{self.canary}-wrong"]
        return [self.canary.encode(), *(base64.b64encode(login.encode()).rstrip(b"=")[:-2] for login in logins)]


@pytest.fixture(scope="module", params=["buildkit", "classic"])
def line(
    request: pytest.FixtureRequest,
    engine: DockerEngine,
    registry: str,
    fresh_name: Name,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Line]:
    """Inspect, render, build, test, run, push, image, doctor, and failures, with passwords all around."""
    host, canary = bridge_address(engine), f"canary{uuid.uuid4().hex}"
    folder, outside = tmp_path_factory.mktemp("secrets"), tmp_path_factory.mktemp("outside")
    name = fresh_name(f"secrets-{request.param}")
    context, bundle = certificate(outside, host)
    working_folder(folder, requirements=(PRIVATE.name,))
    with (
        pytest.MonkeyPatch.context() as patch,
        serve((PRIVATE,), login=f"me:{canary}", host=host, tls=context) as index,
        connect_proxy(host, f"me:{canary}") as proxy,
    ):
        line = Line(
            folder=folder,
            canary=canary,
            classic=request.param == "classic",
            began=time.time() - 1,
            index=index,
            proxy=proxy,
        )
        wrong = pip_conf(outside / "wrong.conf", index.url.replace(canary, f"{canary}-wrong"))
        patch.setenv("PIP_CONFIG_FILE", str(pip_conf(outside / "pip.conf", index.url)))
        patch.setenv("PIP_CERT", str(bundle))
        patch.setenv("HTTPS_PROXY", proxy.url)
        patch.setenv("NO_PROXY", f"{host},127.0.0.1,localhost")
        patch.setenv("SECRET_ACCESS_KEY", canary)
        patch.setenv("DOCKER_CONFIG", str(docker_config(outside / "docker", canary, proxy.url)))
        patch.setenv("MLPACK_CACHE", str(folder / "cache"))
        patch.setenv("MLPACK_CLASSIC", "1" if line.classic else "0")
        with watched(canary) as line.processes:
            go(line, name, f"{registry}/secrets/{name}:1", wrong)
        yield line


def go(line: Line, name: str, reference: str, wrong: Path) -> None:
    """Every command once; what each said is kept."""

    def say(*words: str, code: int = 0, env: dict[str, str] | None = None) -> Done:
        done = mlpack(*words, cwd=line.folder, env=env)
        line.said.append(done)
        assert done.code == code, done
        return done

    say("inspect", "model.pkl")
    say("render", "-o", "rendered", "--buildkit")
    line.image = say("build", "--name", name, "--json").document()["id"]
    if not line.classic:  # from here on nothing knows which builder it was
        say("test")
        say("push", "--to", reference)
        say("image")
        say("doctor")
        say("doctor", code=5, env={"PIP_CONFIG_FILE": str(wrong)})
    say("build", "--name", name, "--refresh", code=4, env={"PIP_CONFIG_FILE": str(wrong)})
    # The lock stands, so the login is refused later: inside the build, or here where wheels are fetched for it.
    shutil.rmtree(line.folder / "cache" / "locks" / "wheels", ignore_errors=True)
    late = 4 if line.classic else 5
    say("build", "--name", name, "--no-cache", code=late, env={"PIP_CONFIG_FILE": str(wrong)})
    run_once(line)


def run_once(line: Line) -> None:
    """`mlpack run`: its container's configuration and log."""
    with subprocess.Popen(
        [sys.executable, "-m", "mlpack", "run"],
        cwd=line.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = ""
        try:
            for text in iter(process.stdout.readline, ""):
                said += text
                if text.startswith("curl "):
                    break
            assert any(line.startswith("curl ") for line in said.splitlines()), said
            with DockerEngine.connect() as engine:
                (found,) = containers_of(engine, line.image)
                line.container = engine._client.inspect_container(found)
                line.container_log = engine._client.logs(found).decode()
        finally:
            process.terminate()
            said += process.stdout.read()
    line.said.append(Done(words=("run",), code=process.returncode, stdout=said, stderr=""))


# what works -----------------------------------------------------------------------------------------


def test_the_passwords_were_needed_and_worked(line: Line, engine: DockerEngine) -> None:
    """The private package is in the image; index and proxy answered to the login alone."""
    packages = {name.partition(" ")[0].replace("_", "-") for name, _ in engine.packages(line.image)}
    assert PRIVATE.name in packages
    assert any(path.startswith("/files/") for _, path in line.index.clients)
    assert line.proxy.seen
    inside = [client for client, _ in line.index.clients if in_container(engine, client)]
    assert bool(inside) is not line.classic, "BuildKit's build has the login; the classic builder gets wheels, and none"


# what is found --------------------------------------------------------------------------------------


def test_nothing_that_was_said_holds_a_password(line: Line) -> None:
    """Standard output and error of every command, of those that fail on a wrong password too."""
    for done in line.said:
        text = (done.stdout + done.stderr).encode()
        assert not [form for form in line.forms if form in text], done


def test_no_process_was_started_with_a_password(line: Line) -> None:
    """`ps` shows none, at any moment of the line, here or in a container."""
    assert line.processes == []


def test_no_file_that_stays_holds_a_password(line: Line) -> None:
    """The rendered folder, locks, wheels, receipts and reports."""
    names = {path.name for path in line.folder.rglob("*")}
    assert {"Dockerfile", "env", "last.json", "locks"} <= names
    assert line.classic or "receipts" in names
    assert holding(line.forms, line.folder) == []


def test_no_layer_label_or_history_holds_a_password(line: Line, engine: DockerEngine, tmp_path: Path) -> None:
    """All of the saved image, and what the engine says of it and of every image made meanwhile, without a name too."""
    saved = tmp_path / "saved.tar"
    with saved.open("wb") as out:
        for chunk in engine._client.get_image(line.image, chunk_size=CHUNK):
            out.write(chunk)
    assert saved.stat().st_size > 50 * CHUNK
    assert holding(line.forms, saved) == []
    told = [engine._client.inspect_image(line.image), engine._client.history(line.image)]
    for image in engine._client.images(all=True):
        if image["Created"] >= line.began:
            with contextlib.suppress(ImageNotFound):  # of somebody else, who has just taken it away
                told += [engine._client.inspect_image(image["Id"]), engine._client.history(image["Id"])]
    assert len(told) > 3
    assert not [form for form in line.forms if form in json.dumps(told).encode()]


def test_no_container_holds_a_password(line: Line) -> None:
    """A model's container is told no proxy, and logs none."""
    assert line.container["Config"]["Env"]
    assert '"severity"' in line.container_log
    text = (json.dumps(line.container) + line.container_log).encode()
    assert not [form for form in line.forms if form in text]


def test_the_engine_keeps_no_password(line: Line, engine: DockerEngine) -> None:
    """Nothing of it is on the engine's disk: no context in the build cache, no intermediate image, no cache mount."""
    root = Path(str(engine.facts().details["root_dir"]))
    if not root.is_dir():
        pytest.skip("the engine's disk is on another machine")
    assert holding(line.forms, root, since=line.began) == []


def test_the_search_finds(engine: DockerEngine, bundle_of: MakeBundle, tmp_path: Path) -> None:
    """A password in a layer and one that crosses two blocks are found, so that what finds none can be believed."""
    canary = f"canary{uuid.uuid4().hex}"
    (tmp_path / "across").write_bytes(b"x" * (CHUNK - 7) + canary.encode())
    assert holding([canary.encode()], tmp_path) == [tmp_path / "across"]
    began = time.time() - 1
    bundle = bundle_of(f"FROM {BASE}\nCOPY told /told", files=(file_of("told", canary.encode()),))
    reference = f"secrets-search:{uuid.uuid4().hex[:8]}"
    image = engine.build(bundle, tags=(reference,), on_progress=lambda _: None)
    try:
        saved = tmp_path / "saved.tar"
        saved.write_bytes(b"".join(engine._client.get_image(image.id)))
        assert saved in holding([canary.encode()], tmp_path)
        root = Path(str(engine.facts().details["root_dir"]))
        if root.is_dir():
            assert holding([canary.encode()], root, since=began)
    finally:
        engine.remove_tag(reference)


# helpers --------------------------------------------------------------------------------------------


def docker_config(folder: Path, canary: str, proxy: str) -> Path:
    """Docker's config with the engine's login, one more, and a proxy with a password for containers."""
    config = json.loads((Path(os.environ["DOCKER_CONFIG"]) / "config.json").read_text())
    config["auths"]["registry.example"] = {"auth": base64.b64encode(f"me:{canary}".encode()).decode()}
    config["proxies"] = {"default": {"httpsProxy": proxy, "noProxy": "127.0.0.1,localhost"}}
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@contextlib.contextmanager
def watched(canary: str) -> Iterator[list[str]]:
    """The command lines with the password in them, of all processes of this machine, for as long as the `with` lasts."""
    found: list[str] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.02):
            for path in (process / "cmdline" for process in Path("/proc").glob("[0-9]*")):
                with contextlib.suppress(OSError):
                    if canary.encode() in (words := path.read_bytes()):
                        found.append(words.decode(errors="replace"))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def holding(forms: list[bytes], place: Path, *, since: float | None = None) -> list[Path]:
    """The files in a folder, or a file itself, that hold one of the forms; of those that changed `since` then."""
    words = ["find", str(place), "-type", "f", *(["-newerct", f"@{since:.0f}"] if since else []), "-print0"]
    # What goes away meanwhile is no matter, and no success for find.
    listed = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout
    return [path for name in listed.split(b"\0") if name and _holds(path := Path(os.fsdecode(name)), forms)]


def _holds(path: Path, forms: list[bytes]) -> bool:
    longest = max(map(len, forms))
    rest = b""
    with contextlib.suppress(OSError), path.open("rb") as file:
        while block := file.read(CHUNK):
            whole = rest + block
            if any(form in whole for form in forms):
                return True
            rest = whole[-longest:]
    return False
