"""A container whose variables name a service calls it with a token of its own account; any other reaches nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from google.iam.v1 import iam_policy_pb2, policy_pb2

from .conftest import Cloud, template

pytestmark = [pytest.mark.docker, pytest.mark.slow]

Create = Callable[..., Any]
ACCOUNT = "caller@demo.iam.gserviceaccount.com"
TOKEN = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/identity?audience="


def test_a_container_calls_a_private_service_with_its_own_identity(cloud: Cloud, image: str, service: Create) -> None:
    """The metadata server's token is that of the revision's account, which the policy of the other service names."""
    private = service(template(image, "private"))
    caller = service(
        template(image, "caller", env_OTHER=private.uri, service_account=ACCOUNT), invoker_iam_disabled=True
    )

    def fetched(url: str, token: str = "") -> Any:
        return cloud.ask(caller.uri, f"/fetch?url={quote(url, safe='')}&token={token}").seen["fetched"]

    token = str(fetched(TOKEN + private.uri)["text"])
    assert fetched(private.uri)["status"] == 403
    assert fetched(private.uri, token)["status"] == 403
    binding = policy_pb2.Binding(role="roles/run.invoker", members=[f"serviceAccount:{ACCOUNT}"])
    policy = policy_pb2.Policy(bindings=[binding])
    cloud.services().set_iam_policy(
        request=iam_policy_pb2.SetIamPolicyRequest(resource=private.name, policy=policy)
    )  # fmt: skip
    assert fetched(private.uri, token)["status"] == 200
    assert fetched(private.uri, str(fetched(f"{TOKEN}https://elsewhere.example")["text"]))["status"] == 401


def test_a_container_that_names_no_service_reaches_nothing(cloud: Cloud, image: str, service: Create) -> None:
    """It must start without the metadata server, and has a loopback of its own."""
    made = service(template(image), invoker_iam_disabled=True)
    for url in (TOKEN + "a", made.uri):
        found = cloud.ask(made.uri, f"/fetch?url={quote(url, safe='')}&token=").seen["fetched"]
        assert found == {"status": 0, "text": "<urlopen error [Errno 111] Connection refused>"}
