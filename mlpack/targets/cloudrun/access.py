"""Access to a service: private or public. It is read, changed and restored."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from mlpack.errors import DeployError
from mlpack.targets.cloudrun.failures import api_errors, plain
from mlpack.targets.cloudrun.traffic import short

ROLE = "roles/run.invoker"
ALL = "allUsers"


@dataclass(frozen=True, kw_only=True)
class Access:
    """Public by the IAM policy, or because the invoker check is off. `known` is false without permission to read it.

    `invokers` are the members of the policy, such as `serviceAccount:ADDRESS`, that may send requests.
    """

    by_policy: bool
    check_off: bool
    known: bool = True
    invokers: frozenset[str] = frozenset()

    @property
    def open_to_all(self) -> bool:
        """Whether requests need no token."""
        return self.by_policy or self.check_off


def access_of(services: Any, service: Any) -> Access:
    """The current access to the service; raises DeployError if the API does not answer."""
    from google.api_core import exceptions as google

    with api_errors(f"reading the access policy of {short(service.name)}"):
        try:
            policy = services.get_iam_policy(request={"resource": service.name})
        except google.Forbidden:
            return Access(by_policy=False, check_off=service.invoker_iam_disabled, known=False)
    invokers = frozenset(member for binding in _unconditional(policy) for member in binding.members)
    return Access(by_policy=_has_all(policy), check_off=service.invoker_iam_disabled, invokers=invokers - {ALL})


def set_policy(services: Any, name: str, *, open_to_all: bool) -> None:
    """Adds everybody to those who may ask, or takes them out; all else in the policy stays.

    Raises what Google raises: Forbidden without run.services.setIamPolicy, FailedPrecondition or InvalidArgument where
    an organisation lets no policy name everybody.
    """
    policy = services.get_iam_policy(request={"resource": name})
    if _has_all(policy) == open_to_all:
        return
    if open_to_all:
        _add(policy, [ALL])
    else:
        for binding in policy.bindings:
            if binding.role == ROLE and ALL in binding.members:
                binding.members.remove(ALL)
    services.set_iam_policy(request={"resource": name, "policy": policy})


def set_invokers(services: Any, name: str, *, add: Collection[str] = (), remove: Collection[str] = ()) -> None:
    """Let members of the policy send requests, or no longer; all else in the policy stays. Raises what Google raises."""
    policy = services.get_iam_policy(request={"resource": name})
    before = policy.SerializeToString(deterministic=True)
    for binding in _unconditional(policy):
        for member in [one for one in binding.members if one in remove]:
            binding.members.remove(member)
    present = {member for binding in _unconditional(policy) for member in binding.members}
    if missing := sorted(set(add) - present):
        _add(policy, missing)
    if policy.SerializeToString(deterministic=True) != before:
        services.set_iam_policy(request={"resource": name, "policy": policy})


def members_of(accounts: Iterable[str]) -> frozenset[str]:
    """Accounts as a policy names them; an address alone is that of a service account."""
    return frozenset(one if ":" in one else f"serviceAccount:{one}" for one in accounts)


def invokers_not_changed(error: Exception, accounts: Collection[str]) -> DeployError:
    """The error for accounts that could not be allowed to send requests, with the remedy."""
    return DeployError(
        f"{' and '.join(sorted(accounts))} could not be allowed to send requests: {plain(error)}",
        hint=f"This needs run.services.setIamPolicy (roles/run.admin); or let an administrator grant {ROLE} on the service.",
        code="deploy_permission",
    )


def is_forbidden_by_organisation(error: Exception) -> bool:
    """Whether an organisation's policy stands against naming everybody."""
    text = str(error).lower()
    signs = ("allowedpolicymemberdomains", "permitted customer", "organization policy", "organisation policy")
    return any(sign in text for sign in signs) or "do not belong to a permitted" in text


def not_changed(error: Exception, *, open_to_all: bool) -> DeployError:
    """The error for a service that could not be made public or private, with the remedy."""
    did, word = ("public", "--allow-unauthenticated") if open_to_all else ("private", "--no-allow-unauthenticated")
    return DeployError(
        f"the service could not be made {did}: {plain(error)}",
        hint=f"{word} needs run.services.setIamPolicy (roles/run.admin)"
        + ("; omit it for a private service." if open_to_all else "."),
        code="deploy_permission",
    )


def _has_all(policy: Any) -> bool:
    return any(binding.role == ROLE and ALL in binding.members for binding in policy.bindings)


def _unconditional(policy: Any) -> list[Any]:
    """The bindings of the role that hold at any time."""
    return [one for one in policy.bindings if one.role == ROLE and not one.condition.expression]


def _add(policy: Any, members: Collection[str]) -> None:
    binding = next(iter(_unconditional(policy)), None) or policy.bindings.add(role=ROLE)
    binding.members.extend(members)
