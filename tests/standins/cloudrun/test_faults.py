"""Every fault strikes as it says, once, and then all is well again."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import pytest
from google.api_core import exceptions
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import Request
from google.iam.v1 import iam_policy_pb2, policy_pb2

from .conftest import Cloud, push, template, update
from .faults import KINDS

pytestmark = [pytest.mark.docker, pytest.mark.slow]

Create = Callable[..., Any]
OF_A_REVISION = {
    "operation-failed-9": (exceptions.FailedPrecondition, "failed to start and listen on the port"),
    "operation-failed-13": (exceptions.InternalServerError, "failed to start and listen on the port"),
    "never-starts": (exceptions.FailedPrecondition, "failed to start and listen on the port"),
    "image-gone": (exceptions.FailedPrecondition, "not found"),
    "gpu-quota": (exceptions.FailedPrecondition, "Quota exceeded"),
    "quota": (exceptions.TooManyRequests, "MemAllocPerProjectRegion"),
}
OF_A_CALL = {
    "forbidden": exceptions.Forbidden,
    "conflict": exceptions.Conflict,
    "exists": exceptions.Conflict,
    "unauthenticated": exceptions.Unauthorized,
}
ELSEWHERE = {
    "slow-operation",
    "out-of-memory",
    "unavailable",
    "policy-forbids-public",
    "push-401",
    "token-fails",
    "token-over",
    "instance-errors",
}


def test_every_fault_is_tried() -> None:
    """The tables here are the faults that there are, and README names each."""
    readme = (Path(__file__).parent / "README.md").read_text()
    assert [kind for kind, does in KINDS.items() if f"| `{kind}` | {does} |" not in readme] == []
    assert OF_A_REVISION.keys() | OF_A_CALL.keys() | ELSEWHERE == KINDS.keys()


def test_faults_of_a_revision(cloud: Cloud, image: str, service: Create) -> None:
    """Each its own error and words; the old revision serves, and the next deploy is well."""
    one = service(template(image, "one"), invoker_iam_disabled=True)
    for number, (kind, (error, words)) in enumerate(OF_A_REVISION.items()):
        cloud.fault(kind)
        with pytest.raises(error, match=words):
            update(cloud, one.name, "template", template=template(image, f"bad{number}"))
        assert cloud.ask(one.uri).mark == "one"
    update(cloud, one.name, "template", template=template(image, "well"))
    assert cloud.ask(one.uri).mark == "well"


def test_faults_of_a_call(cloud: Cloud, image: str, service: Create) -> None:
    """Only the call that is named, over either transport."""
    one = service(template(image))
    for transport in ("rest", "grpc"):
        client = cloud.services(transport)
        for kind, error in OF_A_CALL.items():
            # The client over REST gets itself a new token at a 401, and asks again.
            cloud.fault(kind, call="UpdateService", times=3 if kind == "unauthenticated" and transport == "rest" else 1)
            assert client.get_service(name=one.name).name == one.name
            with pytest.raises(error):
                client.update_service(service=one)
    cloud.fault("unavailable", call="GetService")
    assert cloud.services().get_service(name=one.name).name == one.name  # the client asks again by itself


def test_an_operation_can_be_slow(cloud: Cloud, image: str, service: Create) -> None:
    """By as many seconds as were wished."""
    one = service(template(image))
    cloud.fault("slow-operation", seconds=2)
    began = time.monotonic()
    update(cloud, one.name, "description", description="slow")
    assert time.monotonic() - began >= 2


def test_a_revision_runs_out_of_memory(cloud: Cloud, image: str, service: Create) -> None:
    """The limit is taken away under a container that starts; the log tells it."""
    one = service(template(image))
    cloud.fault("out-of-memory", bytes=8 << 20)
    with pytest.raises(exceptions.FailedPrecondition, match="failed to start and listen"):
        update(cloud, one.name, "template", template=template(image, "small"))
    bad = cloud.services().get_service(name=one.name).latest_created_revision
    assert "Memory limit of 8 MiB exceeded" in cloud.ask(cloud.revisions().get_revision(name=bad).log_uri).text


def test_an_organisation_can_forbid_the_public(cloud: Cloud, image: str, service: Create) -> None:
    """allUsers is refused, a named member is not."""
    one = service(template(image))
    cloud.fault("policy-forbids-public")
    for members in (["serviceAccount:a@example.com"], ["allUsers"]):
        policy = policy_pb2.Policy(bindings=[policy_pb2.Binding(role="roles/run.invoker", members=members)])
        request = iam_policy_pb2.SetIamPolicyRequest(resource=one.name, policy=policy)
        if members == ["allUsers"]:
            with pytest.raises(exceptions.BadRequest, match="permitted customer"):
                cloud.services().set_iam_policy(request=request)
        else:
            cloud.services().set_iam_policy(request=request)


def test_a_push_is_refused_after_its_layers(cloud: Cloud, image: str, engine: docker.DockerClient) -> None:
    """The second try finds the layers there."""
    name = image.partition("@")[0]
    cloud.fault("push-401")
    with pytest.raises(RuntimeError, match="authentication required"):
        push(cloud, engine, image, name, tag="again")
    assert push(cloud, engine, image, name, tag="again") == image.partition("@")[2]


def test_tokens_can_fail(cloud: Cloud) -> None:
    """As a revoked key's do."""
    cloud.fault("token-fails")
    with pytest.raises(RefreshError, match="invalid_grant"):
        cloud.credentials.refresh(Request())


def test_a_token_can_be_over_when_it_comes(cloud: Cloud) -> None:
    """It looks like any other, and nothing takes it; the next is good."""
    cloud.fault("token-over")
    path, credentials = "/v1/projects/demo/locations/europe-west1/repositories", cloud.credentials
    for status in (401, 200):
        credentials.refresh(Request())
        answer = cloud.ask(cloud.endpoint, path, Authorization=f"Bearer {credentials.token}")
        assert (answer.status, credentials.valid) == (status, True)


def test_a_revision_can_answer_errors(cloud: Cloud, image: str, service: Create) -> None:
    """As often as wished."""
    one = service(template(image), invoker_iam_disabled=True)
    cloud.fault("instance-errors", times=2)
    assert [cloud.ask(one.uri).status for _ in range(3)] == [500, 500, 200]


def test_an_unknown_fault_is_refused(cloud: Cloud) -> None:
    """With the known ones."""
    answer = cloud.ask(cloud.endpoint, "/standin/faults", data=b'{"kind": "flood"}')
    assert answer.status == 400
    assert "operation-failed-9" in answer.text
