"""The template of a revision: what the user said and the test measured, laid over what serves now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from mlpack.artifacts.release import Component
from mlpack.artifacts.report import Report
from mlpack.errors import UsageError
from mlpack.targets.cloudrun.settings import Settings, Vpc
from mlpack.targets.cloudrun.sizes import (
    PROBE_LIMIT_S,
    check_pair,
    cpu_for,
    measured_memory,
    memory_text,
    parse_cpu,
    parse_memory,
    probe_times,
)
from mlpack.targets.cloudrun.traffic import CALLS_NOTE, calls_note

IMAGE_NOTE = "mlpack.dev/image"  # the config digest: shows without a pull whether the image is the same
_PORT = 8080
_CONCURRENCY = 80  # Cloud Run's own default, said aloud
_TIMEOUT_S = 300
_FIELDS_OF_A_TEMPLATE = (
    "labels", "annotations", "scaling", "vpc_access", "timeout", "service_account", "containers", "volumes",
    "execution_environment", "encryption_key", "max_instance_request_concurrency", "service_mesh", "session_affinity",
    "node_selector", "gpu_zonal_redundancy_disabled",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Sized:
    """What an instance gets: CPUs as Cloud Run writes them, mebibytes; and why, where the user did not say."""

    cpu: str
    memory: int
    note: str = ""


def template_of(base: Any | None, settings: Settings, *, image_id: str, reference: str, report: Report | None) -> Any:
    """A RevisionTemplate; `base` is that of the revision that serves (None: there is none). Fields not given stay.

    Raises UsageError for sizes that Cloud Run does not take.
    """
    from google.cloud import run_v2

    template = run_v2.RevisionTemplate(base) if base is not None else run_v2.RevisionTemplate()
    template.revision = ""  # named anew by the service
    if not template.containers:
        template.containers = [run_v2.Container()]
    container = template.containers[0]
    if template.annotations.get(IMAGE_NOTE) != image_id or not container.image:
        container.image = reference
    template.annotations[IMAGE_NOTE] = image_id
    if not container.ports:
        container.ports = [run_v2.ContainerPort(container_port=_PORT)]
    _resources(container, settings, report, fresh=base is None)
    _probe(container, report)
    _environment(container, settings.env, settings.secrets)
    _around(template, settings, fresh=base is None)
    return template


def add_calls(template: Any, component: Component) -> None:
    """Add what a component needs to call other services: variables, their revisions, and time at its start.

    It is ready only when they let it in, and a new permission takes minutes to reach all of Google's front ends.
    """
    container = template.containers[0]
    _environment(container, component.env, {})
    template.annotations.pop(CALLS_NOTE, None)
    if component.calls:
        template.annotations[CALLS_NOTE] = calls_note(component.calls)
        probe = container.startup_probe
        probe.failure_threshold = max(probe.failure_threshold, PROBE_LIMIT_S // probe.period_seconds)


def template_of_revision(revision: Any) -> Any:
    """The template that a revision was made from, as far as the revision records it."""
    from google.cloud import run_v2

    template = run_v2.RevisionTemplate()
    for name in _FIELDS_OF_A_TEMPLATE:
        value = getattr(revision, name)
        if value:
            setattr(template, name, value)
    return template


def sized(container: Any | None, settings: Settings, report: Report | None) -> Sized:
    """The instance's size: as given, else as it is and large enough for what was measured, else by the measure alone."""
    limits: Mapping[str, str] = container.resources.limits if container is not None else {}
    measured = measured_memory(report)
    there = parse_memory(limits["memory"]) if limits.get("memory") else None
    note = ""
    if settings.memory is not None:
        memory = parse_memory(settings.memory)
        if report is not None and report.peak_memory_mb is not None and report.peak_memory_mb > memory:
            note = f"--memory {settings.memory} is less than the {report.peak_memory_mb:g} MiB that the test measured"
    else:
        memory = max(there or 0, measured or 512)
    cpu = settings.cpu or limits.get("cpu") or cpu_for(memory)
    if settings.cpu is None and memory > parse_memory(memory_text(_most(cpu))):
        cpu = cpu_for(memory)
    check_pair(cpu, memory_text(memory), settings.concurrency)
    return Sized(cpu=cpu, memory=memory, note=note)


