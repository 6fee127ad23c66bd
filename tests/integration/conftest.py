"""What these tests share: the engine, its registry, small bundles to build, models that went the line, environments."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from docker.errors import APIError

from mlpack.artifacts import labels
from mlpack.artifacts.bundle import Bundle
from mlpack.artifacts.bundle_file import BundleFile
from mlpack.artifacts.lock import Lock
from mlpack.artifacts.model import ModelInfo, Safety
from mlpack.artifacts.prepared import Prepared
from mlpack.engines.docker import DockerEngine
from mlpack.packages.settings import read_settings
from mlpack.packages.settings.variables import uv_variables
from tests.engine import packages
from tests.engine.errors import EngineError
from tests.integration.cli import told
from tests.integration.clouds import PROJECT, REGION, Cloud, start_cloud, stop_cloud
from tests.shared import once

ROOT = Path(__file__).parents[2]
BASE = "python:3.11-slim"

MakeBundle = Callable[..., Bundle]
Name = Callable[[str], str]
MakePython = Callable[..., Path]


@dataclass(frozen=True, kw_only=True)
class Packed:
    """A model that `mlpack build` made an image of: the working folder, the image's name, and what build said."""

    folder: Path
    name: str
    built: dict[str, Any]

    @property
    def image(self) -> str:
        """The image's id."""
        return str(self.built["id"])


@pytest.fixture(scope="session")
def engine_environment() -> Iterator[None]:
    """DOCKER_HOST, DOCKER_CONFIG and MLPACK_TEST_REGISTRY of the test machine's engine, started where there is none."""
    before = dict(os.environ)
    if "MLPACK_TEST_REGISTRY" not in os.environ:
        started = subprocess.run(
            [sys.executable, "-m", "tests.engine", "start"], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
        )
        for word in shlex.split(started.stdout):
            name, equals, value = word.partition("=")
            if equals:
                os.environ[name] = value
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def engine(engine_environment: None) -> Iterator[DockerEngine]:  # noqa: ARG001  # asked for what it sets
    """The container engine that every test with the marker `docker` shares."""
    with DockerEngine.connect() as connected:
        yield connected


@pytest.fixture(scope="session")
def compose(engine_environment: None) -> None:  # noqa: ARG001  # what it starts
    """`docker compose` or `docker-compose`; on Debian it can be installed."""
    if shutil.which("docker-compose") is None:
        try:
            packages.install({"docker-compose": "docker-compose"})
        except EngineError as error:
            pytest.skip(f"no docker-compose here: {error}")


@pytest.fixture(scope="session")
def registry(engine_environment: None) -> str:  # noqa: ARG001  # asked for what it sets
    """The host and port of a registry that asks for the password in DOCKER_CONFIG."""
    return os.environ["MLPACK_TEST_REGISTRY"]


@pytest.fixture(scope="session")
def fresh_name(engine: DockerEngine) -> Iterator[Name]:
    """Gives image names that nobody has used, so that nothing of an earlier run answers; takes the images away at the end."""
    mark = uuid.uuid4().hex[:8]
    yield lambda prefix: f"{prefix}-{mark}"
    for image in engine._client.images():  # the newest first: an image goes after those that stand on it
        for name in (*(image.get("RepoTags") or ()), *(image.get("RepoDigests") or ())):
            if mark in name:  # by name, not by id: a base image that was given such a name keeps its own
                with contextlib.suppress(APIError):
                    engine._client.remove_image(name, force=True)


@pytest.fixture(scope="session")
def iris(fresh_name: Name, tmp_path_factory: pytest.TempPathFactory) -> Packed:
    """examples/iris, trained and built."""
    return packed_example("iris", tmp_path_factory.mktemp("iris"), fresh_name("iris"))


@pytest.fixture(scope="session")
def cloud(engine_environment: None) -> Iterator[Cloud]:  # noqa: ARG001  # asked for what it sets
    """The local Cloud Run, one for each worker; it ends with the session, unless the shell had it already."""
    mine = "PYTEST_XDIST_WORKER" in os.environ or "CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN" not in os.environ
    yield start_cloud()
    if mine:
        stop_cloud()


