"""Who may ask a service: looked up and changed, and every refusal told as one."""

from __future__ import annotations

from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import run_v2
from google.iam.v1 import policy_pb2

from mlpack.errors import DeployError
from mlpack.targets.cloudrun.access import ALL, ROLE, access_of, members_of, set_invokers
from mlpack.targets.cloudrun.calls import Calls
from mlpack.targets.cloudrun.settings import Settings

google: Any = exceptions  # its classes have no types
SERVICE = run_v2.Service(name="projects/demo/locations/europe-west1/services/iris")


class Policies:
    """Google's client for services, as far as policies go: an error stands for what it raises."""

    def __init__(
        self,
        *,
        read: Exception | None = None,
        write: Exception | None = None,
        public: bool = False,
        invokers: tuple[str, ...] = (),
    ) -> None:
        members = [*invokers, *([ALL] if public else [])]
        self.writes = 0
        self._policy = policy_pb2.Policy(bindings=[policy_pb2.Binding(role=ROLE, members=members)])
        self._read, self._write = read, write
        self.services = self  # as the connected clients are found

    def get_iam_policy(self, request: dict[str, Any]) -> policy_pb2.Policy:
        """The policy, or the error."""
        assert request["resource"] == SERVICE.name
        if self._read is not None:
            raise self._read
        return self._policy

    def set_iam_policy(self, request: dict[str, Any]) -> None:
        """The error, else the new policy."""
        assert request["policy"].bindings
        if self._write is not None:
            raise self._write
        self._policy = request["policy"]
        self.writes += 1


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (google.ServiceUnavailable("no"), "deploy_unreachable"),
        (google.Unauthenticated("no"), "deploy_auth"),
        (google.Conflict("no"), "deploy_conflict"),
    ],
)
def test_a_policy_that_cannot_be_looked_up_is_a_failure_of_the_deploy(error: Exception, code: str) -> None:
    """Exit 8 with the code of the refusal: while things are put back, too, where a trace would hide what state is left."""
    with pytest.raises(DeployError) as told:
        access_of(Policies(read=error), SERVICE)
    assert (told.value.exit, told.value.code) == (8, code)
    assert "access policy of iris" in told.value.message


def test_a_policy_that_we_may_not_see_is_unknown() -> None:
    """Whoever may deploy may perhaps not look at policies."""
    assert access_of(Policies(read=google.PermissionDenied("no")), SERVICE).known is False


@pytest.mark.parametrize(
    ("error", "open_to_all", "code", "words"),
    [
        (google.PermissionDenied("no"), True, "deploy_permission", "could not be made public"),
        (google.PermissionDenied("no"), False, "deploy_permission", "could not be made private"),
        (google.ServiceUnavailable("no"), True, "deploy_unreachable", "does not answer"),
    ],
)
def test_a_door_that_does_not_move_is_told(error: Exception, open_to_all: bool, code: str, words: str) -> None:
    """Whether public or private was wanted; a network failure is not reported as a missing permission."""
    calls = Calls("demo", "europe-west1", "iris", Settings(), None)
    vars(calls)["api"] = Policies(write=error, public=not open_to_all)  # already connected
    with pytest.raises(DeployError) as told:
        calls.open(SERVICE, open_to_all=open_to_all)
    assert told.value.code == code
    assert words in told.value.message


def test_accounts_that_may_send_requests_are_added_and_removed_beside_others() -> None:
    """All else in the policy stays, conditions too; without a difference nothing is written."""
    policies = Policies(public=True, invokers=("user:theirs@example.com",))
    policies._policy.bindings.add(
        role=ROLE, members=["user:late@example.com"]
    ).condition.expression = "request.time < x"
    ours = members_of(["ours@demo.iam.gserviceaccount.com", "group:all@example.com"])
    assert ours == {"serviceAccount:ours@demo.iam.gserviceaccount.com", "group:all@example.com"}
    set_invokers(policies, SERVICE.name, add=ours)
    assert access_of(policies, SERVICE).invokers == ours | {"user:theirs@example.com"}
    assert access_of(policies, SERVICE).open_to_all
    set_invokers(policies, SERVICE.name, add=ours)
    assert policies.writes == 1
    set_invokers(policies, SERVICE.name, remove=ours)
    assert access_of(policies, SERVICE).invokers == {"user:theirs@example.com"}
    assert list(policies._policy.bindings[1].members) == ["user:late@example.com"]


def test_without_the_right_to_change_the_policy_the_deployment_fails() -> None:
    """The message names the account, the hint the permission."""
    calls = Calls("demo", "europe-west1", "iris", Settings(), None)
    vars(calls)["api"] = Policies(write=google.PermissionDenied("no"))  # already connected
    with pytest.raises(DeployError) as told:
        calls.invite(add={"serviceAccount:a@b"})
    assert told.value.code == "deploy_permission"
    assert "serviceAccount:a@b could not be allowed" in told.value.message
    assert "setIamPolicy" in told.value.hint
