"""A service as plain facts, one a line: what a plan compares and shows."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from mlpack.artifacts.service import Change
from mlpack.targets.cloudrun.traffic import calls_of

_FIRST = ("image", "memory", "cpu", "concurrency", "scaling", "access", "invokers", "traffic")


def changes_between(
    before: dict[str, str], after: dict[str, str], *, shown: Collection[str] = ()
) -> tuple[Change, ...]:
    """The facts that differ, the important ones first. The values of the variables `shown` are no secrets."""
    order = {name: number for number, name in enumerate(_FIRST)}
    keys = sorted({*before, *after}, key=lambda key: (order.get(key, len(order)), key))
    return tuple(
        Change(field=key, before=_shown(key, before.get(key, ""), shown), after=_shown(key, after.get(key, ""), shown))
        for key in keys
        if before.get(key, "") != after.get(key, "")
    )


def facts_of(template: Any) -> dict[str, str]:
    """What a revision's template says. The value of a variable is compared, and never shown: it may be a secret."""
    container = template.containers[0]
    limits, scaling = container.resources.limits, template.scaling
    facts = {
        "image": container.image,
        "memory": limits.get("memory", ""),
        "cpu": limits.get("cpu", ""),
        "cpu_always": "no" if container.resources.cpu_idle else "yes",
        "cpu_boost": "yes" if container.resources.startup_cpu_boost else "no",
        "concurrency": str(template.max_instance_request_concurrency or ""),
        "scaling": f"{scaling.min_instance_count} to {scaling.max_instance_count or 'the default'}",
        "timeout": f"{_seconds(template.timeout)} s",
        "service_account": template.service_account,
        "execution_environment": _word(template.execution_environment, "EXECUTION_ENVIRONMENT_"),
        "startup_probe": _probe(container.startup_probe),
        "vpc": _vpc(template.vpc_access),
    }
    facts |= {f"env.{variable.name}": _variable(variable) for variable in container.env}
    facts |= {f"label.{key}": value for key, value in template.labels.items()}
    facts |= {f"calls.{service}": revision for service, revision in calls_of(template).items()}
    return {key: value for key, value in facts.items() if value}


def _shown(key: str, value: str, shown: Collection[str]) -> str:
    plain = not key.startswith("env.") or not value or value.startswith("secret ")
    if key.removeprefix("env.") in shown:
        return value.removeprefix("=")
    return value if plain else "(set)"


def _variable(variable: Any) -> str:
    reference = variable.value_source.secret_key_ref
    return f"secret {reference.secret}:{reference.version}" if reference.secret else f"={variable.value}"


def _probe(probe: Any) -> str:
    if not (probe.http_get.path or probe.tcp_socket.port or probe.grpc.port):
        return ""
    what = f"GET {probe.http_get.path}" if probe.http_get.path else f"TCP {probe.tcp_socket.port}"
    return f"{what} every {probe.period_seconds} s, {probe.failure_threshold} times"


def _vpc(access: Any) -> str:
    if access.connector:
        return f"{access.connector} ({_word(access.egress, '')})"
    return ", ".join(f"{one.network}/{one.subnetwork}" for one in access.network_interfaces)


def _word(value: Any, prefix: str) -> str:
    name = str(getattr(value, "name", "") or "")
    return "" if name.endswith("UNSPECIFIED") else name.removeprefix(prefix).lower().replace("_", "-")


def _seconds(duration: Any) -> int:
    found = duration.total_seconds() if hasattr(duration, "total_seconds") else getattr(duration, "seconds", 0)
    return int(found)