@pytest.fixture(scope="session")
def pushed(iris: Packed, cloud: Cloud) -> str:
    """iris, tested and in the local Artifact Registry: its reference with digest."""
    cloud.told("test", iris.image, cwd=iris.folder)
    return str(cloud.told("push", iris.image, "--project", PROJECT, "--region", REGION, cwd=iris.folder)["reference"])


@pytest.fixture(scope="session")
def python_with() -> MakePython:
    """Makes environments of Python 3.11 with the given requirements, from where pip would take them; each once a run."""

    @functools.cache
    def make(*requirements: str) -> Path:
        mark = hashlib.sha256("\n".join(requirements).encode()).hexdigest()[:16]
        folder = once(f"env-{mark}", functools.partial(make_environment, requirements))
        return folder / "venv" / "bin" / "python"

    return make


@pytest.fixture
def bundle_of(engine: DockerEngine) -> MakeBundle:
    """Makes a bundle for the engine; see bundle_for."""
    return functools.partial(bundle_for, engine)


def packed_example(example: str, folder: Path, name: str) -> Packed:
    """A copy of an example, trained with this environment's scikit-learn, and built."""
    for file in ("make_model.py", "mlpack.yaml"):
        shutil.copy(ROOT / "examples" / example / file, folder)
    subprocess.run([sys.executable, "make_model.py"], cwd=folder, check=True, capture_output=True)
    return Packed(folder=folder, name=name, built=told("build", "--name", name, cwd=folder))


def make_environment(requirements: tuple[str, ...], folder: Path) -> None:
    """An environment in folder/venv; skips the test where there is no Python 3.11."""
    variables = uv_variables(read_settings(os.environ, folder))
    env = {name: value for name, value in {**os.environ, **variables}.items() if value}
    found = subprocess.run(
        [uv(), "venv", "--quiet", "--no-config", "--python", "3.11", folder / "venv"],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode:
        pytest.skip(f"no Python 3.11 here, and none to be had: {found.stderr}")
    python = folder / "venv" / "bin" / "python"
    command = [uv(), "pip", "install", "--quiet", "--no-config", "--only-binary", ":all:", "--python", str(python)]
    subprocess.run([*command, *requirements], env=env, check=True)


def containers_of(engine: DockerEngine, image: str) -> set[str]:
    """The containers that mlpack itself made of an image, ended ones too; a stand-in may run the same image for long."""
    ours = engine._client.containers(all=True, filters={"label": labels.RUN})
    return {entry["Id"] for entry in ours if entry["ImageID"] == image}


def uv() -> str:
    """The uv of this environment."""
    from uv import find_uv_bin

    return str(find_uv_bin())


def bundle_for(
    engine: DockerEngine,
    dockerfile: str,
    *,
    files: tuple[BundleFile, ...] = (),
    private: tuple[BundleFile, ...] = (),
    unique: bool = False,
) -> Bundle:
    """A bundle of a Dockerfile's text and a few files; `unique` keeps the build cache of its commands out of it."""
    text = f"{dockerfile}  # {uuid.uuid4()}\n" if unique else f"{dockerfile}\n"
    every = (BundleFile.of_bytes("Dockerfile", text.encode()), *files)
    digest = "sha256:" + hashlib.sha256("".join(file.name + file.sha256 for file in every).encode()).hexdigest()
    return Bundle(
        lock=lock_for(engine.facts().platform),
        name="mlpack-test",
        version=None,
        files=every,
        private=private,
        digest=digest,
        card={"name": "mlpack-test"},
        labels={"dev.mlpack.bundle": digest},
    )


def lock_for(platform: str) -> Lock:
    """A lock that names nothing but the platform and the base."""
    info = ModelInfo(
        path=Path("model.pkl"),
        format="sklearn",
        framework="scikit-learn",
        framework_version="1.5.0",
        root_class="sklearn.linear_model._base.LinearRegression",
        task="regressor",
        signatures=(),
        safety=Safety(verdict="safe"),
        size=0,
    )
    return Lock(
        prepared=Prepared(info=info), python="3.11", platform=platform, base=BASE, base_digest=None, requirements=""
    )
