"""The stand-in's calls, asked by Google's own clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import docker
import pytest
from google.api_core import exceptions
from google.cloud import artifactregistry_v1, run_v2
from google.iam.v1 import iam_policy_pb2, policy_pb2
from google.protobuf import field_mask_pb2

from .conftest import PARENT, Cloud, done, target, template, update

pytestmark = [pytest.mark.docker, pytest.mark.slow]

Create = Callable[..., Any]


@pytest.mark.parametrize("transport", ["rest", "grpc"])
def test_a_service_is_the_deployed_digest_in_a_container(
    cloud: Cloud, image: str, engine: docker.DockerClient, transport: str
) -> None:
    """Created, read, listed, deleted; its container runs the pushed digest, and the URL fails when that container stops."""
    client, name = cloud.services(transport), f"whole-{transport}"
    awake = template(image, scaling=run_v2.RevisionScaling(min_instance_count=1))  # none is started anew, having slept
    operation = client.create_service(parent=PARENT, service=run_v2.Service(template=awake), service_id=name)
    assert not operation.done()
    made = done(operation)
    try:
        assert made.terminal_condition.state == run_v2.Condition.State.CONDITION_SUCCEEDED
        assert (made.generation, made.observed_generation, made.reconciling) == (1, 1, False)
        assert made.latest_ready_revision == made.latest_created_revision
        assert client.get_service(name=made.name).etag == made.etag
        assert made.name in [each.name for each in client.list_services(parent=PARENT)]
        revision = cloud.revisions(transport).get_revision(name=made.latest_ready_revision)
        assert revision.containers[0].image == image
        assert revision.max_instance_request_concurrency == 80
        assert [each.name for each in cloud.revisions(transport).list_revisions(parent=made.name)] == [revision.name]
        seen = cloud.ask(made.uri, audience=made.uri).seen["env"]
        assert (seen["K_SERVICE"], seen["K_CONFIGURATION"], seen["PORT"]) == (name, name, "8080")
        assert seen["K_REVISION"] == revision.name.rpartition("/")[2]
        (container,) = cloud.containers(revision.name)
        running = engine.containers.get(container)
        assert image in engine.images.get(running.attrs["Image"]).attrs["RepoDigests"]
        running.stop(timeout=1)
        assert cloud.ask(made.uri, audience=made.uri).status == 503
    finally:
        done(client.delete_service(name=made.name))
    with pytest.raises(exceptions.NotFound):
        client.get_service(name=made.name)


def test_a_traffic_update_makes_no_revision(cloud: Cloud, image: str, service: Create) -> None:
    """Rolling back is an update of `traffic` alone; a new template is a new revision, an equal one is none."""
    client, one = cloud.services(), service(template(image, "one"))
    two = update(cloud, one.name, "template", template=template(image, "two"))
    assert cloud.ask(two.uri, audience=two.uri).mark == "two"
    back = update(cloud, one.name, "traffic", traffic=[target(one.latest_ready_revision, 100)])
    assert cloud.ask(two.uri, audience=two.uri).mark == "one"
    assert back.latest_created_revision == back.latest_ready_revision == two.latest_ready_revision
    assert back.generation == back.observed_generation == 3
    assert [status.revision for status in back.traffic_statuses] == [one.latest_ready_revision.rpartition("/")[2]]
    same = update(cloud, one.name, "template", template=client.get_service(name=one.name).template)
    assert same.latest_created_revision == two.latest_created_revision


def test_masks_and_etags_keep_what_was_not_given(cloud: Cloud, image: str, service: Create) -> None:
    """Other fields stay; an outdated etag is ABORTED; validate_only changes nothing."""
    client, made = cloud.services(), service(template(image), labels={"team": "ml"})
    described = update(cloud, made.name, "description", description="a model")
    assert (described.description, described.labels["team"]) == ("a model", "ml")
    assert described.latest_created_revision == made.latest_created_revision
    with pytest.raises(exceptions.Conflict):
        update(cloud, made.name, "description", description="late", etag=made.etag)
    wanted = run_v2.Service(name=made.name, description="dry", etag=described.etag)
    request = run_v2.UpdateServiceRequest(
        service=wanted, update_mask=field_mask_pb2.FieldMask(paths=["description"]), validate_only=True
    )
    assert client.update_service(request=request).result(timeout=20).description == "dry"
    assert client.get_service(name=made.name).description == "a model"
    with pytest.raises(exceptions.Conflict):
        client.create_service(
            parent=PARENT, service=run_v2.Service(template=template(image)), service_id=made.name.rpartition("/")[2]
        )


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"labels": {"run.googleapis.com/x": "1"}}, "reserved prefix"),
        ({"limits": {"cpu": "4", "memory": "1Gi"}}, "at least 2Gi"),
        ({"limits": {"cpu": "1", "memory": "8Gi"}}, "minimum CPU is 2"),
        ({"limits": {"cpu": "500m", "memory": "512Mi"}, "max_instance_request_concurrency": 80}, "concurrency"),
        ({"max_instance_request_concurrency": 1001}, "1000"),
        ({"env_PORT": "80"}, "reserved env names"),
        ({"startup_probe": run_v2.Probe(period_seconds=100, failure_threshold=3)}, "failure_threshold"),
    ],
)
def test_what_cloud_run_refuses_is_refused(cloud: Cloud, image: str, wrong: dict[str, Any], words: str) -> None:
    """INVALID_ARGUMENT says which field; nothing is made."""
    client = cloud.services()
    wanted = run_v2.Service(template=template(image, **wrong))
    with pytest.raises(exceptions.BadRequest, match=words):
        client.create_service(parent=PARENT, service=wanted, service_id="refused")
    with pytest.raises(exceptions.NotFound):
        client.get_service(name=f"{PARENT}/services/refused")


@pytest.mark.parametrize("transport", ["rest", "grpc"])
def test_a_policy_is_replaced_with_its_etag(cloud: Cloud, image: str, service: Create, transport: str) -> None:
    """allUsers opens the URL; a policy that was made from an older one is ABORTED."""
    client, made = cloud.services(transport), service(template(image))
    assert cloud.ask(made.uri).status == 403
    policy = client.get_iam_policy(request=iam_policy_pb2.GetIamPolicyRequest(resource=made.name))
    policy.bindings.append(policy_pb2.Binding(role="roles/run.invoker", members=["allUsers"]))
    request = iam_policy_pb2.SetIamPolicyRequest(resource=made.name, policy=policy)
    assert client.set_iam_policy(request=request).etag != policy.etag
    assert cloud.ask(made.uri).status == 200
    with pytest.raises(exceptions.Conflict):
        client.set_iam_policy(request=request)


def test_repositories_have_cleanup_policies_and_an_address(cloud: Cloud) -> None:
    """Created once, found by list, changed by mask."""
    client = cloud.repositories()
    wish = artifactregistry_v1.Repository(format_=artifactregistry_v1.Repository.Format.DOCKER)
    made = client.create_repository(parent=PARENT, repository_id="kept", repository=wish).result(timeout=20)
    assert made.registry_uri.endswith("/demo/kept")
    with pytest.raises(exceptions.Conflict):
        client.create_repository(parent=PARENT, repository_id="kept", repository=wish)
    keep = artifactregistry_v1.CleanupPolicy(
        id="keep",
        action=artifactregistry_v1.CleanupPolicy.Action.KEEP,
        most_recent_versions=artifactregistry_v1.CleanupPolicyMostRecentVersions(keep_count=5),
    )
    made.cleanup_policies = {"keep": keep}
    mask = field_mask_pb2.FieldMask(paths=["cleanup_policies"])
    client.update_repository(repository=made, update_mask=mask)
    found = {each.name: each for each in client.list_repositories(parent=PARENT)}
    assert found[made.name].cleanup_policies["keep"].most_recent_versions.keep_count == 5


def test_an_api_call_without_a_token_is_refused(cloud: Cloud) -> None:
    """Over REST a bearer token is asked for; a wrong one is refused."""
    refused: list[dict[str, Any]] = [{}, {"Authorization": "Bearer wrong"}]
    for headers in refused:
        assert cloud.ask(cloud.endpoint, f"/v2/{PARENT}/services", **headers).status == 401


def test_only_a_revision_that_nobody_needs_can_be_deleted(cloud: Cloud, image: str, service: Create) -> None:
    """The latest and the serving ones stay."""
    one = service(template(image, "one"))
    update(cloud, one.name, "template", template=template(image, "two"))
    client = cloud.revisions()
    done(client.delete_revision(name=one.latest_ready_revision))
    with pytest.raises(exceptions.NotFound):
        client.get_revision(name=one.latest_ready_revision)
    latest = cloud.services().get_service(name=one.name).latest_created_revision
    with pytest.raises(exceptions.BadRequest, match="latest created"):
        client.delete_revision(name=latest)
