"""An engine that goes away in the middle of a build."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mlpack.artifacts.bundle import Bundle
from mlpack.artifacts.bundle_file import BundleFile
from mlpack.artifacts.progress import Progress
from mlpack.engines.docker import DockerEngine
from mlpack.errors import EngineError, EngineUnavailableError
from tests.integration.conftest import lock_for
from tests.standins.dying_engine import dying_engine


def bundle() -> Bundle:
    """A bundle of nothing but a Dockerfile."""
    content = b"FROM scratch\n"
    file = BundleFile(name="Dockerfile", size=len(content), sha256=hashlib.sha256(content).hexdigest(), content=content)
    return Bundle(
        lock=lock_for("linux/amd64"), name="x", version=None, files=(file,), private=(), digest="", card={}, labels={}
    )


@pytest.mark.parametrize("ending", [b"", b"40\r\n{"], ids=["between", "within"])
def test_engine_dies_mid_build(tmp_path: Path, ending: bytes) -> None:
    """A line that breaks in the middle of a build is an engine that went away, not a failed build."""
    told: list[Progress] = []
    with (
        dying_engine(tmp_path / "e.sock", ending) as url,
        DockerEngine.connect({"DOCKER_HOST": url}) as engine,
        pytest.raises(EngineUnavailableError, match="went away at the build"),
    ):
        engine.build(bundle(), tags=(), on_progress=told.append)
    assert any(news.title == "[1/2] FROM scratch" for news in told)


def test_engine_ends_without_an_image(tmp_path: Path) -> None:
    """An answer that ends in order, but without an image, is no success."""
    with (
        dying_engine(tmp_path / "e.sock", b"0\r\n\r\n") as url,
        DockerEngine.connect({"DOCKER_HOST": url}) as engine,
        pytest.raises(EngineError, match="without an image"),
    ):
        engine.build(bundle(), tags=(), on_progress=lambda _: None)
