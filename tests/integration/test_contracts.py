"""`mlpack test --contract` on images: ours keep every contract as each platform starts them; those of others are told apart."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mlpack.artifacts.report import Report
from mlpack.checks.conformance import ModelFacts, check_image
from mlpack.checks.contracts import CONTRACTS, contract
from mlpack.engines.base import Limits
from mlpack.engines.docker import DockerEngine
from tests.integration.cli import mlpack, refused, told
from tests.integration.conftest import BASE, ROOT, Name, Packed

pytestmark = pytest.mark.docker

BuildOther = Callable[..., str]
OPEN = replace(Limits(), user="", read_only=False, tmp_bytes=0, capabilities=True)


@pytest.fixture(scope="module")
def other(engine: DockerEngine, fresh_name: Name) -> BuildOther:
    """Builds an image that mlpack knows nothing of: `other("flaw")` makes its server do something wrong."""
    server = (ROOT / "tests" / "standins" / "other_server.py").read_bytes()

    def build(*flaws: str) -> str:
        dockerfile = f"""FROM {BASE}
ENV FLAWS={",".join(flaws)}
COPY other_server.py /opt/
ENTRYPOINT ["python3", "/opt/other_server.py"]
"""
        context = io.BytesIO()
        with tarfile.open(fileobj=context, mode="w") as tar:
            for name, content in (("Dockerfile", dockerfile.encode()), ("other_server.py", server)):
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(content), 0o644
                tar.addfile(entry, io.BytesIO(content))
        tag = fresh_name(f"other-{'-'.join(flaws).replace('_', '-') or 'right'}") + ":latest"
        context.seek(0)
        for _ in engine._client.build(fileobj=context, custom_context=True, tag=tag, rm=True, decode=True):
            pass
        return tag

    return build


def failed(document: dict[str, Any]) -> set[str]:
    return {check["name"] for check in document["checks"] if not check["ok"]}


def checked(engine: DockerEngine, tag: str, names: str, **more: Any) -> Report:
    image = engine.find(tag)
    assert image is not None
    contracts = [contract(name) for name in names.split(",")]
    report, _ = check_image(image, contracts, ModelFacts(), runner=engine, limits=OPEN, start_s=6, **more)
    return report


def test_our_image_keeps_every_contract(iris: Packed) -> None:
    """Started as each platform starts it (PORT; AIP_*; `serve` and SAGEMAKER_BIND_TO_PORT), every check of all nine passes."""
    document = told("test", "--contract", ",".join(CONTRACTS), cwd=iris.folder)
    assert failed(document) == set()
    names = [check["name"] for check in document["checks"]]
    assert {
        "v2_starts",
        "vertex_starts",
        "sagemaker_starts",
        "sagemaker_label",
        "cloudrun_platform",
        "contracts_agree",
    } <= set(names)
    assert {"sagemaker_sigterm", "cloudrun_sigterm"} <= set(names)
    people = mlpack("test", "--contract", "vertex", iris.image, cwd=iris.folder)
    assert people.code == 0
    assert "vertex_health" in people.stdout


def test_an_image_of_others_is_told_what_it_lacks(other: BuildOther, iris: Packed) -> None:
    """A server that is right but for SageMaker's label fails that one check, with 6; its model is asked of itself."""
    tag = other()
    document = refused(
        6, "check_failed", "test", tag, "--contract", "v2,tfs,vertex,sagemaker,mlflow,cloudrun", cwd=iris.folder
    )
    assert failed(document) == {"sagemaker_label"}


@pytest.mark.slow
def test_what_only_a_start_shows(other: BuildOther, engine: DockerEngine) -> None:
    """A server that dies of `serve`, one that ignores SIGTERM, and one on a port of its own, each found out by its check."""
    dying = checked(engine, other("no_serve"), "v2,sagemaker")
    assert {one.name for one in dying.checks if not one.ok} == {"sagemaker_starts", "sagemaker_sigterm"}
    assert "exited with code 2" in next(one.detail for one in dying.checks if one.name == "sagemaker_starts")
    deaf = checked(engine, other("deaf"), "cloudrun")
    assert {one.name for one in deaf.checks if not one.ok} == {"cloudrun_sigterm"}
    tag = other("own_port")
    elsewhere = checked(engine, tag, "v2")
    assert {one.name for one in elsewhere.checks if not one.ok} == {"v2_starts"}
    assert checked(engine, tag, "v2", port=8080).ok
