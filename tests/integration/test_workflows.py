"""The workflows that `mlpack init --ci` writes are run as their CI would run them: step by step, each job in a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from tests.integration.cli import told
from tests.integration.clouds import PROJECT, REGION, Cloud
from tests.integration.conftest import Packed

pytestmark = [pytest.mark.docker, pytest.mark.slow]

# Programs of a CI's machine: pip finds mlpack installed; `docker run IMAGE COMMAND` is a step in another container, which here is
# the same machine.
_PIP = "#!/bin/sh\nexit 0\n"
_DOCKER = '#!/bin/bash\nwhile [ "$1" != python:3.11 ]; do shift; done\nshift\nexec "$@"\n'


@pytest.fixture
def repository(iris: Packed, tmp_path: Path) -> Path:
    """A repository with the model in a folder, and a place for the CI's own programs beside it."""
    root = tmp_path / "repository"
    (root / "models").mkdir(parents=True)
    for name in ("model.pkl", "mlpack.yaml", "request.json", "expected.json"):
        shutil.copy(iris.folder / name, root / "models")
    programs = tmp_path / "bin"
    programs.mkdir()
    mlpack = f'#!/bin/sh\nexec "{sys.executable}" -m mlpack "$@"\n'
    for name, text in (("pip", _PIP), ("docker", _DOCKER), ("mlpack", mlpack)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    return root


def github(workflow: dict[str, Any]) -> Iterable[tuple[str, list[str], dict[str, str]]]:
    """Jobs by name, their shell steps and their environment; GitHub's own variables are filled in."""
    values = {"${{ vars.GCP_PROJECT }}": PROJECT, "${{ vars.GCP_REGION }}": REGION}
    env = {name: values.get(value, value) for name, value in workflow["env"].items()}
    for name, job in workflow["jobs"].items():
        assert all("run" in step or "uses" in step for step in job["steps"])
        yield name, [step["run"] for step in job["steps"] if "run" in step], env


def gitlab(workflow: dict[str, Any]) -> Iterable[tuple[str, list[str], dict[str, str]]]:
    """The jobs by stage; the credentials file of the before_script is GitLab's own affair, the rest of it runs."""
    env = {"MODEL": workflow["variables"]["MODEL"], "GOOGLE_CLOUD_PROJECT": PROJECT, "GOOGLE_CLOUD_REGION": REGION}
    before = [step for step in workflow[".mlpack"]["before_script"] if "GCP_TOKEN" not in step]
    for stage in workflow["stages"]:
        yield stage, [*before, *workflow[stage]["script"]], env


def cloudbuild(workflow: dict[str, Any]) -> Iterable[tuple[str, list[str], dict[str, str]]]:
    """Each step is a container of its own; they share a folder."""
    env = {**workflow["substitutions"], "_REGION": REGION, "PROJECT_ID": PROJECT}
    for step in workflow["steps"]:
        yield step["id"], [step["script"]], env


@pytest.mark.parametrize(
    ("ci", "file", "jobs_of", "shared"),
    [
        ("github", ".github/workflows/mlpack.yml", github, False),
        ("gitlab", ".gitlab-ci.yml", gitlab, False),
        ("cloudbuild", "cloudbuild.yaml", cloudbuild, True),
    ],
)
def test_a_workflow_runs(
    cloud: Cloud, repository: Path, iris: Packed, ci: str, file: str, jobs_of: Any, *, shared: bool
) -> None:
    """From the file that was written to a service that answers: no prompt, no key file, the receipt carried between the jobs."""
    service = f"{ci}-{iris.name}"
    config = repository / "models" / "mlpack.yaml"
    config.write_text(config.read_text().replace("name: iris", f"name: {service}"))
    written = told("init", "--ci", ci, "models/model.pkl", cwd=repository)
    assert Path(written["file"]) == repository / file
    text = (repository / file).read_text()
    assert "private_key" not in text
    assert "_json_key" not in text
    handed: Path | None = None
    summary = repository.parent / "summary.md"
    for name, steps, env in jobs_of(yaml.safe_load(text)):
        folder = repository if shared else repository.parent / name
        if not shared:
            shutil.copytree(repository, folder)
            if handed is not None:
                shutil.copytree(handed, folder / "handover")
        for step in steps:
            path = f"{repository.parent / 'bin'}{os.pathsep}{os.environ['PATH']}"
            done = subprocess.run(
                ["bash", "-e", "-o", "pipefail", "-c", step], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                env={**os.environ, **cloud.env, **env, "PATH": path, "GITHUB_STEP_SUMMARY": str(summary)}, check=False,
            )  # fmt: skip
            assert done.returncode == 0, (name, step, done.stdout, done.stderr)
            assert "\x1b" not in done.stdout + done.stderr
        handed = folder / "handover"
    assert handed is not None
    assert json.loads((handed / "receipt.json").read_text())["report"]["ok"] is True
    assert int(ET.parse(handed / "junit.xml").getroot().get("tests") or 0) > 15
    page = summary.read_text()
    assert "checks passed" in page
    assert f"### mlpack deploy: {service} on cloudrun" in page
    asked = cloud.told("status", cwd=handed.parent)
    reference = (handed / "reference.txt").read_text().strip()
    assert [one["image"] for one in asked["revisions"] if one["percent"] == 100] == [reference]
    cloud.told("delete", "--yes", cwd=handed.parent)


def test_a_failed_deploy_is_on_the_page(cloud: Cloud, pushed: str, tmp_path: Path) -> None:
    """Markdown with the code, the message and the remedy."""
    page = tmp_path / "summary.md"
    done = cloud.run(
        "deploy", pushed, "--target", "cloudrun", "--project", PROJECT, "--region", "nowhere", "--yes", cwd=tmp_path,
        GITHUB_STEP_SUMMARY=str(page),
    )  # fmt: skip
    assert done.code == 2
    assert "mlpack deploy failed: `usage`" in page.read_text()
