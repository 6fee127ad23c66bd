"""Large models: they travel to the engine once, in small pieces, and not at all where there is no room."""

from __future__ import annotations

import hashlib
import os
import re
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mlpack.artifacts import labels
from mlpack.artifacts.bundle_file import BundleFile
from mlpack.artifacts.progress import Progress
from mlpack.engines.docker import DockerEngine
from mlpack.engines.docker.model_image import model_digest, model_reference
from mlpack.errors import DiskFullError, UnreadableModelError
from tests.extra import extra
from tests.integration.big import write_big_model
from tests.integration.cli import MLPACK, PATIENCE_S, told
from tests.integration.conftest import BASE, MakeBundle, Name
from tests.integration.counted import Counted, counted
from tests.integration.terminals import on_terminal

pytestmark = pytest.mark.docker

# Bytes; MLPACK_TEST_BIG=2000000000 shows the same at two gigabytes.
SIZE = int(os.environ.get("MLPACK_TEST_BIG", "300000000"))
MEGABYTE = 1_000_000
DOCKERFILE = f"FROM {BASE}\nCOPY model/ /app/model/"


@pytest.fixture
def big_model(engine: DockerEngine, tmp_path: Path) -> Iterator[Callable[[int], BundleFile]]:
    """Makes model.pkl of a size, which no engine has seen; takes what the engine keeps of it away again."""
    made: list[BundleFile] = []

    def make(size: int) -> BundleFile:
        path = tmp_path / "model.pkl"
        write_big_model(path, size)
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(MEGABYTE):
                digest.update(block)
        made.append(model_file(path, digest.hexdigest()))
        return made[-1]

    yield make
    for model in made:
        engine.remove_tag(model_reference([model]))


@pytest.fixture
def line(engine: DockerEngine, tmp_path: Path) -> Iterator[Counted]:
    """A way to the engine that counts."""
    with counted(engine.address.url, tmp_path / "counted.sock") as way:
        yield way


@pytest.mark.slow
def test_a_big_model_travels_once(
    fresh_name: Name, line: Counted, engine: DockerEngine, tmp_path: Path, big_model: Callable[[int], BundleFile]
) -> None:
    """The command stays small, tells the bytes of hashing and sending, and a new stub sends less than 5 MB."""
    model = big_model(SIZE)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    told("inspect", "model.pkl", cwd=tmp_path)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime - before.ru_utime < 30, "read whole, though most of it is one array"
    words, env = ("build", "model.pkl", "--name", fresh_name("big")), {"DOCKER_HOST": line.url}
    with memory_watched() as peaks:
        done = subprocess.run(
            [*MLPACK, *words], cwd=tmp_path, env={**os.environ, **env}, capture_output=True, text=True, check=True
        )
    assert line.sent > SIZE
    assert engine.find(model_reference([model])) is not None
    assert max(peaks.values()) < 200 * 1024 * 1024, peaks
    assert re.search(rf"- send the model  {SIZE / MEGABYTE:.1f} MB  \d+\.\d s", done.stderr), done.stderr
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "serve.py.j2").write_text('{% include "mlpack/serve.py.j2" %}\n# of my own\n')
    (tmp_path / "mlpack.yaml").write_text("templates: own\n")
    line.sent = 0
    shown = on_terminal(*words, cwd=tmp_path, env=env)
    assert shown.code == 0, shown.text
    assert line.sent < 5 * MEGABYTE
    of = f"{SIZE / 1e9:.1f} GB" if SIZE >= 1e9 else f"{SIZE / MEGABYTE:.1f} MB"
    assert re.search(rf"model digest\W+[\d.]+/{of}", shown.text), shown.text
    assert "send the model" not in shown.text


