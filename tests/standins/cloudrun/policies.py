"""IAM policies of services: read and written whole, with an etag; who may invoke."""

from __future__ import annotations

import hashlib
from typing import Any

from google.iam.v1 import policy_pb2

from .errors import ApiError

INVOKE = ("roles/run.invoker", "roles/run.admin", "roles/run.developer", "roles/owner", "roles/editor")


def empty() -> Any:
    """The policy of a new service: nobody but those whom the project lets in."""
    return stamped(policy_pb2.Policy(version=1))


def stamped(policy: Any) -> Any:
    """The policy with the etag of its content."""
    policy.etag = b""
    policy.etag = hashlib.sha256(policy.SerializeToString(deterministic=True)).digest()[:8]
    return policy


def replaced(current: Any, wanted: Any) -> Any:
    """The wanted policy in place of the current one; ABORTED where it was made from an older one."""
    if wanted.etag and wanted.etag != current.etag:
        message = (
            "There were concurrent policy changes. Please retry the whole read-modify-write with exponential backoff."
        )
        raise ApiError("ABORTED", message)
    for binding in wanted.bindings:
        if not binding.role.startswith(("roles/", "projects/", "organizations/")):
            raise ApiError("INVALID_ARGUMENT", f"Role {binding.role} is not supported for this resource.")
        for member in binding.members:
            if member not in {"allUsers", "allAuthenticatedUsers"} and ":" not in member:
                raise ApiError("INVALID_ARGUMENT", f"Invalid member {member}.")
    policy = policy_pb2.Policy()
    policy.CopyFrom(wanted)
    policy.version = policy.version or 1
    # Empty bindings do not last.
    kept = [binding for binding in policy.bindings if binding.members]
    del policy.bindings[:]
    policy.bindings.extend(kept)
    return stamped(policy)


def may_invoke(policy: Any, member: str | None) -> bool:
    """Whether a caller (None: without a token) has one of the invoking roles."""
    wanted = {"allUsers"} | ({"allAuthenticatedUsers", member} if member else set())
    return any(binding.role in INVOKE and wanted & set(binding.members) for binding in policy.bindings)
