"""What the tests with a container engine share: the engine, its registry, and small bundles to build."""

from __future__ import annotations

import functools
import hashlib
import os
import shlex
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mlpack.artifacts.bundle import Bundle, BundleFile
from mlpack.artifacts.lock import Lock
from mlpack.artifacts.model import ModelInfo, Safety
from mlpack.engines.docker import DockerEngine

ROOT = Path(__file__).parents[2]
BASE = "python:3.11-slim"

MakeBundle = Callable[..., Bundle]


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
def registry(engine_environment: None) -> str:  # noqa: ARG001  # asked for what it sets
    """The host and port of a registry that asks for the password in DOCKER_CONFIG."""
    return os.environ["MLPACK_TEST_REGISTRY"]


@pytest.fixture
def bundle_of(engine: DockerEngine) -> MakeBundle:
    """Makes a bundle for the engine; see bundle_for."""
    return functools.partial(bundle_for, engine)


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
    every = (file_of("Dockerfile", text.encode()), *files)
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


def file_of(name: str, content: bytes) -> BundleFile:
    """A small file of a bundle."""
    return BundleFile(name=name, size=len(content), sha256=hashlib.sha256(content).hexdigest(), content=content)


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
    return Lock(info=info, python="3.11", platform=platform, base=BASE, base_digest=None, requirements="")
