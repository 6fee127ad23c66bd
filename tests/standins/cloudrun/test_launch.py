"""`make cloudrun` and `make cloudrun-stop`, as a shell uses them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import urllib.request
from pathlib import Path

import docker
import pytest

from .conftest import ROOT

pytestmark = [pytest.mark.docker, pytest.mark.slow]


def test_it_starts_once_and_ends(engine: docker.DockerClient, tmp_path: Path) -> None:  # noqa: ARG001  # needs what it sets
    """Only export lines on stdout, the same at the second call, a key file that opens the API; nothing answers after the stop."""
    host = os.environ["DOCKER_HOST"]
    env = {
        **os.environ,
        "MLPACK_TEST_CACHE": str(tmp_path),
        "DOCKER_HOST": host,
    }  # the engine that is there, a state of its own
    try:
        first, second = _run("start", env), _run("start", env)
        assert first == second
        assert all(re.fullmatch(r"export [A-Z_]+=\S+", line) for line in first.splitlines())
        given = dict(word.split("=", 1) for word in shlex.split(first) if "=" in word)
        assert given["DOCKER_HOST"] == host
        assert Path(given["GOOGLE_APPLICATION_CREDENTIALS"]).stat().st_mode & 0o077 == 0
        run = given["CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN"]
        assert given["CLOUDSDK_API_ENDPOINT_OVERRIDES_ARTIFACTREGISTRY"] == run
        with urllib.request.urlopen(f"{run}standin/health", timeout=10) as answer:
            assert answer.status == 200
    finally:
        _run("stop", env)
        subprocess.run([sys.executable, "-m", "tests.engine", "stop"], cwd=ROOT, env=env, check=True)
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"{run}standin/health", timeout=10)


def _run(command: str, env: dict[str, str]) -> str:
    words = [sys.executable, "-m", "tests.standins.cloudrun", command]
    return subprocess.run(words, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, check=True, timeout=120).stdout
