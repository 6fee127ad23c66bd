"""The front door: who comes in, how much, how long, how many at a time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import run_v2
from google.iam.v1 import iam_policy_pb2, policy_pb2

from .conftest import Cloud, template, update

pytestmark = [pytest.mark.docker, pytest.mark.slow]

Create = Callable[..., Any]


def test_only_who_may_invoke_comes_in(cloud: Cloud, image: str, service: Create) -> None:
    """No token 403, a wrong one or one for another audience 401, a stranger's 403 until the policy names it."""
    made = service(template(image))
    assert cloud.ask(made.uri).status == 403
    assert cloud.ask(made.uri, Authorization="Bearer wrong").status == 401
    assert cloud.ask(made.uri, audience="https://elsewhere.example").status == 401
    stranger: dict[str, Any] = {"Authorization": f"Bearer {cloud.id_token(made.uri, 'caller@example.com')}"}
    assert cloud.ask(made.uri, **stranger).status == 403
    binding = policy_pb2.Binding(role="roles/run.invoker", members=["serviceAccount:caller@example.com"])
    request = iam_policy_pb2.SetIamPolicyRequest(resource=made.name, policy=policy_pb2.Policy(bindings=[binding]))
    cloud.services().set_iam_policy(request=request)
    assert cloud.ask(made.uri, **stranger).status == 200
    assert cloud.ask(made.uri).status == 403
    update(cloud, made.name, "invoker_iam_disabled", invoker_iam_disabled=True)
    assert cloud.ask(made.uri).status == 200


def test_a_body_over_32_mib_is_cut(cloud: Cloud, image: str, service: Create) -> None:
    """The largest allowed one arrives whole."""
    made = service(template(image), invoker_iam_disabled=True)
    assert cloud.ask(made.uri, data=bytes(32 << 20)).seen["size"] == 32 << 20
    assert cloud.ask(made.uri, data=bytes((32 << 20) + 1)).status == 413


def test_the_timeout_is_504_and_the_container_lives(cloud: Cloud, image: str, service: Create) -> None:
    """The next request is answered."""
    made = service(template(image, timeout="2s"), invoker_iam_disabled=True)
    assert cloud.ask(made.uri, "/sleep?s=5").status == 504
    assert cloud.ask(made.uri).status == 200


def test_an_instance_takes_so_many_requests_at_a_time(cloud: Cloud, image: str, service: Create) -> None:
    """With one instance of one request, they wait for each other; a second instance takes the second one."""
    alone = run_v2.RevisionScaling(max_instance_count=1)
    made = service(template(image, max_instance_request_concurrency=1, scaling=alone), invoker_iam_disabled=True)
    answers = _together(cloud, made.uri, 3)
    assert [each["busy"] for each in answers] == [1, 1, 1]
    assert len(cloud.containers(made.latest_ready_revision)) == 1
    pair = run_v2.RevisionScaling(min_instance_count=2, max_instance_count=2)
    two = update(
        cloud, made.name, "template", template=template(image, max_instance_request_concurrency=1, scaling=pair)
    )
    assert len(cloud.containers(two.latest_ready_revision)) == 2
    assert len({each["env"]["HOSTNAME"] for each in _together(cloud, made.uri, 2)}) == 2


def test_trace_headers_are_added_and_kept(cloud: Cloud, image: str, service: Create) -> None:
    """A caller's trace goes on; Google's own path is not handed to the container."""
    made = service(template(image), invoker_iam_disabled=True)
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = cloud.ask(made.uri, traceparent=f"00-{trace}-00f067aa0ba902b7-01").seen["headers"]
    assert headers["X-Cloud-Trace-Context"].startswith(f"{trace}/")
    assert headers["X-Forwarded-Proto"] == "https"
    assert cloud.ask(made.uri, "/healthz").status == 404
    assert cloud.ask(made.uri, "/health").status == 200


def test_secrets_reach_the_container_as_variables(cloud: Cloud, image: str, service: Create) -> None:
    """By the name that the stand-in's store knows; another name fails the start."""
    cloud.post("/standin/secrets", {"key": "s3cret"}, "PUT")
    wanted = template(image)
    source = run_v2.EnvVarSource(secret_key_ref=run_v2.SecretKeySelector(secret="key", version="latest"))
    wanted.containers[0].env.append(run_v2.EnvVar(name="SECRET", value_source=source))
    made = service(wanted, invoker_iam_disabled=True)
    assert cloud.ask(made.uri).seen["env"]["SECRET"] == "s3cret"
    wanted.containers[0].env[-1].value_source.secret_key_ref.secret = "gone"
    with pytest.raises(exceptions.FailedPrecondition, match="Secret gone/versions/latest was not found"):
        update(cloud, made.name, "template", template=wanted)


def _together(cloud: Cloud, url: str, many: int) -> list[Any]:
    """What so many requests saw that were sent at once and stay for a while."""
    with ThreadPoolExecutor(many) as pool:
        return [each.seen for each in pool.map(lambda _: cloud.ask(url, "/sleep?s=2"), range(many))]
