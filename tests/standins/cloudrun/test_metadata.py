"""A job without a key file, as on Google's own machines, is somebody by the metadata server."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from .conftest import Cloud

pytestmark = [pytest.mark.docker, pytest.mark.slow]

PROGRAM = """
import google.auth
from google.auth.transport.requests import Request
from google.oauth2 import id_token
credentials, project = google.auth.default()
credentials.refresh(Request())
print(project, credentials.service_account_email, credentials.token, id_token.fetch_id_token(Request(), "https://a.example"))
"""


def test_a_job_without_a_key_file_has_tokens(cloud: Cloud) -> None:
    """Project, account, access token and ID token, by Google's own library, which reads the variables when it is imported."""
    host = cloud.endpoint.removeprefix("http://")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("GOOGLE_", "CLOUDSDK_"))}
    env |= {"GCE_METADATA_HOST": host, "GCE_METADATA_IP": host, "HOME": "/nowhere", "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    project, email, token, identity = done.stdout.split()
    assert (project, email) == ("demo", "deployer@demo.iam.gserviceaccount.com")
    path = "/v2/projects/demo/locations/europe-west1/services"
    assert cloud.ask(cloud.endpoint, path, Authorization=f"Bearer {token}").status == 200
    assert identity.count(".") == 2
