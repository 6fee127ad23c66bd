"""Ctrl-C, SIGTERM and kill -9 at every stage of a real command, and two commands at once."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mlpack.artifacts import labels
from mlpack.engines.docker import DockerEngine
from tests.extra import few
from tests.integration.cli import MLPACK, TRACEBACK, told
from tests.integration.conftest import BASE, Name, Packed, containers_of
from tests.integration.networks import working_folder
from tests.standins.engine_forwarder import engine_forwarder

pytestmark = [pytest.mark.docker, pytest.mark.slow]

SIGNALS = [signal.SIGINT, signal.SIGTERM]
PATIENCE_S = 120  # how long a stage may take to begin, on a busy machine


class Started:
    """A command as a process with a temporary folder of its own."""

    def __init__(self, *words: str, cwd: Path, env: dict[str, str] | None = None) -> None:
        self.temporary = cwd.parent / f"tmp-{uuid.uuid4().hex[:8]}"
        self.temporary.mkdir()
        self.verb = words[0]
        self.process = subprocess.Popen(
            [*MLPACK, *words],
            cwd=cwd,
            env={**os.environ, **(env or {}), "TMPDIR": str(self.temporary)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def comes_to(self, stage: Callable[[], object]) -> None:
        """Wait until it is so; a command that ended before tells what it said."""
        ends = time.monotonic() + PATIENCE_S
        while not stage():
            assert self.process.poll() is None, (self.process.returncode, self.process.communicate())
            if time.monotonic() > ends:
                self.process.kill()
                raise AssertionError(("it never was so", self.process.communicate()))
            time.sleep(0.05)

    def end(self, number: signal.Signals) -> None:
        """Send the signal: exit 130 soon, one sentence and no traceback, and no temporary file."""
        assert self.process.poll() is None, self.process.communicate()
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=PATIENCE_S)
        assert self.process.returncode == 130, (self.process.returncode, out, err)
        assert ("interrupted" in err) is (self.verb != "run"), err
        assert not TRACEBACK.search(err), err
        assert list(self.temporary.rglob("*")) == []

    def kill(self) -> None:
        """The end that no program can do anything about."""
        assert self.process.poll() is None, self.process.communicate()
        self.process.kill()
        self.process.communicate()


@contextmanager
def started(*words: str, cwd: Path, env: dict[str, str] | None = None) -> Iterator[Started]:
    """A command that ends with the `with`."""
    command = Started(*words, cwd=cwd, env=env)
    try:
        yield command
    finally:
        if command.process.poll() is None:
            command.process.kill()
        command.process.communicate()


@pytest.fixture
def here(tmp_path: Path, iris: Packed) -> Path:
    """A working folder with the model that is built already, so that its lock is known."""
    folder = tmp_path / "here"
    folder.mkdir()
    for name in ("model.pkl", "mlpack.yaml", "request.json", "expected.json"):
        shutil.copy(iris.folder / name, folder)
    return folder


@pytest.fixture
def sleepy(here: Path) -> tuple[Path, str]:
    """The folder with a Dockerfile of the user's own, which sleeps; and for how long, which nobody else does."""
    marker = str(100_000 + uuid.uuid4().int % 899_999)
    (here / "templates").mkdir()
    (here / "templates" / "Dockerfile.j2").write_text(
        f"FROM {BASE}\nRUN if [ -e /fast ]; then :; else sleep {marker}; fi\n"
    )
    with (here / "mlpack.yaml").open("a") as config:
        config.write("templates: templates/\n")
    return here, marker


# each stage -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", few(SIGNALS, signal.SIGINT))
def test_while_a_large_file_is_read(tmp_path: Path, number: signal.Signals) -> None:
    """Inspect of a compressed file."""
    folder = tmp_path / "here"
    folder.mkdir()
    packer = zlib.compressobj(1)
    with (folder / "model.pkl").open("wb") as out:
        # One long pickle of small integers, as dense in opcodes as can be: minutes to read.
        out.write(packer.compress(b"\x80\x04]"))
        block = b"(" + b"K\x01" * 500_000 + b"e"
        for _ in range(60):
            out.write(packer.compress(block))
        out.write(packer.compress(b".") + packer.flush())
    with started("inspect", "model.pkl", cwd=folder) as command:
        command.comes_to(lambda: reads(command.process.pid, folder / "model.pkl"))
        command.end(number)


@pytest.mark.parametrize("number", few(SIGNALS, signal.SIGINT))
def test_while_packages_are_resolved(here: Path, number: signal.Signals) -> None:
    """An index that takes the question and never answers."""
    with hanging() as (port, asked):
        env = {"PIP_INDEX_URL": f"http://127.0.0.1:{port}/simple", "MLPACK_CACHE": str(here / "cache")}
        with started("build", "--name", "interrupted", cwd=here, env=env) as command:
            command.comes_to(asked.is_set)
            command.end(number)
    assert [path for path in here.rglob(".*") if path.is_file()] == []


