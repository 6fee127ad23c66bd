"""The image of a coordinator is small, and starts without compiling Python files."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mlpack.artifacts.containers import Limits
from mlpack.engines.docker import DockerEngine
from tests.integration.cli import told
from tests.integration.conftest import BASE, Name, Packed

pytestmark = [pytest.mark.docker, pytest.mark.slow]

MOST = 60_000_000  # bytes that it adds to the base image
# Starts the service in its container, waits until it answers, ends it, and prints the files that Python compiled meanwhile.
COMPILED = """
import json, re, subprocess, sys, time, urllib.error, urllib.request
with open("/tmp/imports.txt", "w") as imports:
    service = subprocess.Popen([sys.executable, "-v", "/app/serve.py"], stdout=imports, stderr=subprocess.STDOUT)
for _ in range(1200):
    try:
        urllib.request.urlopen("http://127.0.0.1:8080/livez").close()
        break
    except OSError:
        time.sleep(0.05)
else:
    sys.exit("it does not answer")
service.terminate()
service.wait()
text = open("/tmp/imports.txt").read()
assert "import 'aiohttp'" in text and "import 'uvloop'" in text
print(json.dumps(re.findall(r"code object from '(.*[.]py)'", text)))
"""


@pytest.fixture(scope="module")
def coordinator(iris: Packed, fresh_name: Name, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The coordinator of two members of one image."""
    folder = tmp_path_factory.mktemp("ensemble")
    members = [{"name": name, "image": iris.image} for name in ("one", "two")]
    (folder / "ensemble.yaml").write_text(
        json.dumps({"name": fresh_name("coordinator"), "reduce": "soft_vote", "members": members})
    )
    built: dict[str, Any] = told("ensemble", "build", cwd=folder)["coordinator"]
    return built


def test_a_coordinator_is_small(coordinator: dict[str, Any], engine: DockerEngine) -> None:
    """It adds at most 60 MB to its base image: no framework, no debug information, bytecode of what it imports alone."""
    image = engine.find(coordinator["id"])
    base = engine._client.inspect_image(BASE)["Size"]
    assert image is not None
    assert base < image.size <= base + MOST, [engine.layers(image.id), engine.packages(image.id)]


def test_a_coordinator_compiles_nothing_at_its_start(coordinator: dict[str, Any], engine: DockerEngine) -> None:
    """All that a start imports has bytecode in the image: a read-only container would compile it at every start."""
    image = engine.find(coordinator["id"])
    assert image is not None
    command = ("/opt/venv/bin/python", "-c", COMPILED)
    done = engine.job(image, limits=Limits(), command=command, outputs="/tmp/out")
    assert (done.exit.code, done.log) == (0, "[]\n")
