"""The service.yaml that a dry run writes is the real gcloud's, too."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.integration.clouds import REGION, WHERE, Cloud
from tests.standins.cloudrun.real_gcloud import run_gcloud

pytestmark = [pytest.mark.docker, pytest.mark.slow]


@pytest.mark.skipif(not shutil.which("gcloud"), reason="gcloud is not installed: nothing else reads the service.yaml")
def test_the_written_file_is_read_by_gcloud(cloud: Cloud, pushed: str, tmp_path: Path) -> None:
    """`gcloud run services replace` knows every field of it, and goes on to the calls, of which the stand-in has none."""
    more = ("env.A=x", "secrets.KEY=key:3", "vpc.network=default", "ingress=internal", "labels.team=ml", "cpu_always=true",
            "min_instances=1", "max_instances=3", "execution_environment=gen2", "service_account=run@demo.iam.gserviceaccount.com")  # fmt: skip
    words = [word for setting in more for word in ("--set", setting)]
    cloud.told("deploy", pushed, *WHERE, "--service", "unmade", *words, "--dry-run", "--write", tmp_path / "service.yaml",
               cwd=tmp_path)  # fmt: skip
    text = (tmp_path / "service.yaml").read_text()

    def replace(text: str) -> str:
        (tmp_path / "service.yaml").write_text(text)
        done = run_gcloud(
            "run", "services", "replace", tmp_path / "service.yaml", f"--region={REGION}",
            endpoint=cloud.endpoint, token=cloud.access_token(), folder=tmp_path,
        )  # fmt: skip
        return done.stderr

    assert "Failed to parse value" in replace(text.replace("containerConcurrency", "containerConcurency"))
    said = replace(text)
    assert "Failed to parse" not in said
    assert "Applying new configuration" in said