def _most(cpu: str) -> int:
    cpus = parse_cpu(cpu)
    return int({1.0: 4096, 2.0: 8192, 4.0: 16384, 6.0: 24576, 8.0: 32768}.get(cpus, 512 if cpus < 0.5 else 1024))


def _resources(container: Any, settings: Settings, report: Report | None, *, fresh: bool) -> None:
    size = sized(None if fresh else container, settings, report)
    container.resources.limits["cpu"] = size.cpu
    container.resources.limits["memory"] = memory_text(size.memory)
    # Left out, cpu_idle would become false with any resources, and the CPU be billed around the clock.
    always = settings.cpu_always if settings.cpu_always is not None else not (fresh or container.resources.cpu_idle)
    container.resources.cpu_idle = not always
    boost = settings.cpu_boost if settings.cpu_boost is not None else fresh or container.resources.startup_cpu_boost
    container.resources.startup_cpu_boost = boost


def _probe(container: Any, report: Report | None) -> None:
    """Ready means that the model has answered; another HTTP probe of the user's stays, with time enough for the start."""
    from google.cloud import run_v2

    period, failures = probe_times(report)
    old = container.startup_probe
    if old.http_get.path and old.period_seconds * old.failure_threshold >= period * failures:
        return
    path = old.http_get.path or "/ready"
    container.startup_probe = run_v2.Probe(
        http_get=run_v2.HTTPGetAction(path=path, port=container.ports[0].container_port or _PORT),
        period_seconds=period,
        timeout_seconds=max(1, period - 1),  # strictly less than the period
        failure_threshold=failures,
    )


def _environment(container: Any, plain: Mapping[str, str | None], secrets: Mapping[str, str]) -> None:
    """Given names replace those of the same name, or with None take them away; the others stay."""
    from google.cloud import run_v2

    given = [run_v2.EnvVar(name=name, value=value) for name, value in sorted(plain.items()) if value is not None]
    for name, text in sorted(secrets.items()):
        secret, _, version = text.partition(":")
        selector = run_v2.SecretKeySelector(secret=secret, version=version or "latest")
        given.append(run_v2.EnvVar(name=name, value_source=run_v2.EnvVarSource(secret_key_ref=selector)))
    names = {*plain, *secrets}
    container.env = [*(variable for variable in container.env if variable.name not in names), *given]


def _around(template: Any, settings: Settings, *, fresh: bool) -> None:
    from google.cloud import run_v2

    concurrency = settings.concurrency or (_default_concurrency(template) if fresh else None)
    if concurrency is not None:
        template.max_instance_request_concurrency = concurrency
    if settings.min_instances is not None:
        template.scaling.min_instance_count = settings.min_instances
    if settings.max_instances is not None:
        template.scaling.max_instance_count = settings.max_instances
    least, most = template.scaling.min_instance_count, template.scaling.max_instance_count
    if most and least > most:  # one is the service's own
        raise UsageError(
            f"the minimum of {least} instances is more than the maximum of {most}",
            hint="Set both --min-instances and --max-instances.",
        )
    if settings.timeout is not None or fresh:
        template.timeout = timedelta(seconds=settings.timeout or _TIMEOUT_S)
    if settings.service_account is not None:
        template.service_account = settings.service_account
    if settings.execution_environment is not None:
        name = f"EXECUTION_ENVIRONMENT_{settings.execution_environment.upper()}"
        template.execution_environment = getattr(run_v2.ExecutionEnvironment, name)
    if settings.vpc is not None:
        template.vpc_access = _vpc(settings.vpc)
    for key, value in settings.labels.items():
        template.labels[key] = value


def _default_concurrency(template: Any) -> int:
    return _CONCURRENCY if parse_cpu(template.containers[0].resources.limits["cpu"]) >= 1 else 1


def _vpc(vpc: Vpc) -> Any:
    from google.cloud import run_v2

    egress = run_v2.VpcAccess.VpcEgress
    interfaces = [run_v2.VpcAccess.NetworkInterface(network=vpc.network or "", subnetwork=vpc.subnet or "")]
    return run_v2.VpcAccess(
        connector=vpc.connector or "",
        network_interfaces=[] if vpc.connector else interfaces,
        egress=egress.ALL_TRAFFIC if vpc.egress == "all-traffic" else egress.PRIVATE_RANGES_ONLY,
    )