@pytest.mark.parametrize("number", few(SIGNALS, signal.SIGINT))
def test_while_uv_looks_for_a_set(here: Path, number: signal.Signals) -> None:
    """A uv that was started for it goes too."""
    with hanging(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", then_hang=b"uv/") as (port, asked):
        env = {"PIP_EXTRA_INDEX_URL": f"http://127.0.0.1:{port}/simple", "MLPACK_CACHE": str(here / "cache")}
        with started("build", "--name", "interrupted", cwd=here, env=env) as command:
            command.comes_to(asked.is_set)
            mine = command.temporary
            assert uses(mine)
            command.end(number)
            within(lambda: not uses(mine))


@pytest.mark.parametrize("number", SIGNALS)
def test_while_the_bundle_is_sent(sleepy: tuple[Path, str], engine: DockerEngine, number: signal.Signals) -> None:
    """An upload that hangs in the middle."""
    folder, marker = sleepy
    with engine_forwarder(socket_of(engine), limit=200_000) as forwarder:
        env = {"DOCKER_HOST": forwarder.url}
        with started("build", "--name", f"interrupted-{marker}", cwd=folder, env=env) as command:
            command.comes_to(forwarder.hung.is_set)
            command.end(number)
    assert engine.find(f"interrupted-{marker}:latest") is None


@pytest.mark.parametrize("builder", ["buildkit", "classic"])
@pytest.mark.parametrize("number", SIGNALS)
def test_while_a_step_runs(
    sleepy: tuple[Path, str], engine: DockerEngine, number: signal.Signals, builder: str
) -> None:
    """The build ends at the engine: its process is gone, no container and no image are left."""
    folder, marker = sleepy
    env = {"MLPACK_CLASSIC": "1" if builder == "classic" else "0"}
    with started("build", "--name", f"interrupted-{marker}", cwd=folder, env=env) as command:
        command.comes_to(lambda: sleeps(marker))
        command.end(number)
    within(lambda: not sleeps(marker))
    within(lambda: not [c for c in engine._client.containers(all=True) if marker in c["Command"]])
    assert engine.find(f"interrupted-{marker}:latest") is None


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("verb", ["test", "run"])
def test_while_a_container_runs(
    here: Path, iris: Packed, engine: DockerEngine, number: signal.Signals, verb: str
) -> None:
    """No container of the image is left, and no receipt."""
    before = containers_of(engine, iris.image)
    with started(verb, iris.image, cwd=here) as command:
        command.comes_to(lambda: containers_of(engine, iris.image) - before)
        command.end(number)
    assert containers_of(engine, iris.image) == before
    assert not (here / ".mlpack" / "receipts").exists()


@pytest.mark.parametrize("number", few(SIGNALS, signal.SIGINT))
def test_while_an_image_is_pushed(here: Path, iris: Packed, number: signal.Signals) -> None:
    """A registry that never answers."""
    with hanging() as (port, asked):
        words = ("push", iris.image, "--no-verify", "--to", f"127.0.0.1:{port}/interrupted:1")
        with started(*words, cwd=here) as command:
            command.comes_to(asked.is_set)
            command.end(number)


# kill -9 --------------------------------------------------------------------------------------------


def test_a_killed_command_is_not_in_the_way(
    sleepy: tuple[Path, str], iris: Packed, engine: DockerEngine, fresh_name: Name
) -> None:
    """Killed while it resolves, while it sends, while a step runs, while it tests: the next run is as the first."""
    folder, marker = sleepy
    name, cache = fresh_name("killed"), {"MLPACK_CACHE": str(folder / "cache")}
    with hanging() as (port, asked):
        env = {**cache, "PIP_INDEX_URL": f"http://127.0.0.1:{port}/simple"}
        with started("build", "--name", name, cwd=folder, env=env) as command:
            command.comes_to(asked.is_set)
            command.kill()
    with (
        engine_forwarder(socket_of(engine), limit=200_000) as forwarder,
        started("build", "--name", name, cwd=folder, env={**cache, "DOCKER_HOST": forwarder.url}) as command,
    ):
        command.comes_to(forwarder.hung.is_set)
        command.kill()
    with started("build", "--name", name, cwd=folder, env=cache) as command:
        command.comes_to(lambda: sleeps(marker))
        command.kill()
    within(lambda: not sleeps(marker))
    (folder / "mlpack.yaml").write_text("model: model.pkl\n")
    built = told("build", "--name", name, cwd=folder, env=cache)
    assert built["id"]
    assert iris.image


def test_containers_of_a_killed_command_are_removed(here: Path, iris: Packed, engine: DockerEngine) -> None:
    """The next command that starts a container removes them; those of a command that still runs stay."""
    cache = {"MLPACK_CACHE": str(here / "cache")}
    with started("run", iris.image, "--port", "0", cwd=here, env=cache) as alive:
        alive.comes_to(lambda: owned(engine, here / "cache"))
        kept = owned(engine, here / "cache")
        with started("test", iris.image, cwd=here, env=cache) as killed:
            killed.comes_to(lambda: owned(engine, here / "cache") - kept)
            killed.kill()
        assert owned(engine, here / "cache") > kept
        assert told("test", iris.image, cwd=here, env=cache)["ok"] is True
        assert owned(engine, here / "cache") == kept
        alive.process.send_signal(signal.SIGINT)
        _, err = alive.process.communicate(timeout=PATIENCE_S)
        assert alive.process.returncode == 130, err
    assert not list((here / "cache" / "owners").iterdir())


# two at once ----------------------------------------------------------------------------------------


def test_two_builds_in_one_folder(tmp_path: Path, iris: Packed, engine: DockerEngine, fresh_name: Name) -> None:
    """Each gets its own image, whole; the folder names one of them as its last."""
    assert iris.image
    folder = working_folder(tmp_path / "both")
    (folder / "mlpack.yaml").write_text("model: model.pkl\n")
    names = [fresh_name("one"), fresh_name("two")]
    env = {"MLPACK_CACHE": str(folder / "cache")}
    with contextlib.ExitStack() as both:
        commands = [
            both.enter_context(started("build", "--name", name, "--json", cwd=folder, env=env)) for name in names
        ]
        said = [command.process.communicate(timeout=300) for command in commands]
    assert [command.process.returncode for command in commands] == [0, 0], said
    built = [json.loads(out) for out, _ in said]
    assert [image["tags"][-1] for image in built] == [f"{name}:latest" for name in names]
    for image, name in zip(built, names, strict=True):
        assert engine.card(image["id"])["name"] == name
    last = json.loads((folder / ".mlpack" / "last.json").read_text())
    assert last["image"] in {image["id"] for image in built}
    assert [path for command in commands for path in command.temporary.rglob("*")] == []
    assert told("test", cwd=folder)["ok"] is True


# helpers --------------------------------------------------------------------------------------------


def owned(engine: DockerEngine, cache: Path) -> set[str]:
    """The running containers of the commands that use this cache folder."""
    labelled = engine._client.containers(filters={"label": labels.OWNER})
    return {entry["Id"] for entry in labelled if (cache / "owners" / entry["Labels"][labels.OWNER]).exists()}


@contextmanager
def hanging(answer: bytes = b"", *, then_hang: bytes = b"") -> Iterator[tuple[int, threading.Event]]:
    """A server that takes questions and does not answer; with `answer`, only those that name `then_hang` are left so."""
    asked, ended = threading.Event(), threading.Event()

    def serve(client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            while question := client.recv(65536):
                if (
                    not answer
                    or then_hang in question.partition(b"User-Agent: ")[2] + question.partition(b"user-agent: ")[2]
                ):
                    asked.set()
                    ended.wait()
                    return
                client.sendall(answer)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=serve, args=(client,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1], asked
        finally:
            ended.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def within(true: Callable[[], object]) -> None:
    """Wait until it is so."""
    ends = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < ends, "it never was so"
        time.sleep(0.05)


def sleeps(marker: str) -> bool:
    """Whether a process of this machine sleeps for that long (a build's step on an engine here)."""
    return any(words == [b"sleep", marker.encode()] for _, words in processes())


def uses(folder: Path) -> bool:
    """Whether a uv of this machine works for a command with this temporary folder."""
    return any(
        str(folder).encode() in b" ".join(words) or _cwd(pid).startswith(str(folder)) for pid, words in processes()
    )


def reads(pid: int, path: Path) -> bool:
    """Whether a process has a file open and is beyond its first block."""
    for entry in Path(f"/proc/{pid}/fd").glob("*"):
        with contextlib.suppress(OSError, ValueError):
            if entry.readlink() == path.resolve():
                text = Path(f"/proc/{pid}/fdinfo/{entry.name}").read_text()
                return int(text.split()[1]) > 0
    return False


def processes() -> Iterator[tuple[int, list[bytes]]]:
    """Every process with its words."""
    for path in (process / "cmdline" for process in Path("/proc").glob("[0-9]*")):
        with contextlib.suppress(OSError):
            yield int(path.parent.name), path.read_bytes().rstrip(b"\0").split(b"\0")


def _cwd(pid: int) -> str:
    with contextlib.suppress(OSError):
        return str(Path(f"/proc/{pid}/cwd").readlink())
    return ""


def socket_of(engine: DockerEngine) -> str:
    """The path of the engine's socket; skips where it is reached in another way."""
    if not engine.address.url.startswith("unix://"):
        pytest.skip(f"the engine is at {engine.address.url}, which has no socket here")
    return engine.address.url.removeprefix("unix://")
