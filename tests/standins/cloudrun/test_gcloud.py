"""The real gcloud reads back what the clients deployed, over its own v1 classes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from google.iam.v1 import iam_policy_pb2, policy_pb2

from .conftest import Cloud, template

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
    """What gcloud prints as JSON, with a configuration of its own, asking nobody but the stand-in."""
    token = folder / "token"
    token.write_text(cloud.post("/standin/access-token", None, "GET")["access_token"])
    env = {name: value for name, value in os.environ.items() if not name.startswith("CLOUDSDK_")}
    env |= {
        "CLOUDSDK_CONFIG": str(folder / "config"),
        "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(token),
        "CLOUDSDK_CORE_PROJECT": "demo",
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true",
        "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "true",
        "NO_PROXY": "",
    }
    for api in ("RUN", "ARTIFACTREGISTRY", "SERVICEUSAGE"):
        env[f"CLOUDSDK_API_ENDPOINT_OVERRIDES_{api}"] = f"{cloud.endpoint}/"
    if regional:  # it puts the region in front of the host, which only a proxy finds
        port = str(urlsplit(cloud.endpoint).port)
        env |= {
            "CLOUDSDK_PROXY_TYPE": "http_no_tunnel",
            "CLOUDSDK_PROXY_ADDRESS": "127.0.0.1",
            "CLOUDSDK_PROXY_PORT": port,
        }
    done = subprocess.run(
        ["gcloud", *words, "--format=json"], env=env, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
