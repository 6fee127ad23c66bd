"""Access to a service: private or public. It is read, changed and restored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mlpack.errors import DeployError
from mlpack.targets.cloudrun.failures import api_errors, plain
from mlpack.targets.cloudrun.traffic import short

ROLE = "roles/run.invoker"
ALL = "allUsers"


@dataclass(frozen=True, kw_only=True)
class Access:
    """Public by the IAM policy, or because the invoker check is off. `known` is false without permission to read it."""

    by_policy: bool
    check_off: bool
    known: bool = True

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
    return Access(by_policy=_has_all(policy), check_off=service.invoker_iam_disabled)


def set_policy(services: Any, name: str, *, open_to_all: bool) -> None:
    """Adds everybody to those who may ask, or takes them out; all else in the policy stays.

    Raises what Google raises: Forbidden without run.services.setIamPolicy, FailedPrecondition or InvalidArgument where
    an organisation lets no policy name everybody.
    """
    policy = services.get_iam_policy(request={"resource": name})
    if _has_all(policy) == open_to_all:
        return
    if open_to_all:
        binding = next((one for one in policy.bindings if one.role == ROLE and not one.condition.expression), None)
        (binding or policy.bindings.add(role=ROLE)).members.append(ALL)
    else:
        for binding in policy.bindings:
            if binding.role == ROLE and ALL in binding.members:
                binding.members.remove(ALL)
    services.set_iam_policy(request={"resource": name, "policy": policy})


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
