"""What a service must be for a create or update to be accepted."""

from __future__ import annotations

import re
from typing import Any

from . import sizes
from .errors import ApiError

RESERVED_LABELS = ("run.googleapis.com", "cloud.googleapis.com", "serving.knative.dev", "autoscaling.knative.dev")
RESERVED_ENV = ("PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION")
MAX_CONCURRENCY, MAX_TIMEOUT, MAX_PROBE = 1000, 3600, 240
MAX_ENV = 32 << 10


def check_id(service_id: str) -> None:
    """A service's short name."""
    if not re.fullmatch(r"[a-z]([-a-z0-9]{0,47}[a-z0-9])?", service_id):
        raise invalid(
            f"service_id '{service_id}': only lowercase, digits, and hyphens; must begin with letter, and may not end with"
            " hyphen; must be less than 50 characters."
        )


def check_service(service: Any) -> None:
    """Labels, annotations, template and traffic; INVALID_ARGUMENT tells the first that is wrong."""
    _check_marks("", service)
    _check_marks("template.", service.template)
    if len(service.template.containers) == 0:
        raise invalid("template.containers: At least one container is required.")
    _check_numbers(service.template)
    for container in service.template.containers:
        _check_container(container, service.template)
    _check_traffic(service.traffic)


def default_template(template: Any) -> None:
    """Fill in what the user left to Cloud Run."""
    for container in template.containers:
        _default_limits(container)
    main = serving(template)
    if not main.ports:
        main.ports.add(name="http1", container_port=8080)
    if not main.HasField("startup_probe"):
        main.startup_probe.timeout_seconds = main.startup_probe.period_seconds = MAX_PROBE
        main.startup_probe.failure_threshold = 1
        main.startup_probe.tcp_socket.port = main.ports[0].container_port
    if not template.max_instance_request_concurrency:
        template.max_instance_request_concurrency = 80 if sizes.cpus(main.resources.limits["cpu"]) >= 1 else 1
    if not template.HasField("timeout"):
        template.timeout.seconds = 300
    if not template.scaling.max_instance_count:
        template.scaling.max_instance_count = 100


def serving(template: Any) -> Any:
    """The container that has the port, else the first."""
    return next((one for one in template.containers if one.ports), next(iter(template.containers), None))


def invalid(message: str) -> ApiError:
    """A refusal of the request as it is."""
    return ApiError("INVALID_ARGUMENT", message)


def _default_limits(container: Any) -> None:
    if not container.HasField("resources"):
        container.resources.cpu_idle = True
    for name, value in (("cpu", "1"), ("memory", sizes.DEFAULT_MEMORY)):
        if name not in container.resources.limits:
            container.resources.limits[name] = value


def _check_marks(where: str, thing: Any) -> None:
    for kind in ("labels", "annotations"):
        for key in getattr(thing, kind):
            prefix = key.partition("/")[0]
            if any(prefix == one or prefix.endswith(f".{one}") for one in RESERVED_LABELS):
                raise invalid(f"{where}{kind}: '{key}' is not allowed: {prefix} is a reserved prefix.")
    for key, value in thing.labels.items():
        if not re.fullmatch(r"[a-z][-_a-z0-9]{0,62}", key) or not re.fullmatch(r"[-_a-z0-9]{0,63}", value):
            raise invalid(f"{where}labels: '{key}={value}' is no valid label.")


def _check_numbers(template: Any) -> None:
    if not 0 <= template.max_instance_request_concurrency <= MAX_CONCURRENCY:
        raise invalid(f"template.max_instance_request_concurrency: must be between 0 and {MAX_CONCURRENCY} inclusive.")
    if template.HasField("timeout") and not 1 <= template.timeout.seconds <= MAX_TIMEOUT:
        raise invalid(f"template.timeout: must be between 1 and {MAX_TIMEOUT} seconds inclusive.")
    scaling = template.scaling
    if scaling.max_instance_count and scaling.min_instance_count > scaling.max_instance_count:
        raise invalid("template.scaling: min_instance_count must not be greater than max_instance_count.")


def _check_container(container: Any, template: Any) -> None:
    if not container.image:
        raise invalid("template.containers.image: should be a valid container image")
    limits = container.resources.limits
    cpu, memory = limits.get("cpu", "1"), limits.get("memory", sizes.DEFAULT_MEMORY)
    # Without resources the CPU is throttled; with them it is what cpu_idle says.
    idle = container.resources.cpu_idle or not container.HasField("resources")
    sizes.check_pair(cpu, memory, template.max_instance_request_concurrency, cpu_idle=idle)
    for variable in container.env:
        if variable.name in RESERVED_ENV:
            raise invalid(f"template.containers.env: The following reserved env names were provided: {variable.name}.")
        if len(variable.value.encode()) > MAX_ENV:
            raise invalid(f"template.containers.env: {variable.name} is longer than {MAX_ENV} bytes.")
    for name in ("startup_probe", "liveness_probe"):
        if container.HasField(name):
            _check_probe(name, getattr(container, name))


def _check_probe(name: str, probe: Any) -> None:
    period = probe.period_seconds or 10
    if probe.timeout_seconds > period:
        raise invalid(f"template.containers.{name}.timeout_seconds: must be less than period_seconds.")
    if max(probe.initial_delay_seconds, period) > MAX_PROBE:
        raise invalid(
            f"template.containers.{name}: initial_delay_seconds and period_seconds must be at most {MAX_PROBE}."
        )
    if name == "startup_probe" and period * (probe.failure_threshold or 3) > MAX_PROBE:
        raise invalid(f"template.containers.{name}: failure_threshold * period_seconds must be at most {MAX_PROBE}.")


def _check_traffic(targets: Any) -> None:
    if targets and sum(target.percent for target in targets) != 100:
        raise invalid("traffic: The sum of all traffic percents must be 100.")
    tags = [target.tag for target in targets if target.tag]
    if len(set(tags)) != len(tags):
        raise invalid("traffic: tags must be unique.")
    for tag in tags:
        if not re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", tag) or len(tag) > 46:
            raise invalid(f"traffic: '{tag}' is no valid tag.")
