"""The real gcloud reads back what the clients deployed, over its own v1 classes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.iam.v1 import iam_policy_pb2, policy_pb2

from .conftest import Cloud, template
from .real_gcloud import run_gcloud

pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.skipif(
        not shutil.which("gcloud"), reason="gcloud is not installed: nothing reads the service back but our client"
    ),
]


def test_gcloud_reads_the_service_back(cloud: Cloud, image: str, service: Callable[..., Any], tmp_path: Path) -> None:
    """Service, revision, policy and repository are what was deployed."""
    made = service(template(image, labels={"team": "ml"}, max_instance_request_concurrency=7))
    binding = policy_pb2.Binding(role="roles/run.invoker", members=["allUsers"])
    request = iam_policy_pb2.SetIamPolicyRequest(resource=made.name, policy=policy_pb2.Policy(bindings=[binding]))
    cloud.services().set_iam_policy(request=request)
    name, region = made.name.rpartition("/")[2], "--region=europe-west1"

    seen = gcloud(cloud, tmp_path, "run", "services", "describe", name, region)
    assert seen["status"]["url"] == made.uri
    assert seen["spec"]["template"]["spec"]["containers"][0]["image"] == image
    assert seen["spec"]["template"]["spec"]["containerConcurrency"] == 7
    (revision,) = gcloud(cloud, tmp_path, "run", "revisions", "list", f"--service={name}", region)
    assert revision["metadata"]["name"] == made.latest_ready_revision.rpartition("/")[2]
    assert revision["status"]["imageDigest"] == image
    policy = gcloud(cloud, tmp_path, "run", "services", "get-iam-policy", name, region)
    assert policy["bindings"] == [{"members": ["allUsers"], "role": "roles/run.invoker"}]
    listed = gcloud(cloud, tmp_path, "run", "services", "list", regional=False)
    assert name in [each["metadata"]["name"] for each in listed]
    repository = gcloud(
        cloud, tmp_path, "artifacts", "repositories", "describe", "tiny", "--location=europe-west1", regional=False
    )
    assert repository["format"] == "DOCKER"


def gcloud(cloud: Cloud, folder: Path, *words: str, regional: bool = True) -> Any:
    """What gcloud prints as JSON."""
    token = cloud.post("/standin/access-token", None, "GET")["access_token"]
    done = run_gcloud(*words, "--format=json", endpoint=cloud.endpoint, token=token, folder=folder, regional=regional)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