@pytest.mark.slow
@pytest.mark.parametrize("classic", ["", "1"], ids=["buildkit", "classic"])
def test_the_model_is_in_the_image(
    fresh_name: Name, tmp_path: Path, classic: str, big_model: Callable[[int], BundleFile]
) -> None:
    """By either builder the container finds its model and answers with it."""
    big_model(70 * MEGABYTE)
    told("build", "model.pkl", "--name", fresh_name("large"), cwd=tmp_path, env={"MLPACK_CLASSIC": classic})
    assert told("test", cwd=tmp_path)["ok"] is True


def test_a_disk_without_room_is_told_first(engine: DockerEngine, bundle_of: MakeBundle, tmp_path: Path) -> None:
    """A model that will not fit is refused with both figures, and not one byte of it is sent."""
    model, news = tmp_path / "model.pkl", list[Progress]()
    free = os.statvfs(engine.facts().details["root_dir"])
    with model.open("wb") as file:
        file.truncate(free.f_bavail * free.f_frsize // 2)  # a hole: it takes no room itself
    bundle = bundle_of(DOCKERFILE, files=(model_file(model, "0" * 64),))
    with pytest.raises(DiskFullError, match=r"has [\d.]+ GB free at .*needs about [\d.]+ GB") as refusal:
        engine.build(bundle, tags=("mlpack-test/none:1",), on_progress=news.append)
    assert "mlpack clean" in refusal.value.hint
    assert news == []


def test_a_model_that_changes_leaves_no_image(engine: DockerEngine, bundle_of: MakeBundle, tmp_path: Path) -> None:
    """What broke off, or is not what was hashed, is not kept as if it were the model."""
    model = tmp_path / "model.pkl"
    with model.open("wb") as file:
        file.truncate(70 * MEGABYTE)
    bundle = bundle_of(DOCKERFILE, files=(model_file(model, "1" * 64),))
    with pytest.raises(UnreadableModelError, match="changed while it was sent"):
        engine.build(replace(bundle), tags=("mlpack-test/none:1",), on_progress=lambda _: None)
    assert engine.find(model_reference(bundle.files[1:])) is None


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGINT, *extra(signal.SIGTERM)])
def test_an_interrupted_sending_leaves_nothing(
    engine: DockerEngine,
    fresh_name: Name,
    line: Counted,
    tmp_path: Path,
    end: signal.Signals,
    big_model: Callable[[int], BundleFile],
) -> None:
    """Ctrl-C in the middle of the model: exit 130, and the engine keeps no half of it."""
    model = big_model(SIZE)
    line.most = SIZE // 2
    with subprocess.Popen(
        [*MLPACK, "build", "model.pkl", "--name", fresh_name("half"), "--json"],
        cwd=tmp_path,
        env={**os.environ, "DOCKER_HOST": line.url},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        while line.sent < line.most:
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(end)
        assert process.wait(PATIENCE_S) == 130
    line.over.set()  # what was on its way arrives, and then the end of it
    assert engine.images(label=f"{labels.MODEL}={model_digest([model])}") == ()


def model_file(path: Path, sha256: str) -> BundleFile:
    """A bundle's model that says of itself what it is told to."""
    return BundleFile(name="model/model.pkl", size=path.stat().st_size, sha256=sha256, source=path)


class memory_watched:  # noqa: N801 - a `with`, used as one
    """Watches the processes that start below this one: the most memory of each, in bytes, by process id."""

    def __enter__(self) -> dict[int, int]:
        """Start to look."""
        self._peaks: dict[int, int] = {}
        self._over = threading.Event()
        self._before = set(_below(os.getpid()))
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self._peaks

    def __exit__(self, *_: object) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.02):
            for process in set(_below(os.getpid())) - self._before:
                self._peaks[process] = max(self._peaks.get(process, 0), _peak(process))


def _below(process: int) -> Iterator[int]:
    for tasks in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            children = [int(child) for child in tasks.read_text().split()]
        except OSError:
            continue  # it ended while we looked
        for child in children:
            yield child
            yield from _below(child)


def _peak(process: int) -> int:
    """VmHWM: the most that was resident at once."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0
